"""Lids: each slides over the eyeball and takes its own skin along, until they meet.

A smooth field through the landmarks cannot close an eye: where the lids meet, the motion of the upper and that of the
lower one contradict each other, and their mean leaves the eye open. So the smooth field is given lids as open as the
source's, and the way from the driving lids to these follows here: along every line across the eye, piecewise linear,
with a jump where the lids touch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.landmarks import layout

UPPER, LOWER = (1, 2), (5, 4)  # of an eye's six landmarks, from the first corner to the second
REACH = 0.5  # eye widths above and below the lids over which skin is drawn along: about as far as the brow
MOST = 0.8  # of that reach that a lid may move: more would squeeze the skin to nothing
SPARE = 0.3  # of the way that lids close by, how much further each goes: landmarks lie within the eye, off its edge
NARROW = 0.05  # least distance along the eye between neighbouring landmarks, in eye widths


class _Frame(NamedTuple):
    """Coordinates of an eye: along from corner to corner (0 to 1), and across, downwards, in normalised units."""

    corner: Tensor
    """(B, 2) the first corner."""
    along: Tensor
    """(B, 2) unit vector to the second corner."""
    width: Tensor
    """(B,) distance of the corners."""

    @property
    def across(self) -> Tensor:
        """(B, 2) unit vector downwards where the eye is level."""
        return torch.stack([-self.along[:, 1], self.along[:, 0]], dim=-1)

    def local(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, 2) -> along and across, (B, N) each."""
        offset = points - self.corner[:, None]
        return (offset * self.along[:, None]).sum(-1) / self.width[:, None], (offset * self.across[:, None]).sum(-1)


def opened(source: Tensor, driving: Tensor, scale: Tensor) -> Tensor:
    """The driving landmarks (B, 70, 2) with lids as open as the source's; eyes that are not known stay as they are.

    scale (B,): size of the source's face over the driver's.
    """
    points = list(driving.unbind(1))
    for eye in layout.EYES:
        known = _known(source, driving, eye)[:, None]
        mine, theirs = _frame(driving, eye), _frame(source, eye)
        along, across = theirs.local(source[:, list(eye)].nan_to_num())
        for k in (*UPPER, *LOWER):
            place = mine.corner + (along[:, k] * mine.width)[:, None] * mine.along
            place = place + (across[:, k] / scale)[:, None] * mine.across
            points[eye[k]] = torch.where(known, place, driving[:, eye[k]])
    return torch.stack(points, dim=1)


def lid_motion(source: Tensor, driving: Tensor, scale: Tensor, grid: Tensor) -> Tensor:
    """What is to be added to the displacement from `opened` landmarks to the source: grid (h, w, 2) -> (B, h, w, 2).

    Zero outside the eyes' own columns, and where an eye is not known.
    """
    moves = [_eye_motion(source, driving, scale, grid, eye) for eye in layout.EYES]
    return moves[0] + moves[1]


def _eye_motion(source: Tensor, driving: Tensor, scale: Tensor, grid: Tensor, eye: tuple[int, ...]) -> Tensor:
    known = _known(source, driving, eye)
    mine, theirs = _frame(driving, eye), _frame(source, eye)
    u, v = mine.local(grid.reshape(1, -1, 2))
    upper, lower = _lids(mine, driving, eye, u)
    middle = (upper + lower) / 2  # lids that cross in the landmarks touch in the picture
    upper, lower = torch.minimum(upper, middle), torch.maximum(lower, middle)
    upper_end, lower_end = (lid / scale[:, None] for lid in _lids(theirs, source, eye, u))
    spare = SPARE * (lower_end - upper_end - lower + upper).clamp(min=0)
    upper_end, lower_end = upper_end - spare, lower_end + spare
    reach = (REACH * mine.width)[:, None]
    up = (upper_end - upper).clamp(-MOST * reach, MOST * reach)
    down = (lower_end - lower).clamp(-MOST * reach, MOST * reach)
    above = up * (1 - (upper - v) / reach).clamp(0, 1)
    below = down * (1 - (v - lower) / reach).clamp(0, 1)
    inside = ((v - upper) / (lower - upper).clamp(min=1e-6)).clamp(0, 1)
    move = torch.where(v <= upper, above, torch.where(v >= lower, below, up + (down - up) * inside))
    move = torch.where(known[:, None], move * scale[:, None], 0.0)
    return (move[..., None] * theirs.across[:, None]).reshape(-1, *grid.shape)


def _lids(frame: _Frame, points: Tensor, eye: tuple[int, ...], u: Tensor) -> tuple[Tensor, Tensor]:
    """Where the upper and the lower lid are across, at places u (B, N) along the eye: (B, N) each; 0 beyond corners."""
    along, across = frame.local(points[:, list(eye)].nan_to_num())
    return _polyline(along, across, UPPER, u), _polyline(along, across, LOWER, u)


def _polyline(along: Tensor, across: Tensor, lid: tuple[int, int], u: Tensor) -> Tensor:
    """Straight from corner to landmark to landmark to corner, its height at u (B, N)."""
    first = along[:, lid[0], None].clamp(NARROW, 1 - 2 * NARROW)
    second = torch.minimum(torch.maximum(along[:, lid[1], None], first + NARROW), torch.full_like(first, 1 - NARROW))
    a, b = across[:, lid[0], None], across[:, lid[1], None]
    rise = a * (u / first).clamp(0, 1)
    level = (b - a) * ((u - first) / (second - first)).clamp(0, 1)
    fall = -b * ((u - second) / (1 - second)).clamp(0, 1)
    return rise + level + fall


def _known(source: Tensor, driving: Tensor, eye: tuple[int, ...]) -> Tensor:
    return torch.isfinite(source[:, list(eye)] + driving[:, list(eye)]).all(-1).all(-1)


def _frame(points: Tensor, eye: tuple[int, ...]) -> _Frame:
    first, second = points[:, eye[0]].nan_to_num(), points[:, eye[3]].nan_to_num()
    width = ((second - first) ** 2).sum(-1).clamp(min=1e-8).sqrt()
    return _Frame(first, (second - first) / width[:, None], width)
