"""Known motions of a head, seen through flow that is partly wrong."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.geometry import Array, Float32
from s2d.landmarks.head_motion import CHIN, DROP, SKULL, head_motion


@pytest.fixture
def faces(astronaut_points: Float32) -> Array:
    """(5, 70, 2) five times the same face."""
    return np.repeat(astronaut_points[None].astype(np.float64), 5, axis=0)


def affine(faces: Array) -> Array:
    return faces @ np.array([[0.01, -0.02], [0.02, 0.015]]) + [1.0, -2.0]


def test_an_affine_motion_is_found_exactly(faces: Array) -> None:
    shift = affine(faces)
    np.testing.assert_allclose(head_motion(faces, shift, np.ones((5, 70))), shift, atol=1e-4)


def test_an_occluder_over_a_third_of_the_face_has_no_say(faces: Array) -> None:
    shift = affine(faces)
    dragged = shift.copy()
    dragged[:, SKULL[:10]] += [8.0, 3.0]
    found = head_motion(faces, dragged, np.ones((5, 70)))
    np.testing.assert_allclose(found[:, SKULL], shift[:, SKULL], atol=0.05)


def test_a_falling_chin_is_no_stray(faces: Array) -> None:
    shift = affine(faces) + DROP[:, None] * [0.0, 7.0]
    found = head_motion(faces, shift, np.ones((5, 70)))
    np.testing.assert_allclose(found[:, CHIN], shift[:, CHIN], atol=1e-3)
    np.testing.assert_allclose(found[:, SKULL], shift[:, SKULL], atol=0.05)


def test_unknown_landmarks_do_not_count(faces: Array) -> None:
    shift = affine(faces)
    faces[:, 68:] = np.nan
    shift[:, 68:] = 50.0
    found = head_motion(faces, shift, np.ones((5, 70)))
    np.testing.assert_allclose(found[:, SKULL], shift[:, SKULL], atol=1e-4)
    assert np.isfinite(found).all()
