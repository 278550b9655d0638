"""Black bars around the picture: letterbox and pillarbox."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from s2d.geometry import Array, Image

BLACK = 20.0  # grey levels; a bar coded as video black comes out at 0, or at 16 where its range was misread
POOL = 8  # pixels along a line that are averaged, against noise and the ringing of the codec


@dataclass(frozen=True)
class Bars:
    """Widths of the black borders in pixels of the video; all 0 where there are none."""

    left: int
    top: int
    right: int
    bottom: int

    def share(self, width: int, height: int) -> float:
        """The part of the picture that they cover, 0 to 1.

        >>> Bars(0, 10, 0, 10).share(200, 100)
        0.2
        """
        shown = (width - self.left - self.right) * (height - self.top - self.bottom)
        return (width * height - shown) / (width * height)


class BarMeter:
    """Finds bars in frames of one size: lines at the border that are black from end to end in every frame given.

    A picture whose own border is black and stays so, such as a portrait before a black wall, cannot be told from one
    with bars. Blurred or coloured filling is not found.
    """

    def __init__(self) -> None:
        self._rows: Array | None = None
        self._columns: Array | None = None

    def update(self, frame: Image) -> None:
        """Take in a frame (H, W, 3)."""
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
        height, width = luma.shape
        across = cv2.resize(luma, (max(1, width // POOL), height), interpolation=cv2.INTER_AREA).max(axis=1)
        along = cv2.resize(luma, (width, max(1, height // POOL)), interpolation=cv2.INTER_AREA).max(axis=0)
        self._rows = across if self._rows is None else np.maximum(self._rows, across)
        self._columns = along if self._columns is None else np.maximum(self._columns, along)

    def bars(self) -> Bars:
        """The bars so far; none in a picture that is black all over."""
        if self._rows is None or self._columns is None:
            return Bars(0, 0, 0, 0)
        top, bottom = _dark_ends(self._rows)
        left, right = _dark_ends(self._columns)
        return Bars(left, top, right, bottom)


def _dark_ends(brightest: Array) -> tuple[int, int]:
    """Number of dark lines at the beginning and at the end."""
    (lit,) = np.nonzero(brightest > BLACK)
    return (int(lit[0]), len(brightest) - 1 - int(lit[-1])) if len(lit) else (0, 0)
