"""A part of a long video, as data sets publish them: a range of time or frames, and perhaps whose face is meant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s2d.errors import S2DError
from s2d.geometry import Floats

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Clip:
    """The range `start` <= t < `end` of a video, in seconds of presentation time or in frame numbers."""

    start: float
    end: float
    in_frames: bool = False
    """The range is in frame numbers, from 0, not in seconds."""
    box: Box | None = None
    """Where the meant face is: left, top, right, bottom as shares of the displayed width and height; None for all."""

    @property
    def label(self) -> str:
        """Its name within its video; clips of one range are told apart by the centre of their box.

        >>> Clip(12, 20.5).label, Clip(0, 272, in_frames=True).label, Clip(1, 2, box=(0.2, 0.1, 0.4, 0.5)).label
        ('12.0-20.5', '0-272f', '1.0-2.0@0.300,0.300')
        """
        span = f"{self.start:.0f}-{self.end:.0f}f" if self.in_frames else f"{_seconds(self.start)}-{_seconds(self.end)}"
        if self.box is None:
            return span
        left, top, right, bottom = self.box
        return f"{span}@{(left + right) / 2:.3f},{(top + bottom) / 2:.3f}"

    def frames(self, times: npt.NDArray[np.float64]) -> tuple[int, int]:
        """First frame of the clip and the one after its last, in a video with frames at `times` (N,) seconds.

        A clip that runs on past the end of the video is cut there. Raises S2DError when no frame is inside.
        """
        edges = np.array([self.start, self.end])
        first, stop = (
            (edges if self.in_frames else np.searchsorted(times, edges - 1e-6)).clip(0, len(times)).astype(int)
        )
        if first >= stop:
            remedy = f"the video has {len(times)} frames up to {times[-1]:.2f} s: is it the right file, and whole?"
            raise S2DError(f"cannot cut {self.label}", "no frame in the clip's range", remedy)
        return int(first), int(stop)

    def box_share(self, boxes: Floats, width: int, height: int) -> float | None:
        """Share of face boxes (T, 4) in pixels, NaN where missed, whose centre is in `box`; None without a box."""
        if self.box is None:
            return None
        found = boxes[np.isfinite(boxes).all(axis=1)]
        centres = (found[:, :2] + found[:, 2:]) / 2 / (width, height)
        left, top, right, bottom = self.box
        inside = np.all((centres >= (left, top)) & (centres <= (right, bottom)), axis=1)
        return float(np.mean(inside)) if len(found) else 0.0


def _seconds(value: float) -> str:
    """Milliseconds are as fine as data sets are cut."""
    return str(round(float(value), 3))
