from __future__ import annotations

import numpy as np

from s2d.landmarks import layout
from s2d.landmarks.detectors import mesh_layout
from s2d.landmarks.detectors.mesh_layout import to_ibug70


def landmarks_of(vertices: np.ndarray) -> np.ndarray:
    return to_ibug70(vertices, np.zeros((2, 71, 2)), np.zeros((2, 2)))


def test_every_landmark_is_a_mean_of_vertices() -> None:
    eyes = layout.PARTS["right_eye"] + layout.PARTS["left_eye"]
    others = [index for index in range(68) if index not in eyes]
    np.testing.assert_allclose(mesh_layout._WEIGHTS[others].sum(axis=1), 1.0)
    assert mesh_layout._WEIGHTS.min() >= 0
    assert not mesh_layout._WEIGHTS[list(eyes)].any()


def test_rows_of_the_left_half_are_the_mirror_of_the_right() -> None:
    """MediaPipe's well-known mirror pairs must land on iBUG's mirror pairs."""
    pairs = {
        127: 356,
        234: 454,
        70: 300,
        105: 334,
        98: 327,
        61: 291,
        37: 267,
        84: 314,
        78: 308,
        87: 317,
        172: 397,
        82: 312,
    }
    vertices = np.random.default_rng(0).normal(size=(468, 2))
    swapped = vertices.copy()
    mirror = {**pairs, **{b: a for a, b in pairs.items()}}
    for vertex, other in mirror.items():
        swapped[vertex] = vertices[other]
    mine, other = landmarks_of(vertices), landmarks_of(swapped)
    single = [0, 4, 58, 61, 67]
    np.testing.assert_allclose(mine[single], other[layout.MIRROR[single]])


def test_eyes_and_pupils_come_from_the_iris_model() -> None:
    contours = np.random.default_rng(1).normal(size=(2, 71, 2))
    pupils = np.array([[1.0, 2.0], [3.0, 4.0]])
    points = to_ibug70(np.zeros((468, 2)), contours, pupils)
    np.testing.assert_array_equal(points[36], contours[0, 0])
    np.testing.assert_array_equal(points[39], contours[0, 8])
    np.testing.assert_array_equal(points[45], contours[1, 0])
    np.testing.assert_array_equal(points[42], contours[1, 8])
    np.testing.assert_array_equal(points[[layout.RIGHT_PUPIL, layout.LEFT_PUPIL]], pupils)
