"""What is measured of a video as a whole, while its frames pass for the first time."""

from __future__ import annotations

from typing import Any

import numpy as np

from s2d.curation.fingerprint import MOMENTS, Thumbnails, fingerprint
from s2d.curation.letterbox import BarMeter
from s2d.geometry import Image
from s2d.video import VideoReader


class Survey:
    """Shown all frames of a video in order; keeps thumbnails only."""

    def __init__(self, reader: VideoReader) -> None:
        self._size = reader.width, reader.height
        elapsed = reader.times - reader.times[0]
        share = elapsed / (elapsed[-1] + 1 / reader.fps)
        self._moments = iter(np.minimum(share * MOMENTS, MOMENTS - 1).astype(int).tolist())
        self._moment = -1
        self._thumbnails, self._bars = Thumbnails(), BarMeter()

    def update(self, frame: Image) -> None:
        """Take in the next frame (H, W, 3)."""
        moment = next(self._moments)
        self._thumbnails.update(frame, moment)
        if moment != self._moment:  # some frames tell of bars as well as all
            self._bars.update(frame)
        self._moment = moment

    def measures(self) -> dict[str, Any]:
        """Columns of the videos table."""
        bars = self._bars.bars()
        return {
            "bar_left": bars.left,
            "bar_top": bars.top,
            "bar_right": bars.right,
            "bar_bottom": bars.bottom,
            "bar_share": bars.share(*self._size),
            "fingerprint": fingerprint(self._thumbnails.volume(), bars, *self._size),
        }
