"""Lips: two sheets that part and meet, each moved whole, with a jump where they do.

A smooth field through the landmarks of closed lips makes an open mouth of thicker lips, and closes an open one to a
smear. So between the outer edges of the lips the motion across the mouth follows the inner edges exactly and the outer
ones as far as a lip may be stretched, and what the source shows between its lips stays with the upper teeth, that is,
with the head.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.models import mouth as m
from s2d.models.axes import Gap
from s2d.models.blocks import smoothstep
from s2d.models.faces import known_in_both
from s2d.models.ring import ring_motion

REACH_ASIDE = 0.3  # mouth widths beside the corners over which skin is stretched
CORNER = 0.12  # mouth widths from the corners inwards over which it comes: all edges meet there
THIN, THICK = 0.5, 2.0  # least and most that a lip may be stretched by
LEAST = 0.02  # mouth widths: lips are not thinner
TEETH_HEIGHT = 0.14  # of the upper teeth below the lip, in mouth widths
CREASE, CREASE_HEIGHT = 0.06, 0.2  # mouth widths that the line of closed lips goes on beyond their corners, and around
PARTED = 0.15  # mouth widths of opening, beyond the source's, from which on nothing of it is left


class Lips(NamedTuple):
    """Those of B faces at N places along and across the driver's mouth, in its widths, (B, N) each."""

    places: Tensor
    """(1, N, 2) normalised."""
    theirs: m.Mouth
    """The source's."""
    mine: m.Mouth
    """The driver's."""
    u: Tensor
    gap: Gap
    """Between the driver's lips."""
    known: Tensor
    """(B, 1) whether all landmarks are, in both."""

    @staticmethod
    def at(source: Tensor, driving: Tensor, grid: Tensor) -> Lips:
        """At the nodes of a grid (h, w, 2); points (B, 70, 2) normalised."""
        theirs, mine, places = m.Mouth.of(source), m.Mouth.of(driving), grid.reshape(1, -1, 2)
        u, v = mine.axes.local(places)
        known = known_in_both(source, driving, m.NEEDED)[:, None]
        return Lips(places, theirs, mine, u, Gap.between(v, *mine.inner_edges(u)), known)

    @property
    def size(self) -> Tensor:
        """(B, 1) of the driver's mouth in the source's widths."""
        return (self.mine.widths_by_height / self.theirs.widths_by_height)[:, None]


def lip_motion(lips: Lips, head: Tensor) -> Tensor:
    """What is to be added to the displacement `head` (B, N, 2): (B, N, 2) normalised.

    Zero away from the mouth, and where a landmark of it is not known.
    """
    across, (ring, counts) = _columns(lips, head), ring_motion(lips.mine, lips.theirs, lips.places)
    outside = (lips.gap.v <= lips.gap.upper) | (lips.gap.v >= lips.gap.lower)
    counts = torch.where(lips.known & outside, counts, 0.0)[..., None]
    return across + counts * (ring - head - across) + _aside(lips)


def _columns(lips: Lips, head: Tensor) -> Tensor:
    """How lips part and meet, column by column, beside `head` (B, N, 2): (B, N, 2) normalised."""
    _, theirs, mine, u, gap, known = lips
    u_there, v_there = theirs.axes.local(lips.places + head)
    end = Gap.between(v_there, *theirs.inner_edges(u_there))
    (v, upper, lower), (_, upper_end, lower_end) = gap, end
    (top, bottom), (top_end, bottom_end) = mine.outer_edges(u), theirs.outer_edges(u_there)
    size = lips.size
    above = upper_end - (upper - v) * _stretch(upper_end - top_end, upper - top, size)
    below = lower_end + (v - lower) * _stretch(bottom_end - lower_end, bottom - lower, size)
    between = upper_end + _inside((v - upper) * size, (lower - upper) * size, lower_end - upper_end)
    wanted = gap.choose(above, between, below)
    outside = torch.maximum(top - v, v - bottom).clamp(min=0)
    share = (1 - outside / m.AROUND_LIPS).clamp(min=0) * (torch.minimum(u, 1 - u) / CORNER).clamp(0, 1)
    across = torch.where(known, share * (wanted - v_there), 0.0)
    return theirs.axes.way(torch.zeros_like(across), across)


def _aside(lips: Lips) -> Tensor:
    """How the skin beside the corners moves: (B, N, 2) normalised."""
    parted = ((lips.mine.opening[:, None] * lips.size - lips.theirs.opening[:, None]) / PARTED).clamp(0, 1)
    creased = (1.5 - lips.theirs.opening[:, None] / PARTED).clamp(0, 1)  # closed lips are, and an open mouth is not
    aside = torch.where(lips.known, parted * creased * _past_crease(lips.u, lips.gap.v), 0.0)
    return lips.theirs.axes.way(aside, torch.zeros_like(aside))


def _past_crease(u: Tensor, v: Tensor) -> Tensor:
    """How far further out the skin beside a mouth that has opened comes from, (B, N) in mouth widths; left is negative.

    Closed lips end in a crease beyond their corners, which would stay as a shadow beside the open mouth: it is pressed
    into the corner, and the skin beyond stretched.
    """
    outside = torch.maximum(-u, u - 1)
    rise = smoothstep(outside / CREASE + 1)
    fall = (1 - outside / REACH_ASIDE).clamp(0, 1)
    near = (1 - (v / CREASE_HEIGHT) ** 2).clamp(min=0) ** 2
    return CREASE * torch.sign(u - 0.5) * rise * fall * near


def _stretch(there: Tensor, here: Tensor, size: Tensor) -> Tensor:
    """How much of the source's lip one unit of the driver's covers, both (B, N) thick."""
    plain = there.clamp(min=LEAST) / (here.clamp(min=LEAST) * size)
    return plain.clamp(THIN, THICK) * size


def _inside(depth: Tensor, opening: Tensor, shown: Tensor) -> Tensor:
    """How far below the source's upper lip lies what is `depth` below the driver's; in the source's mouth widths.

    The same, as far as the teeth reach. Where the driver's `opening` is more than the source has `shown`, the rest is
    stretched.
    """
    teeth = shown.clamp(min=0.0, max=TEETH_HEIGHT)
    rest = ((shown - teeth) / (opening - teeth).clamp(min=1e-6)).clamp(0, 1)
    return torch.minimum(depth, teeth) + (depth - teeth).clamp(min=0) * rest
