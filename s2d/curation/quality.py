"""How good a track and its frames are: measures with units.

To add one: give it a column in `s2d.shards.schema`, fill it in one of the functions below, and raise VERSION. Whatever
is a column may be filtered by (`s2d.curation.limits`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import cv2
import numpy as np

from s2d.geometry import Array, Floats, Image, apply, similarity_fit
from s2d.landmarks import expression, layout
from s2d.landmarks.alignment import Aligned
from s2d.landmarks.tracking import Track
from s2d.landmarks.trembling import acceleration

VERSION = "4"  # changes with every change of a measure, so that no data set holds both
CELLS = 16  # across the crop, to see motion by
PATCH = 112  # pixels; every face is measured at this size, so that measures do not depend on the size of the video
FLAT = 1e-4  # variance of luma below which a picture has no content to be sharp: half a grey level, squared, and more


def of_detections(track: Track) -> dict[str, float]:
    """Measures that need no picture: size of the face, share of frames with a detection, mean score."""
    found = track.score > 0
    widths, heights = track.boxes[:, 2] - track.boxes[:, 0], track.boxes[:, 3] - track.boxes[:, 1]
    return {
        "face_px": _median(np.maximum(widths, heights)[found]),
        "interocular_px": _median(layout.interocular(track.raw)[found]),
        "valid_share": float(found.mean()),
        "score": float(track.score[found].mean()) if found.any() else np.nan,
    }


def of_frames(track: Track, aligned: Aligned) -> dict[str, Array]:
    """Measures by frame that need no picture, (T,) each: pose, openings, and how sure the landmarks are.

    See `s2d.landmarks.expression`. The disagreement is in percent of the track's median inter-ocular distance.
    """
    yaw, pitch, roll = np.moveaxis(expression.head_pose(aligned.points), -1, 0)
    return {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "mouth_open": expression.lip_aperture(aligned.points),
        "eye_open": expression.lid_apertures(aligned.points).mean(axis=-1),
        "disagreement": 100 * _mean_distance(track.raw, aligned.points) / _median(layout.interocular(aligned.points)),
        "hidden_share": aligned.hidden,
    }


def of_track(track: Track, points: Floats, frames: Mapping[str, Array]) -> dict[str, float]:
    """Measures of a whole track from its aligned landmarks (T, 70, 2) and all its measures by frame."""
    ranged = ("yaw", "pitch", "roll", "mouth_open", "eye_open")
    return {
        **{f"{name}_{end}": value for name in ranged for end, value in _range(frames[name]).items()},
        **{f"abs_{name}": _range(np.abs(frames[name]))["max"] for name in ("yaw", "pitch", "roll")},
        **{name: _median(frames[name]) for name in ("sharpness", "brightness", "disagreement")},
        "hidden_share": float(frames["hidden_share"].mean()),
        "expression": expression_range(points),
        "jitter_raw": acceleration(track.raw),
        "jitter_aligned": acceleration(points),
    }


def expression_range(points: Floats) -> float:
    """How much a face changes its shape: percent of the inter-ocular distance; NaN for less than two faces.

    Root mean square distance of landmarks (T, 70, 2) from their mean shape, once frames are laid over each other by
    similarities, so that a photo that is moved, turned or zoomed has next to none. Measured over 60 frames: photos at
    most 0.3, panned or with grain added; people 0.22 at the calmest, 1.5 and more over a whole clip.
    """
    faces = np.asarray(points, np.float64)[:, : layout.RIGHT_PUPIL]
    faces = faces[np.isfinite(faces).all(axis=(1, 2))]
    if len(faces) < 2:
        return np.nan
    shape = faces[len(faces) // 2]
    for _ in range(2):
        laid = apply(similarity_fit(faces, shape), faces)
        shape = laid.mean(axis=0)
    off = np.square(laid - shape).sum(axis=-1).mean()
    return float(100 * np.sqrt(off) / np.linalg.norm(shape[layout.LEFT_EYE_OUTER] - shape[layout.RIGHT_EYE_OUTER]))


def _mean_distance(raw: Floats, points: Floats) -> Array:
    """(T,) mean over the landmarks that are known in both; NaN for frames without any."""
    distance = np.linalg.norm(np.asarray(raw, np.float64) - points, axis=-1)
    known = np.isfinite(distance)
    total = np.where(known, distance, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def _range(values: Array) -> dict[str, float]:
    known = values[np.isfinite(values)]
    return {"min": float(known.min()), "max": float(known.max())} if len(known) else {"min": np.nan, "max": np.nan}


class PictureMeter:
    """Measures the pictures of a track as they pass by; keeps two numbers per frame, and two small pictures."""

    def __init__(self) -> None:
        self._sharpness: list[float] = []
        self._brightness: list[float] = []
        self._sum = np.zeros((CELLS, CELLS))
        self._squares = np.zeros((CELLS, CELLS))

    def update(self, frame: Image, box: Floats, cropped: Image) -> None:
        """Take in a frame (H, W, 3), its face box (4,), NaN where the face was missed, and its crop (S, S, 3)."""
        luma = face_luma(frame, box)
        self._sharpness.append(np.nan if luma is None else sharpness(luma))
        self._brightness.append(np.nan if luma is None else float(luma.mean()))
        cells = cell_means(cropped)
        self._sum += cells
        self._squares += np.square(cells)

    def of_frames(self) -> dict[str, Array]:
        """Sharpness and brightness (T,) so far; NaN where there was no face."""
        return {"sharpness": np.array(self._sharpness), "brightness": np.array(self._brightness)}

    def motion(self) -> float:
        """How much the crop's picture changes over the track, in grey levels of 255: 0 for a still, NaN for one frame.

        Root mean square over CELLS x CELLS cells of the standard deviation of their luma over time. Cells are large
        enough that noise and coding average out. Measured: photos as video at most 0.24, with grain or small, else
        0.02; real people in one second 0.45 at the calmest and most coarsely coded, in whole clips 1.7 and more.
        """
        count = len(self._sharpness)
        if count < 2:
            return np.nan
        variance = self._squares / count - np.square(self._sum / count)
        return float(np.sqrt(np.maximum(variance, 0.0).mean()))


def cell_means(cropped: Image) -> Array:
    """Mean luma of CELLS x CELLS parts of a crop (S, S, 3), 0 to 255; S at least CELLS."""
    luma = cv2.cvtColor(cropped, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(luma, (CELLS, CELLS), interpolation=cv2.INTER_AREA), np.float64)


def face_luma(frame: Image, box: Floats) -> Array | None:
    """Luma of the face box, PATCH x PATCH in [0, 1], area-averaged; None where there is no box inside the frame."""
    if not np.isfinite(box).all():
        return None
    height, width = frame.shape[:2]
    left, top = np.clip(np.round(box[:2]).astype(int), 0, (width, height))
    right, bottom = np.clip(np.round(box[2:]).astype(int) + 1, 0, (width, height))
    if right <= left or bottom <= top:
        return None
    luma = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    small = cv2.resize(luma.astype(np.float32), (PATCH, PATCH), interpolation=_interpolation(luma.shape[0]))
    return np.asarray(small, np.float64) / 255.0


def _interpolation(size: int) -> int:
    return int(cv2.INTER_AREA if size > PATCH else cv2.INTER_CUBIC)


def sharpness(luma: Array) -> float:
    """Energy of the Laplacian over the variance of luma (N, N): share of fine detail in the picture.

    Free of contrast and brightness, and, on patches of one size (see `face_luma`), of the face's size: a small face
    that had to be enlarged counts as blurred, because it is. Noise counts as detail. The measure is the variance of
    the Laplacian (Pech-Pacheco et al. 2000), divided by that of the picture. 0.2 to 0.5 for a crisp
    face, below 0.1 for a soft one.
    """
    laplacian = cv2.Laplacian(luma, cv2.CV_64F, ksize=1)
    return float(np.square(laplacian).mean() / (luma.var() + FLAT))


def _median(values: Iterable[float] | Floats) -> float:
    values = np.asarray(list(values), np.float64)
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan
