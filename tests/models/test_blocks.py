import pytest
import torch
from torch import nn

from s2d.models.blocks import ConvBlock, SpadeBlock, identity_grid, initialise, resize, warp, zero


def test_warp_by_one_pixel_takes_the_neighbour():
    image = torch.arange(25.0).reshape(1, 1, 5, 5)
    moved = warp(image, identity_grid(5, 5, image)[None] + torch.tensor([0.5, 0.0]))  # 0.5 = one pixel of five
    torch.testing.assert_close(moved[..., :-1], image[..., 1:])
    torch.testing.assert_close(moved[..., -1], image[..., -1])  # the border is repeated


def test_warp_stays_in_full_precision_under_autocast():
    torch.manual_seed(0)
    images, grid = torch.rand(1, 3, 8, 8), identity_grid(6, 6, torch.zeros(1))[None] * 0.9
    with torch.autocast("cpu", torch.bfloat16):
        inside = warp(images, grid)
    assert torch.equal(inside, warp(images, grid))
    assert warp(images.bfloat16(), grid).dtype == torch.float32


def test_resize_keeps_a_linear_field_and_its_corners():
    field = identity_grid(5, 9, torch.zeros(1)).permute(2, 0, 1)[None]
    torch.testing.assert_close(resize(field, 17, 33), identity_grid(17, 33, field).permute(2, 0, 1)[None])
    assert resize(field, 5, 9) is field


def test_spade_with_a_silent_condition_only_normalises():
    torch.manual_seed(0)
    block = SpadeBlock(16, 8, 3, 4)
    zero(block.scale)
    zero(block.shift)
    torch.nn.init.ones_(block.scale.bias)
    x = torch.randn(2, 16, 6, 6)
    quiet, loud = block(x, torch.zeros(2, 3, 6, 6)), block(x, torch.ones(2, 3, 6, 6))
    assert torch.equal(quiet, loud)
    torch.testing.assert_close(block(10 * x, torch.zeros(2, 3, 6, 6)), quiet, atol=1e-3, rtol=1e-3)


def test_spade_listens_to_its_condition_where_it_stands():
    torch.manual_seed(0)
    block = SpadeBlock(8, 8, 3, 4)
    initialise(block)
    x, condition = torch.randn(1, 8, 12, 12), torch.zeros(1, 3, 12, 12)
    marked = condition.clone()
    marked[..., :3, :3] = 1
    changed = (block(x, marked) - block(x, condition)).abs().sum(1)[0]
    assert changed[0, 0] > 0
    assert changed[6:, 6:].max() == 0


def test_group_statistics_do_not_mix_samples():
    torch.manual_seed(0)
    block = ConvBlock(3, 16, stride=2)
    x = torch.randn(4, 3, 8, 8)
    assert block(x).shape == (4, 16, 4, 4)
    torch.testing.assert_close(block(x)[:1], block(x[:1]))


def test_initialise_is_kaiming():
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 64, 3)
    initialise(conv)
    assert conv.weight.std().item() == pytest.approx((2 / (1.04 * 64 * 9)) ** 0.5, rel=0.02)
    assert not conv.bias.any()
