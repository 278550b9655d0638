"""Similarity fits against a general solver, coordinates against their definition, crops pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2d.geometry import Crop, apply, invert, similarity_fit, square_crop, to_normalized, to_pixels


def turned(angle: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def least_squares(source, target, weights):
    """The same fit as an ordinary linear least-squares problem in (a, b, tx, ty)."""
    rows = []
    for x, y in source:
        rows += [[x, -y, 1, 0], [y, x, 0, 1]]
    root = np.repeat(np.sqrt(weights), 2)
    a, b, tx, ty = np.linalg.lstsq(np.array(rows) * root[:, None], target.ravel() * root, rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty]])


@given(
    st.floats(-3.1, 3.1), st.floats(0.05, 20), st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), st.integers(0, 9)
)
def test_fit_recovers_a_known_similarity(angle, scale, shift, seed):
    points = np.random.default_rng(seed).normal(size=(12, 2)) * 50
    truth = turned(angle, scale, shift)
    np.testing.assert_allclose(similarity_fit(points, apply(truth, points)), truth, rtol=0, atol=1e-8 * (1 + scale))


def test_fit_of_noisy_weighted_points_is_the_least_squares_one():
    rng = np.random.default_rng(1)
    source, target, weights = rng.normal(size=(30, 2)), rng.normal(size=(30, 2)), rng.uniform(0.1, 2, 30)
    np.testing.assert_allclose(similarity_fit(source, target, weights), least_squares(source, target, weights))


def test_fit_is_batched_and_ignores_points_that_are_nan_on_either_side():
    rng = np.random.default_rng(2)
    source, target = rng.normal(size=(3, 10, 2)), rng.normal(size=(3, 10, 2))
    expected = np.stack([similarity_fit(s[2:9], t[2:9]) for s, t in zip(source, target, strict=True)])
    source[:, :2, 1] = np.nan
    target[:, 9, 0] = np.nan
    np.testing.assert_allclose(similarity_fit(source, target), expected)


@pytest.mark.parametrize(
    ("source", "target", "shift"),
    [
        ([[4.0, 5.0]], [[6.0, 1.0]], (2, -4)),
        ([[4.0, 5.0]] * 3, [[6.0, 1.0]] * 3, (2, -4)),
        ([[np.nan] * 2], [[1.0, 2.0]], (0, 0)),
    ],
)
def test_fit_of_fewer_than_two_distinct_points_is_the_translation(source, target, shift):
    fitted = similarity_fit(np.array(source), np.array(target))
    np.testing.assert_allclose(fitted, [[1, 0, shift[0]], [0, 1, shift[1]]])


def test_invert_undoes_apply_for_a_batch():
    rng = np.random.default_rng(3)
    matrices, points = rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 8, 2))
    np.testing.assert_allclose(apply(invert(matrices), apply(matrices, points)), points, atol=1e-9)


def test_normalised_coordinates_are_those_of_grid_sample():
    """-1 and 1 are the CENTRES of the first and the last pixel."""
    corners = np.array([[0.0, 0.0], [639.0, 479.0], [319.5, 239.5]])
    np.testing.assert_allclose(to_normalized(corners, 640, 480), [[-1, -1], [1, 1], [0, 0]])
    np.testing.assert_allclose(to_pixels(to_normalized(corners, 640, 480), 640, 480), corners)


def test_crop_of_its_own_size_is_the_plain_slice():
    frame = np.random.default_rng(4).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    np.testing.assert_array_equal(Crop(7, 3, 20).image(frame, 20), frame[3:23, 7:27])


def test_crop_beyond_the_frame_repeats_the_border():
    frame = np.random.default_rng(5).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    cut = Crop(-4, -2, 20).image(frame, 20)
    np.testing.assert_array_equal(cut[2:12, 4:16], frame)
    np.testing.assert_array_equal(cut[0, 0], frame[0, 0])
    np.testing.assert_array_equal(cut[-1, -1], frame[-1, -1])


@pytest.mark.parametrize("size", [32, 64, 128, 200])
def test_crop_moves_points_with_the_picture(size):
    """The centre of a bright blob stays at the transformed point, whether the crop shrinks or grows."""
    y, x = np.mgrid[0:120, 0:160]
    centre = np.array([[83.25, 52.5]])
    blob = 250 * np.exp(-((x - centre[0, 0]) ** 2 + (y - centre[0, 1]) ** 2) / (2 * 6**2))
    frame = np.repeat(blob.round().astype(np.uint8)[..., None], 3, axis=2)
    crop = Crop(30, 0, 100)
    mass = crop.image(frame, size)[..., 0].astype(float)
    grid = np.mgrid[0:size, 0:size]
    found = [(mass * grid[1]).sum() / mass.sum(), (mass * grid[0]).sum() / mass.sum()]
    np.testing.assert_allclose(found, crop.points(centre, size)[0], atol=0.02 * size / 100)


def test_square_crop_holds_all_boxes():
    boxes = np.random.default_rng(6).uniform(0, 200, (20, 2))
    boxes = np.concatenate([boxes, boxes + 40], axis=1)
    crop = square_crop(boxes, 0.1)
    assert crop.left <= boxes[:, 0].min()
    assert crop.top <= boxes[:, 1].min()
    assert crop.left + crop.side >= boxes[:, 2].max()
    assert crop.top + crop.side >= boxes[:, 3].max()
