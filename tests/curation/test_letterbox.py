from __future__ import annotations

import numpy as np
import pytest
import skimage.data

from s2d.curation.letterbox import BarMeter, Bars

PHOTO = np.asarray(skimage.data.astronaut())[50:250, 100:400]  # lit everywhere


def bars_of(*frames):
    meter = BarMeter()
    for frame in frames:
        meter.update(frame)
    return meter.bars()


@pytest.mark.parametrize("bars", [(0, 0, 0, 0), (0, 24, 0, 25), (40, 0, 41, 0), (7, 5, 3, 1)])
@pytest.mark.parametrize("level", [0, 16])
def test_widths_are_exact(bars, level):
    left, top, right, bottom = bars
    framed = np.pad(PHOTO, ((top, bottom), (left, right), (0, 0)), constant_values=level)
    assert bars_of(framed) == Bars(*bars)


def test_noise_in_the_bars_does_not_hide_them():
    framed = np.pad(PHOTO, ((30, 30), (0, 0), (0, 0))).astype(float)
    noise = np.random.default_rng(0).normal(0, 5, framed.shape)
    assert bars_of(np.clip(framed + noise, 0, 255).astype(np.uint8)) == Bars(0, 30, 0, 30)


def test_what_is_dark_for_a_while_is_no_bar():
    dark = PHOTO.copy()
    dark[:80] = 0
    assert bars_of(dark) == Bars(0, 80, 0, 0)
    assert bars_of(dark, PHOTO) == Bars(0, 0, 0, 0)


def test_black_all_over_is_no_bar():
    assert bars_of(np.zeros((60, 80, 3), np.uint8)) == Bars(0, 0, 0, 0)
    assert bars_of() == Bars(0, 0, 0, 0)


def test_tiny_pictures_are_no_trouble():
    assert bars_of(np.full((1, 1, 3), 200, np.uint8)) == Bars(0, 0, 0, 0)
    assert bars_of(np.full((3, 5, 3), 200, np.uint8)) == Bars(0, 0, 0, 0)


def test_the_share_is_what_the_bars_cover():
    assert Bars(10, 20, 30, 40).share(200, 100) == pytest.approx(1 - 160 * 40 / 20000)
    assert Bars(0, 0, 0, 0).share(3, 7) == 0
