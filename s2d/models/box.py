"""The part of a grid in which something happens: what is zero elsewhere need not be worked out there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

Pairs = Sequence[tuple[int, int]]


class Box(NamedTuple):
    """Rows and columns of a grid."""

    rows: slice
    columns: slice

    def cut(self, grid: Tensor) -> Tensor:
        """Of (..., h, w, C), the nodes in the box."""
        return grid[..., self.rows, self.columns, :]

    def put_back(self, values: Tensor, height: int, width: int) -> Tensor:
        """(..., rows, columns, C) with zeros around them: (..., height, width, C)."""
        top, left = self.rows.start, self.columns.start
        return F.pad(values, (0, 0, left, width - self.columns.stop, top, height - self.rows.stop))


def box_around(points: Tensor, landmarks: list[int], margin: float, width_of: Pairs, size: tuple[int, int]) -> Box:
    """The nodes of a grid of `size` (height, width) around some landmarks of all faces (B, 70, 2), normalised.

    With a margin in widths of their part: the largest distance between the two landmarks of one of `width_of`. No node
    where no point is known. The whole grid while `torch.compile` traces, which cannot depend on values, and on a GPU,
    which would have to wait; `torch.export` writes the box down with the rest.
    """
    height, width = size
    exporting = torch.compiler.is_exporting()
    if (torch.compiler.is_compiling() and not exporting) or points.device.type != "cpu":
        return Box(slice(0, height), slice(0, width))
    points = points.detach()
    places = points[:, landmarks].flatten(0, 1)
    known = torch.isfinite(places).all(-1, keepdim=True)
    first, second = (points[:, list(ends)] for ends in zip(*width_of, strict=True))
    reach = margin * (second - first).norm(dim=-1).nan_to_num(0.0, 0.0).flatten().amax(0)
    start = torch.where(known, places, torch.inf).amin(0) - reach
    stop = torch.where(known, places, -torch.inf).amax(0) + reach
    nodes = torch.tensor([width, height])
    ends = (torch.stack([start, stop]) + 1) / 2 * (nodes - 1) + torch.tensor([[0], [2]])
    ends = torch.where(known.any(), torch.minimum(ends.clamp(min=0), nodes), 0.0).long()
    (left, top), (right, bottom) = ends.tolist()
    for low, high, most in ((left, right, width), (top, bottom, height)):  # for `torch.export`, which sees no values
        for sound in (low >= 0, low <= high, high <= most):
            torch._check(sound)  # type: ignore[no-untyped-call]
    return Box(slice(top, bottom), slice(left, right))
