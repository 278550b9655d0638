"""Augmentation changes both frames alike and keeps landmarks on what they mark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from s2d.landmarks import layout
from s2d.training.augment import NONE, Augmentation, mirror_image, mirror_points, move_image, move_points, recolour
from tests.training.conftest import face


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_none_is_the_identity(rng: np.random.Generator):
    image, points = rng.random((8, 8, 3), np.float32), rng.random((70, 2), np.float32)
    images, marks = NONE.apply([image], [points], np.random.default_rng(1))
    np.testing.assert_allclose(images[0], image, atol=1e-6)
    np.testing.assert_array_equal(marks[0], points)


def test_a_mirrored_face_keeps_its_names():
    """The test face is symmetric: mirrored about its own axis, every landmark must fall on itself."""
    points = face((0.0, 0.1), 0.5)
    np.testing.assert_allclose(mirror_points(points), points, atol=1e-6)


def test_points_and_pixels_mirror_together():
    image, points = np.zeros((9, 9, 3), np.float32), np.zeros((70, 2), np.float32)
    image[2, 1], points[36] = 1, [2 * 1 / 8 - 1, 2 * 2 / 8 - 1]
    x, y = (mirror_points(points)[layout.MIRROR[36]] + 1) * 4
    assert mirror_image(image)[round(float(y)), round(float(x))].all()


def test_points_and_pixels_move_together():
    """A smooth blob's centroid lands where the landmark at its centre lands."""
    y, x = np.mgrid[:65, :65]
    blob = np.exp(-((x - 40) ** 2 + (y - 24) ** 2) / 18).astype(np.float32)
    points = np.full((70, 2), [40 / 32 - 1, 24 / 32 - 1], np.float32)
    matrix = np.array([[1.1, -0.2, 0.05], [0.2, 1.1, -0.1]])
    moved = move_image(np.repeat(blob[..., None], 3, 2), matrix)[..., 0]
    centroid = np.array([(moved * x).sum(), (moved * y).sum()]) / moved.sum()
    np.testing.assert_allclose((move_points(points, matrix)[0] + 1) * 32, centroid, atol=0.02)


def test_moves_stay_within_their_strengths():
    strong = replace(NONE, turn=10.0, zoom=0.2, shift=0.1)
    square = np.zeros((70, 2), np.float32)
    square[1] = [1, 0]
    for seed in range(50):
        origin, end = strong.apply([], [square], np.random.default_rng(seed))[1][0][:2]
        assert np.abs(origin).max() <= 0.1
        dx, dy = end - origin
        assert abs(np.degrees(np.arctan2(dy, dx))) <= 10.0
        assert abs(np.log(np.hypot(dx, dy))) <= 0.2 + 1e-6


def test_both_frames_change_alike_but_noise_is_their_own(rng: np.random.Generator):
    image, points = rng.random((8, 8, 3), np.float32), np.zeros((70, 2), np.float32)
    still = Augmentation(turn=0, zoom=0, shift=0, noise=0.01)
    images, marks = still.apply([image, image], [points, points], np.random.default_rng(5))
    np.testing.assert_array_equal(images[0], images[1])
    assert not np.allclose(images[0], image)
    assert not np.allclose(marks[0], marks[1])
    assert np.std(np.stack(marks)) == pytest.approx(0.01, rel=0.15)


def test_unknown_points_stay_unknown(rng: np.random.Generator):
    points = np.full((70, 2), np.nan, np.float32)
    (marks,) = Augmentation().apply([np.zeros((4, 4, 3), np.float32)], [points], rng)[1]
    assert np.isnan(marks).all()


def test_recolour_by_hand():
    pixel = np.array([[[0.2, 0.5, 0.7]]], np.float32)
    luma = 0.299 * 0.2 + 0.587 * 0.5 + 0.114 * 0.7
    expected = ((luma + 0.5 * (pixel - luma)) - 0.5) * 1.2 + 0.5 + 0.05
    np.testing.assert_allclose(recolour(pixel, 0.05, 1.2, 0.5), expected, atol=1e-6)
    assert recolour(pixel, 5.0, 1.0, 1.0).max() == 1.0


@pytest.mark.parametrize("strength", ["turn", "zoom", "shift", "brightness", "contrast", "saturation"])
def test_every_strength_does_something(strength: str, rng: np.random.Generator):
    image = rng.random((8, 8, 3), np.float32)
    changed = replace(NONE, **{strength: 9.0 if strength == "turn" else 0.3}).apply(
        [image], [], np.random.default_rng(2)
    )[0][0]
    assert np.abs(changed - image).max() > 0.01
