"""How the head as a whole moved between two frames, out of flow that is partly wrong."""

from __future__ import annotations

import numpy as np

from s2d.geometry import Array, Floats
from s2d.landmarks.layout import COUNT

# cheekbones, brows, nose, eye corners: without the chin, which the mouth moves
SKULL = np.array([0, 1, 2, 3, 13, 14, 15, 16, *range(17, 36), 36, 39, 42, 45])
CHIN = np.arange(5, 12)
# the part of the chin's drop that each landmark of the jaw shares
DROP = np.zeros(COUNT)
DROP[3:14] = np.sin(np.pi * np.arange(1, 12) / 12)
TOLERANCE = 0.5  # pixels off the common motion that take 3/4 of a landmark's say away
ROUNDS = 6


def head_motion(points: Floats, shift: Floats, trust: Floats) -> Array:
    """Shifts (N, 70, 2) in line with the head, of N pairs of frames; on the jaw with the chin's own drop added.

    `points` (N, 70, 2) where the landmarks are, `shift` (N, 70, 2) their measured flow, `trust` (N, 70) its weight.
    An affine motion per pair by reweighted least squares (Geman and McClure), so that what covers a minority of the
    landmarks has no say; the drop is a median over the chin. Landmarks that are NaN do not count.
    """
    known = np.where(np.isfinite(points).all(axis=-1), trust, 0.0)[:, SKULL]
    place = np.nan_to_num(np.asarray(points, np.float64))
    middle = place[:, SKULL].mean(axis=(0, 1))
    basis = np.concatenate([np.ones((*place.shape[:2], 1)), (place - middle) / 64], axis=-1)
    motion = _fit(basis[:, SKULL], shift[:, SKULL], known)
    for _ in range(ROUNDS):
        off = np.linalg.norm(shift[:, SKULL] - basis[:, SKULL] @ motion, axis=-1)
        motion = _fit(basis[:, SKULL], shift[:, SKULL], known / (1 + (off / TOLERANCE) ** 2) ** 2)
    rigid = basis @ motion
    drop = np.median((shift - rigid)[:, CHIN] / DROP[CHIN, None], axis=1)
    return np.asarray(rigid + DROP[:, None] * drop[:, None])


def _fit(basis: Array, values: Floats, weight: Array) -> Array:
    """Weighted least squares per pair: (N, K, 3), (N, K, 2), (N, K) -> (N, 3, 2); faintly drawn to no motion."""
    weighted = np.swapaxes(basis * weight[..., None], 1, 2)
    return np.asarray(np.linalg.solve(weighted @ basis + 1e-6 * np.eye(3), weighted @ values))
