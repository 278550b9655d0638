"""Augmentation changes all frames alike and keeps landmarks on what they mark."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest
import torch

from s2d.geometry import Float32
from s2d.landmarks import layout
from s2d.training.augment import Augmentation, Change, as_images, change_images, colour_map, mirror_points
from tests.training.conftest import face

MOVING = Augmentation(turn=12, zoom=0.15, shift=0.12)
NONE = Augmentation(flip=0, turn=0, zoom=0, shift=0, brightness=0, contrast=0, saturation=0, noise=0)
STILL = np.eye(2, 3)
PLAIN = colour_map(0, 1, 1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def changed(images: Float32, change: Change) -> Float32:
    """Frames (F, S, S, 3) of one sample under `change`."""
    batch = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())[None]
    sampling, colours = torch.from_numpy(change.sampling), torch.from_numpy(change.colours.astype(np.float32))
    return change_images(batch, sampling[None], colours[None])[0].numpy().transpose(0, 2, 3, 1)


def test_none_is_the_identity(rng: np.random.Generator):
    images, points = rng.random((2, 8, 8, 3), np.float32), rng.random((70, 2), np.float32)
    change = NONE.draw(np.random.default_rng(1))
    np.testing.assert_allclose(changed(images, change), images, atol=1e-5)
    np.testing.assert_array_equal(NONE.disturb(change.points(points), rng), points)


def test_a_mirrored_face_keeps_its_names():
    """The test face is symmetric: mirrored about its own axis, every landmark must fall on itself."""
    points = face((0.0, 0.1), 0.5)
    np.testing.assert_allclose(mirror_points(points), points, atol=1e-6)


def test_a_mirrored_picture_is_the_picture_from_right_to_left(rng: np.random.Generator):
    images = rng.random((1, 9, 9, 3), np.float32)
    np.testing.assert_allclose(changed(images, Change(True, STILL, PLAIN)), images[:, :, ::-1], atol=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
def test_points_and_pixels_move_together(mirrored: bool):
    """A smooth blob's centroid lands where the landmark at its centre lands."""
    y, x = np.mgrid[:65, :65]
    blob = np.exp(-((x - 40) ** 2 + (y - 24) ** 2) / 18).astype(np.float32)
    points = np.full((70, 2), [40 / 32 - 1, 24 / 32 - 1], np.float32)
    change = Change(mirrored, np.array([[1.1, -0.2, 0.05], [0.2, 1.1, -0.1]]), PLAIN)
    moved = changed(np.repeat(blob[..., None], 3, 2)[None], change)[0, ..., 0]
    centroid = np.array([(moved * x).sum(), (moved * y).sum()]) / moved.sum()
    np.testing.assert_allclose((change.points(points)[layout.MIRROR[0]] + 1) * 32, centroid, atol=0.02)
    assert mirrored == (centroid[0] < 32)


def test_pictures_move_as_opencv_moves_them(rng: np.random.Generator):
    """The same affine map, interpolation and border, by another implementation; OpenCV rounds to 1/32 of a pixel."""
    smooth = cv2.GaussianBlur(rng.random((33, 33, 3), np.float32), (0, 0), 3)
    change = replace(NONE, turn=20.0, zoom=0.2, shift=0.2).draw(rng)
    linear, half = change.moved[:, :2], 16
    pixels = np.column_stack([linear, half * (change.moved[:, 2] + 1 - linear.sum(1))])
    expected = cv2.warpAffine(smooth, pixels, (33, 33), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(changed(smooth[None], change)[0], expected, atol=0.01)
    assert np.abs(expected - smooth).max() > 0.1


def test_moves_stay_within_their_strengths():
    strong = replace(NONE, turn=10.0, zoom=0.2, shift=0.1)
    square = np.zeros((70, 2), np.float32)
    square[1] = [1, 0]
    turns = []
    for seed in range(50):
        origin, end = strong.draw(np.random.default_rng(seed)).points(square)[:2]
        assert np.abs(origin).max() <= 0.1
        dx, dy = end - origin
        turns.append(np.degrees(np.arctan2(dy, dx)))
        assert abs(np.log(np.hypot(dx, dy))) <= 0.2 + 1e-6
    assert np.abs(turns).max() <= 10.0
    assert min(turns) < -8.0 < 8.0 < max(turns)


def test_frames_change_alike_but_noise_is_their_own(rng: np.random.Generator):
    images, points = np.repeat(rng.random((1, 8, 8, 3), np.float32), 2, 0), np.zeros((70, 2), np.float32)
    noisy = Augmentation(noise=0.01)
    one, other = changed(images, noisy.draw(rng))
    np.testing.assert_array_equal(one, other)
    assert not np.allclose(one, images[0])
    marks = np.stack([noisy.disturb(points, rng) for _ in range(2)])
    assert not np.allclose(*marks)
    assert np.std(marks) == pytest.approx(0.01, rel=0.15)


def test_samples_of_a_batch_change_each_in_its_own_way(rng: np.random.Generator):
    images = rng.random((3, 2, 3, 8, 8), np.float32)
    changes = [MOVING.draw(rng) for _ in images]
    assert all(not np.allclose(one.sampling, other.sampling) for one, other in combinations(changes, 2))
    sampling = torch.from_numpy(np.stack([change.sampling for change in changes]))
    colours = torch.from_numpy(np.stack([change.colours for change in changes]).astype(np.float32))
    together = change_images(torch.from_numpy(images), sampling, colours).numpy()
    for image, change, made in zip(images, changes, together, strict=True):
        np.testing.assert_allclose(changed(image.transpose(0, 2, 3, 1), change).transpose(0, 3, 1, 2), made, atol=1e-6)


def test_unknown_points_stay_unknown(rng: np.random.Generator):
    points, (one, other) = np.full((70, 2), np.nan, np.float32), (MOVING.draw(rng) for _ in range(2))
    assert not np.allclose(one.sampling, other.sampling)
    assert all(np.isnan(MOVING.disturb(change.points(points), rng)).all() for change in (one, other))


def test_colours_by_hand():
    pixel = np.array([0.2, 0.5, 0.7], np.float32)
    luma = 0.299 * 0.2 + 0.587 * 0.5 + 0.114 * 0.7
    expected = ((luma + 0.5 * (pixel - luma)) - 0.5) * 1.2 + 0.5 + 0.05
    image = np.tile(pixel, (1, 4, 4, 1))
    made = changed(image, Change(False, STILL, colour_map(0.05, 1.2, 0.5)))
    np.testing.assert_allclose(made, np.broadcast_to(expected, image.shape), atol=1e-6)
    assert changed(image, Change(False, STILL, colour_map(5.0, 1.0, 1.0))).max() == 1.0


def test_bytes_become_images():
    frames = torch.zeros((2, 4, 5, 3), dtype=torch.uint8)
    frames[1, 2, 3] = torch.tensor([51, 102, 255])
    images = as_images(frames)
    assert images.shape == (2, 3, 4, 5)
    torch.testing.assert_close(images[1, :, 2, 3], torch.tensor([0.2, 0.4, 1.0]))


@pytest.mark.parametrize("strength", ["turn", "zoom", "shift", "brightness", "contrast", "saturation"])
def test_every_strength_does_something(strength: str, rng: np.random.Generator):
    images = rng.random((1, 8, 8, 3), np.float32)
    change = replace(NONE, **{strength: 9.0 if strength == "turn" else 0.3}).draw(np.random.default_rng(2))
    assert np.abs(changed(images, change) - images).max() > 0.01
