"""Cross-reenactment: figures on faces of known shape and motion."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from s2d.evaluation import cross_identity as cross
from s2d.evaluation.footage import Clip
from s2d.evaluation.methods import BASELINES
from s2d.evaluation.same_identity import Instruments
from s2d.landmarks import layout
from tests.models.conftest import draw_face, gaze_turned, head_turned, jaw_dropped, turned


def test_shape_is_a_face_s_own_wherever_it_is() -> None:
    face = draw_face()
    moved = turned(face, 20, 0.7, (0.2, 0.1))
    assert cross.shape(moved.numpy()) == pytest.approx(cross.shape(face.numpy()), abs=1e-5)
    wide = face * torch.tensor([1.2, 1.0])
    assert abs(cross.shape(wide.numpy()) - cross.shape(face.numpy())).max() > 0.1


def test_leakage_counts_from_the_source_to_the_driver() -> None:
    source, driver = np.array([0.7, 0.2]), np.array([0.9, 0.1])
    assert cross.leakage(source, source, driver) == 0
    assert cross.leakage(driver, source, driver) == pytest.approx(1)
    assert cross.leakage(0.25 * driver + 0.75 * source, source, driver) == pytest.approx(0.25)
    assert math.isnan(cross.leakage(driver, source, source + 0.001))


def test_correlation() -> None:
    t = np.linspace(0, 6, 40)
    assert cross.correlation(np.sin(t), 0.3 * np.sin(t) + 5, 0.1) == pytest.approx(1)
    assert cross.correlation(np.sin(t), -np.sin(t), 0.1) == pytest.approx(-1)
    assert cross.correlation(np.sin(t), np.ones(40), 0.1) == 0
    assert math.isnan(cross.correlation(0.01 * np.sin(t), np.sin(t), 0.1))  # this driver does not move
    lost = np.where(t > 1, np.nan, np.sin(t))
    assert math.isnan(cross.correlation(np.sin(t), lost, 0.01))


def test_movements_tell_one_from_another() -> None:
    face = draw_face()
    rest = cross.movements(face.numpy())
    changed = {
        "yaw": head_turned(face, 15),
        "mouth": jaw_dropped(face),
        "gaze": gaze_turned(face),
    }
    for name, points in changed.items():
        assert abs(cross.movements(points.numpy())[name] - rest[name]) > cross.MOVES[name]
    assert cross.movements(gaze_turned(face).numpy())["mouth"] == rest["mouth"]


def test_nobody_drives_themselves(moving_clip: Clip) -> None:
    clips = [replace(moving_clip, identity=name) for name in ("ann", "ann", "bob", "cleo")]
    pairs = cross.pairings(clips, 100)
    assert len(pairs) == 4 * 3 - 2
    assert all(source.identity != driver.identity for source, driver in pairs)
    assert len(cross.pairings(clips, 3)) == 3


def test_a_driver_at_rest_leaves_the_source_alone(moving_clip: Clip) -> None:
    """Relative: the driver's face at rest, however it is shaped, asks for no change but to open the lips as far."""
    wide = moving_clip.points[:1].expand(6, -1, -1) * torch.tensor([1.1, 0.95])
    pairing = cross.Pairing(moving_clip, replace(moving_clip, points=wide), "relative")
    moved = pairing.scene().driving_points
    speaking = [*layout.PARTS["outer_lips"], *layout.PARTS["inner_lips"], *range(4, 13)]  # the chin falls with them
    still = [index for index in range(layout.COUNT) if index not in speaking]
    assert (moved - moving_clip.source_points)[:, still].abs().max() < 1e-4
    opening, wanted = (
        (points[:, 66] - points[:, 62]).norm(dim=-1) / (points[:, 54] - points[:, 48]).norm(dim=-1)
        for points in (moved, wide)
    )
    torch.testing.assert_close(opening, wanted, atol=5e-3, rtol=0)
    absolute = replace(pairing, mode="absolute").scene().driving_points
    assert (absolute - wide).abs().max() < 1e-5


def test_there_and_back(moving_clip: Clip) -> None:
    scene = cross.Pairing(moving_clip, moving_clip, "absolute").scene()
    found = {name: cross.cycle(BASELINES[name], scene, BASELINES[name](scene)) for name in ("copy", "similarity")}
    assert found["copy"] == {"cycle_l1": 0.0, "cycle_pd": pytest.approx(0, abs=1e-5)}
    assert 0 < found["similarity"]["cycle_l1"] < 0.05


def test_the_driver_s_own_pictures_show_what_can_be_found_at_best(moving_clip: Clip) -> None:
    """By a detector that sees the mouths of the driver exactly, and any gaze as its opposite."""
    face, steps = draw_face(), torch.linspace(0, 1, 12)
    points = torch.cat([gaze_turned(jaw_dropped(face, 0.1 * float(by)), 0.04 * float(by)) for by in steps])
    driver = replace(moving_clip, points=points, images=moving_clip.images[:1].expand(12, -1, -1, -1))
    seen = points.clone()
    seen[:, 68:] = 2 * seen[:1, 68:] - seen[:, 68:]
    witness = SimpleNamespace(look_quickly=lambda images: seen[: len(images)].numpy())
    instruments = Instruments(witness=witness, embedder=None)  # type: ignore[arg-type]
    pairing = cross.Pairing(moving_clip, driver, "relative")
    truth = cross.measure_pair({"copy": BASELINES["copy"]}, pairing, instruments)["truth"]
    assert truth["corr_mouth"] == pytest.approx(1)
    assert truth["corr_gaze"] == pytest.approx(-1)
    assert math.isnan(truth["corr_yaw"])
