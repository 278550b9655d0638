"""Sums of Gaussians on a regular grid, and landmark heatmaps drawn with them.

A Gaussian in two dimensions is the product of two in one, so a sum over N centres on an (h, w) grid is one matrix
product (h, N) x (N, w) instead of h * w * N exponentials.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from s2d.geometry import Float32
from s2d.landmarks import layout

PARTS = tuple(layout.PARTS)
PART_COUNT = len(PARTS)
SAMPLES_PER_SEGMENT = 2  # neighbouring landmarks lie up to 0.1 apart, a heatmap's sigma is about 0.04
FAINTEST = -30.0  # of exponents: e^-30 twice, times a small weight, is a normal float; others are multiplied slowly


def gaussian_field(centres: Tensor, weights: Tensor, sigma: Tensor | float, height: int, width: int) -> Tensor:
    """Sum_n weights[n] exp(-|p - centres[n]|^2 / (2 sigma^2)) at every node p of a normalised grid.

    centres (..., N, 2) in [-1, 1], weights (..., N, C), sigma a number or (...,). Returns (..., C, height, width).
    Call it outside autocast: a matrix product in bfloat16 would move a warp by whole pixels.
    """
    sigma = torch.as_tensor(sigma, dtype=centres.dtype, device=centres.device)[..., None, None]
    across = _gaussian(centres[..., 0], width, sigma)
    down = _gaussian(centres[..., 1], height, sigma)
    weighted = weights.transpose(-1, -2)[..., None] * across[..., None, :, :]
    return down.transpose(-1, -2)[..., None, :, :] @ weighted


def _gaussian(coordinates: Tensor, length: int, sigma: Tensor) -> Tensor:
    nodes = torch.linspace(-1, 1, length, dtype=coordinates.dtype, device=coordinates.device)
    return torch.exp((-0.5 * ((nodes - coordinates[..., None]) / sigma) ** 2).clamp(min=FAINTEST))


def part_heatmaps(points: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """One soft drawing per facial part: near 1 on the part's line, 0 away from it.

    points (B, 70, 2) normalised, NaN where not known: lines that end in such a point are not drawn.
    Returns (B, 11, height, width), parts in the order of `PARTS`; sigma is in normalised units.
    """
    points = full_precision(points)
    with torch.autocast(points.device.type, enabled=False):
        centres, weights = _samples(points)
        return 1 - torch.exp(-gaussian_field(centres, weights, sigma, height, width)[:, :, 0])


def full_precision(values: Tensor) -> Tensor:
    """float32, or float64 where that is what was given."""
    return values if values.dtype == torch.float64 else values.float()


def _samples(points: Tensor) -> tuple[Tensor, Tensor]:
    """Points along every part's line (B, 11, S, 2), and 1 or 0 (B, 11, S, 1) where there is such a point."""
    mixing = torch.as_tensor(_sampling_matrix(), dtype=points.dtype, device=points.device)
    known = torch.isfinite(points).all(-1)
    centres = torch.einsum("psk,bkc->bpsc", mixing, torch.where(known[..., None], points, 0.0))
    missing = torch.einsum("psk,bk->bps", (mixing > 0).to(points), (~known).to(points)) > 0
    drawn = mixing.sum(-1) > 0
    return centres, (drawn & ~missing).to(points)[..., None]


@cache
def _sampling_matrix() -> Float32:
    """(11, S, 70): each row mixes two landmarks into one sample of a part's line; rows of zeros fill up."""
    rows = [_part_samples(name) for name in PARTS]
    matrix = np.zeros((PART_COUNT, max(map(len, rows)), layout.COUNT), np.float32)
    for part, samples in enumerate(rows):
        for row, (start, end, fraction) in enumerate(samples):
            matrix[part, row, start] += 1 - fraction
            matrix[part, row, end] += fraction
    return matrix


def _part_samples(name: str) -> list[tuple[int, int, float]]:
    indices = layout.PARTS[name]
    ends = indices[1:] + (indices[:1] if name in layout.CLOSED else ())
    fractions = [step / SAMPLES_PER_SEGMENT for step in range(SAMPLES_PER_SEGMENT)]
    samples = [(a, b, f) for a, b in zip(indices, ends, strict=False) for f in fractions]
    return samples if name in layout.CLOSED else [*samples, (indices[-1], indices[-1], 0.0)]
