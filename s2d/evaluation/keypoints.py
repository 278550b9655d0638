"""Landmarks found again in what a method made, and how far they are from those found in the true frames.

The same detector looks at both, at the same size, so that its own habits cancel; its noise is measured on the truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from s2d.geometry import Float32, Image
from s2d.images import decode_jpeg, encode_jpeg
from s2d.landmarks import layout
from s2d.landmarks.detectors.base import Detector, Face
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.expression import lid_apertures, pupil_offsets

SIDE = 256  # pixels: every picture is looked at, and every distance given, at this size
OPEN = 0.09  # lid opening over the inter-ocular distance from which a pupil can be seen
NOISE_QUALITY = 95  # of the JPEG that the truth goes through for the noise floor: what data sets store


def as_pictures(images: Tensor, side: int = SIDE) -> list[Image]:
    """(N, 3, S, S) in [0, 1] to N RGB uint8 pictures of side x side."""
    scaled = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    if scaled.shape[1] == side:
        return list(scaled)
    way = cv2.INTER_CUBIC if scaled.shape[1] < side else cv2.INTER_AREA
    return [np.asarray(cv2.resize(image, (side, side), interpolation=way)) for image in scaled]


def detect(pictures: Sequence[Image], detector: Detector) -> Float32:
    """The largest face of each picture: (N, 70, 2) pixels, all NaN where none is found."""
    points = np.full((len(pictures), layout.COUNT, 2), np.nan, np.float32)
    for row, faces in zip(points, detector.detect(pictures), strict=True):
        if faces:
            row[:] = faces[0].points
    return points


def compressed(images: Tensor) -> Tensor:
    """Pictures (N, 3, S, S) after a round through JPEG: the truth, seen a little worse."""
    small = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    again = np.stack([decode_jpeg(encode_jpeg(image, NOISE_QUALITY)) for image in small])
    return images.new_tensor(again).permute(0, 3, 1, 2) / 255


class Witness:
    """Two detectors that look at the same pictures: `mesh`, which sees pupils, and one that did not drive."""

    def __init__(self, drove: str) -> None:
        """`drove` made the data set's landmarks. Raises S2DError when the other detector cannot be had."""
        self.mesh = make_detector("mesh")
        self.name = "dlib" if drove == "mesh" else "mesh"
        self._found = _Found()
        self._other = make_detector("dlib", finder=self._found) if self.name == "dlib" else None

    def look(self, images: Tensor) -> tuple[Float32, Float32]:
        """Landmarks (N, 70, 2) in pictures (N, 3, S, S), by mesh and by the independent detector; pixels at SIDE."""
        pictures = as_pictures(images)
        seen = detect(pictures, self.mesh)
        if self._other is None:
            return seen, seen
        self._found.points = seen
        return seen, detect(pictures, self._other)

    def look_quickly(self, images: Tensor) -> Float32:
        """By mesh alone, which takes a fifth of the time."""
        return detect(as_pictures(images), self.mesh)


class _Found:
    """Says where the faces are that mesh has just found, so that they are not searched for twice."""

    name, version = "found", "1"

    def __init__(self) -> None:
        self.points: Float32 = np.zeros((0, layout.COUNT, 2), np.float32)

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        return [[Face.of_points(row, 1.0)] if np.isfinite(row).any() else [] for row in self.points]


def average_distance(found: Float32, true: Float32) -> float:
    """AKD: mean distance of the 68 landmarks, in pixels, over frames where both hold a face; NaN if there is none."""
    contour = list(layout.CONTOUR_68)
    return _mean(np.linalg.norm(found[:, contour] - true[:, contour], axis=-1))


def missed(found: Float32, true: Float32) -> float:
    """Share of the true faces in which no face was found."""
    there = np.isfinite(true).any((1, 2))
    return float((there & ~np.isfinite(found).any((1, 2))).sum() / there.sum()) if there.any() else math.nan


def pupil_error(found: Float32, true: Float32) -> float:
    """How far pupils are off in eyelid coordinates, % of the inter-ocular distance, in eyes that are truly open."""
    open_eyes = lid_apertures(true) > OPEN
    error = np.linalg.norm(pupil_offsets(found) - pupil_offsets(true), axis=-1)
    return 100 * _mean(np.where(open_eyes, error, np.nan))


def lid_error(found: Float32, true: Float32) -> float:
    """How far the lids' opening is off, % of the inter-ocular distance."""
    return 100 * _mean(np.abs(lid_apertures(found) - lid_apertures(true)))


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan
