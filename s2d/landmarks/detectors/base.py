"""What every landmark detector gives: faces per frame, in the `ibug70` layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from s2d.geometry import Float32, Floats, Image


@dataclass(frozen=True)
class Face:
    """One face in one frame, in frame pixels ((0, 0) is the centre of the top-left pixel)."""

    box: Float32
    """(4,) x0, y0, x1, y1: tight around those of the 68 iBUG points that are known."""
    points: Float32
    """(70, 2) in `ibug70` order; NaN where the detector has no such point."""
    score: float
    """Confidence that this is a face, calibrated to [0, 1]."""
    valid: npt.NDArray[np.bool_]
    """(70,) False where `points` is NaN."""

    @staticmethod
    def of_points(points: Floats, score: float) -> Face:
        """The face with these landmarks (70, 2), some NaN; box and validity follow from them."""
        contour = points[:68] if np.isfinite(points[:68]).any() else points
        box = np.concatenate([np.nanmin(contour, axis=0), np.nanmax(contour, axis=0)]).astype(np.float32)
        return Face(box, points.astype(np.float32), float(score), np.isfinite(points[:, 0] + points[:, 1]))


class Detector(Protocol):
    """A landmark detector. Instances hold loaded models; they are cheap to call and are not shared by threads."""

    name: str
    version: str
    """Version of weights and decoding; written into every data set."""

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        """Faces of each RGB frame (H, W, 3) uint8, largest first; an empty list where there is no face."""
        ...


@runtime_checkable
class Follows(Protocol):
    """A detector that does better, or is faster, when it knows what the frames before have shown."""

    def follow(self) -> Detector:
        """The detector for the frames of one shot, given in order, in any number of calls."""
        ...


def for_shot(detector: Detector) -> Detector:
    """What to give the frames of one shot to, in order; the detector itself where it takes frame by frame alone."""
    return detector.follow() if isinstance(detector, Follows) else detector
