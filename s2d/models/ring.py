"""An open mouth as a ring of lips: how it moves around, where columns from the one lip to the other do not.

Beside an open mouth the edges of lips run upright, and columns (lips.py) cut them lengthwise. Here a place is told by
its direction from the middle of the mouth, and by how far it is from the inner to the outer edge of the lips.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from s2d.geometry import Float32
from s2d.models.axes import looked_up
from s2d.models.blocks import smoothstep
from s2d.models.mouth import AROUND_LIPS, INNER, OUTER, Mouth

BEGINS, WHOLE = 0.1, 0.25  # mouth widths of opening: up to the one columns serve, from the other on the ring
DIRECTIONS = 96  # around the mouth
PIECES = 6  # of an edge, from one landmark to the next
THINNEST = 0.05  # mouth widths: a mouth is not smaller, and in half of its own width and height a ring not thinner


def ring_motion(mine: Mouth, theirs: Mouth, places: Tensor) -> tuple[Tensor, Tensor]:
    """Displacements of places (B, N, 2) of the driver's mouth into the source's, and how much they count.

    (B, N, 2) normalised and (B, N) from 0 to 1: nothing beyond the reach of the lips, and where `mine` is not open.
    Inside the mouth it is that of the lips' inner edge.
    """
    outer, inner = _edge(mine, OUTER), _edge(mine, INNER)
    middle = inner.mean(1, keepdim=True)
    size = (outer.amax(1, keepdim=True) - outer.amin(1, keepdim=True)).clamp(min=THINNEST)
    at, outer, inner = (2 * (edge - middle) / size for edge in (torch.stack(mine.axes.local(places), -1), outer, inner))
    ways = (_smooth(theirs.points[:, edge]) - _smooth(mine.points[:, edge]) for edge in (OUTER, INNER))
    rim, hole = (_around(edge, way) for edge, way in zip((outer, inner), ways, strict=True))
    far = at.abs().sum(-1)
    (beyond, outer_way), (depth, inner_way) = (_found(table, _direction(at)) for table in (rim, hole))
    within = ((far - depth) / (beyond - depth).clamp(min=THINNEST)).clamp(0, 1)[..., None]
    outside = (1 - beyond / far.clamp(min=1e-6)).clamp(min=0) * (at * size).norm(dim=-1) / 2
    share = smoothstep(1 - outside / AROUND_LIPS) * smoothstep((mine.opening[:, None] - BEGINS) / (WHOLE - BEGINS))
    return inner_way + within * (outer_way - inner_way), share


def _edge(mouth: Mouth, landmarks: tuple[int, ...]) -> Tensor:
    """A closed curve (B, M, 2), along and across the mouth."""
    return torch.stack(mouth.axes.local(_smooth(mouth.points[:, landmarks])), dim=-1)


def _smooth(corners: Tensor) -> Tensor:
    """Closed curves (B, PIECES n, 2) through corners (B, n, 2)."""
    return torch.as_tensor(_spline(corners.shape[1])).to(corners) @ corners


@cache
def _spline(count: int) -> Float32:
    """(PIECES count, count) matrix of the periodic cubic spline of Catmull and Rom (1974)."""
    t = np.arange(PIECES)[:, None] / PIECES
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    weights = t ** np.arange(4) @ basis
    matrix = np.zeros((count, PIECES, count))
    for piece in range(count):
        matrix[piece][:, [(piece + k) % count for k in (-1, 0, 1, 2)]] = weights
    return matrix.reshape(-1, count).astype(np.float32)


def _around(edge: Tensor, ways: Tensor) -> Tensor:
    """A table (B, 3, DIRECTIONS + 1) by direction: how far the edge (B, M, 2) is, and its way (B, M, 2)."""
    turn = torch.arange(DIRECTIONS, device=edge.device, dtype=edge.dtype) * (4 / DIRECTIONS)
    # the other way around of `_direction`
    x, y = ((turn + shift + 2) % 4 for shift in (0, 3))
    x, y = ((value - 2).abs() - 1 for value in (x, y))
    before = edge[:, None, :, 1] * x[:, None] - edge[:, None, :, 0] * y[:, None]  # (B, DIRECTIONS, M), side of the ray
    along = edge[:, None, :, 0] * x[:, None] + edge[:, None, :, 1] * y[:, None]
    after = before.roll(-1, dims=2)
    part = (before / torch.where(before == after, 1.0, before - after)).clamp(0, 1)
    hit = ((before <= 0) & (after > 0) & (along + along.roll(-1, dims=2) > 0)).to(edge)
    hit = hit / hit.sum(-1, keepdim=True).clamp(min=1)
    one, other = hit * (1 - part), hit * part
    weights = one + other.roll(1, dims=2)
    table = weights @ torch.cat([edge, ways], dim=-1)
    far = table[..., :2].abs().sum(-1, keepdim=True)
    table = torch.cat([far, table[..., 2:]], dim=-1)
    return torch.cat([table, table[:, :1]], dim=1).mT


def _direction(places: Tensor) -> Tensor:
    """Directions of places (B, N, 2) from the origin: (B, N) from 0, along -x, over -y at a quarter, to DIRECTIONS.

    By the diamond |x| + |y| = 1 in place of a circle, which needs no arc tangent.
    """
    x, y = places.unbind(-1)
    part = y / (x.abs() + y.abs()).clamp(min=1e-6)
    turn = torch.where(x <= 0, -part, 2 + part)
    return torch.where(turn < 0, turn + 4, turn) * (DIRECTIONS / 4)


def _found(table: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """The first row of a table (B, 3, K) at places (B, N), and the others: (B, N) and (B, N, 2)."""
    rows = looked_up(table, place[:, None].expand(-1, table.shape[1], -1))
    return rows[:, 0], rows[:, 1:].movedim(1, -1)
