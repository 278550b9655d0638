"""Augmentation changes all frames alike and keeps landmarks on what they mark."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from s2d.geometry import Float32, to_normalized, to_pixels
from s2d.landmarks import layout
from s2d.training.augment import Augmentation, Change, as_images, change_images, colour_map, mirror_points
from tests.training.conftest import face

NONE = Augmentation(flip=0, brightness=0, contrast=0, saturation=0, noise=0)
PLAIN = colour_map(0, 1, 1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def changed(images: Float32, change: Change) -> Float32:
    """Frames (F, S, S, 3) of one sample under `change`."""
    batch = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())[None]
    mirrored, colours = torch.tensor([change.mirrored]), torch.from_numpy(change.colours.astype(np.float32))
    return change_images(batch, mirrored, colours[None])[0].numpy().transpose(0, 2, 3, 1)


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
    np.testing.assert_array_equal(changed(images, Change(True, PLAIN)), images[:, :, ::-1])


@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize("mirrored", [False, True])
def test_points_and_pixels_move_together(rng: np.random.Generator, mirrored: bool, size: int):
    """Every landmark, each on a pixel, is on the very same pixel in the changed picture, under its mirrored name."""
    images = rng.random((1, size, size, 3), np.float32)
    places = rng.integers(size, size=(layout.COUNT, 2))
    change = Change(mirrored, PLAIN)
    moved = to_pixels(change.points(to_normalized(places, size, size).astype(np.float32)), size, size)
    np.testing.assert_allclose(moved, moved.round(), atol=1e-4)
    x, y = moved.round().astype(int).T
    names = layout.MIRROR if mirrored else range(layout.COUNT)
    np.testing.assert_array_equal(changed(images, change)[0][y, x], images[0][places[names, 1], places[names, 0]])


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
    changes = [Augmentation(flip=0.5).draw(np.random.default_rng(seed)) for seed in (0, 1, 2)]
    assert {change.mirrored for change in changes} == {False, True}
    assert all(not np.allclose(one.colours, other.colours) for one, other in combinations(changes, 2))
    mirrored = torch.tensor([change.mirrored for change in changes])
    colours = torch.from_numpy(np.stack([change.colours for change in changes]).astype(np.float32))
    together = change_images(torch.from_numpy(images), mirrored, colours).numpy()
    for image, change, made in zip(images, changes, together, strict=True):
        np.testing.assert_allclose(changed(image.transpose(0, 2, 3, 1), change).transpose(0, 3, 1, 2), made, atol=1e-6)


def test_unknown_points_stay_unknown(rng: np.random.Generator):
    points = np.full((70, 2), np.nan, np.float32)
    for mirrored in (False, True):
        assert np.isnan(Augmentation().disturb(Change(mirrored, PLAIN).points(points), rng)).all()


@pytest.mark.parametrize("augmentation", [NONE, Augmentation(), Augmentation(flip=1)])
def test_what_is_drawn_next_does_not_depend_on_strengths(augmentation: Augmentation):
    """So that another strength changes nothing else of a sample."""
    one, other = np.random.default_rng(0), np.random.default_rng(0)
    Augmentation().draw(one)
    augmentation.draw(other)
    assert one.random() == other.random()


@pytest.mark.parametrize(("flip", "share"), [(0.0, 0), (0.25, 0.25), (1.0, 1)])
def test_so_many_pairs_are_mirrored(flip: float, share: float, rng: np.random.Generator):
    augmentation = Augmentation(flip=flip)
    assert np.mean([augmentation.draw(rng).mirrored for _ in range(1000)]) == pytest.approx(share, abs=0.05)


def test_colours_by_hand():
    pixel = np.array([0.2, 0.5, 0.7], np.float32)
    luma = 0.299 * 0.2 + 0.587 * 0.5 + 0.114 * 0.7
    expected = ((luma + 0.5 * (pixel - luma)) - 0.5) * 1.2 + 0.5 + 0.05
    image = np.tile(pixel, (1, 4, 4, 1))
    made = changed(image, Change(False, colour_map(0.05, 1.2, 0.5)))
    np.testing.assert_allclose(made, np.broadcast_to(expected, image.shape), atol=1e-6)
    assert changed(image, Change(False, colour_map(5.0, 1.0, 1.0))).max() == 1.0


def test_bytes_become_images():
    frames = torch.zeros((2, 4, 5, 3), dtype=torch.uint8)
    frames[1, 2, 3] = torch.tensor([51, 102, 255])
    images = as_images(frames)
    assert images.shape == (2, 3, 4, 5)
    torch.testing.assert_close(images[1, :, 2, 3], torch.tensor([0.2, 0.4, 1.0]))


@pytest.mark.parametrize("strength", ["brightness", "contrast", "saturation"])
def test_every_strength_does_something(strength: str, rng: np.random.Generator):
    images = rng.random((1, 8, 8, 3), np.float32)
    change = replace(NONE, **{strength: 0.3}).draw(np.random.default_rng(2))
    assert np.abs(changed(images, change) - images).max() > 0.01
