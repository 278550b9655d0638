import torch

from s2d.models.candidates import COUNT
from s2d.models.heatmaps import PART_COUNT
from s2d.models.motion import MOST, MotionNetwork


def inputs(batch=2, size=16):
    torch.manual_seed(1)
    drawn = torch.rand(batch, PART_COUNT, size, size)
    return torch.rand(batch, COUNT, 3, size, size), torch.rand(batch, COUNT, size, size), drawn, drawn.flip(0)


def test_says_nothing_untrained():
    torch.manual_seed(0)
    update = MotionNetwork(8, 0.1)(*inputs())
    assert update.logits.shape == (2, COUNT, 16, 16)
    assert update.residual.shape == (2, 2, 16, 16)
    assert update.occlusion.shape == (2, 1, 16, 16)
    assert all(field.abs().max() == 0 for field in update)


def test_masks_and_residual_stay_within_reach():
    torch.manual_seed(0)
    network = MotionNetwork(8, 0.1)
    torch.nn.init.normal_(network.head.weight, std=10.0)
    logits, residual, _ = network(*inputs())
    assert 0.09 < residual.abs().max() <= 0.1
    assert 0.9 * MOST < logits.abs().max() <= MOST


def test_output_is_float32_under_autocast():
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        update = MotionNetwork(8, 0.1)(*inputs(1, 8))
    assert {field.dtype for field in update} == {torch.float32}


def test_every_input_matters():
    """After any change of the head, the masks depend on candidates, prior masks and both drawings."""
    torch.manual_seed(0)
    network = MotionNetwork(8, 0.1)
    torch.nn.init.normal_(network.head.weight)
    leaves = [field.requires_grad_() for field in inputs()]
    network(*leaves).logits.square().sum().backward()
    assert all(leaf.grad.abs().sum() > 0 for leaf in leaves)
