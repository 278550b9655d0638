"""The white of an eye that has turned, drawn where the source's eye shows none.

An eyeball is moved with what the source shows of it, and its edge is stretched over what the source hides. That edge is
skin and lashes of a corner, and of an eye that looks aside iris, too, which would fill the eye as it turns back. White
is taken from the wider side of the source's pupil, from as far away as it may be.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from s2d.landmarks import layout
from s2d.models.axes import Axes
from s2d.models.blocks import smoothstep
from s2d.models.faces import known_in_both
from s2d.models.lids import eye_axes, lid_edges, openness

NONE, SOME = 0.45, 0.5  # eye widths from a pupil to a corner: up to the one no white lies between, from the other on
CORNER = 0.14  # eye widths at a corner that are no white: lashes, and the caruncle
IRIS = (0.2, 0.27)  # eye widths from its middle to its rim; as far as the source shows of it, but within these
RIM = 0.03  # eye widths over which it ends
TURN = 0.1  # eye widths of turn from which on all of the white is drawn
SHADE = 0.04  # eye widths from a lid over which the white begins
CLEAR = 0.6  # of the gap between the source's lids, about its middle, is surely no lash


class _Turned(NamedTuple):
    """One eye that the driver has turned; places (B, N), all else (B, 1), in widths of the source's eye."""

    aside: Tensor
    """How far a place is from the pupil towards the side that the eye turned away from."""
    distance: Tensor
    """How far it is from the pupil."""
    across: Tensor
    """Where it is in the source."""
    way: Tensor
    """1 where that side is the second corner's, -1 where it is the first one's."""
    centre: Tensor
    """Where along the source's eye its pupil is."""
    turn: Tensor
    """How far it has turned."""

    @property
    def room(self) -> Tensor:
        """How far the source's pupil is from the corner on that side."""
        return torch.where(self.way > 0, 1 - self.centre, self.centre)


def draw_white(image: Tensor, picture: Tensor, source: Tensor, driving: Tensor, scale: Tensor, grid: Tensor) -> Tensor:
    """The image (B, 3, h, w) on grid (h, w, 2), with white of the source `picture` (B, 3, H, W) in eyes that turned.

    Points (B, 70, 2) normalised; scale (B,) the size of the source's face over the driver's. Unchanged at rest, where
    the source shows white there, behind lids, and where a landmark of the eye is not known.
    """
    for eye, pupil in zip(layout.EYES, (layout.RIGHT_PUPIL, layout.LEFT_PUPIL), strict=True):
        mine, theirs = eye_axes(driving, eye), eye_axes(source, eye)
        places = mine.local(grid.reshape(1, -1, 2))
        turned = _turned(mine, theirs, source[:, [pupil]], driving[:, [pupil]], scale, places)
        share = _lacking(turned) * _between_lids(mine, driving, eye, *places)
        share = share * openness(mine, driving, eye) * openness(theirs, source, eye)
        share = torch.where(known_in_both(source, driving, [*eye, pupil])[:, None], share, 0.0)
        change = share[:, None] * (_white(picture, theirs, source, eye, turned) - image.flatten(2))
        image = image + change.reshape(image.shape)
    return image


def _turned(
    mine: Axes, theirs: Axes, source: Tensor, driving: Tensor, scale: Tensor, places: tuple[Tensor, Tensor]
) -> _Turned:
    """Of the pupils (B, 1, 2) of source and driver."""
    centre, level = theirs.local(source.nan_to_num(0.0, 0.0, 0.0))
    here = mine.local(driving.nan_to_num(0.0, 0.0, 0.0))
    larger = (scale * mine.width / theirs.width)[:, None]
    along, across = (larger * (place - pupil) for place, pupil in zip(places, here, strict=True))
    way = torch.where(centre > here[0], 1.0, -1.0).to(centre)
    distance = (along**2 + across**2).clamp(min=1e-12).sqrt()
    return _Turned(way * along, distance, level + across, way, centre, (centre - here[0]).abs())


def _lacking(eye: _Turned) -> Tensor:
    """How much of the white at each place the source does not show: (B, N)."""
    none = 1 - smoothstep((eye.room - NONE) / (SOME - NONE))
    hidden = smoothstep((eye.aside - (eye.room - CORNER)) / RIM)  # beyond the corner of the source's eye
    iris = (eye.room - CORNER).clamp(*IRIS)
    outside = smoothstep((eye.distance - iris) / RIM + 0.5) * (eye.aside > 0)
    return torch.maximum(none, hidden) * (eye.turn / TURN).clamp(max=1) * outside


def _white(picture: Tensor, theirs: Axes, source: Tensor, eye: tuple[int, ...], turned: _Turned) -> Tensor:
    """Colours (B, 3, N) as far from the source's pupil on its wider side, but not nearer to lids than white is."""
    wider = torch.maximum(turned.room, 1 - turned.room) - CORNER
    side = torch.where(turned.room < 0.5, -turned.way, turned.way)
    along = turned.centre + side * torch.minimum(turned.aside, wider)
    upper, lower = lid_edges(theirs, source, eye, along)
    middle, reach = (upper + lower) / 2, CLEAR * (lower - upper).clamp(min=0) / 2
    across = torch.minimum(torch.maximum(turned.across, middle - reach), middle + reach)
    at = theirs.corner[:, None] + theirs.way(along, across)
    return F.grid_sample(picture, at[:, None], padding_mode="border", align_corners=True)[:, :, 0]


def _between_lids(mine: Axes, driving: Tensor, eye: tuple[int, ...], u: Tensor, v: Tensor) -> Tensor:
    """1 between the driver's lids, less at their edges and in corners, 0 elsewhere: (B, N)."""
    upper, lower = lid_edges(mine, driving, eye, u)
    return smoothstep(torch.minimum(v - upper, lower - v) / SHADE) * smoothstep(torch.minimum(u, 1 - u) / CORNER)
