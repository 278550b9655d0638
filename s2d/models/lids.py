"""Lids: sheets of skin that slide over an eyeball, which stays where it is, until they meet.

A smooth field through the landmarks cannot close an eye: where the lids meet, the motion of the upper and that of the
lower one contradict each other, and their mean leaves the eye open. So the smooth field is given lids as open as the
source's, and the way from the driving lids to these follows here, with a jump at the edge of each lid.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.landmarks.retarget import LIDS_CLOSED, MEETING
from s2d.models.axes import Axes, Gap
from s2d.models.blocks import smoothstep
from s2d.models.faces import known_in_both

UPPER, LOWER = (1, 2), (5, 4)  # of an eye's six landmarks, from the first corner to the second
REACH = 0.3  # eye widths of skin above and below an open eye that is stretched to cover it
BEYOND = 0.15  # eye widths that an eye goes on beyond the landmarks of its corners
MARGIN = 0.1  # eye widths outside the source's lids, where the skin begins that covers an eye: landmarks lie within
EDGE = 0.15  # share of an eye, at either end, over which that begins
LEAST = 0.1  # eye widths that an eye has to be open to be closed wholly: one that is shut in the source stays as it is
FARTHEST = 0.7  # eye widths that a lid may move at most
CLOSED, OPEN = 0.05, 0.1  # aperture over eye width below which a lid hides the pupil, and from which it does not
AROUND = 0.25  # eye widths around an eye, within which what it has alone gives way to the motion of the head
LASHES, LASH_WIDTH = 0.5, 0.06  # share of light that the lashes of a closed lid take, and their width, in eye widths


class _Eye(NamedTuple):
    """One eye at places along and across the driver's, all in the driver's eye widths, (B, N) each."""

    axes: Axes
    u: Tensor
    gap: Gap
    """Between the driver's lids."""
    upper_end: Tensor
    lower_end: Tensor
    """Where the source's lids are, on the driver's face."""
    closed: Tensor
    """(B, 1) the share of the source's opening that the driver has not."""
    known: Tensor
    """(B,)."""

    @property
    def spare(self) -> Tensor:
        """How far outside the source's lids the skin comes from that covers the eye."""
        along = (self.u + BEYOND) / (1 + 2 * BEYOND)
        return MARGIN * self.closed * smoothstep(torch.minimum(along, 1 - along) / EDGE)


def with_open_lids(source: Tensor, driving: Tensor, scale: Tensor) -> Tensor:
    """The driving landmarks (B, 70, 2) with lids as open as the source's; eyes that are not known stay as they are.

    scale (B,): size of the source's face over the driver's.
    """
    points = list(driving.unbind(1))
    for eye in layout.EYES:
        there = known_in_both(source, driving, eye)[:, None]
        mine, theirs = eye_axes(driving, eye), eye_axes(source, eye)
        along, across = theirs.local(source[:, list(eye)].nan_to_num(0.0, 0.0, 0.0))
        across = across * _widths(mine, theirs, scale)
        places = mine.corner[:, None] + mine.way(along, across)
        for k in (*UPPER, *LOWER):
            points[eye[k]] = torch.where(there, places[:, k], driving[:, eye[k]])
    return torch.stack(points, dim=1)


def with_seen_lids(source: Tensor, driving: Tensor, scale: Tensor) -> Tensor:
    """The driving landmarks (B, 70, 2) with lids as near as they look; eyes that are not known stay as they are.

    Detectors leave `LIDS_CLOSED` between lids that have met, so a blink that follows its landmarks stays a slit. The
    more of the source's opening is closed, the more of that is taken away, by its square: at rest nothing changes, and
    little where a nod makes eyes narrower.
    scale (B,): size of the source's face over the driver's.
    """
    points = list(driving.unbind(1))
    for eye in layout.EYES:
        mine, theirs = eye_axes(driving, eye), eye_axes(source, eye)
        larger = _widths(mine, theirs, scale)
        gap = LIDS_CLOSED * larger.clamp(min=1)  # a turn makes an eye narrower, and not its lids nearer
        here, there = aperture(mine, driving, eye), aperture(theirs, source, eye) * larger
        closed = ((there - here) / (there - gap).clamp(min=LEAST)).clamp(0, 1)
        share = (1 - gap * closed**2 / here.clamp(min=1e-6)).clamp(0, 1)
        share = torch.where(known_in_both(source, driving, eye)[:, None], share, 1.0)
        for upper, lower in zip(UPPER, LOWER, strict=True):
            top, bottom = driving[:, eye[upper]], driving[:, eye[lower]]
            meeting = bottom + MEETING * (top - bottom)
            points[eye[upper]], points[eye[lower]] = (meeting + share * (lid - meeting) for lid in (top, bottom))
    return torch.stack(points, dim=1)


def behind_lids(source: Tensor, driving: Tensor, eye: tuple[int, ...], grid: Tensor, turned: Tensor) -> Tensor:
    """What is to be added to the displacement `turned` (B, h, w, 2) of an eyeball on grid (h, w, 2): (B, h, w, 2).

    An eye that looks elsewhere than the source's shows what the source hides behind its lids; there the nearest place
    between these is taken. It fades out within `AROUND` eye widths of the driver's eye, and is nothing at rest.
    """
    mine, theirs = eye_axes(driving, eye), eye_axes(source, eye)
    here = _way_between(mine, driving, eye, grid.reshape(1, -1, 2))
    there = _way_between(theirs, source, eye, (grid + turned).flatten(1, 2))
    share = (1 - (here[0].abs() + here[1].abs()) / AROUND).clamp(min=0)
    return theirs.way(*(share * (b - a) for a, b in zip(here, there, strict=True))).reshape(turned.shape)


def _way_between(axes: Axes, points: Tensor, eye: tuple[int, ...], places: Tensor) -> tuple[Tensor, Tensor]:
    """How far along and across it is from places (B, N, 2) into an eye: (B, N) each in widths, 0 between its lids."""
    u, v = axes.local(places)
    along = u.clamp(0, 1)
    gap = Gap.between(v, *lid_edges(axes, points, eye, along))
    return along - u, torch.minimum(torch.maximum(v, gap.upper), gap.lower) - v


def lid_motion(source: Tensor, driving: Tensor, scale: Tensor, grid: Tensor) -> Tensor:
    """What is to be added to the displacement from landmarks `with_open_lids` to the source, on grid (h, w, 2).

    Returns (B, h, w, 2). Zero outside the eyes' own columns, and where an eye is not known.
    """
    right, left = (
        _motion(_eye(source, driving, scale, grid, eye), eye_axes(source, eye), scale, grid) for eye in layout.EYES
    )
    return right + left


def draw_lashes(image: Tensor, source: Tensor, driving: Tensor, scale: Tensor, grid: Tensor) -> Tensor:
    """The image (B, 3, h, w) on `grid`, darker along upper lids that have closed: the skin brings no lashes with it."""
    for eye in layout.EYES:
        at = _eye(source, driving, scale, grid, eye)
        within = smoothstep(at.u * (1 - at.u) / 0.1)
        line = torch.exp(-(((at.gap.v - at.gap.upper) / LASH_WIDTH) ** 2))
        shade = torch.where(at.known[:, None], LASHES * at.closed * within * line, 0.0)
        image = image * (1 - shade.reshape(source.shape[0], 1, *grid.shape[:2]))
    return image


def _motion(eye: _Eye, theirs: Axes, scale: Tensor, grid: Tensor) -> Tensor:
    v, upper, lower = eye.gap
    up, down = (
        way.clamp(-FARTHEST, FARTHEST) for way in (eye.upper_end - eye.spare - upper, eye.lower_end + eye.spare - lower)
    )
    above = up * (1 - (upper - v) / (REACH + (-up).clamp(min=0))).clamp(0, 1)
    below = down * (1 - (v - lower) / (REACH + down.clamp(min=0))).clamp(0, 1)
    wider_up, wider_down = (eye.upper_end - upper).clamp(min=0), (eye.lower_end - lower).clamp(max=0)
    inside = ((v - upper) / (lower - upper).clamp(min=1e-6)).clamp(0, 1)
    eyeball = wider_up + (wider_down - wider_up) * inside  # stretched where the eye opens further than the source's
    move = eye.gap.choose(above, eyeball, below)
    move = torch.where(eye.known[:, None], move * (scale * eye.axes.width)[:, None], 0.0)
    return (move[..., None] * theirs.across[:, None]).reshape(scale.shape[0], *grid.shape)


def _eye(source: Tensor, driving: Tensor, scale: Tensor, grid: Tensor, eye: tuple[int, ...]) -> _Eye:
    mine, theirs = eye_axes(driving, eye), eye_axes(source, eye)
    u, v = mine.local(grid.reshape(1, -1, 2))
    gap = Gap.between(v, *lid_edges(mine, driving, eye, u))
    larger = _widths(mine, theirs, scale)
    here, there = aperture(mine, driving, eye), aperture(theirs, source, eye) * larger
    closed = ((there - here) / there.clamp(min=LEAST)).clamp(0, 1)
    ends = Gap.between(v, *(larger * lid for lid in lid_edges(theirs, source, eye, u, BEYOND * closed)))
    return _Eye(mine, u, gap, ends.upper, ends.lower, closed, known_in_both(source, driving, eye))


def _widths(mine: Axes, theirs: Axes, scale: Tensor) -> Tensor:
    """(B, 1) width of the source's eye over the driver's, both on the driver's face."""
    return (theirs.width / (scale * mine.width))[:, None]


def aperture(axes: Axes, points: Tensor, eye: tuple[int, ...]) -> Tensor:
    """(B, 1) mean distance between the lids, in eye widths."""
    upper, lower = (axes.local(points[:, [eye[k] for k in lid]].nan_to_num(0.0, 0.0, 0.0))[1] for lid in (UPPER, LOWER))
    return (lower - upper).mean(-1, keepdim=True)


def openness(axes: Axes, points: Tensor, eye: tuple[int, ...]) -> Tensor:
    """Whether an eye shows its pupil, 0 to 1: (B, 1)."""
    return smoothstep((aperture(axes, points, eye) - CLOSED) / (OPEN - CLOSED))


def lid_edges(
    axes: Axes, points: Tensor, eye: tuple[int, ...], u: Tensor, beyond: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Where the upper and the lower lid are across, at places u (B, N) along the eye: (B, N) each; 0 beyond corners."""
    edges = (points[:, [eye[k] for k in (0, *lid, 3)]].nan_to_num(0.0, 0.0, 0.0) for lid in (UPPER, LOWER))
    upper, lower = (axes.edge(edge, u, beyond) for edge in edges)
    return upper, lower


def eye_axes(points: Tensor, eye: tuple[int, ...]) -> Axes:
    """From the first corner of an eye to the second."""
    return Axes.between(points[:, eye[0]].nan_to_num(0.0, 0.0, 0.0), points[:, eye[3]].nan_to_num(0.0, 0.0, 0.0))
