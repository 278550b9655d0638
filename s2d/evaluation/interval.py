"""What a figure of several people is worth: the mean over identities, and how much it depends on who was asked."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
COVER = 0.95


class Estimate(NamedTuple):
    """A mean over identities with its bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}]"


def by_identity(rows: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Mean of each identity's tracks; what is NaN does not count, and who has nothing else is left out.

    >>> by_identity([("ann", 1.0), ("ann", 3.0), ("bob", 5.0)])
    {'ann': 2.0, 'bob': 5.0}
    """
    found = defaultdict(list)
    for identity, value in rows:
        if not math.isnan(value):
            found[identity].append(value)
    return {identity: float(np.mean(values)) for identity, values in found.items()}


def estimate(values: Mapping[str, float], seed: int = 0) -> Estimate:
    """Mean over identities and the 95 % percentile interval of `RESAMPLES` bootstrap draws of identities.

    Tracks of one person are no independent witnesses, so people are drawn, not tracks. NaN without anybody; with a
    single person the interval is that person's value, and says nothing. With the same people, every figure is
    drawn with the same seed, so methods are compared on the same draws.
    """
    every = np.array([values[name] for name in sorted(values)])
    if not len(every):
        return Estimate(math.nan, math.nan, math.nan)
    draws = np.random.default_rng(seed).integers(len(every), size=(RESAMPLES, len(every)))
    low, high = np.quantile(every[draws].mean(1), [(1 - COVER) / 2, (1 + COVER) / 2])
    return Estimate(float(every.mean()), float(low), float(high))


def summarise(rows: Iterable[tuple[str, Mapping[str, float]]]) -> dict[str, Estimate]:
    """Figures of tracks (identity, figures by name) as estimates over identities, by name."""
    rows = list(rows)
    names = list(dict.fromkeys(name for _, figures in rows for name in figures))
    return {
        name: estimate(by_identity((who, figures[name]) for who, figures in rows if name in figures)) for name in names
    }
