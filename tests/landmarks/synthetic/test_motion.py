"""Performances are seeded, continuous and within the limits that their variant states."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.landmarks.synthetic.motion import BLINK_CLOSING, VARIANTS, Performance

TIMES = np.arange(0, 20, 1 / 240)


@pytest.mark.parametrize("name", ["calm", "fast"])
@pytest.mark.parametrize("seed", [0, 1, 5])
def test_state_stays_within_the_variant(name: str, seed: int) -> None:
    variant = VARIANTS[name]
    state = Performance(variant, seed)(TIMES)
    for angle, limit in ((state.yaw, variant.yaw), (state.pitch, variant.pitch), (state.roll, variant.roll)):
        assert abs(angle).max() <= limit
        assert abs(angle).max() > 0.5 * limit  # and it is used
    assert state.lids.min() == 0
    assert state.lids.max() == pytest.approx(1, abs=1e-3)  # it blinks, fully
    assert state.mouth.min() >= 0
    assert 0.7 * variant.mouth < state.mouth.max() <= variant.mouth
    assert abs(state.gaze_x).max() <= variant.gaze


def test_motion_is_continuous() -> None:
    state = Performance(VARIANTS["fast"], 0)(TIMES)
    fastest = 1.5 / BLINK_CLOSING / 240  # of a smooth step
    assert abs(np.diff(state.lids)).max() < 1.01 * fastest
    assert abs(np.diff(state.yaw)).max() < 2.0
    assert abs(np.diff(state.gaze_x)).max() < 0.02


def test_seed_decides() -> None:
    first, again, other = (Performance(VARIANTS["calm"], seed)(TIMES) for seed in (3, 3, 4))
    for name, values in first._asdict().items():
        np.testing.assert_array_equal(values, getattr(again, name))
    assert abs(first.yaw - other.yaw).max() > 1


def test_an_instant_does_not_depend_on_its_neighbours() -> None:
    performance = Performance(VARIANTS["fast"], 2)
    everything, alone = performance(TIMES), performance(TIMES[1234:1235])
    for name, values in everything._asdict().items():
        np.testing.assert_allclose(values[1234], getattr(alone, name)[0], atol=1e-12)
