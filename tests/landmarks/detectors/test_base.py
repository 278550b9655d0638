from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s2d.geometry import Image
from s2d.landmarks.detectors.base import Face, for_shot


def test_box_is_tight_around_the_contour_and_leaves_the_pupils_out() -> None:
    points = np.random.default_rng(0).uniform(10, 90, (70, 2))
    points[68], points[69] = (-5.0, 300.0), np.nan
    face = Face.of_points(points, 0.7)
    np.testing.assert_array_equal(face.box, np.r_[points[:68].min(0), points[:68].max(0)].astype(np.float32))
    np.testing.assert_array_equal(face.valid, [True] * 69 + [False])
    assert face.points.dtype == np.float32
    assert face.score == 0.7


class Plain:
    name, version = "plain", "1"

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        return [[] for _ in frames]


class Remembering(Plain):
    def follow(self) -> Plain:
        return Plain()


def test_only_a_detector_that_follows_is_made_anew_for_a_shot() -> None:
    plain, remembering = Plain(), Remembering()
    assert for_shot(plain) is plain
    assert type(for_shot(remembering)) is Plain
    assert for_shot(remembering) is not for_shot(remembering)
