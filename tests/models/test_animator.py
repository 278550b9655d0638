import math
import re

import pytest
import torch
from torch.nn import functional as F

from s2d.errors import S2DError
from s2d.models.animator import Animator, AnimatorConfig
from s2d.models.blocks import identity_grid
from s2d.models.candidates import COUNT
from s2d.models.losses import EYES, MOUTH, region
from s2d.models.prior import prior_warp
from tests.models.conftest import jaw_dropped, lids_closed

SMALL = AnimatorConfig(size=32, channels=8, motion_channels=8)


@pytest.fixture
def animator():
    torch.manual_seed(0)
    return Animator(SMALL).eval()


@pytest.fixture
def batch(astronaut, face, motions):
    """Two pairs: source images (2, 3, 32, 32), source and driving points."""
    source = F.avg_pool2d(astronaut, 2).expand(2, -1, -1, -1)
    driving = torch.cat([motions["all of it"](face), motions["closed eyes"](face)])
    return source, face.expand(2, -1, -1), driving


def shaken(model):
    """Random output layers, as after training."""
    for head in (model.motion.head, model.decoder.head):
        torch.nn.init.normal_(head.weight, std=0.3)
    return model.eval()


def test_untrained_it_is_the_prior_exactly(animator, batch):
    output = animator(*batch)
    assert torch.equal(output.image, prior_warp(*batch))
    drawn = region(batch[2], (*MOUTH, *EYES), 32, 32, 0.15).expand_as(output.image) > 0
    assert drawn.float().mean() < 0.3
    assert torch.equal(output.image[~drawn], output.warped[~drawn])
    assert not torch.equal(output.image, output.warped)
    assert torch.equal(output.masks, output.prior_masks)


def test_untrained_it_is_the_prior_under_autocast_too(animator, batch):
    with torch.autocast("cpu", torch.bfloat16):
        output = animator(*batch)
    assert torch.equal(output.image, prior_warp(*batch))


def test_shapes_and_ranges(animator, batch):
    output = shaken(animator)(*batch)
    assert output.image.shape == output.warped.shape == (2, 3, 32, 32)
    assert output.grid.shape == (2, 32, 32, 2)
    assert output.masks.shape == output.prior_masks.shape == (2, COUNT, 32, 32)
    assert output.occlusion.shape == output.foreground.shape == (2, 1, 32, 32)
    torch.testing.assert_close(output.masks.sum(1), torch.ones(2, 32, 32))
    assert 0 < output.occlusion.min() < output.occlusion.max() < 1
    assert not torch.equal(output.image, output.warped)


def test_every_parameter_learns_within_two_steps(animator, batch):
    optimizer = torch.optim.SGD(animator.parameters(), lr=0.1)
    target = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    moved = {name: False for name, _ in animator.named_parameters()}
    for _ in range(3):  # the third backward pass sees what two steps opened
        optimizer.zero_grad()
        F.l1_loss(animator(*batch).image, target).backward()
        for name, parameter in animator.named_parameters():
            moved[name] |= bool(parameter.grad is not None and parameter.grad.abs().sum() > 0)
        optimizer.step()
    assert [name for name, learned in moved.items() if not learned] == []


def test_a_few_steps_lower_the_error(animator, batch, astronaut):
    """Overfit one pair: the target is a brighter, shifted source, which the prior cannot give."""
    target = (F.avg_pool2d(astronaut, 2).roll(1, dims=-1) + 0.1).expand(2, -1, -1, -1)
    optimizer = torch.optim.Adam(animator.parameters(), lr=2e-3)
    errors = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = F.l1_loss(animator(*batch).image, target)
        loss.backward()
        optimizer.step()
        errors.append(loss.item())
    assert errors[-1] < 0.6 * errors[0]


def test_one_encoded_source_serves_many_frames(animator, batch):
    source, source_points, driving = batch
    model = shaken(animator)
    together = model(source, source_points, driving)
    shared = model.drive(model.encode_source(source[:1], source_points[:1]), driving)
    torch.testing.assert_close(shared.image, model.train()(source, source_points, driving).image, atol=1e-5, rtol=0)
    torch.testing.assert_close(shared.grid, together.grid, atol=1e-6, rtol=0)


def test_the_residual_flow_belongs_to_the_foreground(animator, batch):
    """As far as the masks say background, it moves nothing."""
    before = animator(*batch)
    torch.nn.init.constant_(animator.motion.head.bias[COUNT : COUNT + 2], 1.0)
    after, reach = animator(*batch), animator.config.residual_reach
    moved = reach * math.tanh(1 / reach) * after.foreground.permute(0, 2, 3, 1)
    assert after.foreground.min() < 0.1
    torch.testing.assert_close(after.grid - before.grid, moved.expand_as(after.grid), atol=1e-5, rtol=0)


def test_same_seed_same_weights():
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(Animator(SMALL).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_sizes_share_weights(animator, face):
    """Weights of one size run at another: convolutions and normalised coordinates only."""
    larger = Animator(AnimatorConfig(size=64, channels=8, motion_channels=8))
    larger.load_state_dict(animator.state_dict())
    source = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert larger(source, face, face).image.shape == (1, 3, 64, 64)


def test_unknown_pupils_are_no_obstacle(animator, batch):
    source, source_points, driving = batch
    driving = driving.clone()
    driving[0, 68:] = torch.nan
    output = shaken(animator)(source, source_points, driving)
    output.image.sum().backward()
    assert output.image.isfinite().all()
    assert all(p.grad.isfinite().all() for p in animator.parameters())


@pytest.mark.parametrize(
    ("source", "points", "driving", "words"),
    [
        ((2, 3, 64, 64), (2, 70, 2), (2, 70, 2), "source has the shape (2, 3, 64, 64), not (2, 3, 32, 32)"),
        ((3, 32, 32), (70, 2), (70, 2), "source has the shape (3, 32, 32), not (3, 3, 32, 32)"),
        ((2, 3, 32, 32), (1, 70, 2), (2, 70, 2), "points has the shape (1, 70, 2), not (2, 70, 2)"),
        ((2, 3, 32, 32), (2, 68, 2), (2, 70, 2), "points has the shape (2, 68, 2), not (2, 70, 2)"),
        ((2, 3, 32, 32), (2, 70, 2), (2, 68, 2), "driving_points has the shape (2, 68, 2), not (2, 70, 2)"),
        ((2, 3, 32, 32), (2, 70, 2), (3, 70, 2), "encoded.image has the shape (2, 3, 32, 32), not (3, 3, 32, 32)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(animator, source, points, driving, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        animator(torch.zeros(source), torch.zeros(points), torch.zeros(driving))


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 60},
        {"size": 0},
        {"channels": 12},
        {"channels": 0},
        {"motion_channels": 4},
        {"levels": 0},
        {"levels": 30},
        {"motion_stride": 3},
        {"bottleneck": -1},
        {"heatmap_sigma": 0.0},
        {"heatmap_sigma": math.inf},
        {"residual_reach": math.nan},
        {"residual_reach": math.inf},
    ],
)
def test_impossible_architectures_are_named(wrong):
    """What is wrong alone: of the size nothing can be said when the strides are."""
    ((name, value),) = wrong.items()
    said = f"{name}={value}"
    with pytest.raises(S2DError, match=f"it cannot have {re.escape(said)}; {name} is "):
        AnimatorConfig(**wrong)


@pytest.mark.parametrize("switch", ["prior", "masks", "residual", "pupils"])
def test_an_ablation_takes_away_what_it_says(batch, switch):
    source, points, driving = batch
    torch.manual_seed(0)
    model = shaken(Animator(AnimatorConfig(size=32, channels=8, motion_channels=8, **{switch: False})))
    whole = Animator(SMALL)
    whole.load_state_dict(model.state_dict())
    output, full = model(*batch), whole.eval()(*batch)
    assert not torch.equal(output.grid, full.grid)
    if switch == "masks":
        assert torch.equal(output.masks, output.prior_masks)
    if switch == "residual":
        still = model(source, points, points)
        assert (still.grid - identity_grid(32, 32, still.grid)).abs().max() < 1e-5
    if switch == "pupils":
        looking = driving.clone()
        looking[:, 68:] += 0.05
        assert torch.equal(model(source, points, looking).image, output.image)
    if switch == "prior":
        torch.nn.init.zeros_(model.motion.head.weight)
        assert torch.equal(model(*batch).warped, model(source, points, points).warped)
        torch.nn.init.zeros_(model.decoder.head.weight)
        torch.nn.init.zeros_(model.decoder.head.bias)
        still = model(source, points, jaw_dropped(points))
        assert torch.equal(still.image, still.warped)


def test_edges_lie_between_pixels_but_in_training_and_in_what_is_rendered(batch):
    """Nothing else differs."""
    model = Animator(SMALL)
    source, points, _ = batch
    blinking = lids_closed(points, 0.5)
    fine, hasty = (model.train(mode)(source, points, blinking).image for mode in (False, True))
    torch.testing.assert_close(model.drive(model.encode_source(source, points), blinking).image, hasty)
    differs = (fine - hasty).abs().amax(1) > 1e-6
    assert 0 < differs.float().mean() < 0.1
