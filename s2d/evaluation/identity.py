"""Who is seen: distances of dlib's face embedding (King 2017; a ResNet of 29 layers, 128 numbers per face)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from s2d import assets
from s2d.errors import S2DError
from s2d.geometry import Array, Float32, Image
from s2d.landmarks.layout import CONTOUR_68

CHIP, PADDING = 150, 0.25  # what the network was trained on


class FaceEmbedder:
    """Faces as points on which people are apart."""

    def __init__(self) -> None:
        """Raises S2DError when dlib or its model file is not installed."""
        asked = "cannot measure identity"
        try:
            import dlib
        except ImportError as error:
            raise S2DError(asked, "dlib is not installed", "pip install s2d[dlib]") from error
        self._dlib: Any = dlib
        self._network = dlib.face_recognition_model_v1(str(assets.path("dlib_face_recognition_resnet_model_v1.dat")))

    def embed(self, pictures: Sequence[Image], points: Float32) -> Array:
        """RGB pictures and the landmarks found in them (N, 70, 2) to (N, 128); NaN where there are no landmarks."""
        embedded = np.full((len(pictures), 128), np.nan)
        contour = list(CONTOUR_68)
        for row, picture, face in zip(embedded, pictures, points[:, contour], strict=True):
            if np.isfinite(face).all():
                row[:] = self._network.compute_face_descriptor(self._chip(picture, face))
        return embedded

    def _chip(self, picture: Image, face: Float32) -> Image:
        parts = self._dlib.points([self._dlib.point(*map(int, xy)) for xy in np.rint(face)])
        box = self._dlib.rectangle(*map(int, np.rint([*face.min(0), *face.max(0)])))
        shape = self._dlib.full_object_detection(box, parts)
        return np.asarray(self._dlib.get_face_chip(np.ascontiguousarray(picture), shape, CHIP, PADDING))


def identity_distance(one: Array, other: Array) -> float:
    """Mean Euclidean distance of embeddings (N, 128), or of (N, 128) from one (128,); one person: below .6.

    Faces that were not found do not count; NaN when none was.
    """
    distance = np.linalg.norm(one - other, axis=-1)
    known = distance[np.isfinite(distance)]
    return float(known.mean()) if known.size else float("nan")
