"""The aligner's one linear system: detections and displacements in, trajectories out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solveh_banded

from s2d.geometry import Array


@dataclass(frozen=True)
class Links:
    """Measured displacements over one number of frames `step`."""

    shift: Array
    """(T - step, K, 2) where a landmark went from frame t to frame t + step; 0 where nothing is known."""
    weight: Array
    """(T - step, K) inverse variance of `shift`; 0 where nothing is known."""


def solve(detections: Array, weight: Array, links: Mapping[int, Links], stiffness: Array | None = None) -> Array:
    """Trajectories x (T, K, 2) that minimise

    sum w(t,k) |x(t,k) - d(t,k)|^2 + sum over steps s of w_s(t,k) |x(t+s,k) - x(t,k) - f_s(t,k)|^2
        + sum w_a(t,k) |x(t,k) - 2 x(t+1,k) + x(t+2,k)|^2.

    `detections` (T, K, 2), anything where `weight` (T, K) is 0; `stiffness` (T - 2, K) is w_a, by default 0. Links of
    one frame must all have some weight, so that every frame hangs on a detection; a landmark without any detection
    comes out as NaN. All landmarks, x and y, are one banded Cholesky solve: landmark after landmark, so the bandwidth
    is the longest step.
    """
    count, landmarks = weight.shape
    reach = max([*links, 0 if stiffness is None else 2])
    bands = np.zeros((reach + 1, landmarks, count))  # upper form: the last row is the diagonal
    bands[reach] = weight.T
    right = np.where(weight[..., None] > 0, weight[..., None] * detections, 0.0).transpose(1, 0, 2).copy()
    for step, link in links.items():
        _add_square(bands, {0: -1.0, step: 1.0}, link.weight)
        pull = (link.weight[..., None] * link.shift).transpose(1, 0, 2)
        right[:, :-step] -= pull
        right[:, step:] += pull
    if stiffness is not None and len(stiffness):
        _add_square(bands, {0: 1.0, 1: -2.0, 2: 1.0}, stiffness)
    absent = ~(weight > 0).any(axis=0)
    bands[reach, absent] += 1.0  # no zero pivot; blanked below
    flat = solveh_banded(bands.reshape(reach + 1, -1), right.reshape(-1, 2), check_finite=False)
    solution: Array = np.asarray(flat).reshape(landmarks, count, 2).transpose(1, 0, 2)
    solution[:, absent] = np.nan
    return solution


def _add_square(bands: Array, stencil: Mapping[int, float], weight: Array) -> None:
    """Add the matrix of sum over t of weight(t, k) |sum over i of stencil[i] x(t + i, k)|^2; weight (N, K)."""
    for first, one in stencil.items():
        for second, other in stencil.items():
            if second >= first:
                bands[len(bands) - 1 - (second - first), :, second : second + len(weight)] += one * other * weight.T
