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
    where no point is known. The whole grid while a program is traced, which cannot depend on values, and on a GPU,
    which would have to wait.
    """
    height, width = size
    if torch.compiler.is_compiling() or points.device.type != "cpu":
        return Box(slice(0, height), slice(0, width))
    points = points.detach()
    known = points[:, landmarks][torch.isfinite(points[:, landmarks]).all(-1)]
    if not len(known):
        return Box(slice(0, 0), slice(0, 0))
    first, second = (points[:, list(ends)] for ends in zip(*width_of, strict=True))
    reach = margin * float((second - first).norm(dim=-1).nan_to_num(0.0, 0.0).amax())
    nodes = torch.tensor([width, height])
    start, stop = ((end + 1) / 2 * (nodes - 1) for end in (known.amin(0) - reach, known.amax(0) + reach))
    (left, top), (right, bottom) = (
        torch.minimum(place.clamp(min=0), nodes).long().tolist() for place in (start, stop + 2)
    )
    return Box(slice(top, bottom), slice(left, right))
