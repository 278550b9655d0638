"""benchmarks/limit.py, turned.py and camera.py on clips whose motion is known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from benchmarks import camera, limit
from benchmarks.turned import turned
from s2d.evaluation.footage import Clip
from s2d.evaluation.methods import BASELINES
from s2d.landmarks.expression import RIGID_HEAD


def test_the_parts_of_a_picture_add_up_and_motion_explains_what_has_moved(moving_clip: Clip) -> None:
    row = limit.measure(moving_clip, BASELINES["copy"])
    for name in ("part", "moved"):
        assert sum(row[f"{name}_{part}"] for part in limit.PARTS) == pytest.approx(row[f"{name}_all"], rel=1e-5)
    assert sum(row[f"share_{part}"] for part in limit.PARTS) == pytest.approx(1)
    assert row["moved_all"] < 0.5 * row["part_all"]
    found = limit.table({"copy": [("ann", row), ("bob", row)]})["copy"]
    assert found["face"]["l1"] == pytest.approx(row["part_face"] / row["share_face"])
    whole = limit.table({"copy": [("ann", {**row, "share_background": 0.0})]})["copy"]
    assert np.isnan(whole["background"]["l1"])
    assert found["all"] == {"part": pytest.approx(row["part_all"]), "moved": pytest.approx(row["moved_all"])}


def test_what_is_right_already_is_not_moved(moving_clip: Clip) -> None:
    image = moving_clip.images[0]
    assert float((limit.move_onto(image, image) - image).abs().max()) < 1e-3


def test_only_frames_that_are_turned_far_are_taken(moving_clip: Clip) -> None:
    """A rigid head at yaws of 0, 10, ... 50 degrees, the source at 0."""

    def head(yaw: float) -> torch.Tensor:
        points = np.full((70, 2), np.nan)
        x, y, z = np.array(list(RIGID_HEAD.values())).T
        angle = np.radians(yaw)
        points[list(RIGID_HEAD)] = np.stack([np.cos(angle) * x + np.sin(angle) * z, y], -1)
        return torch.from_numpy(points.astype(np.float32))

    clip = replace(moving_clip, source_points=head(0), points=torch.stack([head(10.0 * k) for k in range(6)]))
    found = turned(clip, 25, most=10)
    assert found is not None
    assert found.times.tolist() == clip.times[3:].tolist()
    assert torch.equal(found.images, clip.images[3:])
    some = turned(clip, 25, most=2)
    assert some is not None
    assert some.times.tolist() == clip.times[[3, 5]].tolist()
    assert turned(clip, 60, most=10) is None


def test_a_background_that_shifts_is_measured() -> None:
    rng = np.random.default_rng(0)
    wide = cv2.resize(rng.integers(0, 255, (40, 42), np.uint8), (262, 250), interpolation=cv2.INTER_CUBIC)
    first, other = (np.ascontiguousarray(wide[:, left : left + 250]) for left in (0, 5))
    everywhere = np.ones(first.shape, bool)
    assert camera.moved(first, other, everywhere) == pytest.approx(100 * 5 / 250, rel=0.1)
    assert camera.moved(first, first, everywhere) < 0.05
    assert np.isnan(camera.moved(first, other, np.zeros(first.shape, bool)))


def test_hair_and_shoulders_are_no_background() -> None:
    points = np.array([[100.0, 100.0], [150.0, 180.0]], np.float32)
    free = camera.background(points, (256, 256))
    above, beside, face, shoulder = (20, 128), (150, 10), (140, 125), (200, 10)
    assert [bool(free[place]) for place in (above, beside, face, shoulder)] == [True, True, False, False]
