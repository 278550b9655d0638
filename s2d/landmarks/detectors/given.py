"""Landmarks that are there already, in the place of a detector: for what another program found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s2d.geometry import Floats, Image
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.layout import padded


class GivenLandmarks:
    """Gives row after row of landmarks (T, 68 or 70, 2), whatever the frames show; a row of NaN is a missed face.

    For one pass over one video, from its first frame. Raises ValueError for points of another shape, and when more
    frames are asked for than there are rows.
    """

    version = "1"

    def __init__(self, points: Floats, name: str = "given") -> None:
        self.name = name
        self._points, self._given = padded(points), 0

    def __len__(self) -> int:
        return len(self._points)

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        """The face of each of the next frames."""
        rows = self._points[self._given : self._given + len(frames)]
        if len(rows) < len(frames):
            raise ValueError(f"more frames than the {len(self)} rows of landmarks")
        self._given += len(frames)
        return [[Face.of_points(row, 1.0)] if np.isfinite(row).any() else [] for row in rows]
