"""Detections to tracks: one face in one shot, at most MAX_SECONDS long, with one fixed crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s2d.geometry import Crop, Float32


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
