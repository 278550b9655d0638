"""Detections to tracks: one face in one shot, at most so many seconds long, with one fixed crop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.optimize import linear_sum_assignment

from s2d.geometry import Crop, Float32, Floats, square_crop
from s2d.landmarks.checks import check_times
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.layout import COUNT, padded

START_SCORE = 0.5  # a weaker detection may continue a track, but not start one
MIN_SIZE = 20.0  # pixels; landmarks of a smaller face are guesses
MAX_GAP_SECONDS = 0.5  # a face missed for longer starts a new track
MAX_STEP = 0.6  # a face moves less than this, in face sizes, between two detections
MAX_GROWTH = 1.7  # and grows or shrinks by less than this factor
MIN_SHARE = 0.4  # of a track's frames have a detection, or it is a chance row of false ones
HEADROOM = 0.45  # hair above the brows, in box heights
MARGIN = 0.15  # around the head with its hair, in sides of the square
SPIKE_FRAMES = 9  # a box that lasts less than half of these does not widen the crop


@dataclass(frozen=True)
class Track:
    """One face in one shot over T consecutive frames of the video. Landmarks are in frame pixels."""

    shot: int
    """Number of the shot in its video, from 0."""
    face: int
    """Number of the track within the shot, from 0, in order of first appearance."""
    frames: npt.NDArray[np.int64]
    """(T,) consecutive frame numbers."""
    times: npt.NDArray[np.float64]
    """(T,) presentation times in seconds."""
    raw: Float32
    """(T, 70, 2) detections; NaN where the detector found nothing."""
    valid: npt.NDArray[np.bool_]
    """(T, 70) True where `raw` is a detection."""
    score: Float32
    """(T,) confidence of the detector, 0 where the face was missed."""
    boxes: Float32
    """(T, 4) face boxes; NaN where the face was missed."""
    crop: Crop
    """One fixed square for the whole track."""

    @staticmethod
    def of_points(points: Floats, times: npt.ArrayLike) -> Track:
        """Landmarks that you have: `points` (T, 68 or 70, 2) in frame pixels, NaN where missed, `times` (T,) seconds.

        Boxes, crop and validity follow from them; pupils that are not there are NaN. All T frames make one track, so
        give one shot at a time. Raises ValueError for other shapes, times that do not increase, and points all missed.
        """
        given = padded(points)
        check_times(times, len(given))
        found = np.flatnonzero(np.isfinite(given).any(axis=(1, 2)))
        if not len(found):
            raise ValueError("all landmarks are missed; at least one frame must have some")
        faces = [Face.of_points(given[row], 1.0) for row in found]
        boxes = _spread(found, len(given), [face.box for face in faces])
        score = np.zeros(len(given), np.float32)
        score[found] = 1.0
        valid, frames = np.isfinite(given[..., 0]), np.arange(len(given))
        return Track(0, 0, frames, np.array(times, np.float64), given, valid, score, boxes, crop_for(boxes))


@dataclass(frozen=True)
class Tracks:
    """What became of all detections of one video."""

    kept: list[Track]
    """By shot, then in order of first appearance."""
    dropped: int
    """Faces followed for fewer than the least number of frames, or found in too few of them."""


@dataclass
class _Chain:
    """Detections believed to be one face, in order; frames between them are gaps."""

    frames: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)

    def add(self, frame: int, face: Face) -> None:
        self.frames.append(frame)
        self.faces.append(face)

    @property
    def span(self) -> int:
        return self.frames[-1] - self.frames[0] + 1


def build_tracks(
    detections: Sequence[Sequence[Face]],
    times: npt.NDArray[np.float64],
    shots: Sequence[tuple[int, int]],
    *,
    min_frames: int = 5,
    max_seconds: float = 60.0,
    margin: float = MARGIN,
) -> Tracks:
    """Join the faces of N frames into tracks; no track crosses the end of a shot.

    `detections` has one list of faces per frame, `times` (N,) seconds, `shots` half-open frame ranges. A face missed
    for up to half a second is bridged: NaN, not valid, score 0. Tracks with fewer than `min_frames` detections are
    dropped and counted. Tracks longer than `max_seconds` are chopped into equal pieces, so that memory stays bounded.
    """
    kept: list[Track] = []
    dropped = 0
    for shot, (start, stop) in enumerate(shots):
        chains = _link(detections, times, start, stop)
        solid = [chain for chain in chains if _is_solid(chain, min_frames)]
        dropped += len(chains) - len(solid)
        pieces = [piece for chain in solid for piece in _chop(chain, times, max_seconds)]
        pieces.sort(key=lambda piece: piece.frames[0])
        kept += [_track(piece, times, shot, face, margin) for face, piece in enumerate(pieces)]
    return Tracks(kept, dropped)


def crop_for(boxes: Floats, margin: float = MARGIN) -> Crop:
    """The square that holds the whole head, with hair and chin, in all frames: `boxes` (T, 4) brow to chin, or one.

    One rule for tracks and still images. Boxes of missed faces (NaN) do not count, nor do a few stray boxes.
    Raises ValueError when there is no box.

    >>> crop_for(np.array([[100.0, 100, 200, 200]]))
    Crop(left=56, top=34, side=188)
    """
    found = np.atleast_2d(np.asarray(boxes, np.float64))
    found = found[np.isfinite(found).all(axis=1)]
    if not len(found):
        raise ValueError("a crop needs at least one face box")
    # "mirror" counts the first and the last box once, so that a stray one there is outvoted too
    heads = median_filter(found, size=(SPIKE_FRAMES, 1), mode="mirror")
    heads[:, 1] -= HEADROOM * (heads[:, 3] - heads[:, 1])
    return square_crop(heads, margin)


def _link(detections: Sequence[Sequence[Face]], times: npt.NDArray[np.float64], start: int, stop: int) -> list[_Chain]:
    """Chains of one shot, by optimal assignment from frame to frame."""
    active: list[_Chain] = []
    chains: list[_Chain] = []
    for frame in range(start, stop):
        active = [chain for chain in active if times[frame] - times[chain.frames[-1]] <= MAX_GAP_SECONDS]
        faces = detections[frame]
        pairs = _assign([chain.faces[-1] for chain in active], faces)
        for row, column in pairs:
            active[row].add(frame, faces[column])
        taken = {column for _, column in pairs}
        fresh = [face for column, face in enumerate(faces) if column not in taken and _may_start(face)]
        started = [_Chain([frame], [face]) for face in fresh]
        active += started
        chains += started
    return chains


def _may_start(face: Face) -> bool:
    return face.score >= START_SCORE and _size(face.box) >= MIN_SIZE


def _assign(known: Sequence[Face], found: Sequence[Face]) -> list[tuple[int, int]]:
    """Pairs (known, found) that may be the same face, with the least total distance."""
    if not known or not found:
        return []
    cost = np.array([[_distance(one.box, other.box) for other in found] for one in known])
    forbidden = 1e3
    rows, columns = linear_sum_assignment(np.where(np.isfinite(cost), cost, forbidden))
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if np.isfinite(cost[r, c])]


def _distance(one: Floats, other: Floats) -> float:
    """Distance of centres in face sizes plus log ratio of sizes; infinite for what cannot be the same face."""
    sizes = _size(one), _size(other)
    growth = abs(math.log(sizes[0] / sizes[1]))
    step = float(np.linalg.norm(one[:2] + one[2:] - other[:2] - other[2:])) / (sizes[0] + sizes[1])
    return step + growth if step < MAX_STEP and growth < math.log(MAX_GROWTH) else math.inf


def _size(box: Floats) -> float:
    width, height = float(box[2] - box[0]), float(box[3] - box[1])
    return math.sqrt(max(width * height, 1.0))


def _is_solid(chain: _Chain, min_frames: int) -> bool:
    return len(chain.frames) >= max(min_frames, MIN_SHARE * chain.span)


def _chop(chain: _Chain, times: npt.NDArray[np.float64], max_seconds: float) -> list[_Chain]:
    """Pieces of equal duration, at most `max_seconds`; each begins and ends with a detection."""
    moments = times[chain.frames]
    count = max(1, math.ceil((moments[-1] - moments[0]) / max_seconds))
    inner = moments[0] + (moments[-1] - moments[0]) * np.arange(1, count) / count
    bounds = [0, *np.searchsorted(moments, inner), len(moments)]
    return [_Chain(chain.frames[a:b], chain.faces[a:b]) for a, b in pairwise(bounds) if a < b]


def _track(chain: _Chain, times: npt.NDArray[np.float64], shot: int, number: int, margin: float) -> Track:
    count, rows = chain.span, np.array(chain.frames) - chain.frames[0]
    frames = np.arange(chain.frames[0], chain.frames[0] + count)
    raw = _spread(rows, count, [face.points for face in chain.faces])
    boxes = _spread(rows, count, [face.box for face in chain.faces])
    valid, score = np.zeros((count, COUNT), bool), np.zeros(count, np.float32)
    valid[rows] = [face.valid for face in chain.faces]
    score[rows] = [face.score for face in chain.faces]
    raw[~valid] = np.nan
    return Track(shot, number, frames, times[frames], raw, valid, score, boxes, crop_for(boxes, margin))


def _spread(rows: npt.NDArray[np.int64], count: int, values: list[Float32]) -> Float32:
    """`values` at these rows of an array of `count` rows; NaN in the others."""
    spread = np.full((count, *values[0].shape), np.nan, np.float32)
    spread[rows] = values
    return spread
