"""How a track moves and trembles within the face, without any truth: pure functions.

Tracks are (T, 70, 2) in pixels, NaN where a landmark is not known; NaN never counts. Figures are in percent of the
inter-ocular distance unless they say otherwise. Those against a truth are in `jitter.py`.
"""

from __future__ import annotations

import numpy as np

from s2d import geometry
from s2d.geometry import Array, Floats
from s2d.landmarks import expression, layout

HIGH_FREQUENCY = 6.0  # Hz; lids and lips move slower but for the onset of a blink
DRIFT_WINDOW = 1.0  # seconds
OPENING_FRAMES = 3  # a fast blink lasts as long, trembling does not


def stabilise(points: Floats) -> tuple[Array, Array]:
    """The track within the face, (T, 70, 2) in inter-ocular units, and the maps (T, 2, 3) from pixels that make it so.

    Each frame is laid on the median face by the similarity that fits brows, nose and corners of the eyes best.
    """
    points = np.asarray(points, np.float64)
    corners = points[:, [layout.RIGHT_EYE_OUTER, layout.LEFT_EYE_OUTER]]
    upright = geometry.similarity_fit(corners, np.broadcast_to([[-0.5, 0.0], [0.5, 0.0]], corners.shape))
    reference = geometry.median_over_frames(geometry.apply(upright, points))
    steady = points[:, layout.STEADY]
    maps = geometry.similarity_fit(steady, np.broadcast_to(reference[list(layout.STEADY)], steady.shape))
    return geometry.apply(maps, points), maps


def acceleration(points: Floats) -> float:
    """Mean |x(t+1) - 2 x(t) + x(t-1)| within the face (see `stabilise`), percent."""
    inside, _ = stabilise(points)
    return finite_mean(np.linalg.norm(np.diff(inside, n=2, axis=0), axis=-1)) * 100


def spectrum(points: Floats, times: Array) -> tuple[Array, Array]:
    """Frequencies (F,) in Hz and power (F,) of the motion within the face: sum of x and y, mean over 68 landmarks.

    Gaps are bridged by straight lines, trends removed, a Hann window applied (its loss made up for). In squared
    percent per frequency: together they are the mean square of the motion (Parseval).
    """
    inside, _ = stabilise(points)
    series = _bridged(inside[:, : layout.RIGHT_PUPIL].reshape(len(inside), -1)) * 100
    count = len(series)
    line = np.linspace(0, 1, count)[:, None]
    window = np.hanning(count)[:, None] / np.sqrt(np.sum(np.hanning(count) ** 2))
    series = series - series.mean(axis=0)
    slope = (series * (line - 0.5)).sum(axis=0) / ((line - 0.5) ** 2).sum()
    power = abs(np.fft.rfft((series - slope * (line - 0.5)) * window, axis=0)) ** 2
    step = float(np.median(np.diff(times)))
    return np.asarray(np.fft.rfftfreq(count, step)), np.asarray(4 / count * power.mean(axis=1), np.float64)


def high_frequency_share(points: Floats, times: Array) -> float:
    """Power above HIGH_FREQUENCY over the whole power of the motion within the face.

    NaN for fewer than 16 frames, and where frames are too far apart to show that frequency.
    """
    if len(points) < 16 or not np.isfinite(points).any():
        return np.nan
    frequencies, power = spectrum(points, times)
    if frequencies[-1] <= HIGH_FREQUENCY:
        return np.nan
    total = float(power[1:].sum())
    return float(power[frequencies > HIGH_FREQUENCY].sum()) / total if total > 0 else np.nan


def anchor_drift(points: Floats, anchor: Floats, times: Array) -> float:
    """How far the track leaves the detector for long: RMS over windows of a second of |mean (x - d)| / d(t), percent.

    A constant offset counts as well: an aligner has no business to move the definition of a landmark.
    """
    difference = face_units(np.asarray(points, np.float64) - anchor, anchor)
    known = np.isfinite(difference)
    width = max(1, min(len(times), round(DRIFT_WINDOW / float(np.median(np.diff(times)))) if len(times) > 1 else 1))
    sums, counts = _windowed(np.where(known, difference, 0), width), _windowed(known.astype(np.float64), width)
    means = np.where(counts > width / 2, sums / np.maximum(counts, 1), np.nan)
    return float(np.sqrt(finite_mean((means**2).sum(axis=-1)))) * 100


def opening_drift(points: Floats, anchor: Floats) -> float:
    """How far openings of lids and lips are from the detector's where they are furthest, percent.

    Of points and detections (T, 70, 2): the largest mean over OPENING_FRAMES frames, all of them known, of the
    difference of an opening, each over its own inter-ocular distance; NaN when there are no such frames. Blinks that
    do not close and mouths that open late show here, while means hide them; so do detections that are wrong.
    """
    difference = _openings(points) - _openings(anchor)
    known = np.isfinite(difference)
    width = min(OPENING_FRAMES, len(difference))
    sums, counts = _windowed(np.where(known, difference, 0), width), _windowed(known.astype(np.float64), width)
    furthest = abs(sums[counts == width]) / width
    return float(furthest.max()) * 100 if furthest.size else np.nan


def _openings(points: Floats) -> Array:
    """Of the right eye, the left eye and the lips, over the inter-ocular distance: (T, 3)."""
    return np.concatenate([expression.lid_apertures(points), expression.lip_aperture(points)[:, None]], axis=1)


def finite_mean(values: Array) -> float:
    """Mean of all that is finite; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else np.nan


def face_units(vectors: Array, faces: Floats) -> Array:
    """Vectors (T, K, 2) in axes that turn and scale with the vector between the outer eye corners of `faces`."""
    axis = np.asarray(faces, np.float64)[:, layout.LEFT_EYE_OUTER] - faces[:, layout.RIGHT_EYE_OUTER]
    x_axis = (axis / (axis**2).sum(axis=-1, keepdims=True))[:, None]
    y_axis = x_axis[..., ::-1] * [-1, 1]
    return np.stack([(vectors * x_axis).sum(-1), (vectors * y_axis).sum(-1)], axis=-1)


def _windowed(values: Array, width: int) -> Array:
    """Sums over `width` consecutive frames, (T, K) -> (T - width + 1, K)."""
    sums = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    return np.asarray(sums[width:] - sums[:-width])


def _bridged(series: Array) -> Array:
    """Columns (T, N) with gaps bridged by straight lines; columns that are never known are left out."""
    known = np.isfinite(series)
    index = np.arange(len(series))
    columns = [np.interp(index, index[k], s[k]) for s, k in zip(series.T, known.T, strict=True) if k.any()]
    return np.stack(columns, axis=1)
