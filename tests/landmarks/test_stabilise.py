"""The steady crop follows what the head does and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.geometry import Array, Float32, apply
from s2d.landmarks import layout
from s2d.landmarks.stabilise import fill_gaps, follow
from tests.landmarks.moving_face import moving_face

SIZE = 192


@pytest.fixture(scope="module")
def truth(astronaut_points: Float32) -> Array:
    return moving_face(astronaut_points, count=40).truth


def steadied(points: Array) -> Array:
    """The points in the crops that follow them."""
    return apply(np.stack([region.matrix(SIZE) for region in follow(points, SIZE, 90.0)]), points)


def test_a_moving_head_stands_still_upright_and_to_scale(truth: Array) -> None:
    places = steadied(truth)
    magnified = truth * 90 / layout.interocular(truth).mean()
    assert places.std(axis=0).max() < magnified.std(axis=0).max() / 6  # what smoothing leaves of a sway of 3 seconds
    assert layout.interocular(places).mean() == pytest.approx(90, rel=0.06)
    eyes = places[:, 45] - places[:, 36]
    assert np.abs(eyes[:, 1] / eyes[:, 0]).max() < 0.02
    assert places.min() > 0
    assert places.max() < SIZE - 1


def test_size_and_turn_of_the_picture_make_no_difference(truth: Array) -> None:
    turned = truth @ (3.0 * np.array([[0.0, 1.0], [-1.0, 0.0]])) + [500.0, -40.0]
    np.testing.assert_allclose(steadied(turned), steadied(truth), atol=1e-6)


def test_lids_and_lips_do_not_move_the_crop(truth: Array) -> None:
    moving = truth.copy()
    moving[::2, [37, 38, 43, 44]] += [0.0, 5.0]
    moving[::2, 48:68] += [0.0, 8.0]
    assert follow(moving, SIZE, 90.0) == follow(truth, SIZE, 90.0)


def test_gaps_are_interpolated(truth: Array) -> None:
    gappy = truth.copy()
    gappy[10:14] = np.nan
    whole, bridged = follow(truth, SIZE, 90.0), follow(gappy, SIZE, 90.0)
    for one, other in zip(whole, bridged, strict=True):
        assert (one.x, one.y, one.side, one.angle) == pytest.approx(
            (other.x, other.y, other.side, other.angle), abs=1.0
        )


def test_no_landmarks_nothing_to_follow() -> None:
    with pytest.raises(ValueError, match="landmarks"):
        follow(np.full((3, 70, 2), np.nan), SIZE, 90.0)


def test_fill_gaps_holds_the_ends_and_leaves_empty_columns() -> None:
    nan = np.nan
    values = np.array([[nan, nan, 1.0], [2.0, nan, 1.0], [nan, nan, 1.0], [6.0, nan, 1.0], [nan, nan, 1.0]])
    filled = fill_gaps(values)
    assert filled[:, 0].tolist() == [2.0, 2.0, 4.0, 6.0, 6.0]
    assert np.isnan(filled[:, 1]).all()
    assert (filled[:, 2] == 1).all()
