"""What is measured of a video as a whole, while its frames pass for the first time."""

from __future__ import annotations

from typing import Any

import numpy as np

from s2d.curation.clip import Box
from s2d.curation.fingerprint import MOMENTS, Thumbnails, fingerprint
from s2d.curation.letterbox import BarMeter, Bars
from s2d.geometry import Image
from s2d.video import VideoReader


class Survey:
    """Shown frames `first` to `stop` - 1 of a video in order; keeps thumbnails only.

    `box`: left, top, right, bottom, as shares of width and height, of what the fingerprint is to be of; clips of
    several people who are seen at the same time are no copies of each other.
    """

    def __init__(self, reader: VideoReader, first: int = 0, stop: int | None = None, box: Box | None = None) -> None:
        self._size, self._box = (reader.width, reader.height), box
        elapsed = reader.times[first:stop] - reader.times[first]
        share = elapsed / (elapsed[-1] + 1 / reader.fps)
        self._moments = iter(np.minimum(share * MOMENTS, MOMENTS - 1).astype(int).tolist())
        self._moment = -1
        self._thumbnails, self._bars = Thumbnails(), BarMeter()

    def update(self, frame: Image) -> None:
        """Take in the next frame (H, W, 3)."""
        moment = next(self._moments)
        self._thumbnails.update(self._in_box(frame), moment)
        if moment != self._moment:  # some frames tell of bars as well as all
            self._bars.update(frame)
        self._moment = moment

    def _in_box(self, frame: Image) -> Image:
        if self._box is None:
            return frame
        size = np.array(self._size)
        first = np.clip(np.array(self._box[:2]) * size, 0, size - 1).astype(int)
        stop = np.clip(np.array(self._box[2:]) * size, first + 1, size).astype(int)
        return frame[first[1] : stop[1], first[0] : stop[0]]

    def measures(self) -> dict[str, Any]:
        """Columns of the videos table."""
        bars = self._bars.bars()
        shown = Bars(0, 0, 0, 0) if self._box else bars
        return {
            "bar_left": bars.left,
            "bar_top": bars.top,
            "bar_right": bars.right,
            "bar_bottom": bars.bottom,
            "bar_share": bars.share(*self._size),
            "fingerprint": fingerprint(self._thumbnails.volume(), shown, *self._size),
        }
