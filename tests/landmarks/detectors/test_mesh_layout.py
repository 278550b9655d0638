from __future__ import annotations

import numpy as np

from s2d.landmarks import layout
from s2d.landmarks.detectors import mesh_layout
from s2d.landmarks.detectors.mesh_layout import to_ibug70


def test_every_landmark_is_a_mean_of_vertices() -> None:
    np.testing.assert_allclose(mesh_layout._WEIGHTS.sum(axis=1), 1.0)
    assert mesh_layout._WEIGHTS.min() >= 0


def test_rows_of_the_left_half_are_the_mirror_of_the_right() -> None:
    """MediaPipe's well-known mirror pairs must land on iBUG's mirror pairs."""
    pairs = {
        127: 356,
        234: 454,
        70: 300,
        105: 334,
        97: 326,
        61: 291,
        37: 267,
        84: 314,
        78: 308,
        87: 317,
        172: 397,
        82: 312,
        33: 263,
        158: 385,
        144: 373,
    }
    vertices = np.random.default_rng(0).normal(size=(478, 2))
    swapped = vertices.copy()
    mirror = {**pairs, **{b: a for a, b in pairs.items()}}
    for vertex, other in mirror.items():
        swapped[vertex] = vertices[other]
    mine, other = to_ibug70(vertices), to_ibug70(swapped)
    single = [0, 32, 36, 38, 41, 48, 50, 58, 61, 67]
    np.testing.assert_allclose(mine[single], other[layout.MIRROR[single]])


def test_pupils_are_the_middles_of_the_irises() -> None:
    vertices = np.random.default_rng(1).normal(size=(478, 2))
    points = to_ibug70(vertices)
    np.testing.assert_array_equal(points[[layout.RIGHT_PUPIL, layout.LEFT_PUPIL]], vertices[[468, 473]])
