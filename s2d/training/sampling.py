"""Which pair of frames sample number n is: a function of (seed, n) alone.

Training reads one endless stream of numbered samples. Threads, processes and a resumed run only differ in which
numbers they take, so nothing is seen twice and a resumed run goes on with the very next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from s2d.errors import S2DError
from s2d.geometry import Array

CYCLE = 1000  # samples in which several data sets have each their share, to a thousandth


@dataclass(frozen=True)
class ClipOrder:
    """Clip-wise shuffling: every round visits each track once, for `visit` pairs, `window` tracks interleaved.

    Interleaving fills a batch with different faces; the window bounds how many tracks are open at a time.
    """

    tracks: int
    visit: int
    window: int
    seed: int

    @property
    def round(self) -> int:
        """Number of samples after which every track has been visited once more."""
        return self.tracks * self.visit

    def track(self, number: int) -> int:
        """The track of sample `number` (from 0, without end).

        >>> [ClipOrder(tracks=3, visit=2, window=2, seed=0).track(n) for n in range(6)]
        [2, 0, 2, 0, 1, 1]
        """
        turn, place = divmod(number, self.round)
        window, inside = divmod(place, self.window * self.visit)
        first = window * self.window
        width = min(self.window, self.tracks - first)
        return int(_permutation(self.tracks, self.seed, turn)[first + inside % width])


@lru_cache(maxsize=16)
def _permutation(count: int, seed: int, turn: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, turn]).permutation(count)


@dataclass(frozen=True)
class Mixture:
    """Several data sets in one stream: of every `sum(shares)` samples `shares[d]` are of data set d, evenly spread."""

    orders: tuple[ClipOrder, ...]
    shares: tuple[int, ...]

    @property
    def round(self) -> int:
        """Number of samples after which every track of every data set has been visited once more."""
        cycle = sum(self.shares)
        return max(-(-order.round * cycle // share) for order, share in zip(self.orders, self.shares, strict=True))

    def track(self, number: int) -> tuple[int, int]:
        """The data set of sample `number` and its track there.

        >>> two = tuple(ClipOrder(tracks, 1, 1, seed=0) for tracks in (100, 100))
        >>> [Mixture(two, (3, 1)).track(n)[0] for n in range(8)]
        [0, 0, 1, 0, 0, 0, 1, 0]
        """
        cycle, place = divmod(number, sum(self.shares))
        data, before = self._cycle
        chosen = int(data[place])
        return chosen, self.orders[chosen].track(cycle * self.shares[chosen] + int(before[place]))

    @cached_property
    def _cycle(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """For each place of a cycle its data set, and how many places before are of the same."""
        places = [(np.arange(share) + 0.5) / share for share in self.shares]
        data = np.repeat(np.arange(len(self.shares)), self.shares)[np.argsort(np.concatenate(places), kind="stable")]
        before = np.zeros_like(data)
        for number, share in enumerate(self.shares):
            before[data == number] = np.arange(share)
        return data, before


def shares_of(weights: Sequence[float]) -> tuple[int, ...]:
    """Weights as whole shares of about CYCLE samples, each at least 1; their greatest common divisor taken out.

    >>> shares_of([7.0]), shares_of([3, 1]), shares_of([100_000, 1])
    ((1,), (3, 1), (1000, 1))
    """
    whole = np.maximum(1, np.round(np.divide(weights, sum(weights)) * CYCLE)).astype(int)
    return tuple((whole // np.gcd.reduce(whole)).tolist())


@dataclass(frozen=True)
class PairRule:
    """How far apart the two frames of a pair are."""

    near_share: float = 0.25
    """Share of pairs closer than `near_seconds`: small motion, where detail is learned; the rest are anywhere."""
    near_seconds: float = 0.4
    """A blink or a syllable."""

    def __post_init__(self) -> None:
        """Raises S2DError when a number cannot be meant."""
        if not (0 <= self.near_share <= 1 and self.near_seconds >= 0):
            why = f"near_share={self.near_share}, near_seconds={self.near_seconds}"
            raise S2DError("cannot pair frames", why, "the share is from 0 to 1, the seconds are 0 or more")

    def draw(self, times: Array, rng: np.random.Generator) -> tuple[int, int]:
        """Positions (source, driving) among frames with presentation times `times` (T,), sorted; different if T > 1."""
        driving = int(rng.integers(len(times)))
        first, stop = 0, len(times)
        if rng.random() < self.near_share:
            reach = times[driving] + np.array([-self.near_seconds, self.near_seconds])
            low, high = int(times.searchsorted(reach[0])), int(times.searchsorted(reach[1], "right"))
            first, stop = (low, high) if high - low > 1 else (first, stop)
        if stop - first < 2:
            return driving, driving
        source = first + int(rng.integers(stop - first - 1))
        return source + (source >= driving), driving


class StreamSampler(Sampler[int]):
    """Sample numbers of one process, `length` of them from where training stands.

    `position` tells the first sample that none of the processes has taken. The global batch of `replicas` processes is
    the batch that one process with `replicas` times the batch size would take.
    """

    def __init__(self, length: int, position: Callable[[], int], replicas: int = 1, rank: int = 0) -> None:
        self.length, self.position, self.replicas, self.rank = length, position, replicas, rank

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        """The first one follows those already taken."""
        start = self.position() + self.rank
        return iter(range(start, start + self.length * self.replicas, self.replicas))
