"""The best parameters of a temporal filter, by grid search on tracks whose truth is known.

The objective is the mean over tracks of nme_unbiased + nmf (see `jitter.py`; both in percent of the inter-ocular
distance, less is better). Either alone is a bad judge: nme_unbiased is mostly slow error that no filter can take away
and hardly sees trembling; nmf sees only changes of the error, so that a steady lag costs nothing. On detections both
lie between 1 and 2 percent, so the plain sum lets neither win and has no weight that somebody would have to choose.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from s2d import progress
from s2d.geometry import Array, Floats
from s2d.landmarks import jitter
from s2d.landmarks.filters import Filter, MovingAverage, OneEuro, RauchTungStriebel, SavitzkyGolay

Grid = Mapping[str, Sequence[float]]
Family = Callable[..., Filter]


def _geometric(start: float, factor: float, count: int) -> tuple[float, ...]:
    """`count` values, each `factor` times the one before, to four digits."""
    return tuple(float(f"{start * factor**power:.4g}") for power in range(count))


# One-Euro's third parameter is 1 Hz in the paper; it is tuned as well, so that no baseline is held back. Savitzky-Golay
# of degree 1 would be a moving average but for its ends.
GRIDS: MappingProxyType[Family, Grid] = MappingProxyType(
    {
        OneEuro: {
            "min_cutoff": _geometric(0.25, 2**0.5, 19),
            "beta": (0.0, *_geometric(0.25, 2**0.5, 21)),
            "derivative_cutoff": _geometric(0.25, 2, 8),
        },
        SavitzkyGolay: {"window": range(5, 42, 2), "degree": (2, 3, 4)},
        MovingAverage: {"window": range(1, 32, 2)},
        RauchTungStriebel: {"noise_ratio": _geometric(1.0, 10**0.1, 81)},
    }
)


@dataclass(frozen=True)
class KnownTrack:
    """Detections of a face whose landmarks are known."""

    raw: Floats
    """(T, 70, 2) detections; NaN where there is none."""
    times: Array
    """(T,) seconds."""
    truth: Floats
    """(T, 70, 2) in the unit of `raw`."""
    visible: npt.NDArray[np.bool_]
    """(T, 70) False where the truth cannot be seen: that does not count."""


@dataclass(frozen=True)
class Tuned:
    """The best of a grid."""

    filter: Filter
    """With the parameters found."""
    parameters: Mapping[str, float]
    """By name."""
    objective: float
    """Percent; see the module."""
    at_edge: tuple[str, ...]
    """Parameters, of those with more than two values, found at an end of the grid: a wider grid may do better."""


def tune(family: Family, grid: Grid, tracks: Sequence[KnownTrack]) -> Tuned:
    """The parameters among all combinations of `grid` (values in increasing order) with the least objective.

    Deterministic: of equals the first in the order of the grid. Raises ValueError without tracks, or when the objective
    of a combination is not finite (a track of one frame, or without any detection).
    """
    choices = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    labelled = progress.track(choices, f"tuning {getattr(family, '__name__', 'a filter')}", len(choices))
    scores = [objective(family(**choice), tracks) for choice in labelled]
    best = int(np.argmin(scores))
    chosen = choices[best]
    edges = tuple(name for name, values in grid.items() if len(values) > 2 and chosen[name] in (values[0], values[-1]))
    return Tuned(family(**chosen), chosen, scores[best], edges)


def objective(smooth: Filter, tracks: Sequence[KnownTrack]) -> float:
    """Mean over tracks of nme_unbiased + nmf, percent; raises ValueError as `tune` does."""
    if not tracks:
        raise ValueError("no tracks to tune on")
    scores = np.array([_score(smooth(track.raw, track.times), track) for track in tracks])
    if not np.isfinite(scores).all():
        raise ValueError(f"tracks without error or flicker: {np.flatnonzero(~np.isfinite(scores)).tolist()}")
    return float(scores.mean())


def _score(points: Floats, track: KnownTrack) -> float:
    seen: Any = np.where(track.visible[..., None], points, np.nan)
    return jitter.nme_unbiased(seen, track.truth) + jitter.nmf(seen, track.truth)
