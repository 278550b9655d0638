"""A steady look at a moving face: one square region per frame that follows the face's own similarity motion."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter

from s2d.geometry import Array, Floats, apply, invert, similarity_fit
from s2d.landmarks import layout
from s2d.landmarks.detectors.regions import Region

LEAST_POINTS = 6  # fewer valid steady points do not fix a similarity
EYES_TO_RADIUS = 0.455  # radius of the steady points over the inter-ocular distance, on a frontal face
SIGMA_FRAMES = 2.0


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
    reference = _reference(steady[known]) * interocular * EYES_TO_RADIUS
    fits = invert(similarity_fit(steady[known], reference))  # crop-like coordinates around (0, 0) to frame pixels
    # a face reaches from -.6 to 1.5 eye distances above and below the middle of its steady points
    middle = apply(fits, np.array([[0.0, 0.4 * interocular]]))[:, 0]
    across = fits[:, :, 0]
    motion = np.column_stack(
        [middle, np.log(np.linalg.norm(across, axis=1)), np.unwrap(np.arctan2(across[:, 1], across[:, 0]))]
    )
    everywhere = np.full((len(known), 4), np.nan)
    everywhere[known] = motion
    smooth = _smooth(fill_gaps(everywhere))
    return [Region(x, y, size * math.exp(scale), angle) for x, y, scale, angle in smooth.tolist()]


def fill_gaps(values: Array) -> Array:
    """NaN in the columns of (T, N) interpolated over time, held at both ends; a column of nothing else stays NaN."""
    filled: Array = values.copy()
    frames, missing = np.arange(len(values)), np.isnan(values)
    for column in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        known = frames[~missing[:, column]]
        filled[:, column] = np.interp(frames, known, values[known, column])
    return filled


def _reference(steady: Array) -> Array:
    """Median shape of the steady points: centred, eyes level, mean square radius 1 (generalised Procrustes)."""
    complete = steady[np.argmax(np.isfinite(steady).all(axis=-1).sum(axis=-1))]
    shape = np.where(np.isfinite(complete), complete, np.nanmean(complete, axis=0))
    for _ in range(3):
        shape = _normalized(shape)
        shape = np.nanmedian(apply(similarity_fit(steady, shape), steady), axis=0)
    return _normalized(shape)


def _normalized(shape: Array) -> Array:
    centred = shape - shape.mean(axis=0)
    dx, dy = centred[-1] - centred[-4]  # from eye corner 36 to 45
    turn = np.array([[dx, dy], [-dy, dx]]) / math.hypot(dx, dy)
    return np.asarray(centred @ turn.T / math.sqrt((centred**2).sum(axis=1).mean()))


def _smooth(motion: Array) -> Array:
    despiked = median_filter(motion, size=(3, 1), mode="nearest")
    return np.asarray(gaussian_filter1d(despiked, SIGMA_FRAMES, axis=0, mode="nearest"))
