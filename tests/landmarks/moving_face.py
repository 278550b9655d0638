"""A picture of a face under known similarity motion, and detections that tremble around the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import skimage.data

from s2d.geometry import Array, Float32, Image, apply
from s2d.landmarks import layout
from s2d.landmarks.tracking import Track, crop_for

SIZE = 200
FPS = 25.0


@dataclass(frozen=True)
class MovingFace:
    frames: list[Image]
    truth: Array
    """(T, 70, 2) frame pixels."""


def moving_face(points: Float32, count: int = 24, noise: float = 2.0, seed: int = 0) -> MovingFace:
    """The astronaut's face, swaying, turning in the picture and coming closer by known similarities."""
    rng = np.random.default_rng(seed)
    photo = cv2.GaussianBlur(skimage.data.astronaut(), (0, 0), 0.6)
    t = np.arange(count)
    angle, zoom = 0.05 * np.sin(t / 5), 1.0 + 0.03 * np.sin(t / 7)
    middle = np.array([224.0, 128.0])
    place = SIZE / 2 + np.stack([6 * np.sin(t / 4), 4 * np.cos(t / 6)], axis=-1)
    linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    linear = linear * zoom[:, None, None]
    motions = np.concatenate([linear, (place - linear @ middle)[..., None]], axis=-1)
    frames = []
    for motion in motions:
        frame = cv2.warpAffine(photo, motion, (SIZE, SIZE), flags=cv2.INTER_CUBIC).astype(np.float64)
        frames.append(np.clip(frame + rng.normal(0, noise, frame.shape), 0, 255).astype(np.uint8))
    return MovingFace(frames, apply(motions, points))


def detected(truth: Array, trembling: float = 0.6, seed: int = 1) -> Track:
    """A track whose detections are the truth plus white noise of this many pixels."""
    raw = (truth + np.random.default_rng(seed).normal(0, trembling, truth.shape)).astype(np.float32)
    return track_of(raw)


def track_of(raw: Float32) -> Track:
    valid = np.isfinite(raw).all(axis=-1)
    seen = valid[:, :68].any(axis=1)
    boxes = np.full((len(raw), 4), np.nan, np.float32)
    boxes[seen] = np.concatenate([raw[seen, :68].min(axis=1), raw[seen, :68].max(axis=1)], axis=-1)
    frames = np.arange(len(raw))
    return Track(0, 0, frames, frames / FPS, raw, valid, seen.astype(np.float32), boxes, crop_for(boxes))


def flicker(points: Array, truth: Array, part: Sequence[int] = range(70)) -> float:
    """NMF in percent: root mean square change of the error from frame to frame over the inter-ocular distance."""
    change = np.diff(points - truth, axis=0)[:, list(part)]
    return float(100 * np.sqrt(np.nanmean((change**2).sum(axis=-1))) / layout.interocular(truth).mean())
