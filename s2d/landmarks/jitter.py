"""How well landmark tracks follow a face, and how much they tremble: pure functions, most with the truth, some without.

Tracks are (T, 70, 2) in pixels, NaN where a landmark is not known; NaN never counts. Truths are exact tracks of the
same shape. Figures are in percent of the inter-ocular distance (outer eye corners, of the truth where there is one)
unless `METRICS` says otherwise. None of them is what the aligner minimises; those that compare with the picture use
another method than the aligner's and live in `residuals.py`; those of a track alone are in `trembling.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from s2d.geometry import Array, Floats, Image
from s2d.landmarks import expression, layout
from s2d.landmarks.checks import check_points, check_times, checked_frames
from s2d.landmarks.residuals import PictureResiduals
from s2d.landmarks.trembling import (
    HIGH_FREQUENCY,
    acceleration,
    anchor_drift,
    face_units,
    finite_mean,
    high_frequency_share,
    opening_drift,
    stabilise,
)

Mask = npt.NDArray[np.bool_]

STATIC = tuple(range(36))  # jaw, brows and nose: no lid, lip or gaze moves them
MAX_LAG = 5  # frames
FAILURE = 8.0  # percent; the limit of the 300-W challenge
STILL = 1e-3  # of the inter-ocular distance: a truth that varies less than this has no gain


@dataclass(frozen=True)
class Metric:
    """What a figure means."""

    unit: str
    says: str
    goal: float | None = 0.0
    """The best value there is; None where neither more nor less is better, or methods cannot be compared by it."""

    @property
    def meaning(self) -> str:
        """What it says, with its unit where that is not PERCENT."""
        return self.says if self.unit == PERCENT else f"{self.says}, {self.unit.replace(PERCENT + ' per ', '%/')}"


PERCENT = "percent of inter-ocular distance"
METRICS: MappingProxyType[str, Metric] = MappingProxyType(
    {
        "nme": Metric(PERCENT, "mean distance to the truth"),
        "nme_unbiased": Metric(PERCENT, "without each landmark's own offset"),
        "nme_box": Metric("% of box size", "mean distance to the truth"),
        "auc": Metric("0 to 1", "area under the error curve to 8 %", goal=1.0),
        "failure_rate": Metric("% of frames", "error above 8 %"),
        "known_share": Metric("% of landmarks", "given at all, of those to be seen", goal=100.0),
        "nmf": Metric(PERCENT, "flicker: change of error per frame"),
        "nmf_static": Metric(PERCENT, "flicker of jaw, brows and nose"),
        "accel_error": Metric(PERCENT + " per frame^2", "error of the acceleration"),
        "lag_frames": Metric("frames", "delay behind the truth; negative: ahead"),
        "gain_lid": Metric("1 is all", "lid motion kept", goal=1.0),
        "gain_lip": Metric("1 is all", "lip motion kept", goal=1.0),
        "gain_pupil": Metric("1 is all", "pupil motion kept", goal=1.0),
        "phase_residual_1": Metric(PERCENT, "slip over the skin in 1 frame"),
        "phase_residual_6": Metric(PERCENT, "slip over the skin in 6 frames"),
        "flow_residual": Metric(PERCENT, "the same by Lucas-Kanade flow"),
        "acceleration": Metric(
            PERCENT + " per frame^2", "acceleration within the face; a motion lost lowers it too", goal=None
        ),
        "high_frequency_share": Metric(
            "0 to 1", f"share of motion above {HIGH_FREQUENCY:g} Hz; smoothing lowers it too", goal=None
        ),
        "anchor_drift": Metric(
            PERCENT, "distance from the detector for over a second; no error where it is wrong", goal=None
        ),
        "opening_drift": Metric(
            PERCENT, "lids' or lips' opening off the detector's, worst 3 frames; no fault where it errs", goal=None
        ),
        "ms_per_frame": Metric("ms", "time taken", goal=None),
    }
)
Figures = dict[str, float | None]  # by the names in METRICS; None where it cannot be measured


def measure(
    points: Floats,
    times: Array,
    *,
    frames: Iterable[Image] | None = None,
    truth: Floats | None = None,
    visible: Mask | None = None,
    anchor: Floats | None = None,
) -> Figures:
    """All figures of METRICS but the time, for one track (T, 70, 2) with times (T,) in seconds.

    `frames`: the T frames, read once, for the figures against the picture. `truth` (T, 70, 2), `visible` (T, 70): where
    the truth can be seen at all. `anchor` (T, 70, 2): the detector's points, to measure drift from them.
    Raises ValueError for other shapes, another number of frames, and times that do not increase.
    """
    return compare({"points": points}, times, frames=frames, truth=truth, visible=visible, anchor=anchor)["points"]


def compare(
    methods: Mapping[str, Floats],
    times: Array,
    *,
    frames: Iterable[Image] | None = None,
    truth: Floats | None = None,
    visible: Mask | None = None,
    anchor: Floats | None = None,
) -> dict[str, Figures]:
    """`measure` for several tracks of the same face by name, reading the frames only once."""
    check_times(times)
    for name, points in (*methods.items(), ("truth", truth), ("anchor", anchor)):
        if points is not None:
            check_points(points, name, len(times))
    slips: Mapping[str, Mapping[str, float]] = {}
    if frames is not None:
        meter = PictureResiduals({name: _stable_views(points) for name, points in methods.items()})
        for frame in checked_frames(frames, len(times)):
            meter.update(frame)
        slips = meter.results()
    results: dict[str, Figures] = {}
    for name, points in methods.items():
        figures = {**of_track(points, times), **slips.get(name, {})}
        if truth is not None:
            figures |= of_truth(points, truth, visible)
        if anchor is not None:
            figures["anchor_drift"] = anchor_drift(points, anchor, times)
            figures["opening_drift"] = opening_drift(points, anchor)
        known = {key: float(value) for key, value in figures.items() if np.isfinite(value)}
        results[name] = {key: known.get(key) for key in METRICS if key != "ms_per_frame"}
    return results


def of_truth(points: Floats, truth: Floats, visible: Mask | None = None) -> dict[str, float]:
    """All figures that need the truth, over its visible landmarks."""
    shown = np.ones((*truth.shape[:2], 1), bool) if visible is None else visible[..., None]
    seen: Floats = np.where(shown, points, np.nan)
    per_frame = nme_per_frame(seen, truth)
    return {
        "nme": nme(seen, truth),
        "nme_unbiased": nme_unbiased(seen, truth),
        "nme_box": nme_box(seen, truth),
        "auc": auc(per_frame),
        "failure_rate": failure_rate(per_frame),
        "known_share": known_share(seen, np.where(shown, truth, np.nan)),
        "nmf": nmf(seen, truth),
        "nmf_static": nmf(seen, truth, STATIC),
        "accel_error": acceleration_error(seen, truth),
        "lag_frames": lag(seen, np.where(shown, truth, np.nan)),
        "gain_lid": gain(expression.lid_apertures(seen), expression.lid_apertures(truth)),
        "gain_lip": gain(expression.lip_aperture(seen), expression.lip_aperture(truth)),
        "gain_pupil": gain(expression.pupil_offsets(seen), expression.pupil_offsets(truth)),
    }


def of_track(points: Floats, times: Array) -> dict[str, float]:
    """All figures of the track alone."""
    return {
        "acceleration": acceleration(points),
        "high_frequency_share": high_frequency_share(points, times),
    }


# --- against the truth ----------------------------------------------------------------------------------------------


def nme_per_frame(points: Floats, truth: Floats) -> Array:
    """Normalised mean error of each frame in percent, (T,): mean_k |x - x*| / d, d the true inter-ocular distance.

    Sagonas et al. 2013 (300-W). NaN for frames without a known landmark.
    """
    return np.asarray(_mean(_distance(points, truth), axis=1) / layout.interocular(truth) * 100)


def nme(points: Floats, truth: Floats) -> float:
    """Normalised mean error in percent: mean over frames and landmarks of |x - x*| / d(t).

    >>> face = np.zeros((4, 70, 2)); face[:, 45, 0] = 50.0
    >>> nme(face + [3.0, 4.0], face)
    10.0
    """
    return finite_mean(_distance(points, truth) / layout.interocular(truth)[:, None]) * 100


def nme_unbiased(points: Floats, truth: Floats) -> float:
    """`nme` after each landmark's mean error, in axes that turn and scale with the true face, is taken away.

    Detectors disagree about where, say, the corner of the mouth is; that constant is a definition, not a mistake.
    With e' the error in axes along and across the true vector between the outer eye corners, in its length:
    mean_(t,k) |e'(t, k) - mean_t e'(t, k)|.
    """
    error = face_units(np.asarray(points, np.float64) - truth, truth)
    return finite_mean(np.linalg.norm(error - _mean(error, axis=0), axis=-1)) * 100


def nme_box(points: Floats, truth: Floats) -> float:
    """Mean error over sqrt(width x height) of the true 68 points' box, percent (Bulat and Tzimiropoulos 2017)."""
    outline = np.asarray(truth, np.float64)[:, : layout.RIGHT_PUPIL]
    size = np.sqrt(np.prod(np.nanmax(outline, axis=1) - np.nanmin(outline, axis=1), axis=-1))
    return finite_mean(_distance(points, truth) / size[:, None]) * 100


def auc(errors: Array, limit: float = FAILURE) -> float:
    """Area under the cumulative distribution of frame errors (T,) from 0 to `limit`, over `limit`: 1 is perfect.

    Equal to mean max(0, 1 - e / limit), the exact integral of the empirical distribution. A frame without face is 0.

    >>> auc(np.array([0.0, 4.0, 100.0, np.nan]))
    0.375
    """
    return float(np.maximum(0.0, 1 - np.where(np.isfinite(errors), errors, np.inf) / limit).mean())


def failure_rate(errors: Array, limit: float = FAILURE) -> float:
    """Percent of frames (T,) whose error is above `limit` or that have no face.

    >>> failure_rate(np.array([0.0, 4.0, 100.0, np.nan]))
    50.0
    """
    return float((~(errors <= limit)).mean() * 100)


def known_share(points: Floats, truth: Floats) -> float:
    """Percent of the known landmarks of the truth that are given: the other errors say nothing of what is left out."""
    known = np.isfinite(truth).all(axis=-1)
    given = np.isfinite(points).all(axis=-1) & known
    return 100 * float(given.sum() / known.sum()) if known.any() else np.nan


def nmf(points: Floats, truth: Floats, landmarks: tuple[int, ...] = tuple(range(layout.COUNT))) -> float:
    """Normalised mean flicker in percent: sqrt(mean_(t,k) |e(t, k) - e(t-1, k)|^2) / mean_t d(t), e = x - x*.

    After Micaelli et al. 2023 (LDEQ). White jitter of deviation s in x and in y gives 2 s / d.
    """
    change = np.diff((np.asarray(points, np.float64) - truth)[:, list(landmarks)], axis=0)
    return float(np.sqrt(finite_mean((change**2).sum(-1)))) / finite_mean(layout.interocular(truth)) * 100


def acceleration_error(points: Floats, truth: Floats) -> float:
    """Mean |a - a*| / d(t) in percent, a = x(t+1) - 2 x(t) + x(t-1) (Kanazawa et al. 2019)."""
    error = np.diff(np.asarray(points, np.float64) - truth, n=2, axis=0)
    return finite_mean(np.linalg.norm(error, axis=-1) / layout.interocular(truth)[1:-1, None]) * 100


def lag(points: Floats, truth: Floats) -> float:
    """Frames by which the track comes after the truth; negative when it runs ahead; NaN when nothing moves.

    Peak of the normalised correlation of velocities, all landmarks together, over shifts of whole frames; the peak's
    place between frames by the parabola through its neighbours.
    """
    velocity, true_velocity = (np.diff(np.asarray(track, np.float64), axis=0) for track in (points, truth))
    reach = min(MAX_LAG, max(len(velocity) - 2, 0))
    shifts = range(-reach, reach + 1)
    with np.errstate(invalid="ignore"):
        scores = np.array([_correlation(*_shifted(velocity, true_velocity, shift)) for shift in shifts])
    if not np.isfinite(scores).any():
        return np.nan
    peak = int(np.nanargmax(scores))
    if not 0 < peak < len(scores) - 1 or not np.isfinite(scores[peak - 1 : peak + 2]).all():
        return float(shifts[peak])
    before, top, after = scores[peak - 1 : peak + 2]
    return float(shifts[peak] + 0.5 * (before - after) / (before - 2 * top + after))


def _shifted(late: Array, early: Array, shift: int) -> tuple[Array, Array]:
    """Frames t + shift of one and t of the other, where both exist."""
    count = len(late) - abs(shift)
    start = max(shift, 0)
    return late[start : start + count], early[start - shift : start - shift + count]


def _correlation(first: Array, second: Array) -> float:
    both = np.isfinite(first) & np.isfinite(second)
    a, b = first[both], second[both]
    power = float((a @ a) * (b @ b))
    return float(a @ b) / power**0.5 if power > 0 else np.nan


def gain(series: Array, truth: Array) -> float:
    """Share of true motion that a track shows: slope of the regression of `series` (T, ...) on `truth` (T, ...).

    Each column is centred by itself, then all go into one slope, sum(s s*) / sum(s*^2): 1 follows fully, 0.5 shows
    half the motion. NaN when the truth hardly moves.

    >>> round(gain(0.5 * np.sin(np.arange(20.0)) + 3, np.sin(np.arange(20.0))), 6)
    0.5
    """
    both = np.isfinite(series) & np.isfinite(truth)
    seen, true = (np.where(both, values, np.nan) for values in (series, truth))
    seen, true = seen - _mean(seen, axis=0), true - _mean(true, axis=0)
    power = float(np.nansum(true**2))
    return float(np.nansum(seen * true)) / power if power > both.sum() * STILL**2 and power > 0 else np.nan


# --- small parts ----------------------------------------------------------------------------------------------------


def _distance(points: Floats, truth: Floats) -> Array:
    return np.asarray(np.linalg.norm(np.asarray(points, np.float64) - truth, axis=-1))


def _mean(values: Array, axis: int) -> Array:
    """Mean along an axis of what is finite, NaN without any, and no warning about it."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.where(known.any(axis=axis), total / np.maximum(known.sum(axis=axis), 1), np.nan)


def _stable_views(points: Floats) -> tuple[Array, Array]:
    """Points and, per frame, the map from pixels to the stabilised face: where and how to look at the picture."""
    return np.asarray(points, np.float64), stabilise(points)[1]
