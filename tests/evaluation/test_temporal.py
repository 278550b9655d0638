"""Coherence: known motions, known flaws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from s2d.evaluation import temporal
from s2d.evaluation.footage import Clip
from s2d.evaluation.keypoints import as_pictures
from s2d.evaluation.methods import BASELINES
from tests.models.conftest import draw_face


def test_acceleration_of_a_parabola() -> None:
    """x = 3 t^2 px accelerates by 6 px at every frame; constant speed does not accelerate."""
    face = 100 * draw_face()[0].numpy()
    iod = float(np.linalg.norm(face[45] - face[36]))
    t = np.arange(5)[:, None, None]
    move = np.array([1.0, 0.0])
    assert temporal.acceleration((face + 3 * t**2 * move).astype(np.float32)) == pytest.approx(600 / iod, rel=1e-4)
    assert temporal.acceleration((face + 7 * t * move).astype(np.float32)) == pytest.approx(0, abs=1e-3)
    assert math.isnan(temporal.acceleration(face[None].astype(np.float32)))


def test_a_missed_face_does_not_count() -> None:
    face = np.repeat(100 * draw_face().numpy(), 7, axis=0)
    face[3] = np.nan
    assert temporal.acceleration(face) == pytest.approx(0, abs=1e-6)


def test_flicker_of_known_size(moving_clip: Clip) -> None:
    trembling = moving_clip.images.clone()
    trembling[::2] += 0.02
    assert temporal.flicker(trembling, moving_clip.images) == pytest.approx(2.0, abs=1e-3)
    assert temporal.flicker(moving_clip.images + 0.3, moving_clip.images) == pytest.approx(0, abs=1e-4)


def test_the_truth_follows_its_own_flow_and_a_still_picture_does_not(moving_clip: Clip) -> None:
    motion = temporal.Motion(moving_clip)
    true = temporal.warping_error(motion.pictures, motion)
    still = temporal.warping_error([motion.pictures[0]] * len(moving_clip), motion)
    noisy = torch.rand(moving_clip.images.shape, generator=torch.Generator().manual_seed(0))
    assert true < 0.2 * still
    assert temporal.warping_error(as_pictures(noisy, temporal.SIDE), motion) > 10 * still


def test_drift_is_the_way_that_the_background_is_off(moving_clip: Clip) -> None:
    """The first frame shows frame t's background t pixels of 64 to the left: 4 t pixels at 256."""
    motion = temporal.Motion(moving_clip)
    assert temporal.background_drift(motion.pictures, motion) == pytest.approx(0, abs=0.05)
    shifted = as_pictures(moving_clip.images.roll(-1, dims=0)[:-1], temporal.SIDE)
    found = temporal.background_drift(shifted, motion)
    assert found == pytest.approx(4, rel=0.3)


def test_figures_by_method(moving_clip: Clip) -> None:
    rows = temporal.measure_clip({"copy": BASELINES["copy"], "similarity": BASELINES["similarity"]}, moving_clip, None)
    assert list(rows) == ["truth", "copy", "similarity"]
    assert rows["truth"]["flicker"] == 0
    assert rows["similarity"]["flicker"] < 0.3 * rows["copy"]["flicker"]
    assert "acceleration_ratio" not in rows["copy"]
