"""A steady look at a moving face: one square region per frame that follows the face's own similarity motion."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter

from s2d.geometry import Array, Floats, apply, invert, median_over_frames, similarity_fit
from s2d.landmarks import layout
from s2d.landmarks.detectors.regions import Region

LEAST_POINTS = 6  # fewer valid steady points do not fix a similarity
EYES_TO_RADIUS = 0.455  # radius of the steady points over the inter-ocular distance, on a frontal face
SIGMA_FRAMES = 2.0
CATCH_UP = 0.5  # share of the way to the newest detection that the region goes in one frame


def follow(raw: Floats, size: int, interocular: float) -> list[Region]:
    """Regions of T frames whose size x size crops show the face upright, in the middle, at one scale.

    `raw` (T, 70, 2) frame pixels, NaN where missed; a frontal face gets this inter-ocular distance in crop pixels.
    The motion is that of the steady points, median-filtered and smoothed over a few frames; gaps are interpolated.
    Raises ValueError when no frame has enough points.
    """
    steady = np.asarray(raw, np.float64)[:, layout.STEADY]
    known = np.isfinite(steady).all(axis=-1).sum(axis=-1) >= LEAST_POINTS
    if not known.any():
        raise ValueError("no frame has enough landmarks to follow")
    everywhere = np.full((len(known), 4), np.nan)
    everywhere[known] = _motion(steady[known], _reference(steady[known]), interocular)
    return [_region(motion, size) for motion in _smooth(fill_gaps(everywhere))]


class Follower:
    """`follow` one frame at a time, without looking ahead: the region trails the face by about a frame."""

    def __init__(self, size: int, interocular: float) -> None:
        self._size, self._interocular = size, interocular
        self._reference: Array | None = None
        self._state: Array | None = None

    def update(self, raw: Floats) -> Region | None:
        """Region of the next frame, `raw` (70, 2) frame pixels; None until a frame has enough points."""
        steady = np.asarray(raw, np.float64)[None, layout.STEADY]
        if np.isfinite(steady).all(axis=-1).sum() >= LEAST_POINTS:
            if self._reference is None:
                self._reference = _reference(steady)
            (seen,) = _motion(steady, self._reference, self._interocular)
            if self._state is None:
                self._state = seen
            seen[3] += 2 * math.pi * round((self._state[3] - seen[3]) / (2 * math.pi))
            self._state = self._state + CATCH_UP * (seen - self._state)
        return None if self._state is None else _region(self._state, self._size)


def _motion(steady: Array, reference: Array, interocular: float) -> Array:
    """Middle x, y, logarithm of scale, angle (N, 4) of faces with steady points (N, 22, 2)."""
    fits = invert(similarity_fit(steady, reference * interocular * EYES_TO_RADIUS))  # to frame pixels
    # a face reaches from -.6 to 1.5 eye distances above and below the middle of its steady points
    middle = apply(fits, np.array([[0.0, 0.4 * interocular]]))[:, 0]
    across = fits[:, :, 0]
    angle = np.unwrap(np.arctan2(across[:, 1], across[:, 0]))
    return np.column_stack([middle, np.log(np.linalg.norm(across, axis=1)), angle])


def _region(motion: Array, size: int) -> Region:
    x, y, scale, angle = motion.tolist()
    return Region(x, y, size * math.exp(scale), angle)


def fill_gaps(values: Array) -> Array:
    """NaN in the columns of (T, N) interpolated over time, held at both ends; a column of nothing else stays NaN."""
    filled: Array = values.copy()
    frames, missing = np.arange(len(values)), np.isnan(values)
    for column in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        known = frames[~missing[:, column]]
        filled[:, column] = np.interp(frames, known, values[known, column])
    return filled


def _reference(steady: Array) -> Array:
    """Median shape of the steady points: centred, eyes level, mean square radius 1 (generalised Procrustes).

    A point that is never known stands in the middle of the others.
    """
    complete = steady[np.argmax(np.isfinite(steady).all(axis=-1).sum(axis=-1))]
    shape = np.where(np.isfinite(complete), complete, np.nanmean(complete, axis=0))
    for _ in range(3):
        shape = _normalized(shape)
        median = median_over_frames(apply(similarity_fit(steady, shape), steady))
        shape = np.where(np.isfinite(median), median, shape)
    return _normalized(shape)


def _normalized(shape: Array) -> Array:
    centred = shape - shape.mean(axis=0)
    dx, dy = centred[-1] - centred[-4]  # from eye corner 36 to 45
    turn = np.array([[dx, dy], [-dy, dx]]) / math.hypot(dx, dy)
    return np.asarray(centred @ turn.T / math.sqrt((centred**2).sum(axis=1).mean()))


def _smooth(motion: Array) -> Array:
    despiked = median_filter(motion, size=(3, 1), mode="nearest")
    return np.asarray(gaussian_filter1d(despiked, SIGMA_FRAMES, axis=0, mode="nearest"))
