"""Pupils: eyeballs that turn between lids which stay, and where their own motion holds."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.geometry_torch import apply
from s2d.models.axes import Axes, Gap
from s2d.models.blocks import smoothstep
from s2d.models.eyes import PUPIL, Eyes, lid_edges
from s2d.models.lids import EDGE

AROUND = 0.25  # eye widths around an eye, within which what it has alone gives way to the motion of the head
IRIS, RING = 0.25, 0.25  # in eye widths: rather more than an iris's radius, and the ring over which its motion fades
LID_SOFTNESS = 0.02  # eye widths at a lid over which a pupil's motion ends: behind it the eyeball goes on
OFF_EDGE = 0.04  # eye widths that landmarks of lids lie within an eye: the eyeball reaches under them
PUPIL_SHARE = 0.9  # of the head's probability that a pupil has where it holds
NEVER = 1e-5  # probability of a candidate where it cannot be: finite logits keep a way back open


class Pupils(NamedTuple):
    """Those of E eyes on the nodes of a grid, along and across the driver's, (E, N) in its eye widths."""

    grid: Tensor
    """(h, w, 2) normalised, N = h w."""
    eyes: Eyes
    u: Tensor
    gap: Gap
    """Between the driver's lids."""

    @staticmethod
    def at(eyes: Eyes, grid: Tensor) -> Pupils:
        """On a grid (h, w, 2)."""
        u, v = eyes.mine.local(grid.reshape(1, -1, 2))
        return Pupils(grid, eyes, u, Gap.between(v, *lid_edges(eyes.mine, eyes.driving, u)))

    def turned(self, similarity: Tensor, rigid: Tensor) -> Tensor:
        """The displacement `rigid` (B, ..., 2) of the head's similarity (B, 2, 3), shifted: (E, ..., 2).

        So that the driving pupil meets the source's: an iris turns, lids do not bend it.
        """
        start, end = self.eyes.driving[:, [PUPIL]], self.eyes.source[:, [PUPIL]]
        shift = end - apply(similarity.repeat(2, 1, 1), start)
        return rigid.repeat(2, *[1] * (rigid.dim() - 1)) + shift.reshape(-1, *[1] * (rigid.dim() - 2), 2)

    def hidden(self, turned: Tensor) -> Tensor:
        """What is to be added to the displacement `turned` (E, h, w, 2): (E, h, w, 2).

        An eye that looks elsewhere than the source's shows what the source hides behind its lids; there the nearest
        place between these is taken. It fades out within `AROUND` eye widths of the driver's eye, and is nothing at
        rest.
        """
        return _behind_lids(self.eyes, self.u, self.gap, (self.grid + turned).flatten(1, 2)).reshape(turned.shape)

    @property
    def holds(self) -> Tensor:
        """Where a pupil's own motion holds: (E, h, w), 0 to 1.

        Around it and where it was, between lids that are open in both. All zero where a pupil or an eye is not known.
        A closed lid wins over any gaze.
        """
        eyes, u, gap = self.eyes, self.u, self.gap
        under = OFF_EDGE * smoothstep(torch.minimum(u, 1 - u) / EDGE)  # but not in the corners, which stay
        inside = smoothstep((torch.minimum(gap.v - gap.upper, gap.lower - gap.v) + under) / LID_SOFTNESS)
        ends = (_pupil(eyes.mine, eyes.driving), _pupil(eyes.theirs, eyes.source))
        near = 1 - smoothstep((_distance(torch.stack([u, gap.v], dim=-1), *ends) - IRIS) / RING)
        held = torch.where(eyes.looking[:, None], inside * near * eyes.openness, 0.0)
        return held.reshape(held.shape[0], *self.grid.shape[:2])


def pupil_odds(holds: Tensor) -> Tensor:
    """How much pupils count against lids, about as the prior has it: where they hold, 0 to 1, of any shape."""
    return (PUPIL_SHARE * holds).clamp(min=NEVER) / (1 - PUPIL_SHARE * holds)


def _behind_lids(eyes: Eyes, u: Tensor, gap: Gap, turned: Tensor) -> Tensor:
    """What `Pupils.hidden` says, of places `turned` (E, N, 2) in the source: (E, N, 2) normalised."""
    along, across = eyes.theirs.local(turned)
    theirs = Gap.between(across, *lid_edges(eyes.theirs, eyes.source, along))
    here, there = _way_between(u, gap), _way_between(along, theirs)
    share = (1 - (here[0].abs() + here[1].abs()) / AROUND).clamp(min=0)
    return eyes.theirs.way(*(share * (b - a) for a, b in zip(here, there, strict=True)))


def _way_between(u: Tensor, gap: Gap) -> tuple[Tensor, Tensor]:
    """How far along and across it is into an eye from places (E, N): 0 between its lids."""
    return u.clamp(0, 1) - u, torch.minimum(torch.maximum(gap.v, gap.upper), gap.lower) - gap.v


def _pupil(axes: Axes, eye: Tensor) -> Tensor:
    """(E, 2) along and across."""
    return torch.cat(axes.local(eye[:, [PUPIL]]), dim=-1)


def _distance(places: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Of places (E, N, 2) from the line between two points (E, 2) each: (E, N)."""
    way, offset = (end - start)[:, None], places - start[:, None]
    along = (offset * way).sum(-1, keepdim=True) / (way**2).sum(-1, keepdim=True).clamp(min=1e-8)
    return ((offset - along.clamp(0, 1) * way) ** 2).sum(-1).clamp(min=1e-12).sqrt()
