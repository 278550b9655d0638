"""The white of an eye that has turned, drawn where the source's eye shows none.

An eyeball is moved with what the source shows of it, and its edge is stretched over what the source hides. That edge is
skin and lashes of a corner, and of an eye that looks aside iris, too, which would fill the eye as it turns back. White
is taken from that side of the source's pupil, or, where none is there, from the other; and shaded by lids and corners.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.models.blocks import smoothstep, warp
from s2d.models.eyes import PUPIL, Eyes, apart, lid_edges
from s2d.models.lids import Lids

NONE, SOME = 0.45, 0.5  # eye widths from a pupil to a corner: up to the one no white lies between, from the other on
CORNER = 0.14  # eye widths at a corner that are no white: lashes, and the caruncle
IRIS = (0.2, 0.27)  # eye widths from its middle to its rim; as far as the source shows of it, but within these
RIM = 0.03  # eye widths over which it ends
SEAM = 0.12  # eye widths over which the white that the source shows passes into what is drawn
TURN = 0.1  # eye widths of turn from which on all of the white is drawn
SHADE = 0.04  # eye widths from a lid over which the white begins
SHADOW, SHADOW_WIDTH = 0.2, 0.05  # share of light that the upper lid takes from white at its edge, and how far down
DIM, DIM_WIDTH = 0.25, 0.3  # share that is lost at a corner, and how far from it, in eye widths
CLEAR = 0.6  # of the gap between the source's lids, about its middle, is surely no lash


class _Turned(NamedTuple):
    """Eyes that the driver has turned; places (E, N), all else (E, 1), in widths of the source's eye."""

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

    @property
    def bare(self) -> Tensor:
        """1 where the source shows no white on that side, 0 where it does."""
        return 1 - smoothstep((self.room - NONE) / (SOME - NONE))


def draw_white(image: Tensor, picture: Tensor, lids: Lids) -> Tensor:
    """The image (B, 3, h, w), with white of the source `picture` (B, 3, H, W) in eyes that have turned.

    At the places of `lids`, N = h w. Unchanged at rest, where the source shows white there, behind lids, and where a
    landmark of the eye is not known.
    """
    eyes, moved = lids.eyes, image.flatten(2)
    turned = _turned(eyes, lids)
    share = _lacking(turned) * _between_lids(lids) * eyes.openness
    shares = apart(torch.where(eyes.looking[:, None], share, 0.0)[:, None])
    for drawn, white in zip(shares, _white(picture, lids, turned), strict=True):
        moved = moved + drawn * (white - moved)
    return moved.reshape(image.shape)


def _turned(eyes: Eyes, lids: Lids) -> _Turned:
    """At the places of `lids`."""
    centre, level = eyes.theirs.local(eyes.source[:, [PUPIL]])
    here = eyes.mine.local(eyes.driving[:, [PUPIL]])
    along, across = ((place - pupil) / eyes.larger for place, pupil in zip((lids.u, lids.gap.v), here, strict=True))
    way = torch.where(centre > here[0], 1.0, -1.0).to(centre)
    distance = (along**2 + across**2).clamp(min=1e-12).sqrt()
    return _Turned(way * along, distance, level + across, way, centre, (centre - here[0]).abs())


def _lacking(eye: _Turned) -> Tensor:
    """How much of the white at each place the source does not show: (B, N)."""
    hidden = smoothstep((eye.aside - (eye.room - CORNER)) / SEAM + 0.5)  # beyond the corner of the source's eye
    iris = (eye.room - CORNER).clamp(*IRIS)
    outside = smoothstep((eye.distance - iris) / RIM + 0.5) * (eye.aside > 0)
    return torch.maximum(eye.bare, hidden) * (eye.turn / TURN).clamp(max=1) * outside


def _white(picture: Tensor, lids: Lids, turned: _Turned) -> list[Tensor]:
    """Colours (B, 3, N) for either eye."""
    room = turned.room - CORNER
    wider = torch.where(turned.room < 0.5, 1 - turned.room - CORNER, room)
    side = torch.where(turned.room < 0.5, -turned.way, turned.way)
    own = _sampled(picture, lids.eyes, turned.centre + turned.way * torch.minimum(turned.aside, room), turned.across)
    other = _sampled(picture, lids.eyes, turned.centre + side * torch.minimum(turned.aside, wider), turned.across)
    from_corner = torch.minimum(lids.u, 1 - lids.u)
    shadow = 1 - SHADOW * torch.exp(-(lids.gap.v - lids.gap.upper).clamp(min=0) / SHADOW_WIDTH)
    light = shadow * (1 - DIM * (1 - from_corner / DIM_WIDTH).clamp(0, 1))
    each = zip(apart(turned.bare[..., None]), apart(light[:, None]), own, other, strict=True)
    return [lit * (a + bare * (b - a)) for bare, lit, a, b in each]


def _sampled(picture: Tensor, eyes: Eyes, along: Tensor, across: Tensor) -> tuple[Tensor, ...]:
    """The source at places (E, N) of its eyes, or as near as is surely no lash: (B, 3, N) for either eye."""
    upper, lower = lid_edges(eyes.theirs, eyes.source, along)
    middle, reach = (upper + lower) / 2, CLEAR * (lower - upper).clamp(min=0) / 2
    across = torch.minimum(torch.maximum(across, middle - reach), middle + reach)
    at = apart(eyes.theirs.corner[:, None] + eyes.theirs.way(along, across)).transpose(0, 1)
    return warp(picture, at).unbind(2)


def _between_lids(lids: Lids) -> Tensor:
    """1 between the driver's lids, less at their edges and in corners, 0 elsewhere: (E, N)."""
    v, upper, lower = lids.gap
    across = smoothstep(torch.minimum(v - upper, lower - v) / SHADE)
    return across * smoothstep(torch.minimum(lids.u, 1 - lids.u) / CORNER)
