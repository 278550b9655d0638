"""Both eyes of a source and of its driver, in their own coordinates: where lids are, and how far they are open."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.landmarks.retarget import LIDS_CLOSED, MEETING
from s2d.models.axes import Axes
from s2d.models.blocks import smoothstep
from s2d.models.box import Box, box_around

LANDMARKS = ((*layout.EYES[0], layout.RIGHT_PUPIL), (*layout.EYES[1], layout.LEFT_PUPIL))
UPPER, LOWER, PUPIL = (1, 2), (5, 4), 6  # of an eye's landmarks, lids from the first corner to the second
LIDS = slice(layout.EYES[0][0], layout.EYES[1][-1] + 1)  # of a face's landmarks: one eye's after the other's
LEAST = 0.1  # eye widths beyond `LIDS_CLOSED` that a source is open to be closed wholly: what is shut stays as it is
CLOSED, OPEN = 0.05, 0.1  # aperture over eye width below which a lid hides the pupil, and from which it does not


class Eyes(NamedTuple):
    """Of B faces all right eyes, then all left ones: E = 2 B."""

    source: Tensor
    """(E, 7, 2) normalised: six landmarks and the pupil, 0 where not known."""
    driving: Tensor
    """(E, 7, 2)."""
    theirs: Axes
    """The source's, from the first corner to the second."""
    mine: Axes
    """The driver's."""
    larger: Tensor
    """(E, 1) width of the source's eye over the driver's, both on the driver's face."""
    known: Tensor
    """(E,) whether both have the six landmarks."""
    looking: Tensor
    """(E,) whether both have the pupil, too."""

    @staticmethod
    def of(source: Tensor, driving: Tensor, scale: Tensor) -> Eyes:
        """Points (B, 70, 2) normalised, NaN where not known; scale (B,) of the source's face over the driver's."""
        there, here = (_one_after_another(points) for points in (source, driving))
        finite = torch.isfinite(there + here).all(-1)
        there, here = (points.nan_to_num(0.0, 0.0, 0.0) for points in (there, here))
        theirs, mine = (Axes.between(points[:, 0], points[:, 3]) for points in (there, here))
        larger = theirs.width / (scale.repeat(2) * mine.width)
        return Eyes(there, here, theirs, mine, larger[:, None], finite[:, :PUPIL].all(-1), finite.all(-1))

    @property
    def apertures(self) -> tuple[Tensor, Tensor]:
        """(E, 1) each, of source and driver, in the driver's eye widths."""
        return aperture(self.theirs, self.source) * self.larger, aperture(self.mine, self.driving)

    @property
    def openness(self) -> Tensor:
        """Whether both eyes show their pupils, 0 to 1: (E, 1)."""
        there, here = aperture(self.theirs, self.source), aperture(self.mine, self.driving)
        shown, open_ = (smoothstep((opening - CLOSED) / (OPEN - CLOSED)) for opening in (there, here))
        return shown * open_

    def seen(self) -> Eyes:
        """With the driver's lids as near as they look; eyes that are not known stay as they are.

        Detectors leave `LIDS_CLOSED` between lids that have met, so a blink that follows its landmarks stays a slit.
        The more of the source's opening is closed, the more of that is taken away, by its square: at rest nothing
        changes, and little where a nod makes eyes narrower.
        """
        gap = LIDS_CLOSED * self.larger.clamp(min=1)  # a turn makes an eye narrower, and not its lids nearer
        there, here = self.apertures
        closed = ((there - here) / (there - gap).clamp(min=LEAST)).clamp(0, 1)
        share = (1 - gap * closed**2 / here.clamp(min=1e-6)).clamp(0, 1)
        share = torch.where(self.known[:, None], share, 1.0)[..., None]
        top, bottom = self.driving[:, UPPER], self.driving[:, LOWER]
        meeting = bottom + MEETING * (top - bottom)
        upper, lower = (meeting + share * (lid - meeting) for lid in (top, bottom))
        first, second, pupil = (self.driving[:, [k]] for k in (0, 3, PUPIL))
        return self._replace(driving=torch.cat([first, upper, second, lower.flip(1), pupil], dim=1))


def with_open_lids(driving: Tensor, eyes: Eyes) -> Tensor:
    """The driving landmarks (B, 70, 2) with lids as open as the source's; eyes that are not known stay as they are."""
    along, across = eyes.theirs.local(eyes.source[:, :PUPIL])
    places = eyes.mine.corner[:, None] + eyes.mine.way(along, across * eyes.larger)
    known = eyes.known[:, None, None].expand(-1, PUPIL, 1)
    places, known = (torch.cat([*apart(both)], dim=1) for both in (places, known))
    lids = torch.where(known, places, driving[:, LIDS])
    return torch.cat([driving[:, : LIDS.start], lids, driving[:, LIDS.stop :]], dim=1)


def aperture(axes: Axes, eye: Tensor) -> Tensor:
    """(E, 1) mean distance between the lids of eyes (E, 7, 2), in eye widths."""
    upper, lower = axes.local(eye[:, (*UPPER, *LOWER)])[1].chunk(2, dim=1)
    return (lower - upper).mean(-1, keepdim=True)


def lid_edges(axes: Axes, eye: Tensor, u: Tensor, beyond: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Where upper and lower lids of eyes (E, 7, 2) are across, at places u (E, N) along: (E, N) each; 0 beyond corners.

    With `beyond` (E, 1) they go on so many widths beyond the corners.
    """
    edges = torch.stack([eye[:, (0, *lid, 3)] for lid in (UPPER, LOWER)], dim=1)
    upper, lower = axes.edges(edges, u, beyond).unbind(1)
    return upper, lower


def box_around_eyes(driving: Tensor, margin: float, height: int, width: int) -> Box:
    """The nodes of a grid around both eyes of all faces (B, 70, 2), with a margin in widths of the wider one."""
    ends = [(eye[0], eye[3]) for eye in layout.EYES]
    return box_around(driving, [*layout.EYES[0], *layout.EYES[1]], margin, ends, (height, width))


def apart(eyes: Tensor) -> Tensor:
    """What holds of E eyes, (E, ...): that of the right ones and of the left ones, (2, B, ...)."""
    return eyes.reshape(2, eyes.shape[0] // 2, *eyes.shape[1:])


def _one_after_another(points: Tensor) -> Tensor:
    """Points (B, 70, 2) -> those of the eyes, (E, 7, 2)."""
    return torch.cat([points[:, eye] for eye in LANDMARKS])
