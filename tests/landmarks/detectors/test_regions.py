from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from s2d.geometry import apply
from s2d.landmarks.detectors.regions import Region, along, cut


def ramp(height: int = 80, width: int = 120) -> np.ndarray:
    """Red is the column, green the row: a crop's colours say where it was taken."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns, rows, np.zeros_like(rows)], axis=-1).astype(np.uint8)


def test_whole_pixel_crop_is_the_slice() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 70, 3), dtype=np.uint8)
    region = Region(x=10 + 31 / 2, y=20 + 31 / 2, side=32)
    np.testing.assert_array_equal(cut(noise, region, 32), noise[20:52, 10:42])


@pytest.mark.parametrize("side", [13.7, 32.0, 50.0])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.4, -1.3])
def test_every_crop_pixel_shows_the_place_that_the_matrix_says(side: float, mirrored: bool, angle: float) -> None:
    region = Region(x=60.3, y=39.6, side=side, angle=angle, mirrored=mirrored)
    crop = cut(ramp(), region, 24)
    rows, columns = np.mgrid[:24, :24]
    seen = apply(region.matrix(24), crop[..., :2].reshape(-1, 2).astype(float))
    # rounding loses half a grey level, which is half a frame pixel here, on both axes; twice where blocks are averaged
    tolerance = 24 / side * (1.42 if side >= 48 else 0.71)
    assert np.linalg.norm(seen - np.stack([columns.ravel(), rows.ravel()], -1), axis=1).max() < tolerance


def test_shrinking_averages() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    crop = cut(noise, Region(x=31.5, y=31.5, side=64), 16)
    blocks = noise.reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert abs(crop - blocks).max() <= 0.51
    assert crop.std() < noise.std() / 3


def test_beyond_the_frame_the_border_is_repeated_or_black() -> None:
    white = np.full((20, 20, 3), 255, np.uint8)
    region = Region(x=0, y=0, side=80)
    assert cut(white, region, 40).min() == 255
    black = cut(white, region, 40, outside=cv2.BORDER_CONSTANT)
    assert black[:18].max() == 0
    assert black[22:28, 22:28].min() == 255


def test_far_outside_the_frame_is_still_a_crop() -> None:
    for x, y in ((-500.0, 10.0), (900.0, 900.0)):
        assert cut(ramp(), Region(x, y, side=400), 32).shape == (32, 32, 3)


def test_along_turns_the_x_axis() -> None:
    region = along(np.array([10.0, 10.0]), np.array([20.0, 20.0]), np.array([15.0, 15.0]), 8)
    assert region.angle == pytest.approx(math.pi / 4)
    start, end = apply(region.matrix(8), np.array([[10.0, 10.0], [20.0, 20.0]]))
    assert start[1] == pytest.approx(end[1])
    assert end[0] > start[0]
