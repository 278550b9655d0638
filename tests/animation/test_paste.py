"""A square cut out of a photo and laid back, on pictures whose every pixel is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from s2d.animation.paste import FADE, Paste, fit_for_video, hold_border, share_within
from s2d.geometry import Crop, Image
from s2d.models.animator import Animator, AnimatorConfig

INSIDE = Crop(31, 20, 90)
BEYOND = [Crop(-12, -7, 90), Crop(70, 95, 110)]


@pytest.fixture
def photo() -> Image:
    noise = np.random.default_rng(3).integers(20, 180, (20, 17, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (141, 163), interpolation=cv2.INTER_CUBIC))


@pytest.mark.parametrize("crop", [INSIDE, *BEYOND])
def test_what_was_cut_out_comes_back_to_its_place_exactly(photo: Image, crop: Crop):
    np.testing.assert_array_equal(Paste(photo, crop).frame(crop.image(photo, crop.side)), photo)


@pytest.mark.parametrize("size", [64, 90, 201])
def test_resampling_moves_nothing(size: int):
    """A ramp tells positions: a shift by half a pixel would show as .5 of its slope."""
    ramp = np.repeat(np.arange(160, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(140, axis=0)
    back = Paste(ramp, INSIDE).frame(INSIDE.image(ramp, size)).astype(float)
    inner = np.s_[26:104, 37:115]  # cubic resampling repeats the border, which bends the ramp there
    assert abs((back - ramp)[inner].mean()) < 0.05
    assert abs((back - ramp)[inner]).max() <= 1


@pytest.mark.parametrize("crop", [INSIDE, *BEYOND])
def test_only_the_inside_of_the_crop_changes_and_without_a_step(photo: Image, crop: Crop):
    back = Paste(photo, crop).frame(np.full((64, 64, 3), 255, np.uint8))
    left_over = (255 - back.astype(float)) / (255 - photo.astype(float))  # of the photo: 1 where it is as it was
    outside = np.ones(photo.shape[:2], bool)
    top, left = max(0, crop.top), max(0, crop.left)
    bottom, right = min(len(photo), crop.top + crop.side), min(photo.shape[1], crop.left + crop.side)
    outside[top + 1 : bottom - 1, left + 1 : right - 1] = False
    np.testing.assert_array_equal(back[outside], photo[outside])
    middle = back[top + 8 : bottom - 8, left + 8 : right - 8]
    assert (middle == 255).all()
    assert abs(np.diff(left_over, axis=0)).max() < 0.5
    assert abs(np.diff(left_over, axis=1)).max() < 0.5


def test_the_photo_itself_is_left_alone(photo: Image):
    before = photo.copy()
    Paste(photo, INSIDE).frame(np.zeros((90, 90, 3), np.uint8))
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize("crop", [INSIDE, *BEYOND])
def test_motion_dies_away_at_the_border_and_is_whole_in_the_middle(photo: Image, crop: Crop):
    model = Animator(AnimatorConfig()).eval()
    side = model.config.size
    face = torch.rand(1, 70, 2, generator=torch.Generator().manual_seed(1)) - 0.5
    with torch.inference_mode():
        output = model(torch.zeros(1, 3, side, side), face, face + 0.3)
        output = output._replace(painted=torch.ones_like(output.painted))  # an untrained generator paints nothing
    share = share_within(photo, crop, side, FADE)
    held = hold_border(output, torch.from_numpy(share))
    border, inside = (torch.from_numpy(where) for where in (share == 0, share == 1))
    moved = held.smooth.abs().amax(-1)[0].numpy()
    assert moved[share == 0].max() == 0
    middle = share == 1
    torch.testing.assert_close(held.smooth[0, middle], output.smooth[0, middle])
    assert held.painted[..., border].abs().max() == held.sheets[..., border].abs().max() == 0
    assert torch.equal(held.painted[..., inside], output.painted[..., inside])
    assert torch.equal(held.sheets[..., inside], output.sheets[..., inside])
    assert moved[middle].max() > 0.2
    assert share.min() == 0
    assert middle.mean() > 0.05


@pytest.mark.parametrize(
    ("height", "width", "wanted"),
    [(40, 4097, (39, 4096)), (2304, 4096, (2304, 4096)), (4000, 4000, (3072, 3072)), (5, 3, (5, 3))],
)
def test_photos_are_shrunk_to_what_players_take(height: int, width: int, wanted: tuple[int, int]):
    assert fit_for_video(np.zeros((height, width, 3), np.uint8)).shape[:2] == wanted
