"""Square regions of a frame, turned with the face, and their sub-pixel crops."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from s2d.geometry import Array, Float32, Floats, Image


@dataclass(frozen=True)
class Region:
    """A square of `side` frame pixels around (x, y), turned by `angle` radians (its x axis points along `angle`)."""

    x: float
    y: float
    side: float
    angle: float = 0.0
    mirrored: bool = False
    """The crop is flipped from left to right."""

    def matrix(self, size: int) -> Array:
        """Affine (2, 3) from frame pixels to the pixels of a size x size crop; edges meet edges, centres are at +.5."""
        scale = size / self.side
        cosine, sine = scale * math.cos(self.angle), scale * math.sin(self.angle)
        linear = np.array([[cosine, sine], [-sine, cosine]])
        if self.mirrored:
            linear[0] *= -1
        middle = (size - 1) / 2
        return np.column_stack([linear, middle - linear @ [self.x, self.y]])


def along(start: Floats, end: Floats, centre: Floats, side: float, mirrored: bool = False) -> Region:
    """The region whose x axis runs parallel to the line from `start` to `end` (each (2,), frame pixels)."""
    dx, dy = np.asarray(end, float) - np.asarray(start, float)
    return Region(float(centre[0]), float(centre[1]), float(side), math.atan2(dy, dx), mirrored)


def cut(frame: Image, region: Region, size: int, outside: int = cv2.BORDER_REPLICATE) -> Float32:
    """Crop `region` of an RGB frame as (size, size, 3) float32 in 0 .. 255.

    Beyond the frame its border pixels are repeated; with `outside=cv2.BORDER_CONSTANT` it is black there.
    Bilinear interpolation folds fine detail into noise when it shrinks by two or more, so the part of the frame that
    is needed is first averaged over whole pixel blocks.
    """
    matrix = region.matrix(size)
    block = int(region.side / size)
    if block < 2:
        return _warp(frame, matrix, size, outside)
    shrunk, left, top = _shrunk_part(frame, region, block)
    # from pixels of the shrunk part to frame pixels, then on into the crop
    offset = (block - 1) / 2 + np.array([left, top])
    onward = np.column_stack([matrix[:, :2] * block, matrix[:, :2] @ offset + matrix[:, 2]])
    return _warp(shrunk, onward, size, outside)


def _shrunk_part(frame: Image, region: Region, block: int) -> tuple[Image, int, int]:
    """The region's surroundings averaged over block x block pixels, and the frame pixel of its top-left corner."""
    height, width = frame.shape[:2]
    reach = region.side * (abs(math.cos(region.angle)) + abs(math.sin(region.angle))) / 2 + block
    # the lattice of blocks belongs to the frame and does not move with the region: no flicker from its phase
    left = min(max(0, int((region.x - reach) // block)), (width - 1) // block) * block
    top = min(max(0, int((region.y - reach) // block)), (height - 1) // block) * block
    columns = max(1, min(width - left, math.ceil(2 * reach) + block) // block)
    rows = max(1, min(height - top, math.ceil(2 * reach) + block) // block)
    part = frame[top : top + rows * block, left : left + columns * block]
    return np.asarray(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA)), left, top


def _warp(image: Image, matrix: Array, size: int, outside: int) -> Float32:
    warped = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=outside)
    return np.asarray(warped, np.float32)
