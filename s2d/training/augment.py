"""What both frames of a pair go through together: mirror, move, colours, and a little noise on the landmarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from s2d.errors import S2DError
from s2d.geometry import Array, Float32, apply
from s2d.landmarks.layout import MIRROR

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Augmentation:
    """Strengths; all zero leaves the pair as it is."""

    flip: float = 0.5
    """Probability of a mirrored pair."""
    turn: float = 12.0
    """Largest rotation of the picture, degrees."""
    zoom: float = 0.15
    """Largest natural logarithm of the factor by which the picture grows or shrinks."""
    shift: float = 0.12
    """Largest move along x and along y, normalised units (2 is the width of the image)."""
    brightness: float = 0.1
    """Largest shift of all channels, images being in [0, 1]."""
    contrast: float = 0.15
    """Largest relative change of the distance from middle grey."""
    saturation: float = 0.2
    """Largest relative change of the distance from grey of the same luma."""
    noise: float = 0.002
    """Standard deviation added to every landmark coordinate, normalised units (2 is the width of the image)."""

    def __post_init__(self) -> None:
        """Raises S2DError when a strength cannot be meant."""
        wrong = [f"{name}={value}" for name, value in vars(self).items() if not 0 <= value < math.inf]
        wrong += [f"flip={self.flip}"] if self.flip > 1 else []
        if wrong:
            why, remedy = f"it cannot have {', '.join(wrong)}", "strengths are 0 or more, flip is at most 1"
            raise S2DError("cannot augment pairs", why, remedy)

    def apply(
        self, images: Sequence[Float32], points: Sequence[Float32], rng: np.random.Generator
    ) -> tuple[list[Float32], list[Float32]]:
        """Change images (S, S, 3) in [0, 1] and normalised points (70, 2) of one track alike; only noise differs."""
        if rng.random() < self.flip:
            images, points = [mirror_image(image) for image in images], [mirror_points(p) for p in points]
        if self.turn or self.zoom or self.shift:
            matrix = self._similarity(rng)
            images, points = [move_image(image, matrix) for image in images], [move_points(p, matrix) for p in points]
        shift = rng.uniform(-self.brightness, self.brightness)
        contrast = 1 + rng.uniform(-self.contrast, self.contrast)
        saturation = 1 + rng.uniform(-self.saturation, self.saturation)
        coloured = [recolour(image, shift, contrast, saturation) for image in images]
        noisy = [(p + rng.normal(0, self.noise, p.shape)).astype(np.float32) for p in points]
        return coloured, noisy

    def _similarity(self, rng: np.random.Generator) -> Array:
        angle = np.deg2rad(rng.uniform(-self.turn, self.turn))
        scale = np.exp(rng.uniform(-self.zoom, self.zoom))
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        return np.column_stack([[cos, sin], [-sin, cos], rng.uniform(-self.shift, self.shift, 2)])


NONE = Augmentation(flip=0, turn=0, zoom=0, shift=0, brightness=0, contrast=0, saturation=0, noise=0)


def mirror_image(image: Float32) -> Float32:
    """Swap left and right of (S, S, 3)."""
    return np.ascontiguousarray(image[:, ::-1])


def mirror_points(points: Float32) -> Float32:
    """Mirror normalised points (70, 2) and give every landmark the name it has on the mirrored face.

    >>> face = np.zeros((70, 2), np.float32); face[36] = [-0.5, 0.1]
    >>> mirror_points(face)[45].round(1).tolist()
    [0.5, 0.10000000149011612]
    """
    return np.ascontiguousarray(points[MIRROR] * np.array([-1, 1], np.float32))


def move_image(image: Float32, matrix: Array) -> Float32:
    """Resample (S, S, 3) under the affine map `matrix` (2, 3) of normalised coordinates; what comes in is mirrored."""
    half = (len(image) - 1) / 2
    offset = half * (matrix[:, 2] + 1 - matrix[:, :2].sum(1))  # of the same map of pixels
    in_pixels = np.column_stack([matrix[:, :2], offset])
    size = image.shape[1::-1]
    return np.asarray(cv2.warpAffine(image, in_pixels, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))


def move_points(points: Float32, matrix: Array) -> Float32:
    """Normalised points (70, 2) under the affine map `matrix` (2, 3)."""
    return apply(matrix, points).astype(np.float32)


def recolour(image: Float32, shift: float, contrast: float, saturation: float) -> Float32:
    """Saturation about the luma, contrast about middle grey, then a shift; clipped to [0, 1].

    >>> grey = np.full((1, 1, 3), 0.4, np.float32)
    >>> recolour(grey, shift=0.1, contrast=2.0, saturation=0.0).round(3).tolist()
    [[[0.4..., 0.4..., 0.4...]]]
    """
    mixing = contrast * (saturation * np.eye(3) + (1 - saturation) * LUMA[:, None])
    offset = 0.5 * (1 - contrast) + shift
    return np.asarray(np.clip(image @ mixing.astype(np.float32) + np.float32(offset), 0, 1))
