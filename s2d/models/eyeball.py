"""The white of an eye that has turned, drawn where the source's eye shows none.

An eyeball is moved with what the source shows of it, and its edge is stretched over what the source hides. That edge is
skin and lashes of a corner, and of an eye that looks aside iris, too, which would fill the eye as it turns back. The
white of an eye that turns far is lighter than most of the slivers that it shows at rest, in the shade of lids and
corners: the lightest of them is taken, and shaded anew.
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
PLACES = 15  # along an eye that are looked at for its white
LIGHTEST = 40.0  # in a range of 1 of lightness: a place by a fortieth darker counts e times less


class _Turned(NamedTuple):
    """Eyes that the driver has turned; places (E, N), all else (E, 1), in widths of the source's eye."""

    aside: Tensor
    """How far a place is from the pupil towards the side that the eye turned away from."""
    distance: Tensor
    """How far it is from the pupil."""
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
    for drawn, white in zip(shares, _whites(picture, lids), strict=True):
        moved = moved + drawn * (white - moved)
    return moved.reshape(image.shape)


def _turned(eyes: Eyes, lids: Lids) -> _Turned:
    """At the places of `lids`."""
    centre, _ = eyes.theirs.local(eyes.source[:, [PUPIL]])
    here = eyes.mine.local(eyes.driving[:, [PUPIL]])
    along, across = ((place - pupil) / eyes.larger for place, pupil in zip((lids.u, lids.gap.v), here, strict=True))
    way = torch.where(centre > here[0], 1.0, -1.0).to(centre)
    distance = (along**2 + across**2).clamp(min=1e-12).sqrt()
    return _Turned(way * along, distance, way, centre, (centre - here[0]).abs())


def _lacking(eye: _Turned) -> Tensor:
    """How much of the white at each place the source does not show: (B, N)."""
    hidden = smoothstep((eye.aside - (eye.room - CORNER)) / SEAM + 0.5)  # beyond the corner of the source's eye
    iris = (eye.room - CORNER).clamp(*IRIS)
    outside = smoothstep((eye.distance - iris) / RIM + 0.5) * (eye.aside > 0)
    return torch.maximum(eye.bare, hidden) * (eye.turn / TURN).clamp(max=1) * outside


def _whites(picture: Tensor, lids: Lids) -> list[Tensor]:
    """Colours (B, 3, N) for either eye at the places of `lids`, shaded by the upper lid and the corners."""
    from_corner = torch.minimum(lids.u, 1 - lids.u)
    shadow = 1 - SHADOW * torch.exp(-(lids.gap.v - lids.gap.upper).clamp(min=0) / SHADOW_WIDTH)
    light = shadow * (1 - DIM * (1 - from_corner / DIM_WIDTH).clamp(0, 1))
    each = zip(apart(light[:, None]), _lightest(picture, lids.eyes), strict=True)
    return [lit * colour[..., None] for lit, colour in each]


def _lightest(picture: Tensor, eyes: Eyes) -> tuple[Tensor, ...]:
    """The lightest colour (B, 3) halfway between the source's lids and beside its iris, for either eye.

    Light in all three channels: what is mirrored in an eye is often coloured, and skin has little blue.
    """
    along = torch.linspace(CORNER, 1 - CORNER, PLACES, device=picture.device).expand(eyes.source.shape[0], -1)
    upper, lower = lid_edges(eyes.theirs, eyes.source, along)
    at = eyes.theirs.corner[:, None] + eyes.theirs.way(along, (upper + lower) / 2)
    seen = warp(picture, apart(at).transpose(0, 1))  # (B, 3, 2, PLACES)
    centre, _ = eyes.theirs.local(eyes.source[:, [PUPIL]])
    iris = apart((along - centre).abs() < IRIS[1]).transpose(0, 1)
    share = (LIGHTEST * seen.amin(1)).masked_fill(iris, -1e3).softmax(dim=-1)
    return (seen * share[:, None]).sum(-1).unbind(2)


def _between_lids(lids: Lids) -> Tensor:
    """1 between the driver's lids, less at their edges and in corners, 0 elsewhere: (E, N)."""
    v, upper, lower = lids.gap
    across = smoothstep(torch.minimum(v - upper, lower - v) / SHADE)
    return across * smoothstep(torch.minimum(lids.u, 1 - lids.u) / CORNER)
