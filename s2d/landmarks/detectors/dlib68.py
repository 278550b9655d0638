"""dlib's 68-point ensemble of regression trees (Kazemi and Sullivan 2014), with sub-pixel landmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2d import assets
from s2d.errors import S2DError
from s2d.geometry import Array, Floats, Image, apply, invert, similarity_fit
from s2d.landmarks import layout
from s2d.landmarks.detectors.base import Detector, Face
from s2d.landmarks.detectors.mesh import MeshDetector
from s2d.landmarks.detectors.regions import Region, cut

CROP = 320  # pixels; the predictor's features lie some 1/200 of the box apart
BOX_SHARE = 0.55  # side of the predictor's box in the crop
# Where dlib's own HOG finder puts its box, with the eyes' centres at (-.5, 0) and (.5, 0) and the mouth's at
# (0, 1.05): mean over 445 boxes on 92 faces, standard deviation 8 % of the side. The three centres give the roll:
# the line between the eyes alone leans in faces that are turned and raised, and tilts the box (NME 5 % becomes 20 %).
TRIANGLE = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 1.05]])
BOX_SIDE, BOX_CENTRE = 2.35, (0.0, 0.48)
# The trees return whole pixels and hop between leaves; the mean over a few shifted and scaled boxes flickers 2.7 times
# less than one box (.21 against .58 % of the inter-ocular distance on shifted stills).
JITTERS = 9
JITTER = 0.025  # largest shift, as a share of the box, and largest log scale


class DlibDetector:
    """68 points, no pupils (NaN): iBUG's own jaw, at three times the time of `mesh`.

    The weights are for research only: the pictures they were trained on are not free for commercial use.

    Faces are found by another detector, `mesh` unless told otherwise, because dlib's HOG finder misses tilted faces;
    its `score` is passed on, the trees have none.
    """

    name = "dlib"
    version = "face_recognition_models 0.3.0 / 2"

    def __init__(self, finder: Detector | None = None) -> None:
        """Raises S2DError when dlib or its model file is not installed."""
        self._dlib = _import_dlib()
        self._predictor = self._dlib.shape_predictor(str(assets.path("shape_predictor_68_face_landmarks.dat")))
        self._finder = finder or MeshDetector()

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        """Faces of each RGB frame (H, W, 3) uint8, in the order of the finder; frames do not influence each other."""
        found = self._finder.detect(frames)
        return [[self._face(frame, face) for face in faces] for frame, faces in zip(frames, found, strict=True)]

    def _face(self, frame: Image, found: Face) -> Face:
        shapes = [self._shape(frame, region) for region in _jittered(_region(found.points))]
        points = np.full((layout.COUNT, 2), np.nan)
        points[:68] = np.mean(shapes, axis=0)
        return Face.of_points(points, found.score)

    def _shape(self, frame: Image, region: Region) -> Array:
        """The 68 landmarks in frame pixels as seen from one crop."""
        crop = np.rint(cut(frame, region, CROP)).astype(np.uint8)
        margin = round(CROP * (1 - BOX_SHARE) / 2)
        box = self._dlib.rectangle(margin, margin, CROP - 1 - margin, CROP - 1 - margin)
        shape = self._predictor(crop, box)
        return apply(invert(region.matrix(CROP)), np.array([(part.x, part.y) for part in shape.parts()]))


def _import_dlib() -> Any:  # noqa: ANN401 - dlib has no types
    try:
        import dlib
    except ImportError as error:
        remedy = "pip install s2d[dlib], or use the mesh detector"
        raise S2DError("cannot use the dlib detector", "dlib is not installed", remedy) from error
    return dlib


def _region(points: Floats) -> Region:
    """The crop around the box that dlib's own finder would give a face with these landmarks."""
    parts = [("right_eye",), ("left_eye",), ("outer_lips", "inner_lips")]
    centres = [points[[index for part in names for index in layout.PARTS[part]]].mean(axis=0) for names in parts]
    face = similarity_fit(TRIANGLE, np.array(centres))
    scale, angle = math.hypot(face[0, 0], face[1, 0]), math.atan2(face[1, 0], face[0, 0])
    x, y = apply(face, np.array([BOX_CENTRE]))[0]
    return Region(float(x), float(y), BOX_SIDE * scale / BOX_SHARE, angle)


def _jittered(region: Region) -> list[Region]:
    """The region moved and scaled a little: the same evenly spread offsets for every face (Halton's sequence)."""
    offsets = np.array([[_halton(index, base) for base in (2, 3, 5)] for index in range(1, JITTERS + 1)])
    reach = 2 * JITTER * (offsets - offsets.mean(axis=0))
    side = region.side * BOX_SHARE
    return [
        Region(region.x + dx * side, region.y + dy * side, region.side * math.exp(stretch), region.angle)
        for dx, dy, stretch in reach
    ]


def _halton(index: int, base: int) -> float:
    """Element `index` of the van der Corput sequence in this base, in [0, 1)."""
    value, share = 0.0, 1.0
    while index:
        share /= base
        index, digit = divmod(index, base)
        value += share * digit
    return value
