"""Lids: sheets of skin that slide over an eyeball, which stays where it is, until they meet.

A smooth field through the landmarks cannot close an eye: where the lids meet, the motion of the upper and that of the
lower one contradict each other, and their mean leaves the eye open. So the smooth field is given lids as open as the
source's, and the way from the driving lids to these follows here, with a jump at the edge of each lid.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.models.axes import Gap
from s2d.models.blocks import smoothstep
from s2d.models.eyes import LEAST, Eyes, apart, lid_edges

REACH = 0.3  # eye widths of skin above and below an open eye that is stretched to cover it
BEYOND = 0.15  # eye widths that an eye goes on beyond the landmarks of its corners
MARGIN = 0.1  # eye widths outside the source's lids, where the skin begins that covers an eye: landmarks lie within
EDGE = 0.15  # share of an eye, at either end, over which that begins
FARTHEST = 0.7  # eye widths that a lid may move at most
LASHES, LASH_WIDTH = 0.5, 0.06  # share of light that the lashes of a closed lid take, and their width, in eye widths


class Lids(NamedTuple):
    """Those of E eyes at places along and across the driver's, all in the driver's eye widths, (E, N) each."""

    eyes: Eyes
    u: Tensor
    gap: Gap
    """Between the driver's lids."""
    upper_end: Tensor
    lower_end: Tensor
    """Where the source's lids are, on the driver's face."""
    closed: Tensor
    """(E, 1) the share of the source's opening that the driver has not."""

    @staticmethod
    def at(eyes: Eyes, grid: Tensor) -> Lids:
        """At the nodes of a grid (h, w, 2)."""
        u, v = eyes.mine.local(grid.reshape(1, -1, 2))
        gap = Gap.between(v, *lid_edges(eyes.mine, eyes.driving, u))
        there, here = eyes.apertures
        closed = ((there - here) / there.clamp(min=LEAST)).clamp(0, 1)
        ends = (eyes.larger * lid for lid in lid_edges(eyes.theirs, eyes.source, u, BEYOND * closed))
        upper_end, lower_end = Gap.between(v, *ends)[1:]
        return Lids(eyes, u, gap, upper_end, lower_end, closed)

    @property
    def within(self) -> Tensor:
        """(E, N) 1 between the corners of the eye, 0 beyond."""
        return smoothstep(self.u * (1 - self.u) / 0.1)

    @property
    def spare(self) -> Tensor:
        """How far outside the source's lids the skin comes from that covers the eye."""
        along = (self.u + BEYOND) / (1 + 2 * BEYOND)
        return MARGIN * self.closed * smoothstep(torch.minimum(along, 1 - along) / EDGE)


def lid_motion(lids: Lids) -> Tensor:
    """What is to be added to the displacement from landmarks `with_open_lids` to the source: (B, N, 2).

    Zero outside the eyes' own columns, and where an eye is not known.
    """
    eyes, (v, upper, lower) = lids.eyes, lids.gap
    up, down = (
        way.clamp(-FARTHEST, FARTHEST)
        for way in (lids.upper_end - lids.spare - upper, lids.lower_end + lids.spare - lower)
    )
    above = up * (1 - (upper - v) / (REACH + (-up).clamp(min=0))).clamp(0, 1)
    below = down * (1 - (v - lower) / (REACH + down.clamp(min=0))).clamp(0, 1)
    wider_up, wider_down = (lids.upper_end - upper).clamp(min=0), (lids.lower_end - lower).clamp(max=0)
    inside = ((v - upper) / (lower - upper).clamp(min=1e-6)).clamp(0, 1)
    eyeball = wider_up + (wider_down - wider_up) * inside  # stretched where the eye opens further than the source's
    across = lids.gap.choose(above, eyeball, below) / eyes.larger
    way = eyes.theirs.way(torch.zeros_like(across), torch.where(eyes.known[:, None], across, 0.0))
    return apart(way).sum(0)


def closing(lids: Lids) -> Tensor:
    """How much of a blink there is at each place, (B, N) from 0 to 1: nothing at rest and away from eyes."""
    eyes, (v, upper, lower) = lids.eyes, lids.gap
    across = (upper - v).clamp(min=0) + (v - lower).clamp(min=0)
    along = (-lids.u).clamp(min=0) + (lids.u - 1).clamp(min=0)
    near = smoothstep(2 - across / REACH) * smoothstep(1 - along / BEYOND)
    return apart(torch.where(eyes.known[:, None], lids.closed * near, 0.0)).amax(0)


def lashes_leave(lids: Lids) -> Tensor:
    """Share of light (B, N) that is left along upper lids that have closed: the skin brings no lashes with it."""
    line = torch.exp(-(((lids.gap.v - lids.gap.upper) / LASH_WIDTH) ** 2))
    shade = torch.where(lids.eyes.known[:, None], LASHES * lids.closed * lids.within * line, 0.0)
    return apart(1 - shade).prod(0)
