"""The animated square laid back into its photo, so that no seam shows.

Mixing a moved picture with a still one shows hair and shoulders twice. So it is the motion that dies away towards the
border of the square: hair and neck stretch a little, and the outermost pixels are the photo's own. The pictures are
mixed only in the outer part of that zone, where hardly anything moves, to hide what resampling does to sharpness.
"""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
import torch

from s2d.geometry import Crop, Float32, Image
from s2d.models.animator import AnimatorOutput
from s2d.models.runtime import GraphOutput

FADE = 0.16  # of the square's side; motion grows over it from nothing to its whole. The face begins at 0.1 to 0.3
MIX = 0.05  # of the side; where the result takes over from the photo
LONGEST = 4096  # pixels: what the decoders of most telephones and browsers take
MOST_PIXELS = 4096 * 2304  # H.264 level 5.2
Moving = TypeVar("Moving", AnimatorOutput, GraphOutput)


def fit_for_video(photo: Image) -> Image:
    """The photo (H, W, 3), shrunk where it has more than 4096 pixels a side or 9.4 megapixels: players stop there."""
    height, width = photo.shape[:2]
    scale = min(1.0, LONGEST / max(height, width), (MOST_PIXELS / (height * width)) ** 0.5)
    if scale == 1.0:
        return photo
    size = max(2, int(width * scale)), max(2, int(height * scale))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))


def share_within(photo: Image, crop: Crop, size: int, width: float) -> Float32:
    """How far inside the crop its pixels lie, (size, size): from 0 at its border or the photo's to 1 at `width` x side.

    Smooth, so that what is multiplied by it has no crease.
    """
    down, across = (
        _ramp(size, -start / (crop.side - 1), (length - 1 - start) / (crop.side - 1), width)
        for start, length in zip((crop.top, crop.left), photo.shape, strict=False)
    )
    return down[:, None] * across


def _ramp(size: int, start: float, stop: float, width: float) -> Float32:
    """One axis of `share_within`; the part of the crop from `start` to `stop` lies in the photo."""
    at = np.linspace(0, 1, size, dtype=np.float32)
    inside = np.minimum(at - max(0.0, start), min(1.0, stop) - at)
    share = np.clip(inside / width, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def hold_border(output: Moving, share: torch.Tensor) -> Moving:
    """The same motion and painting for a Renderer, each pixel's reduced to its `share` (S, S); `image` stays."""
    smooth = output.smooth * share[..., None]
    return output._replace(smooth=smooth, painted=output.painted * share, sheets=output.sheets * share)


class Paste:
    """Lays pictures of a crop, at any resolution, into the photo (H, W, 3) that it was cut from."""

    def __init__(self, photo: Image, crop: Crop) -> None:
        height, width = photo.shape[:2]
        self._photo, self._crop = photo, crop
        rows = max(0, crop.top), min(height, crop.top + crop.side)
        columns = max(0, crop.left), min(width, crop.left + crop.side)
        self._place = slice(*rows), slice(*columns)
        self._visible = tuple(
            slice(start - edge, stop - edge)
            for (start, stop), edge in zip((rows, columns), (crop.top, crop.left), strict=True)
        )
        self._share = share_within(photo, crop, crop.side, MIX)[self._visible][..., None]

    def frame(self, result: Image) -> Image:
        """The photo with `result` (size, size, 3) in the place of the crop.

        Resampling square to square is the inverse of `Crop.matrix`: a pixel comes back to where it was cut out.
        """
        size, side = len(result), self._crop.side
        smooth = cv2.INTER_AREA if size > side else cv2.INTER_CUBIC
        square = result if size == side else cv2.resize(result, (side, side), interpolation=smooth)
        whole: Image = self._photo.copy()
        before = whole[self._place]
        mixed = before + self._share * (square[self._visible].astype(np.float32) - before)
        whole[self._place] = mixed.round().astype(np.uint8)
        return whole
