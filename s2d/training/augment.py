"""What the frames of a pair go through together: mirror, move, colours, and a little noise on the landmarks.

Where and how much is drawn beside the landmarks, sample by sample; the pictures follow in `change_images`, a whole
batch at once on the device that trains. On one core OpenCV moves a picture in the time that it takes to decode one, so
doing it in the loader would halve what the loader delivers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from s2d.errors import S2DError
from s2d.geometry import Array, Float32
from s2d.landmarks.layout import MIRROR

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class Change:
    """What happens to all frames of one sample."""

    mirrored: bool
    moved: Array
    """(2, 3) affine map of normalised coordinates, of the mirrored picture where it is mirrored."""
    colours: Array
    """(3, 4) affine map of RGB in [0, 1]."""

    def points(self, points: Float32) -> Float32:
        """Where landmarks (..., 70, 2), normalised, are in the changed picture."""
        placed = mirror_points(points) if self.mirrored else points
        return np.asarray(placed @ self.moved[:, :2].T + self.moved[:, 2], np.float32)

    @property
    def sampling(self) -> Float32:
        """(2, 3): for a place in the changed picture the one in the picture as it was, both normalised."""
        (a, b, x), (c, d, y) = self.moved.tolist()  # plain numbers: numpy takes ten times as long for so few
        scale, side = 1 / (a * d - b * c), -1 if self.mirrored else 1
        to_x = [side * scale * value for value in (d, -b, b * y - d * x)]
        to_y = [scale * value for value in (-c, a, c * x - a * y)]
        return np.array([to_x, to_y], np.float32)


@dataclass(frozen=True)
class Augmentation:
    """Strengths; all zero leaves the pair as it is."""

    flip: float = 0.5
    """Probability of a mirrored pair."""
    turn: float = 0.0
    """Largest rotation of the picture, degrees. Stored crops are centred on the face, as those that are animated, so
    moves teach nothing that is asked for later, and what comes into the picture is mirrored, which no camera shows."""
    zoom: float = 0.0
    """Largest natural logarithm of the factor by which the picture grows or shrinks."""
    shift: float = 0.0
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

    def draw(self, rng: np.random.Generator) -> Change:
        """One sample's change; takes the same count of random numbers whatever the strengths."""
        flip, turn, zoom, x, y, brightness, contrast, saturation = (2 * rng.random(8) - 1).tolist()
        angle, scale = math.radians(self.turn * turn), math.exp(self.zoom * zoom)
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        moved = np.array([[cos, -sin, self.shift * x], [sin, cos, self.shift * y]])
        colours = colour_map(
            self.brightness * brightness, 1 + self.contrast * contrast, 1 + self.saturation * saturation
        )
        return Change((flip + 1) / 2 < self.flip, moved, colours)

    def disturb(self, points: Float32, rng: np.random.Generator) -> Float32:
        """Landmarks (..., 70, 2) with noise, each coordinate its own."""
        return np.asarray(points + self.noise * rng.standard_normal(points.shape), np.float32)


def mirror_points(points: Float32) -> Float32:
    """Mirror normalised points (..., 70, 2) and give every landmark the name it has on the mirrored face.

    >>> face = np.zeros((70, 2), np.float32); face[36] = [-0.5, 0.1]
    >>> mirror_points(face)[45].round(1).tolist()
    [0.5, 0.10000000149011612]
    """
    return np.asarray(points[..., MIRROR, :] * np.array([-1, 1], np.float32))


def colour_map(shift: float, contrast: float, saturation: float) -> Array:
    """(3, 4): saturation about the luma, contrast about middle grey, then a shift, of RGB in [0, 1].

    >>> (colour_map(shift=0.1, contrast=2.0, saturation=0.0) @ [0.4, 0.4, 0.4, 1]).round(3).tolist()
    [0.4, 0.4, 0.4]
    """
    own, offset = contrast * saturation, 0.5 * (1 - contrast) + shift
    mixed = [contrast * (1 - saturation) * share for share in LUMA]
    return np.array([[*(part + own * (i == j) for j, part in enumerate(mixed)), offset] for i in range(3)])


def change_images(images: Tensor, sampling: Tensor, colours: Tensor) -> Tensor:
    """Move and recolour the frames (B, F, 3, S, S) in [0, 1] of B samples; what comes into the picture is mirrored.

    `sampling` (B, 2, 3) and `colours` (B, 3, 4) are those of `Change`, the same for all F frames of a sample.
    """
    stacked = images.flatten(1, 2)  # one sampling moves all frames of a sample
    grid = affine_grid(sampling, images.shape[-2], images.shape[-1])
    moved = F.grid_sample(stacked, grid, padding_mode="reflection", align_corners=True).view_as(images)
    mixed = colours[:, None, :, :3] @ moved.flatten(3) + colours[:, None, :, 3:]
    return mixed.clamp_(0, 1).view_as(images)


def affine_grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """The grid (B, H, W, 2) of `torch.nn.functional.affine_grid`, in a fifth of its time on a processor."""
    y, x = (torch.linspace(-1, 1, count, device=matrices.device) for count in (height, width))
    along_x, along_y, offset = (part[..., None, None] for part in matrices.unbind(2))  # (B, 2, 1, 1) each
    grid = matrices.new_empty(len(matrices), height, width, 2)
    return torch.add(along_x * x, along_y * y[:, None] + offset, out=grid.movedim(-1, 1)).movedim(1, -1)


def as_images(frames: Tensor) -> Tensor:
    """Pictures (..., S, S, 3) uint8 as (..., 3, S, S) in [0, 1], on the same device."""
    return frames.movedim(-1, -3).to(torch.float32) / 255
