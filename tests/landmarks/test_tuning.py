"""The tuner on tracks whose best parameters are known beforehand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from s2d.geometry import Array
from s2d.landmarks import jitter, layout
from s2d.landmarks.filters import Filter, MovingAverage, OneEuro, RauchTungStriebel, SavitzkyGolay
from s2d.landmarks.tuning import GRIDS, KnownTrack, objective, tune

WINDOWS = {"window": (1, 3, 5, 7)}


def known_track(noise: float, speed: float, count: int = 60, seed: int = 0) -> KnownTrack:
    """A face of 100 pixels that swings `speed` pixels wide, seen with `noise` pixels of deviation."""
    rng = np.random.default_rng(seed)
    face = rng.uniform(0, 200, (layout.COUNT, 2))
    face[layout.RIGHT_EYE_OUTER], face[layout.LEFT_EYE_OUTER] = (50, 100), (150, 100)
    path = speed * np.sin(np.arange(count) * 1.3)
    truth = face + path[:, None, None]
    return KnownTrack(
        truth + rng.normal(0, noise, truth.shape), np.arange(count) / 30, truth, np.ones(truth.shape[:2], bool)
    )


def test_objective_is_error_plus_flicker_averaged_over_tracks() -> None:
    tracks = [known_track(1.0, 0.0), known_track(3.0, 0.0, count=20, seed=1)]
    parts = [jitter.nme_unbiased(t.raw, t.truth) + jitter.nmf(t.raw, t.truth) for t in tracks]
    assert objective(MovingAverage(1), tracks) == pytest.approx(sum(parts) / 2, rel=1e-12)


def test_what_cannot_be_seen_does_not_count() -> None:
    track = known_track(1.0, 0.0)
    hidden = track.visible.copy()
    hidden[10:30, 60:] = False
    raw: Array = np.where(hidden[..., None], track.raw, 1e4)
    spoilt, clean = (KnownTrack(points, track.times, track.truth, hidden) for points in (raw, track.raw))
    assert objective(MovingAverage(1), [spoilt]) == pytest.approx(objective(MovingAverage(1), [clean]), rel=1e-9)


def test_noise_wants_long_windows_and_motion_short_ones() -> None:
    still = tune(MovingAverage, WINDOWS, [known_track(1.0, 0.0)])
    assert still.filter == MovingAverage(7)
    assert still.at_edge == ("window",)
    quick = tune(MovingAverage, WINDOWS, [known_track(0.0, 20.0)])
    assert quick.parameters == {"window": 1}
    between = tune(MovingAverage, WINDOWS, [known_track(1.0, 0.7)])
    assert between.parameters == {"window": 3}
    assert between.at_edge == ()


def test_tuning_finds_the_least_of_all_combinations_the_same_each_time() -> None:
    grid = {"window": (5, 9, 13), "degree": (1, 2, 3)}
    tracks = [known_track(1.0, 3.0, seed=seed) for seed in (1, 2)]
    found = tune(SavitzkyGolay, grid, tracks)
    scores = {pair: objective(SavitzkyGolay(*pair), tracks) for pair in itertools.product((5, 9, 13), (1, 2, 3))}
    assert scores[(int(found.parameters["window"]), int(found.parameters["degree"]))] == min(scores.values())
    assert found.objective == min(scores.values())
    assert tune(SavitzkyGolay, grid, tracks) == found


def test_the_first_of_equals_wins() -> None:
    track = known_track(1.0, 0.0)
    constant = KnownTrack(track.truth, track.times, track.truth, track.visible)
    assert tune(MovingAverage, {"window": (3, 5)}, [constant]).parameters == {"window": 3}


def test_tracks_that_tell_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="no tracks"):
        objective(MovingAverage(1), [])
    with pytest.raises(ValueError, match=r"\[1\]"):
        tune(MovingAverage, WINDOWS, [known_track(1.0, 0.0), known_track(1.0, 0.0, count=1)])


@pytest.mark.parametrize("default", [OneEuro(), SavitzkyGolay(), MovingAverage(), RauchTungStriebel()])
def test_defaults_are_inside_their_grids(default: Filter) -> None:
    """They were tuned on these grids, and not found at an end, where a wider grid could have done better."""
    for name, values in GRIDS[type(default)].items():
        assert getattr(default, name) in values
        if len(values) > 3:
            assert values[0] < getattr(default, name) < values[-1], name
