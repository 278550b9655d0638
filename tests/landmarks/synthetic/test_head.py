"""The maps of the head: forward and backward agree, by formulas, by numeric inversion, and with a textbook rotation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from s2d.geometry import Float32
from s2d.landmarks.synthetic.head import NECK_DEPTH, Head, rotation_matrix
from s2d.landmarks.synthetic.motion import VARIANTS, Performance, State

SIZE, SCALE = 240, 55.0
REST = State(*np.zeros(5), 1.0, *np.zeros(6))


@pytest.fixture(scope="module")
def head(astronaut_points: Float32) -> Head:
    return Head(astronaut_points)


@pytest.fixture(scope="module")
def grid() -> Float32:
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return np.stack([(x - 120) / SCALE, (y - 95) / SCALE], -1)


def states(name: str) -> State:
    return Performance(VARIANTS[name], 1)(np.arange(0, 6, 0.5))


@pytest.mark.parametrize("angles", [(20, 0, 0), (0, -12, 0), (0, 0, 30), (15, 9, -7)])
def test_rotation_is_a_rotation_about_the_named_axes(angles: tuple[float, float, float]) -> None:
    yaw, pitch, roll = angles
    # with x right, y down and z to the camera, "up" turns against the right-handed x axis' sense: z goes to -y
    expected = Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).as_matrix()
    np.testing.assert_allclose(rotation_matrix(yaw, pitch, roll), expected, atol=1e-12)


def test_directions_of_the_angles() -> None:
    nose = np.array([0.0, 0.0, 1.0])
    assert (rotation_matrix(10, 0, 0) @ nose)[0] > 0  # to the image's right
    assert (rotation_matrix(0, 10, 0) @ nose)[1] < 0  # up
    top = np.array([0.0, -1.0, 0.0])
    assert (rotation_matrix(0, 0, 10) @ top)[0] > 0  # clockwise: the top goes right


def test_rest_changes_nothing(head: Head, grid: Float32) -> None:
    np.testing.assert_allclose(head.unpose(grid, REST), grid, atol=2e-6)
    still = State(*(np.array([value]) for value in REST))
    np.testing.assert_allclose(head.pose(head.express(still), still)[0], head.landmarks, atol=1e-9)


@pytest.mark.parametrize("name", ["calm", "fast"])
def test_pose_undoes_unpose_on_the_rigid_head(head: Head, grid: Float32, name: str) -> None:
    every = states(name)
    for index in range(len(every.yaw)):
        posed = head.unpose(grid, every.at(index)).astype(np.float64)
        one = State(*(field[index : index + 1] for field in every))
        back = head.pose(posed.reshape(1, -1, 2), one).reshape(grid.shape)
        rigid = posed[..., 1] < head.mouth.chin + 0.35
        assert abs(back - grid)[rigid].max() * SCALE < 0.005  # pixels


@pytest.mark.parametrize("name", ["calm", "fast"])
def test_picture_never_folds(head: Head, grid: Float32, name: str) -> None:
    every = states(name)
    for index in range(len(every.yaw)):
        posed = head.unpose(grid, every.at(index)) * SCALE
        across, down = np.diff(posed, axis=1)[:-1], np.diff(posed, axis=0)[:, :-1]
        area = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
        assert area.min() > 0.1


def test_depth_slope_is_its_derivative(head: Head) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    _, slope = head.depth(points)
    for axis in range(2):
        step = np.eye(2)[axis] * 1e-5
        numeric = (head.depth(points + step)[0] - head.depth(points - step)[0]) / 2e-5
        np.testing.assert_allclose(slope[:, axis], numeric, atol=1e-6)


def test_nose_moves_more_than_eyes_when_the_head_turns(head: Head) -> None:
    """Parallax: against the rotation axis, what is nearer to the camera moves further."""
    turned = State(*(np.array([value]) for value in REST._replace(yaw=10.0)))
    moved = head.pose(head.express(turned), turned)[0] - head.landmarks
    nose, outer_eye = moved[30, 0], moved[[36, 45], 0].mean()
    depth = head.depth(head.landmarks)[0]
    expected = np.sin(np.radians(10)) * (depth[30] - depth[[36, 45]].mean())
    assert nose - outer_eye == pytest.approx(expected, abs=0.02)
    assert depth[30] > depth[39] > depth[36] > depth[0] > NECK_DEPTH


def test_blink_brings_the_lids_together(head: Head) -> None:
    shut = State(*(np.array([value]) for value in REST._replace(lids=1.0)))
    posed = head.express(shut)[0]
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        assert abs(posed[upper] - posed[lower])[1] < 0.35 * abs(head.landmarks[upper] - head.landmarks[lower])[1]
    unmoved = [k for k in range(68) if not 36 <= k < 48]
    np.testing.assert_allclose(posed[unmoved], head.landmarks[unmoved], atol=1e-9)


def test_mouth_opens_by_the_asked_amount(head: Head) -> None:
    opened = State(*(np.array([value]) for value in REST._replace(mouth=0.2)))
    change = head.express(opened)[0] - head.landmarks
    assert change[66, 1] - change[62, 1] == pytest.approx(0.2, rel=0.1)
    assert 0.1 < change[8, 1] < 0.2  # the chin goes along
    np.testing.assert_allclose(change[[48, 54, 60, 64]], 0, atol=0.02)  # corners stay
    np.testing.assert_allclose(change[list(range(17, 48))], 0, atol=1e-9)


def test_landmarks_survive_a_squashed_detection(astronaut_points: Float32) -> None:
    """Lids that cross and lips that touch, as detectors give them, still make a monotone face."""
    points = astronaut_points.copy()
    points[[37, 38]], points[[41, 40]] = points[[41, 40]], points[[37, 38]]
    points[[61, 62, 63], 1] = points[[67, 66, 65], 1] + 1
    head = Head(points)
    posed = head.express(states("fast"))
    assert np.isfinite(posed).all()
    assert abs(posed - head.landmarks).max() < 0.5
