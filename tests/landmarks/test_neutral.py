"""The face at rest of a driver that blinks, speaks and is seen with noise."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.landmarks import layout
from s2d.landmarks.neutral import neutral_face, shape_distance
from tests.landmarks.drawn_face import face, jaw_dropped, lowered, resting


def test_neutral_is_the_rest_and_not_the_first_frame():
    driving = resting(30)
    driving[:5, [55, 56, 57, 58, 59, 65, 66, 67], 1] += 25
    np.testing.assert_allclose(neutral_face(driving), face(), atol=1e-6)


def test_neutral_leaves_out_blinks_and_hardly_moves_with_landmarks_that_tremble():
    """Every frame says something else, as in a talk; trembling by 0.2 px must not choose another rest."""
    rng = np.random.default_rng(5)
    driving = np.stack([jaw_dropped(face(), 12 * abs(np.sin(t / 4))) for t in range(60)])
    driving[20:26] = lowered(driving[20:26], 1.0)
    driving += np.cumsum(rng.normal(0, 0.5, (60, 1, 2)), axis=0)
    rests = [neutral_face(driving + rng.normal(0, 0.2, driving.shape)) for _ in range(8)]
    assert layout.aperture(rests[0], layout.LEFT_LIDS) == pytest.approx(10, abs=0.3)
    assert np.std(rests, axis=0).mean() < 0.1


def test_neutral_knows_the_pupils_that_were_seen_at_times():
    driving = resting(30)
    driving[::2, 68] = np.nan
    driving[:, 69] = np.nan
    rest = neutral_face(driving)
    np.testing.assert_allclose(rest[:69], face()[:69], atol=1e-6)
    assert np.isnan(rest[69]).all()


def test_the_pose_is_the_usual_one():
    driving = resting(21) + 50
    driving[:4] += 30
    np.testing.assert_allclose(neutral_face(driving), face() + 50, atol=1e-6)


def test_a_driver_without_a_complete_face_is_told():
    with pytest.raises(S2DError, match="no frame has all 68"):
        neutral_face(np.full((4, 70, 2), np.nan))


def test_a_face_is_as_far_from_itself_as_from_any_picture_of_it():
    turned = 3 * jaw_dropped(face(), 12) @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [40, -7]
    assert shape_distance(turned, face()) == pytest.approx(0, abs=1e-9)


def test_another_shape_is_as_far_as_least_squares_in_the_complex_plane_say():
    other = face() * [1.2, 1.0] + np.random.default_rng(2).normal(0, 1, (70, 2))
    own, fitted = (points[17:48, 0] + 1j * points[17:48, 1] for points in (face(), other))
    columns = np.stack([fitted, np.ones(31)], -1)
    residual = own - columns @ np.linalg.lstsq(columns, own, rcond=None)[0]
    distance = shape_distance(face(), other)
    assert distance == pytest.approx(np.abs(residual).mean() / layout.interocular(face()), rel=1e-6)
    assert distance > 0.02
    assert np.isnan(shape_distance(np.where(np.arange(70)[:, None] == 30, np.nan, face()), other))
