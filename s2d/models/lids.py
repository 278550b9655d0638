"""Lids: each slides over the eyeball and takes its own skin along, until they meet.

A smooth field through the landmarks cannot close an eye: where the lids meet, the motion of the upper and that of the
lower one contradict each other, and their mean leaves the eye open. So the smooth field is given lids as open as the
source's, and the way from the driving lids to these follows here: along every line across the eye, piecewise linear,
with a jump where the lids touch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models.frame import Frame

UPPER, LOWER = (1, 2), (5, 4)  # of an eye's six landmarks, from the first corner to the second
REACH = 0.5  # eye widths above and below the lids over which skin is drawn along: about as far as the brow
MOST = 0.8  # of that reach that a lid may move: more would squeeze the skin to nothing
SPARE = 0.3  # of the way that lids close by, how much further each goes: landmarks lie within the eye, off its edge


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
            place = mine.place(along[:, k], across[:, k] * theirs.width / (scale * mine.width))
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
    larger = theirs.width / (scale * mine.width)  # the source's eye, on the driver's face, beside the driver's
    upper_end, lower_end = (larger[:, None] * lid for lid in _lids(theirs, source, eye, u))
    spare = SPARE * (lower_end - upper_end - lower + upper).clamp(min=0)
    up = (upper_end - spare - upper).clamp(-MOST * REACH, MOST * REACH)
    down = (lower_end + spare - lower).clamp(-MOST * REACH, MOST * REACH)
    above = up * (1 - (upper - v) / REACH).clamp(0, 1)
    below = down * (1 - (v - lower) / REACH).clamp(0, 1)
    inside = ((v - upper) / (lower - upper).clamp(min=1e-6)).clamp(0, 1)
    move = torch.where(v <= upper, above, torch.where(v >= lower, below, up + (down - up) * inside))
    move = torch.where(known[:, None], move * (scale * mine.width)[:, None], 0.0)
    return (move[..., None] * theirs.across[:, None]).reshape(-1, *grid.shape)


def _lids(frame: Frame, points: Tensor, eye: tuple[int, ...], u: Tensor) -> tuple[Tensor, Tensor]:
    """Where the upper and the lower lid are across, at places u (B, N) along the eye: (B, N) each; 0 beyond corners."""
    upper, lower = (frame.edge(points[:, [eye[k] for k in (0, *lid, 3)]].nan_to_num(), u) for lid in (UPPER, LOWER))
    return upper, lower


def _known(source: Tensor, driving: Tensor, eye: tuple[int, ...]) -> Tensor:
    return torch.isfinite(source[:, list(eye)] + driving[:, list(eye)]).all(-1).all(-1)


def _frame(points: Tensor, eye: tuple[int, ...]) -> Frame:
    return Frame.between(points[:, eye[0]].nan_to_num(), points[:, eye[3]].nan_to_num())
