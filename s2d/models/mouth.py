"""A mouth in its own coordinates: the edges of its lips, and how far it is open."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from s2d.landmarks import layout
from s2d.models.axes import Axes

OUTER, INNER = layout.PARTS["outer_lips"], layout.PARTS["inner_lips"]  # clockwise on the screen from the first corner
OUTER_UPPER, OUTER_LOWER = (*OUTER[0:7],), (OUTER[0], *OUTER[:5:-1])
INNER_UPPER, INNER_LOWER = (*INNER[0:5],), (INNER[0], *INNER[:3:-1])
EYE_CORNERS = tuple(eye[k] for eye in layout.EYES for k in (0, 3))
AROUND_LIPS = 0.15  # mouth widths beyond the lips over which their own motion gives way to the smooth field
NOSTRILS = layout.PARTS["nose_base"][2]  # the point between them
NEEDED = [*OUTER, *INNER, *EYE_CORNERS, NOSTRILS]


class Mouth(NamedTuple):
    """Lips in the axes of the outer corners, along from corner to corner and across, in mouth widths."""

    axes: Axes
    points: Tensor
    """(B, 70, 2) all landmarks, 0 where not known."""

    @staticmethod
    def of(points: Tensor) -> Mouth:
        """Points (B, 70, 2) normalised; any mouth where they are not known."""
        points = points.nan_to_num(0.0, 0.0, 0.0)
        return Mouth(Axes.between(points[:, OUTER[0]], points[:, OUTER[6]]), points)

    def inner_edges(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Where the lips part, of the upper and of the lower one, across at places u (B, N) along: (B, N) each."""
        upper, lower = self.axes.edges(self.points[:, [INNER_UPPER, INNER_LOWER]], u, rounded=True).unbind(1)
        return upper, lower

    def outer_edges(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Where the lips end above and below, likewise."""
        top, bottom = self.axes.edges(self.points[:, [OUTER_UPPER, OUTER_LOWER]], u).unbind(1)
        return top, bottom

    @property
    def opening(self) -> Tensor:
        """(B,) mean distance of the inner lips, in mouth widths; 0 where they touch or have crossed."""
        edges = (self.points[:, list(edge[1:-1])] for edge in (INNER_UPPER, INNER_LOWER))
        upper, lower = (self.axes.local(edge)[1] for edge in edges)
        return (lower - upper).mean(-1).clamp(min=0)

    @property
    def widths_by_height(self) -> Tensor:
        """(B,) the mouth's width over the way from the eyes to the nostrils, which no turn to a side shortens."""
        eyes = self.points[:, list(EYE_CORNERS)].mean(1)
        height = ((self.points[:, NOSTRILS] - eyes) ** 2).sum(-1).clamp(min=1e-12).sqrt()
        return self.axes.width / height
