from __future__ import annotations

import numpy as np

from s2d.landmarks.detectors.base import Face


def test_box_is_tight_around_the_contour_and_leaves_the_pupils_out() -> None:
    points = np.random.default_rng(0).uniform(10, 90, (70, 2))
    points[68], points[69] = (-5.0, 300.0), np.nan
    face = Face.of_points(points, 0.7)
    np.testing.assert_array_equal(face.box, np.r_[points[:68].min(0), points[:68].max(0)].astype(np.float32))
    np.testing.assert_array_equal(face.valid, [True] * 69 + [False])
    assert face.points.dtype == np.float32
    assert face.score == 0.7
