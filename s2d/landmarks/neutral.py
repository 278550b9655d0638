"""The driver's face at rest: what its motion is relative to.

Not frame 0, which often shows an open mouth or a blink. Every frame counts, the calm ones most: were a few chosen and
the others not, landmarks that differ by a hair could choose others, and the whole animation would sit elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from s2d import geometry
from s2d.errors import S2DError
from s2d.geometry import Array, Floats
from s2d.landmarks import layout

RIGID = (0, 1, 2, 3, 13, 14, 15, 16, 27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45)  # temples, nose, eye corners
CALM_SHARE = 0.2  # of the frames; expression beyond theirs makes a frame count less
LEAST_SPREAD = 0.002  # of expression, in inter-ocular units: no two landmarks agree better
SHAPE = slice(17, 48)  # brows, nose, eyes: jaw and mouth move more with speech than faces differ
MOUTH_WEIGHT, LID_WEIGHT = 0.5, 1.0  # of an open mouth and of lids that are lower than usual, beside all distances


def neutral_face(driving: Floats) -> Array:
    """Median over the frames (T, 70, 2), weighted by calm, in their median pose: (70, 2); continuous in the landmarks.

    Raises S2DError when no frame has all 68 points.
    """
    every: Array = np.asarray(driving, dtype=np.float64)
    complete = np.isfinite(every[:, : layout.RIGHT_PUPIL]).all(axis=(1, 2))
    if not complete.any():
        raise S2DError("cannot retarget this driver", "no frame has all 68 landmarks", "use another driving clip")
    faces = every[complete]
    reference = faces[0]
    for _ in range(3):  # generalised Procrustes: align all to the reference, take the median, again
        posed = _posed(faces, reference)
        reference = geometry.median_over_frames(posed)
    weights = _calm(_expression(posed, reference))
    rest = _median(posed, weights)
    pose = geometry.similarity_fit(rest[list(RIGID)], _median(faces, weights)[list(RIGID)])
    return geometry.apply(pose, rest)


def to_pose(face: Floats, faces: Floats) -> Array:
    """Similarities (T, 2, 3) that take a face (70, 2) to the pose of each of the faces (T, 70, 2)."""
    points = np.asarray(faces)[:, RIGID]
    return geometry.similarity_fit(np.broadcast_to(np.asarray(face)[list(RIGID)], points.shape), points)


def shape_distance(face: Floats, neutral: Floats) -> float:
    """How far brows, nose and eyes of a face (70, 2) lie from those of a neutral one, which may be in other units.

    Mean over the points after the best similarity, as a share of the face's inter-ocular distance; NaN where one is
    not known.
    """
    own: Array = np.asarray(face, dtype=np.float64)
    other: Array = np.asarray(neutral, dtype=np.float64)
    if not np.isfinite([own[SHAPE], other[SHAPE]]).all():
        return float("nan")
    fitted = geometry.apply(geometry.similarity_fit(other[SHAPE], own[SHAPE]), other[SHAPE])
    return float(np.linalg.norm(fitted - own[SHAPE], axis=-1).mean() / layout.interocular(own))


def _posed(faces: Array, reference: Array) -> Array:
    return geometry.apply(geometry.invert(to_pose(reference, faces)), faces)


def _expression(posed: Array, reference: Array) -> Array:
    """How far each face is from rest, in inter-ocular units: from the median face, with open mouth, with low lids."""
    distance = np.linalg.norm(posed[:, : layout.RIGHT_PUPIL] - reference[: layout.RIGHT_PUPIL], axis=-1).mean(-1)
    lids = (*layout.RIGHT_LIDS, *layout.LEFT_LIDS)
    closing = np.maximum(layout.aperture(reference, lids) - layout.aperture(posed, lids), 0.0)
    mouth = layout.aperture(posed, layout.INNER_LIP_PAIRS)
    return np.asarray((distance + MOUTH_WEIGHT * mouth + LID_WEIGHT * closing) / layout.interocular(reference))


def _calm(expression: Array) -> Array:
    """Weights (T,) in (0, 1): 1/2 where as much is expressed as in the last of the calm frames, falling beyond."""
    low, calm, middle = np.quantile(expression, (0.0, CALM_SHARE, 0.5))
    spread = max(float(middle - low) / 4, LEAST_SPREAD)
    return np.asarray(1 / (1 + np.exp(np.clip((expression - calm) / spread, -50, 50))))


def _median(faces: Array, weights: Array) -> Array:
    """Weighted median (70, 2) of what is known, between two frames where they share the weight; NaN if nothing is."""
    known = np.isfinite(faces)
    order = np.argsort(faces, axis=0)  # NaN last
    share = np.take_along_axis(np.where(known, weights[:, None, None], 0.0), order, axis=0)
    ranks = (np.cumsum(share, axis=0) - share / 2) / np.maximum(share.sum(axis=0), 1e-12)
    values = np.take_along_axis(np.nan_to_num(faces), order, axis=0)
    middle = [np.interp(0.5, *column) for column in _known_columns(ranks, values, share)]
    return np.where(known.any(axis=0), np.reshape(middle, faces.shape[1:]), np.nan)


def _known_columns(ranks: Array, values: Array, share: Array) -> Iterator[tuple[Array, Array]]:
    """Ranks and values (N,) of what is known of each coordinate; one zero where nothing is."""
    for rank, value, weight in zip(*(array.reshape(len(array), -1).T for array in (ranks, values, share)), strict=True):
        known = weight > 0
        yield (rank[known], value[known]) if known.any() else (np.zeros(1), np.zeros(1))
