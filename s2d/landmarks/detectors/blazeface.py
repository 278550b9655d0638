"""Finding faces with MediaPipe's BlazeFace (Bazarevsky et al. 2019, arXiv 1907.05047)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from s2d.geometry import Array, Float32, Floats, Image
from s2d.landmarks.detectors.litert import LiteModel

MERGE_OVERLAP = 0.3  # boxes that overlap more than this are one face

# keypoints of a found face, sides as the person's own
RIGHT_EYE, LEFT_EYE, NOSE, MOUTH, RIGHT_EAR, LEFT_EAR = range(6)


@dataclass(frozen=True)
class FoundFace:
    """A face as the finder sees it, in frame pixels."""

    box: Float32
    """(4,) x0, y0, x1, y1: from the brows to the chin, cheek to cheek."""
    keypoints: Float32
    """(6, 2) right eye, left eye, nose tip, mouth, right ear, left ear."""
    score: float
    """Confidence in [0, 1]."""


class BlazeFace:
    """One BlazeFace model; `strides` give its grids of anchors as (stride in input pixels, anchors per cell)."""

    def __init__(self, asset: str, grids: Sequence[tuple[int, int]], threads: int) -> None:
        self._model = LiteModel(asset, threads)
        self._anchors = np.concatenate([_anchors(self._model.size, stride, count) for stride, count in grids])

    def find(self, frame: Image, minimum: float) -> list[FoundFace]:
        """Faces of an RGB frame (H, W, 3) with at least this score, best first."""
        size = self._model.size
        image, scale, offset = _letterbox(frame, size)
        boxes, logits = self._model(image / 127.5 - 1.0)
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits, -80, 80)))
        keep = scores >= minimum
        pairs = boxes.reshape(-1, 8, 2)[keep].astype(np.float64)
        pairs[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[keep, None]
        merged = _merge(_corners(pairs), scores[keep])
        # edges of the letterbox are at 0 and size, centres of its pixels at +.5
        return [_found((points - offset) / scale - 0.5, score) for points, score in merged]


def _anchors(size: int, stride: int, count: int) -> Array:
    """Cell centres in input pixels, row by row, each `count` times: (N, 2)."""
    centres = (np.arange(size // stride) + 0.5) * stride
    x, y = np.meshgrid(centres, centres)
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=-1), count, axis=0)


def _letterbox(frame: Image, size: int) -> tuple[Float32, Array, Array]:
    """The whole frame in the middle of a black square: image, its (x, y) scale, and the frame's corner in it."""
    height, width = frame.shape[:2]
    wanted = size / max(height, width)
    across, down = max(1, round(width * wanted)), max(1, round(height * wanted))
    method = cv2.INTER_AREA if wanted < 1 else cv2.INTER_LINEAR
    square = np.zeros((size, size, 3), np.float32)
    left, top = (size - across) // 2, (size - down) // 2
    square[top : top + down, left : left + across] = cv2.resize(frame, (across, down), interpolation=method)
    return square, np.array([across / width, down / height]), np.array([left, top], dtype=np.float64)


def _corners(pairs: Array) -> Array:
    """(N, 8, 2) centre, size, keypoints -> (N, 8, 2) top-left, bottom-right, keypoints."""
    centre, half = pairs[:, 0].copy(), pairs[:, 1] / 2
    return np.concatenate([(centre - half)[:, None], (centre + half)[:, None], pairs[:, 2:]], axis=1)


def _merge(candidates: Array, scores: Floats) -> list[tuple[Array, float]]:
    """Weighted non-maximum suppression: overlapping candidates become their mean, weighted by score.

    The mean moves less from frame to frame than the best candidate, which hops from anchor to anchor.
    """
    order = np.argsort(-scores, kind="stable")
    merged = []
    while order.size:
        same = _overlaps(candidates[order[0]], candidates[order]) > MERGE_OVERLAP
        same[0] = True
        group = order[same]
        merged.append((np.average(candidates[group], axis=0, weights=scores[group]), float(scores[order[0]])))
        order = order[~same]
    return merged


def _overlaps(one: Array, many: Array) -> Array:
    """Intersection over union of one box (8, 2) with many (N, 8, 2)."""
    low, high = np.maximum(one[0], many[:, 0]), np.minimum(one[1], many[:, 1])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    areas = np.prod(np.clip(many[:, 1] - many[:, 0], 0, None), axis=-1)
    union = np.prod(np.clip(one[1] - one[0], 0, None)) + areas - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def _found(points: Array, score: float) -> FoundFace:
    return FoundFace(points[:2].ravel().astype(np.float32), points[2:].astype(np.float32), score)
