"""Pupils: an eyeball that turns between lids which stay, and where its own motion holds."""

from __future__ import annotations

import torch
from torch import Tensor

from s2d.geometry_torch import apply
from s2d.models.axes import Axes, Gap
from s2d.models.blocks import smoothstep
from s2d.models.eyes import PUPIL, Eyes, box_around_eyes, lid_edges
from s2d.models.lids import EDGE

AROUND = 0.25  # eye widths around an eye, within which what it has alone gives way to the motion of the head
IRIS, RING = 0.25, 0.25  # in eye widths: rather more than an iris's radius, and the ring over which its motion fades
LID_SOFTNESS = 0.02  # eye widths at a lid over which a pupil's motion ends: behind it the eyeball goes on
OFF_EDGE = 0.04  # eye widths that landmarks of lids lie within an eye: the eyeball reaches under them


def pupil_motion(
    driving: Tensor, eyes: Eyes, similarity: Tensor, grid: Tensor, rigid: Tensor, head: Tensor
) -> tuple[Tensor, Tensor]:
    """Displacements (2, B, h, w, 2) of the right and the left pupil, and where they hold, (2, B, h, w) from 0 to 1.

    The head's `similarity` (B, 2, 3), as displacement `rigid` (B, h, w, 2) on `grid` (h, w, 2), shifted so that the
    driving pupil meets the source's: an iris turns, lids do not bend it. What the source hides behind its lids
    continues what is at their edge. Where a landmark of the eye is not known: the motion of the `head`, which never
    holds. driving (B, 70, 2) normalised.
    """
    height, width = grid.shape[:2]
    box = box_around_eyes(driving, AROUND, height, width)
    start, end = eyes.driving[:, [PUPIL]], eyes.source[:, [PUPIL]]
    shift = end - apply(similarity.repeat(2, 1, 1), start)
    turned = rigid.repeat(2, 1, 1, 1) + shift[:, None]
    places = box.cut(grid)
    u, v = eyes.mine.local(places.reshape(1, -1, 2))
    gap = Gap.between(v, *lid_edges(eyes.mine, eyes.driving, u))
    hidden = _behind_lids(eyes, u, gap, (places + box.cut(turned)).flatten(1, 2))
    turned = turned + box.put_back(hidden.reshape(shift.shape[0], *places.shape), height, width)
    turned = torch.where(eyes.looking[:, None, None, None], turned, head.repeat(2, 1, 1, 1))
    holds = box.put_back(_holds(eyes, u, gap).reshape(shift.shape[0], *places.shape[:2], 1), height, width)
    return turned.reshape(2, *rigid.shape), holds.reshape(2, *rigid.shape[:-1])


def _behind_lids(eyes: Eyes, u: Tensor, gap: Gap, turned: Tensor) -> Tensor:
    """What is to be added to the ways to places `turned` (E, N, 2) in the source: (E, N, 2), normalised.

    An eye that looks elsewhere than the source's shows what the source hides behind its lids; there the nearest place
    between these is taken. It fades out within `AROUND` eye widths of the driver's eye, and is nothing at rest.
    """
    along, across = eyes.theirs.local(turned)
    theirs = Gap.between(across, *lid_edges(eyes.theirs, eyes.source, along))
    here, there = _way_between(u, gap), _way_between(along, theirs)
    share = (1 - (here[0].abs() + here[1].abs()) / AROUND).clamp(min=0)
    return eyes.theirs.way(*(share * (b - a) for a, b in zip(here, there, strict=True)))


def _way_between(u: Tensor, gap: Gap) -> tuple[Tensor, Tensor]:
    """How far along and across it is into an eye from places (E, N): 0 between its lids."""
    return u.clamp(0, 1) - u, torch.minimum(torch.maximum(gap.v, gap.upper), gap.lower) - gap.v


def _holds(eyes: Eyes, u: Tensor, gap: Gap) -> Tensor:
    """Where a pupil's own motion holds: around it and where it was, between lids that are open in both; (E, N).

    All zero where a pupil or an eye is not known. A closed lid wins over any gaze.
    """
    under = OFF_EDGE * smoothstep(torch.minimum(u, 1 - u) / EDGE)  # but not in the corners, which stay
    inside = smoothstep((torch.minimum(gap.v - gap.upper, gap.lower - gap.v) + under) / LID_SOFTNESS)
    ends = (_pupil(eyes.mine, eyes.driving), _pupil(eyes.theirs, eyes.source))
    near = 1 - smoothstep((_distance(torch.stack([u, gap.v], dim=-1), *ends) - IRIS) / RING)
    return torch.where(eyes.looking[:, None], inside * near * eyes.openness, 0.0)


def _pupil(axes: Axes, eye: Tensor) -> Tensor:
    """(E, 2) along and across."""
    return torch.cat(axes.local(eye[:, [PUPIL]]), dim=-1)


def _distance(places: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Of places (E, N, 2) from the line between two points (E, 2) each: (E, N)."""
    way, offset = (end - start)[:, None], places - start[:, None]
    along = (offset * way).sum(-1, keepdim=True) / (way**2).sum(-1, keepdim=True).clamp(min=1e-8)
    return ((offset - along.clamp(0, 1) * way) ** 2).sum(-1).clamp(min=1e-12).sqrt()
