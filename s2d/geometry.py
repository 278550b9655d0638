"""Coordinates: similarity and affine fits, pixels and normalised units, crop boxes (numpy; torch twins beside it).

Pixel coordinates are (x, y) with (0, 0) at the CENTRE of the top-left pixel. Normalised coordinates are
u = 2x / (W - 1) - 1, the convention of `grid_sample(align_corners=True)`. No other module converts.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]
Image = npt.NDArray[np.uint8]


def similarity_fit(source: Floats, target: Floats, weights: Floats | None = None) -> Array:
    """Least-squares similarity (rotation, scale, translation; no reflection) taking `source` to `target`.

    Points are (..., N, 2); weights (..., N) default to 1. Points that are NaN on either side do not count.
    Returns matrices (..., 2, 3). With fewer than two distinct points: the translation alone.
    Written as a complex linear regression, z' = a z + b (equal to Umeyama 1991 in two dimensions).

    >>> square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> similarity_fit(square, square * 2 + 3).round(6)
    array([[ 2., -0.,  3.],
           [ 0.,  2.,  3.]])
    """
    z, target_z = _complex(source), _complex(target)
    weight = np.ones(z.shape) if weights is None else np.broadcast_to(weights, z.shape).astype(float)
    weight = np.where(np.isfinite(z) & np.isfinite(target_z), weight, 0.0)
    z, target_z = np.where(weight > 0, z, 0), np.where(weight > 0, target_z, 0)
    total = np.maximum(weight.sum(-1, keepdims=True), 1e-12)
    z_mean = (weight * z).sum(-1, keepdims=True) / total
    target_mean = (weight * target_z).sum(-1, keepdims=True) / total
    spread = (weight * abs(z - z_mean) ** 2).sum(-1)
    cross = (weight * np.conj(z - z_mean) * (target_z - target_mean)).sum(-1)
    a = np.where(spread > 1e-12, cross / np.maximum(spread, 1e-12), 1.0)
    b = target_mean[..., 0] - a * z_mean[..., 0]
    return np.stack([np.stack([a.real, -a.imag, b.real], -1), np.stack([a.imag, a.real, b.imag], -1)], -2)


def _complex(points: Floats) -> npt.NDArray[np.complex128]:
    points = np.asarray(points, dtype=np.float64)
    return points[..., 0] + 1j * points[..., 1]


def apply(matrix: Floats, points: Floats) -> Array:
    """Transform points (..., N, 2) by affine matrices (..., 2, 3).

    >>> apply(np.array([[1.0, 0, 5], [0, 1, -1]]), np.array([[2.0, 3.0]]))
    array([[7., 2.]])
    """
    points = np.asarray(points, dtype=np.float64)
    return points @ np.swapaxes(matrix[..., :2], -1, -2) + matrix[..., None, :, 2]


def invert(matrix: Floats) -> Array:
    """Inverse of affine matrices (..., 2, 3).

    >>> invert(np.array([[2.0, 0, 4], [0, 2, 6]]))
    array([[ 0.5,  0. , -2. ],
           [ 0. ,  0.5, -3. ]])
    """
    linear = np.linalg.inv(matrix[..., :2].astype(np.float64))
    return np.concatenate([linear, -linear @ matrix[..., 2:]], axis=-1)


def to_normalized(points: Floats, width: int, height: int) -> Array:
    """Pixels (..., 2) to normalised coordinates in [-1, 1] over an image of this size.

    >>> to_normalized(np.array([[0.0, 0.0], [63.0, 31.5]]), 64, 64)
    array([[-1., -1.],
           [ 1.,  0.]])
    """
    return 2.0 * np.asarray(points, dtype=np.float64) / (np.array([width, height]) - 1.0) - 1.0


def to_pixels(points: Floats, width: int, height: int) -> Array:
    """Normalised coordinates (..., 2) to pixels of an image of this size; inverse of `to_normalized`."""
    return (np.asarray(points, dtype=np.float64) + 1.0) * (np.array([width, height]) - 1.0) / 2.0


def median_over_frames(points: Array) -> Array:
    """Median of points (T, N, 2) over the frames, (N, 2); NaN, without a warning, only for what is never known.

    >>> median_over_frames(np.array([[[1.0, 2.0]], [[np.nan, 4.0]], [[3.0, 9.0]]]))
    array([[2., 4.]])
    """
    known = np.isfinite(points).any(axis=0)
    return np.where(known, np.nanmedian(np.where(known, points, 0.0), axis=0), np.nan)


# Up to this factor bilinear interpolation comes nearer to Lanczos than area averages do, in less time; "exact", because
# the other kind of OpenCV rounds down.
SHRINKS_WELL = 1.5


@dataclass(frozen=True)
class Crop:
    """A fixed square cut out of a frame: pixel columns left .. left + side - 1, rows top .. top + side - 1.

    May reach beyond the frame; the border pixels are repeated there.
    """

    left: int
    top: int
    side: int

    def matrix(self, size: int) -> Array:
        """Affine (2, 3) from frame pixels to the pixels of the crop resampled to size x size."""
        scale = size / self.side
        shift = 0.5 * scale - 0.5
        return np.array([[scale, 0, shift - scale * self.left], [0, scale, shift - scale * self.top]])

    def points(self, points: Floats, size: int) -> Float32:
        """Frame pixels (..., N, 2) to crop pixels."""
        return apply(self.matrix(size), points).astype(np.float32)

    def image(self, frame: Image, size: int) -> Image:
        """Cut and resample (H, W, 3) to (size, size, 3): area averages, against aliasing, beyond SHRINKS_WELL."""
        square = _padded_slice(frame, self)
        if self.side > SHRINKS_WELL * size:
            interpolation = cv2.INTER_AREA
        else:
            interpolation = cv2.INTER_LINEAR_EXACT if self.side > size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(square, (size, size), interpolation=interpolation))


def _padded_slice(frame: Image, crop: Crop) -> Image:
    height, width = frame.shape[:2]
    rows = np.clip(np.arange(crop.top, crop.top + crop.side), 0, height - 1)
    columns = np.clip(np.arange(crop.left, crop.left + crop.side), 0, width - 1)
    if rows[-1] - rows[0] == crop.side - 1 and columns[-1] - columns[0] == crop.side - 1:
        return np.ascontiguousarray(frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return np.ascontiguousarray(frame[rows[:, None], columns[None, :]])


def square_crop(boxes: Floats, margin: float) -> Crop:
    """The smallest square around all boxes (N, 4) as x0, y0, x1, y1, widened on each side by `margin` x its side.

    >>> square_crop(np.array([[10.0, 10, 30, 20], [20, 10, 50, 50]]), 0.25)
    Crop(left=0, top=0, side=60)
    """
    x0, y0 = boxes[:, 0].min(), boxes[:, 1].min()
    x1, y1 = boxes[:, 2].max(), boxes[:, 3].max()
    side = max(2, round(float(max(x1 - x0, y1 - y0)) * (1 + 2 * margin)))
    return Crop(round(float(x0 + x1 - side) / 2), round(float(y0 + y1 - side) / 2), side)
