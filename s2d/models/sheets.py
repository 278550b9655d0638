"""Lids and lips together: the motion that no smooth field has, and what comes to light or closes with it."""

from __future__ import annotations

import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models.box import Box, box_around
from s2d.models.eyeball import draw_white
from s2d.models.faces import head_similarity, scale_of
from s2d.models.heatmaps import full_precision
from s2d.models.interior import draw_interior
from s2d.models.lids import FARTHEST, REACH, draw_lashes, lid_motion, with_seen_lids
from s2d.models.lips import REACH_ASIDE, lip_motion

EYES = [*layout.EYES[0], *layout.EYES[1]]
EYE_WIDTHS = [(eye[0], eye[3]) for eye in layout.EYES]
MOUTH = list(layout.PARTS["outer_lips"])
AROUND_EYES, AROUND_MOUTH = REACH + FARTHEST, REACH_ASIDE  # widths of an eye and a mouth, that these reach


def sheet_motion(source: Tensor, driving: Tensor, head: Tensor, grid: Tensor) -> Tensor:
    """What lids and lips add to the displacement `head` (B, h, w, 2) on the whole normalised grid (h, w, 2).

    Points (B, 70, 2) normalised.
    """
    height, width = grid.shape[:2]
    eyes, mouth = _boxes(driving, height, width)
    scale = scale_of(head_similarity(source, driving))
    lids = lid_motion(source, with_seen_lids(source, driving, scale), scale, eyes.cut(grid))
    lips = lip_motion(source, driving, mouth.cut(head), mouth.cut(grid))
    return eyes.put_back(lids, height, width) + mouth.put_back(lips, height, width)


def draw(
    image: Tensor, picture: Tensor, source: Tensor, driving: Tensor, skin: Tensor, share: Tensor, grid: Tensor
) -> Tensor:
    """The source `picture` moved, `image` (B, 3, h, w), with lashes, whites of eyes and the inside of the mouth.

    Both on the whole grid (h, w, 2). share (B, 1, h, w) of them is drawn, in the colours that go with `skin` (B, 3);
    whites, where pupils take the place of lids, as they are. In float32 also under autocast.
    """
    height, width = grid.shape[:2]
    pixel = 2 / (width - 1)
    source, driving = full_precision(source), full_precision(driving)
    with torch.autocast(image.device.type, enabled=False):
        scale = scale_of(head_similarity(source, driving))
        eyes, mouth = _boxes(driving, height, width)
        around_eyes, around_mouth = (image[..., box.rows, box.columns] for box in (eyes, mouth))
        seen = with_seen_lids(source, driving, scale)
        white = draw_white(around_eyes, picture, source, seen, scale, eyes.cut(grid))
        lashes = draw_lashes(white, source, seen, scale, eyes.cut(grid)) - white
        inside = draw_interior(around_mouth, source, driving, skin, mouth.cut(grid), pixel) - around_mouth
        change = _put_back(lashes, eyes, height, width) + _put_back(inside, mouth, height, width)
        most = share.amax((1, 2, 3), keepdim=True)  # where a pupil's own motion holds, lids do not count
        return image + share * change + most * _put_back(white - around_eyes, eyes, height, width)


def _put_back(change: Tensor, box: Box, height: int, width: int) -> Tensor:
    """Pictures (B, 3, rows, columns) with zeros around them."""
    return box.put_back(change[..., None], height, width)[..., 0]


def _boxes(driving: Tensor, height: int, width: int) -> tuple[Box, Box]:
    """Where lids and lips may move or be drawn in a grid: around the eyes and around the mouth of all frames."""
    size = height, width
    eyes = box_around(driving, EYES, AROUND_EYES, EYE_WIDTHS, size)
    return eyes, box_around(driving, MOUTH, AROUND_MOUTH, [(MOUTH[0], MOUTH[6])], size)
