"""MediaPipe's face models as a detector: BlazeFace, and the face landmarker's mesh of 478 vertices with the irises.

Face mesh: Kartynnik et al. 2019 (arXiv 1907.06724), with eyes and lips by attention: Grishchenko et al. 2020 (arXiv
2006.10962).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from s2d.geometry import Array, Floats, Image, apply, invert
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.detectors.blazeface import LEFT_EYE, RIGHT_EYE, BlazeFace, FoundFace
from s2d.landmarks.detectors.litert import LiteModel
from s2d.landmarks.detectors.mesh_layout import OUTER_CORNERS, VERTICES, to_ibug70
from s2d.landmarks.detectors.regions import Region, along, cut

# BlazeFace's own threshold; what passes it must also reach PRESENT
FOUND = 0.5
# The mesh model's region is 1.5 x the longer side of the face's box. Smaller loses the chin, larger loses accuracy.
REGION_SCALE = 1.5
# A region is settled when the next one differs by less than this share of its side, in place, log size and radians.
# Ordinary faces settle at the second pass; a coarsely found small face takes up to five.
SETTLED = 0.06
MOST_PASSES = 5
# Score of two passes, from the mean of their presence logits and from how far apart they lay the mesh, as a share of
# the inter-ocular distance: what is no face is laid differently every time, a shout that the presence doubts is not.
# Balanced logistic fit to 1219 fits to what BlazeFace finds, right (within 10 % of the inter-ocular distance) against
# wrong, on degraded faces (blur, noise, dark, occluded, 6 % to 140 % of the frame's height) and without a face:
# benchmarks/presence.py.
PRESENCE, DISAGREEMENT, OFFSET = 0.233, -2.45, -9.175
LEAST_DISAGREEMENT = 0.001
PRESENT = 0.5
SAME_FACE = 0.5  # boxes of two fits that overlap more than this are one face
# A face that is followed is looked at twice, so far above and below where it should be, in sides of the region. Errors
# of the two differ: on synthetic clips their mean flickers by a fifth less than one pass.
APART = 0.05
CATCH_UP = 0.5  # share of the way to the newest fit that the region of a followed face goes from frame to frame
JUMP = 0.15  # a change of the region, as for SETTLED, after which the face has to be settled on anew
SEARCH_EVERY = 8  # frames from one search for further faces to the next
FOLLOWED = 0.3  # boxes of a face found and one followed that overlap more than this are one face


@dataclass(frozen=True)
class Pass:
    """What the mesh model saw once."""

    vertices: Array
    """(478, 2) frame pixels."""
    logit: float
    """Of the model, that this is a face, before any sigmoid."""
    region: Region
    """Where the mesh model is to look next."""


@dataclass(frozen=True)
class Fit:
    """The mesh laid on one face, by two passes."""

    vertices: Array
    """(478, 2) frame pixels."""
    score: float
    """0 to 1."""
    region: Region
    """Where the mesh model is to look next."""


class MeshDetector:
    """The default detector: fast, with pupils, for faces from 6 % of the frame's height to larger than the frame.

    A frame is searched with BlazeFace's short-range model (128 px) and, where that yields no face, with its 256 px
    model, which finds faces half as large and turned up to 100 degrees in the picture. The mesh model then runs on
    each face at least twice, every time in the region that the previous pass implies; the last two passes are averaged.
    The pupil of a closed eye is where the model expects the iris behind the lid, near the middle of the lid line: a
    guess, to be used together with the opening of the eye.

    `score` comes from the mesh model's presence and from how well two passes agree, calibrated so that 0.5 is as likely
    a wrong fit as a right one; fits below 0.5 are dropped. It rejects pictures without a face, but apes and monkeys
    pass: the model takes them for people.
    """

    name = "mesh"
    version = "face_landmarker 2023-05 / 1"

    def __init__(self, threads: int = 1) -> None:
        """Load the models; `threads` is LiteRT's per model. Raises S2DError when a model file is not at hand."""
        self._near = BlazeFace("face_detection_short_range.tflite", [(8, 2), (16, 6)], threads)
        self._far = BlazeFace("face_detection_back.tflite", [(16, 2), (32, 6)], threads)
        self._mesh = LiteModel("face_landmarker.task", threads, "face_landmarks_detector.tflite")

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        """Faces of each RGB frame (H, W, 3) uint8, largest first; frames do not influence each other."""
        return [faces(self.search(frame)) for frame in frames]

    def follow(self) -> MeshFollower:
        """A detector for the frames of one shot, in order: no search in most of them, and a little steadier."""
        return MeshFollower(self)

    def search(self, frame: Image, known: Sequence[Fit] = ()) -> list[Fit]:
        """One fit per face, best first; of the `known` ones, those as they are."""
        fits: list[Fit] = []
        for finder in (self._near, self._far):
            found = finder.find(frame, FOUND)
            new = [self.settle(frame, _region_of_found(one)) for one in found if _is_new(one, known)]
            fits = _distinct([*known, *new])
            if found and fits:
                break
        return fits

    def settle(self, frame: Image, region: Region) -> Fit:
        """Run the mesh until its region stays; the mean of the last two passes, weighted by their logits."""
        before, last = self.last_two(frame, region)
        return Fit(_mean_vertices(before, last), _score(before, last), last.region)

    def last_two(self, frame: Image, region: Region) -> tuple[Pass, Pass]:
        """The two passes at which the region stays, or the last of MOST_PASSES."""
        last = self.look(frame, region)
        for _ in range(MOST_PASSES - 1):
            before, last = last, self.look(frame, last.region)
            if _change(before.region, last.region) < SETTLED:
                break
        return before, last

    def look(self, frame: Image, region: Region) -> Pass:
        """One pass of the mesh model."""
        size = self._mesh.size
        output, presence, _tongue = self._mesh(cut(frame, region, size) / 255.0)
        vertices = output.reshape(VERTICES, 3)[:, :2]
        placed = apply(invert(region.matrix(size)), vertices)
        return Pass(placed, float(presence[0]), _region_of_vertices(placed))


class MeshFollower:
    """The faces of one shot. Each is looked for where it was in the frame before, without BlazeFace.

    That searches for further faces every SEARCH_EVERY frames, and at once when a face is lost or there is none.
    """

    def __init__(self, detector: MeshDetector) -> None:
        self.name, self.version = detector.name, detector.version
        self._detector = detector
        self._regions: list[Region] = []
        self._since = 0  # frames since the last search

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        """Faces of each of the next RGB frames (H, W, 3) uint8, largest first."""
        return [faces(self._next(frame)) for frame in frames]

    def _next(self, frame: Image) -> list[Fit]:
        fits = [fit for region in self._regions if (fit := self._again(frame, region)).score >= PRESENT]
        self._since += 1
        if not fits or len(fits) < len(self._regions) or self._since >= SEARCH_EVERY:
            fits = self._detector.search(frame, fits)
            self._since = 0
        self._regions = [fit.region for fit in fits]
        return fits

    def _again(self, frame: Image, region: Region) -> Fit:
        """The face that was in this region in the frame before."""
        first, second = (self._detector.look(frame, _lowered(region, down)) for down in (-APART, APART))
        vertices = _mean_vertices(first, second)
        here = _region_of_vertices(vertices)
        if _change(region, here) > JUMP:
            return self._detector.settle(frame, here)
        return Fit(vertices, _score(first, second), _between(region, here, CATCH_UP))


def faces(fits: Sequence[Fit]) -> list[Face]:
    """The faces that the mesh is laid on, largest first."""
    found = [Face.of_points(to_ibug70(fit.vertices), fit.score) for fit in fits]
    return sorted(found, key=lambda face: -float(np.prod(face.box[2:] - face.box[:2])))


def _is_new(found: FoundFace, known: Sequence[Fit]) -> bool:
    return all(_overlap(found.box.reshape(2, 2), fit.vertices) < FOLLOWED for fit in known)


def _distinct(fits: Sequence[Fit]) -> list[Fit]:
    """Those that are present, best first, without what fits the face of a better one."""
    kept: list[Fit] = []
    for fit in sorted(fits, key=lambda fit: -fit.score):
        if fit.score >= PRESENT and all(_overlap(fit.vertices, other.vertices) < SAME_FACE for other in kept):
            kept.append(fit)
    return kept


def _score(one: Pass, other: Pass) -> float:
    """0 to 1, how sure two passes make it that there is a face; NaN, which is dropped, of vertices that are NaN."""
    right, left = OUTER_CORNERS
    eyes = float(np.linalg.norm(one.vertices[left] - one.vertices[right]))
    apart = float(np.linalg.norm(one.vertices - other.vertices, axis=-1).mean()) / max(eyes, 1e-6)
    presence = (one.logit + other.logit) / 2
    margin = PRESENCE * presence + DISAGREEMENT * math.log(apart + LEAST_DISAGREEMENT) + OFFSET
    return 1.0 / (1.0 + math.exp(min(-margin, 700.0)))


def _mean_vertices(one: Pass, other: Pass) -> Array:
    """Weighted by their logits."""
    weights = np.maximum([one.logit, other.logit], 1e-3)
    return np.asarray(np.average([one.vertices, other.vertices], axis=0, weights=weights))


def _lowered(region: Region, share: float) -> Region:
    """The region moved towards the chin by this share of its side."""
    step = share * region.side
    return replace(region, x=region.x - step * math.sin(region.angle), y=region.y + step * math.cos(region.angle))


def _between(one: Region, other: Region, share: float) -> Region:
    """The region at this share of the way from `one` to `other`."""
    x, y = one.x + share * (other.x - one.x), one.y + share * (other.y - one.y)
    return Region(x, y, one.side * (other.side / one.side) ** share, one.angle + share * _turn(one, other))


def _turn(one: Region, other: Region) -> float:
    """From the one to the other in radians, -pi to pi."""
    return (other.angle - one.angle + math.pi) % (2 * math.pi) - math.pi


def _region_of_found(found: FoundFace) -> Region:
    box = found.box
    centre = (box[:2] + box[2:]) / 2
    side = REGION_SCALE * float(max(box[2] - box[0], box[3] - box[1]))
    return along(found.keypoints[RIGHT_EYE], found.keypoints[LEFT_EYE], centre, side)


def _region_of_vertices(vertices: Array) -> Region:
    """The mesh model's region: eyes level, centred on the vertices' extent."""
    right, left = OUTER_CORNERS
    dx, dy = vertices[left] - vertices[right]
    cosine, sine = np.array([dx, dy]) / max(math.hypot(dx, dy), 1e-6)
    level = vertices @ np.array([[cosine, -sine], [sine, cosine]])
    low, high = level.min(axis=0), level.max(axis=0)
    centre = np.array([[cosine, -sine], [sine, cosine]]) @ (low + high) / 2
    return along(vertices[right], vertices[left], centre, REGION_SCALE * float(max(high - low)))


def _change(one: Region, other: Region) -> float:
    """Largest of the differences in place (share of the side), log size and angle (radians)."""
    place = math.hypot(other.x - one.x, other.y - one.y) / one.side
    return max(place, abs(math.log(other.side / one.side)), abs(_turn(one, other)))


def _overlap(one: Floats, other: Floats) -> float:
    """Intersection over union of the boxes around two sets of points."""
    low, high = np.maximum(one.min(axis=0), other.min(axis=0)), np.minimum(one.max(axis=0), other.max(axis=0))
    shared = float(np.prod(np.clip(high - low, 0, None)))
    areas = sum(float(np.prod(np.ptp(points, axis=0))) for points in (one, other))
    return shared / max(areas - shared, 1e-9)
