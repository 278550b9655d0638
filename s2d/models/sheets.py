"""Lids and lips together: the motion that no smooth field has, and what comes to light or closes with it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from s2d.landmarks import layout
from s2d.models.faces import head_similarity, scale_of
from s2d.models.heatmaps import full_precision
from s2d.models.interior import draw_interior
from s2d.models.lids import FARTHEST, REACH, draw_lashes, lid_motion
from s2d.models.lips import lip_motion

EYES = [*layout.EYES[0], *layout.EYES[1]]
MOUTH = list(layout.PARTS["outer_lips"])
AROUND_EYES, AROUND_MOUTH = REACH + FARTHEST, 0.3  # widths of an eye, and of a mouth, that lids and lips reach


class Box(NamedTuple):
    """Rows and columns of a grid."""

    rows: slice
    columns: slice

    def cut(self, grid: Tensor) -> Tensor:
        """Of (..., h, w, 2), the nodes in the box."""
        return grid[..., self.rows, self.columns, :]

    def put_back(self, values: Tensor, height: int, width: int) -> Tensor:
        """(..., rows, columns, C) with zeros around them: (..., height, width, C)."""
        top, left = self.rows.start, self.columns.start
        return F.pad(values, (0, 0, left, width - self.columns.stop, top, height - self.rows.stop))


def sheet_motion(source: Tensor, driving: Tensor, head: Tensor, grid: Tensor) -> Tensor:
    """What lids and lips add to the displacement `head` (B, h, w, 2) on the whole normalised grid (h, w, 2).

    Points (B, 70, 2) normalised.
    """
    height, width = grid.shape[:2]
    eyes, mouth = _boxes(driving, height, width)
    scale, pixel = scale_of(head_similarity(source, driving)), 2 / (width - 1)
    lids = lid_motion(source, driving, scale, eyes.cut(grid), pixel)
    lips = lip_motion(source, driving, mouth.cut(head), mouth.cut(grid), pixel)
    return eyes.put_back(lids, height, width) + mouth.put_back(lips, height, width)


def draw(image: Tensor, source: Tensor, driving: Tensor, skin: Tensor, share: Tensor, grid: Tensor) -> Tensor:
    """The source moved, `image` (B, 3, h, w) on the whole grid (h, w, 2), with lashes and the inside of the mouth.

    share (B, 1, h, w) of them is drawn, in the colours that go with `skin` (B, 3). In float32 also under autocast.
    """
    height, width = grid.shape[:2]
    source, driving = full_precision(source), full_precision(driving)
    with torch.autocast(image.device.type, enabled=False):
        scale = scale_of(head_similarity(source, driving))
        eyes, mouth = _boxes(driving, height, width)
        around_eyes, around_mouth = (image[..., box.rows, box.columns] for box in (eyes, mouth))
        lashes = draw_lashes(around_eyes, source, driving, scale, eyes.cut(grid)) - around_eyes
        inside = draw_interior(around_mouth, source, driving, skin, mouth.cut(grid), 2 / (width - 1)) - around_mouth
        change = _put_back(lashes, eyes, height, width) + _put_back(inside, mouth, height, width)
        return image + share * change


def _put_back(change: Tensor, box: Box, height: int, width: int) -> Tensor:
    """Pictures (B, 3, rows, columns) with zeros around them."""
    return box.put_back(change[..., None], height, width)[..., 0]


def _boxes(driving: Tensor, height: int, width: int) -> tuple[Box, Box]:
    """Where lids and lips may move or be drawn in a grid: around the eyes and around the mouth of all frames.

    The whole grid while a program is traced, which cannot depend on values, and on a GPU, which would have to wait.
    """
    if torch.compiler.is_compiling() or driving.device.type != "cpu":
        whole = Box(slice(0, height), slice(0, width))
        return whole, whole
    driving = driving.detach()
    eye, mouth = (
        max(_longest(driving[:, part[0]] - driving[:, part[middle]]) for part in parts)
        for parts, middle in ((layout.EYES, 3), ((MOUTH,), 6))
    )
    return (
        _around(driving[:, EYES], AROUND_EYES * eye, height, width),
        _around(driving[:, MOUTH], AROUND_MOUTH * mouth, height, width),
    )


def _longest(ways: Tensor) -> float:
    """Of (B, 2), those that are known."""
    return float(ways.norm(dim=-1).nan_to_num(0.0, 0.0).amax())


def _around(points: Tensor, margin: float, height: int, width: int) -> Box:
    """Rows and columns of all known points (B, N, 2), and `margin` around them; none where none is known."""
    known = points[torch.isfinite(points).all(-1)]
    if not len(known):
        return Box(slice(0, 0), slice(0, 0))
    size = torch.tensor([width, height])
    start, stop = ((end + 1) / 2 * (size - 1) for end in (known.amin(0) - margin, known.amax(0) + margin))
    (left, top), (right, bottom) = (
        torch.minimum(place.clamp(min=0), size).long().tolist() for place in (start, stop + 2)
    )
    return Box(slice(top, bottom), slice(left, right))
