"""Temporal filters that landmarks are commonly smoothed with: what the aligner, which sees the picture, has to beat.

Each is a frozen set of parameters with a pure call, `OneEuro()(points, times)`: points (T, K, 2) in any unit (frame
pixels), NaN where a landmark is not known, and times (T,) in seconds give filtered points (T, K, 2) in the same unit.
No result depends on the size of the face: points * 3 give the result * 3. All calls raise ValueError for other shapes
and for times that do not increase.

Gaps. Every filter fills all frames between a landmark's first and last detection and leaves NaN before and after, and
for a landmark that was never detected. All fill the same frames because the figures skip what is NaN: a filter that
left its gaps open would be spared the hard frames. Savitzky-Golay and the moving average smooth over a gap that was
bridged by a straight line over time beforehand (as DeepLabCut and movement do); One-Euro skips the missing frames
with its true, longer time step, and the line joins what it gave on both sides; the Rauch-Tung-Striebel smoother
bridges a gap itself, by its model of motion.

The defaults are what `benchmarks/tune_filters.py` printed: tuned (see `tuning.py`) on detections of the mesh detector
in synthetic clips at 30 frames per second, seeds 1 to 7, with all landmarks sharing one set of parameters. Objective,
in percent of the inter-ocular distance: detections as they are 2.465, OneEuro 2.373, MovingAverage 2.262,
SavitzkyGolay 2.249, RauchTungStriebel 2.223. Windows count frames, so at other frame rates tune them again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.signal import savgol_filter

from s2d.geometry import Array, Floats
from s2d.landmarks import layout

Mask = npt.NDArray[np.bool_]
# values (S, N), times (S,), known (S,): True in the first and last row -> (S, N); values are NaN where not known
Smoother = Callable[[Array, Array, Mask], Array]

FLAT = 1e8  # variance of the unknown first velocity, in variances of a detection per second^2: any speed will do


class Filter(Protocol):
    """What all filters here are."""

    def __call__(self, points: Floats, times: Array) -> Array:
        """Filtered points (T, K, 2) of points (T, K, 2) at times (T,) in seconds."""


@dataclass(frozen=True)
class OneEuro:
    """One-Euro filter (Casiez, Roussel and Vogel, CHI 2012, algorithm 1): causal low-pass that opens up with speed.

    x and y of each landmark are filtered alone, with true time steps. Needs the outer eye corners (36, 45) together in
    some frame, else ValueError: their median distance over the track is the unit of `beta`.
    """

    min_cutoff: float = 11.31
    """Cutoff frequency in Hz of what rests."""
    beta: float = 64.0
    """Growth of the cutoff with speed, in Hz per (inter-ocular distance per second)."""
    derivative_cutoff: float = 4.0
    """Cutoff frequency in Hz of the low-pass on the speed."""

    def __post_init__(self) -> None:
        if not (self.min_cutoff > 0 and self.derivative_cutoff > 0 and self.beta >= 0):
            raise ValueError(f"cutoffs must be positive and beta not negative: {self}")

    def __call__(self, points: Floats, times: Array) -> Array:
        """See the module: causal but for the line that joins the two sides of a gap."""
        beta = self.beta / _interocular(points)

        def smooth(values: Array, times: Array, known: Mask) -> Array:
            return _bridged(self._causal(values, times, known, beta), times, known)

        return _by_pattern(points, times, smooth)

    def _causal(self, values: Array, times: Array, known: Mask, beta: float) -> Array:
        """Rows that are known filtered, the others left; `beta` in Hz per unit of `values` per second."""
        result: Array = values.copy()
        speed: Array = np.zeros(values.shape[1])
        for before, now in pairwise(np.flatnonzero(known).tolist()):
            step = float(times[now] - times[before])
            change = values[now] - result[before]
            speed += _share(self.derivative_cutoff, step) * (change / step - speed)
            result[now] = result[before] + _share(self.min_cutoff + beta * np.abs(speed), step) * change
        return result


@dataclass(frozen=True)
class SavitzkyGolay:
    """Least-squares polynomial in a sliding window (Savitzky and Golay 1964): keeps polynomials of its degree exactly.

    Works on frames as if they were evenly spaced. The first and last half window come from one polynomial each; a
    track shorter than the window gets the longest odd window that it holds.
    """

    window: int = 7
    """Frames, odd."""
    degree: int = 3
    """Of the polynomial, less than the window."""

    def __post_init__(self) -> None:
        _check_window(self.window)
        if not 0 <= self.degree < self.window:
            raise ValueError(f"the degree must be between 0 and window - 1: {self}")

    def __call__(self, points: Floats, times: Array) -> Array:
        """See the module; `times` count only where a gap is bridged."""
        return _by_pattern(points, times, self._smooth)

    def _smooth(self, values: Array, times: Array, known: Mask) -> Array:
        window = min(self.window, (len(values) - 1) // 2 * 2 + 1)
        degree = min(self.degree, window - 1)
        return np.asarray(savgol_filter(_bridged(values, times, known), window, degree, axis=0, mode="interp"))


@dataclass(frozen=True)
class MovingAverage:
    """Mean over a centred window of frames, as if they were evenly spaced.

    Towards both ends the window shrinks on both sides alike, so that straight motion is kept and nothing lags; the
    first and the last frame stay as they are.
    """

    window: int = 3
    """Frames, odd: an even window would shift the track by half a frame."""

    def __post_init__(self) -> None:
        _check_window(self.window)

    def __call__(self, points: Floats, times: Array) -> Array:
        """See the module; `times` count only where a gap is bridged."""
        return _by_pattern(points, times, self._smooth)

    def _smooth(self, values: Array, times: Array, known: Mask) -> Array:
        index = np.arange(len(values))
        half = np.minimum(self.window // 2, np.minimum(index, index[::-1]))
        start = values[0]  # sums around the first row lose no digits to a face far from the origin
        sums = np.cumsum(np.pad(_bridged(values, times, known) - start, ((1, 0), (0, 0))), axis=0)
        return np.asarray((sums[index + half + 1] - sums[index - half]) / (2 * half + 1)[:, None] + start)


@dataclass(frozen=True)
class RauchTungStriebel:
    """Constant-velocity Kalman filter and the smoother of Rauch, Tung and Striebel (1965), with true time steps.

    Velocity is a Wiener process (white-noise acceleration; Bar-Shalom, Li and Kirubarajan 2001, 6.2.2), detections
    have white noise, the first velocity is unknown. The smoothed track depends on the ratio of the two noises alone,
    so that is the one parameter. The gains depend only on which frames are known: they are shared by all landmarks
    that are known in the same frames.
    """

    noise_ratio: float = 125900.0
    """Spectral density of the acceleration over the variance of a detection, 1 / second^3: less is stiffer."""

    def __post_init__(self) -> None:
        if not self.noise_ratio > 0:
            raise ValueError(f"the ratio must be positive: {self}")

    def __call__(self, points: Floats, times: Array) -> Array:
        """See the module."""
        return _by_pattern(points, times, self._smooth)

    def _smooth(self, values: Array, times: Array, known: Mask) -> Array:
        """Forward filter, backward smoother; the variance of a detection is 1."""
        mean, covariance = np.stack([values[0], np.zeros_like(values[0])]), np.diag([1.0, FLAT])
        means, predicted, backs = [mean], [mean], []
        for row, step in enumerate(np.diff(times).tolist(), 1):
            move, noise = _wiener(step)
            before, covariance = covariance, move @ covariance @ move.T + self.noise_ratio * noise
            backs.append(before @ move.T @ np.linalg.inv(covariance))
            mean = move @ mean
            predicted.append(mean)
            if known[row]:
                gain = covariance[:, :1] / (covariance[0, 0] + 1)
                mean = mean + gain * (values[row] - mean[0])
                covariance = covariance - gain @ covariance[:1]
            means.append(mean)
        for row in range(len(values) - 2, -1, -1):
            means[row] = means[row] + backs[row] @ (means[row + 1] - predicted[row + 1])
        return np.stack([mean[0] for mean in means])


def _wiener(step: float) -> tuple[Array, Array]:
    """Transition and noise (2, 2) of position and velocity over `step` seconds, for unit spectral density."""
    noise = np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
    return np.array([[1.0, step], [0.0, 1.0]]), noise


def _share(cutoff: Array | float, step: float) -> Array:
    """Weight of the new value in an exponential low-pass: 1 / (1 + tau / step), tau = 1 / (2 pi cutoff)."""
    return np.asarray(1 / (1 + 1 / (2 * math.pi * cutoff * step)))


def _by_pattern(points: Floats, times: Array, smooth: Smoother) -> Array:
    """`smooth` all landmarks that are known in the same frames together, from their first to their last detection."""
    points, times = np.asarray(points, np.float64), np.asarray(times, np.float64)
    if points.ndim != 3 or points.shape[2] != 2 or times.shape != points.shape[:1]:
        raise ValueError(f"points (T, K, 2) and times (T,) do not fit together: {points.shape}, {times.shape}")
    if not (np.diff(times) > 0).all():
        raise ValueError("times must increase from frame to frame")
    known: Mask = np.asarray(np.isfinite(points).all(axis=-1))
    result = np.full(points.shape, np.nan)
    groups: dict[bytes, list[int]] = {}
    for landmark in np.flatnonzero(known.any(axis=0)).tolist():
        groups.setdefault(known[:, landmark].tobytes(), []).append(landmark)
    for landmarks in groups.values():
        pattern = known[:, landmarks[0]]
        rows = np.flatnonzero(pattern)
        span = slice(int(rows[0]), int(rows[-1]) + 1)
        series = np.where(pattern[span, None, None], points[span, landmarks], np.nan)
        smoothed = smooth(series.reshape(len(series), -1), times[span], pattern[span])
        result[span, landmarks] = smoothed.reshape(series.shape)
    return result


def _bridged(values: Array, times: Array, known: Mask) -> Array:
    """Rows (S, N) that are not known laid on straight lines over time; the first and the last row are known."""
    rows, missing = np.flatnonzero(known), np.flatnonzero(~known)
    after = np.searchsorted(rows, missing)
    low, high = rows[after - 1], rows[after]
    share = ((times[missing] - times[low]) / (times[high] - times[low]))[:, None]
    filled: Array = values.copy()
    filled[missing] = (1 - share) * values[low] + share * values[high]
    return filled


def _interocular(points: Floats) -> float:
    """Median distance of the outer eye corners over the frames that have both."""
    distances = layout.interocular(points)
    known = distances[distances > 0]
    if not len(known):
        raise ValueError("no frame has both outer eye corners, whose distance is the unit of the parameters")
    return float(np.median(known))


def _check_window(window: int) -> None:
    if window < 1 or window % 2 == 0:
        raise ValueError(f"a window must be an odd number of frames, not {window}")
