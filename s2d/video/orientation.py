"""How stored pixels are turned for display: the display matrix that telephones write instead of turning pixels."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np

from s2d.geometry import Image


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture down: first the transposition, then the flips."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @property
    def rotation(self) -> int:
        """Degrees clockwise, 0, 90, 180 or 270; a mirrored picture is counted as mirrored left to right first.

        >>> Orientation(transpose=True, flip_columns=True).rotation
        90
        """
        if self.transpose:
            return 90 if self.flip_columns else 270
        return 180 if self.flip_rows else 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Displayed (width, height) of a stored picture."""
        return (height, width) if self.transpose else (width, height)

    def upright(self, image: Image) -> Image:
        """Stored (H, W, 3) to displayed; contiguous."""
        image = image.swapaxes(0, 1) if self.transpose else image
        image = image[::-1] if self.flip_rows else image
        return np.ascontiguousarray(image[:, ::-1] if self.flip_columns else image)


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """The orientation a decoded frame carries; an oblique angle counts as the nearest quarter turn.

    ISO 14496-12, 6.2.2: a stored point (x, y) is displayed at (a x + c y, b x + d y), up to a shift.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].astype(np.float64)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, flip_rows=bool(d < 0), flip_columns=bool(a < 0))
    return Orientation(True, flip_rows=bool(b < 0), flip_columns=bool(c < 0))
