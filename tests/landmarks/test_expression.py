"""Pose and apertures against faces whose angles and openings are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from s2d.geometry import Array, Float32
from s2d.landmarks import expression, layout
from s2d.landmarks.synthetic.head import Head
from s2d.landmarks.synthetic.motion import VARIANTS, Performance

ANGLE = st.floats(-40, 40)


def rigid_face(yaw: float, pitch: float, roll: float, scale: float = 80.0) -> Array:
    """The average head of the estimator, turned and projected."""
    turned = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).apply(
        np.array(list(expression.RIGID_HEAD.values()))
    )
    face = np.zeros((70, 2))
    face[list(expression.RIGID_HEAD)] = turned[:, :2] * scale + [200, 150]
    return face


@given(ANGLE, ANGLE, ANGLE, st.floats(5, 500))
@settings(max_examples=60, deadline=None)
def test_pose_of_its_own_model_is_exact(yaw: float, pitch: float, roll: float, scale: float) -> None:
    np.testing.assert_allclose(expression.head_pose(rigid_face(yaw, pitch, roll, scale)), [yaw, pitch, roll], atol=1e-6)


def test_pose_keeps_leading_axes_and_marks_unknown_faces() -> None:
    faces = np.stack([rigid_face(10, 0, 0), np.full((70, 2), np.nan), rigid_face(0, 5, 0), rigid_face(0, 0, 7)])
    angles = expression.head_pose(faces.reshape(2, 2, 70, 2))
    assert angles.shape == (2, 2, 3)
    np.testing.assert_allclose(angles[0, 0], [10, 0, 0], atol=1e-6)
    assert np.isnan(angles[0, 1]).all()
    np.testing.assert_allclose(angles[1, 1], [0, 0, 7], atol=1e-6)


@pytest.mark.parametrize("name", ["calm", "fast"])
def test_pose_follows_a_real_face_with_known_angles(astronaut_points: Float32, name: str) -> None:
    """Another head than the model, talking and blinking: right up to an offset and a fifth of the change."""
    head = Head(astronaut_points)
    states = Performance(VARIANTS[name], 3)(np.arange(0, 12, 1 / 15))
    measured = expression.head_pose(head.pose(head.express(states), states))
    for column, true in enumerate((states.yaw, states.pitch, states.roll)):
        slope, offset = np.polyfit(true, measured[:, column], 1)
        assert np.corrcoef(true, measured[:, column])[0, 1] > 0.98
        assert 0.8 < slope < 1.2
        assert abs(offset) < 6


def test_lid_apertures_side_by_side() -> None:
    face = np.zeros((70, 2))
    face[36], face[45] = [0, 0], [100, 0]
    face[[37, 38], 1], face[[41, 40], 1] = -4.0, 6.0  # right eye open by 10
    face[[43, 44], 1], face[[47, 46], 1] = -1.0, 2.0  # left eye by 3
    np.testing.assert_allclose(expression.lid_apertures(face), [0.10, 0.03])


def test_lip_aperture_is_free_of_scale_and_turn(astronaut_points: Float32) -> None:
    turn = np.array([[0.6, -0.8], [0.8, 0.6]]) * 3.7
    moved = astronaut_points @ turn.T + [50, -20]
    assert expression.lip_aperture(moved) == pytest.approx(float(expression.lip_aperture(astronaut_points)), rel=1e-5)
    np.testing.assert_allclose(expression.lid_apertures(moved), expression.lid_apertures(astronaut_points), rtol=1e-5)


def test_pupil_offsets_in_eyelid_coordinates(astronaut_points: Float32) -> None:
    """A pupil moved along its eye's own axes moves by exactly that, whatever the head's tilt."""
    angle = np.radians(25)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    face = astronaut_points.astype(np.float64)
    axis = face[39] - face[36]
    along = axis / np.linalg.norm(axis)
    across = np.array([-along[1], along[0]])
    moved = face.copy()
    moved[layout.RIGHT_PUPIL] += 3 * along - 2 * across
    scale = float(layout.interocular(face))
    change = expression.pupil_offsets(moved @ turn.T) - expression.pupil_offsets(face @ turn.T)
    np.testing.assert_allclose(change * scale, [[3, -2], [0, 0]], atol=1e-9)


def test_unknown_pupils_are_unknown(astronaut_points: Float32) -> None:
    face = astronaut_points.copy()
    face[68] = np.nan
    offsets = expression.pupil_offsets(face)
    assert np.isnan(offsets[0]).all()
    assert np.isfinite(offsets[1]).all()
