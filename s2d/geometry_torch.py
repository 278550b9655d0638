"""Torch twins of `s2d.geometry`: the same functions, batched, differentiable, on any device; tested equal to numpy.

Results keep the dtype and device of the input. A gradient is finite wherever the input is finite, and zero at points
that are not known (NaN): they are set aside before any arithmetic, because 0 x NaN is NaN in the backward pass too.
"""

from __future__ import annotations

import torch
from torch import Tensor

TINY = 1e-12


def similarity_fit(source: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Least-squares similarity taking `source` to `target`; see `s2d.geometry.similarity_fit`.

    Points are (..., N, 2); weights (..., N) default to 1; NaN points on either side do not count.
    Returns matrices (..., 2, 3). With fewer than two distinct points: the translation alone; with none: the identity.

    >>> square = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> similarity_fit(square, square * 2 + 3)
    tensor([[2., -0., 3.],
            [0., 2., 3.]])
    """
    known = (source.isfinite() & target.isfinite()).all(-1)
    weight = known.to(source.dtype)
    if weights is not None:
        weight = torch.where(known, weights.to(source.dtype), weight)
    used = weight > 0
    total = weight.sum(-1, keepdim=True).clamp_min(TINY)[..., None]
    source, source_mean = _centred(source, weight, used, total)
    target, target_mean = _centred(target, weight, used, total)
    spread = (weight * source.square().sum(-1)).sum(-1)
    cosine = (weight * (source * target).sum(-1)).sum(-1)
    sine = (weight * (source[..., 0] * target[..., 1] - source[..., 1] * target[..., 0])).sum(-1)
    enough, divisor = spread > TINY, spread.clamp_min(TINY)
    a = torch.where(enough, cosine / divisor, 1.0)
    b = torch.where(enough, sine / divisor, 0.0)
    linear = torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2)
    shift = target_mean.mT - linear @ source_mean.mT
    return torch.cat([linear, shift], -1)


def _centred(points: Tensor, weight: Tensor, used: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
    """Points (..., N, 2) less their weighted mean (..., 1, 2), and that mean; unused points are zero."""
    points = torch.where(used[..., None], points, 0.0)
    mean = (weight[..., None] * points).sum(-2, keepdim=True) / total
    return torch.where(used[..., None], points - mean, 0.0), mean


def apply(matrix: Tensor, points: Tensor) -> Tensor:
    """Transform points (..., N, 2) by affine matrices (..., 2, 3)."""
    return points @ matrix[..., :2].mT + matrix[..., None, :, 2]


def displacement(matrix: Tensor, grid: Tensor) -> Tensor:
    """How far affine maps (B, 2, 3) move the nodes of a grid (h, w, 2): (B, h, w, 2); the identity exactly nowhere."""
    linear = matrix[:, :, :2] - torch.eye(2, dtype=matrix.dtype, device=matrix.device)
    return torch.einsum("bij,hwj->bhwi", linear, grid) + matrix[:, None, None, :, 2]


def invert(matrix: Tensor) -> Tensor:
    """Inverse of affine matrices (..., 2, 3); raises torch.linalg.LinAlgError for a singular one."""
    linear = torch.linalg.inv(matrix[..., :2])
    return torch.cat([linear, -linear @ matrix[..., 2:]], dim=-1)


def to_normalized(points: Tensor, width: int, height: int) -> Tensor:
    """Pixels (..., 2) to normalised coordinates in [-1, 1] over an image of this size."""
    return 2.0 * points / (points.new_tensor([width, height]) - 1.0) - 1.0


def to_pixels(points: Tensor, width: int, height: int) -> Tensor:
    """Normalised coordinates (..., 2) to pixels of an image of this size; inverse of `to_normalized`."""
    return (points + 1.0) * (points.new_tensor([width, height]) - 1.0) / 2.0
