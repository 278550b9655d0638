"""How good a track is: measures with units.

To add one: give it a column in `s2d.shards.schema.TRACKS` and fill it in one of the functions below.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from s2d.geometry import Array, Floats, Image
from s2d.landmarks import expression, layout
from s2d.landmarks.jitter import acceleration
from s2d.landmarks.tracking import Track

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


def of_motion(track: Track, points: Floats) -> dict[str, float]:
    """Ranges of pose and openings over aligned landmarks (T, 70, 2), jitter of the raw and of the aligned.

    See `s2d.landmarks.expression` and `s2d.landmarks.jitter.acceleration`.
    """
    yaw, pitch, roll = np.moveaxis(expression.head_pose(points), -1, 0)
    series = {
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "mouth_open": expression.lip_aperture(points),
        "eye_open": expression.lid_apertures(points).mean(axis=-1),
    }
    ranges = {f"{name}_{end}": value for name, values in series.items() for end, value in _range(values).items()}
    ranges |= {f"abs_{name}": _range(np.abs(series[name]))["max"] for name in ("yaw", "pitch", "roll")}
    return {**ranges, "jitter_raw": acceleration(track.raw), "jitter_aligned": acceleration(points)}


def _range(values: Array) -> dict[str, float]:
    known = values[np.isfinite(values)]
    return {"min": float(known.min()), "max": float(known.max())} if len(known) else {"min": np.nan, "max": np.nan}


class PictureMeter:
    """Measures the pictures of a track as they pass by; keeps two numbers per frame."""

    def __init__(self) -> None:
        self._sharpness: list[float] = []
        self._brightness: list[float] = []

    def update(self, frame: Image, box: Floats) -> None:
        """Take in a frame (H, W, 3) and its face box (4,); a box of NaN, where the face was missed, is skipped."""
        luma = face_luma(frame, box)
        if luma is not None:
            self._sharpness.append(sharpness(luma))
            self._brightness.append(float(luma.mean()))

    def measures(self) -> dict[str, float]:
        """Medians over the frames so far; NaN without any."""
        return {"sharpness": _median(self._sharpness), "brightness": _median(self._brightness)}


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
