"""Lids, lips and pupils together: the motion that no smooth field has, and what comes to light or closes with it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.models.box import Box, box_around
from s2d.models.eyeball import draw_white
from s2d.models.eyes import Eyes, apart, box_around_eyes
from s2d.models.interior import draw_interior
from s2d.models.lid_skin import draw_lids
from s2d.models.lids import FARTHEST, REACH, Lids, closing, lashes_leave, lid_motion
from s2d.models.lips import REACH_ASIDE, Lips, lip_motion
from s2d.models.mouth import OUTER
from s2d.models.pupils import AROUND, Pupils

AROUND_EYES, AROUND_MOUTH = REACH + FARTHEST, REACH_ASIDE  # widths of an eye and a mouth, that these reach


class Sheets(NamedTuple):
    """Lids, lips and pupils of B faces on a grid, worked out around the eyes and around the mouth of all of them."""

    grid: Tensor
    """(h, w, 2), the whole one."""
    eyes: Box
    mouth: Box
    gaze: Box
    lids: Lids
    """On the nodes in the box of the eyes."""
    lips: Lips
    """On those in the box of the mouth."""
    pupils: Pupils
    """On those in the box of the gaze, nearer around the eyes."""
    pixel: float
    """Normalised, across which nothing finer can be seen."""

    @staticmethod
    def on(grid: Tensor, source: Tensor, driving: Tensor, eyes: Eyes) -> Sheets:
        """Points (B, 70, 2) normalised, and the eyes of these with lids as near as they look."""
        around_eyes, around_mouth, around_gaze = _boxes(driving, *grid.shape[:2])
        lids, lips = Lids.at(eyes, around_eyes.cut(grid)), Lips.at(source, driving, around_mouth.cut(grid))
        pupils = Pupils.at(eyes, around_gaze.cut(grid))
        return Sheets(grid, around_eyes, around_mouth, around_gaze, lids, lips, pupils, 2 / (grid.shape[1] - 1))

    def parted(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers of the chosen (h w,) of all nodes: those around eyes alone, eyes and mouths, and mouths alone."""
        around_eyes, around_mouth = (torch.zeros_like(self.grid[..., 0], dtype=torch.bool) for _ in range(2))
        around_eyes[self.eyes.rows, self.eyes.columns] = True
        around_mouth[self.mouth.rows, self.mouth.columns] = True
        eyes, mouth = around_eyes.flatten() & chosen, around_mouth.flatten() & chosen
        first, both, last = (where.nonzero()[:, 0] for where in (eyes & ~mouth, eyes & mouth, mouth & ~eyes))
        return first, both, last

    def at(self, places: Tensor, nodes: tuple[Tensor, Tensor, Tensor], source: Tensor, driving: Tensor) -> Sheets:
        """The same ones at other places (h, w, 2), in columns that are near `nodes` as `parted` gives them."""
        first, both, last = (group.shape[0] for group in nodes)
        rows, pupils = slice(0, places.shape[0]), self.pupils.eyes
        eyes, mouth = Box(rows, slice(0, first + both)), Box(rows, slice(first, first + both + last))
        lids, lips = Lids.at(pupils, eyes.cut(places)), Lips.at(source, driving, mouth.cut(places))
        return Sheets(places, eyes, mouth, eyes, lids, lips, Pupils.at(pupils, eyes.cut(places)), self.pixel)

    def motion(self, head: Tensor) -> Tensor:
        """What lids and lips add to the displacement `head` (B, h, w, 2)."""
        height, width = self.grid.shape[:2]
        around_mouth = self.mouth.cut(head)
        lids = lid_motion(self.lids).reshape(head.shape[0], *self.eyes.cut(self.grid).shape)
        lips = lip_motion(self.lips, around_mouth.flatten(1, 2)).reshape(around_mouth.shape)
        return self.eyes.put_back(lids, height, width) + self.mouth.put_back(lips, height, width)

    def pupil_motion(self, similarity: Tensor, rigid: Tensor, head: Tensor) -> Tensor:
        """Displacements (2, B, h, w, 2) of the right and the left pupil; with landmarks that are not known, `head`.

        The head's `similarity` (B, 2, 3) and its displacement, `rigid` (B, h, w, 2), as `Pupils.turned` has them.
        """
        turned = self.pupils.turned(similarity, rigid)
        turned = turned + self.gaze.put_back(self.pupils.hidden(self.gaze.cut(turned)), *self.grid.shape[:2])
        known = self.pupils.eyes.looking[:, None, None, None]
        return apart(torch.where(known, turned, head.repeat(2, 1, 1, 1)))

    def pupils_hold(self) -> Tensor:
        """Where these hold: (2, B, h, w), 0 to 1."""
        return apart(self.gaze.put_back(self.pupils.holds[..., None], *self.grid.shape[:2])[..., 0])

    def closing(self) -> Tensor:
        """How much of a blink there is at each node: (B, 1, h, w), 0 to 1."""
        shape = self.lids.eyes.known.shape[0] // 2, *self.eyes.cut(self.grid).shape[:2], 1
        return self.eyes.put_back(closing(self.lids).reshape(shape), *self.grid.shape[:2]).permute(0, 3, 1, 2)

    def draw(self, image: Tensor, picture: Tensor, skin: Tensor, share: Tensor) -> Tensor:
        """The source `picture` moved, `image` (B, 3, h, w), with lashes, whites of eyes and the inside of the mouth.

        In the colours that go with `skin` (B, 3). Of share (B, 2, h, w) the first tells how much of lashes and mouths
        is drawn, the second how much of whites. In float32 also under autocast.
        """
        with torch.autocast(image.device.type, enabled=False):
            around_eyes, around_mouth = (image[..., box.rows, box.columns] for box in (self.eyes, self.mouth))
            white = draw_white(around_eyes, picture, self.lids)
            leave = lashes_leave(self.lids).reshape(white.shape[0], 1, *white.shape[-2:])
            lashes = draw_lids(white, picture, self.lids) * leave - white
            inside = draw_interior(around_mouth, self.lips, skin, self.pixel) - around_mouth
            change = self._put_back(lashes, self.eyes) + self._put_back(inside, self.mouth)
            return image + share[:, :1] * change + share[:, 1:] * self._put_back(white - around_eyes, self.eyes)

    def _put_back(self, change: Tensor, box: Box) -> Tensor:
        """Pictures (B, 3, rows, columns) with zeros around them."""
        return box.put_back(change[..., None], *self.grid.shape[:2])[..., 0]


def _boxes(driving: Tensor, height: int, width: int) -> tuple[Box, Box, Box]:
    """Where lids, lips and pupils may move or be drawn in a grid: around eyes, mouths and gazes of all frames."""
    mouth = box_around(driving, list(OUTER), AROUND_MOUTH, [(OUTER[0], OUTER[6])], (height, width))
    eyes, gaze = (box_around_eyes(driving, margin, height, width) for margin in (AROUND_EYES, AROUND))
    return eyes, mouth, gaze
