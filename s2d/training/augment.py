"""What the frames of a pair go through together: mirror, colours, and a little noise on the landmarks.

They are drawn beside the landmarks, sample by sample; the pictures follow in `change_images`, a whole batch at once on
the device that trains, so that the loader has nothing to do but decode. Pictures are not turned, zoomed or shifted:
stored crops are centred on the face, as those that are animated, so moves would teach nothing that is asked for later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2d.errors import S2DError
from s2d.geometry import Array, Float32
from s2d.landmarks.layout import MIRROR

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


@dataclass(frozen=True)
class Change:
    """What happens to all frames of one sample."""

    mirrored: bool
    colours: Array
    """(3, 4) affine map of RGB in [0, 1]."""

    def points(self, points: Float32) -> Float32:
        """Where landmarks (..., 70, 2), normalised, are in the changed picture."""
        return mirror_points(points) if self.mirrored else points


@dataclass(frozen=True)
class Augmentation:
    """Strengths; all zero leaves the pair as it is."""

    flip: float = 0.5
    """Probability of a mirrored pair."""
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
        flip, brightness, contrast, saturation = (2 * rng.random(4) - 1).tolist()
        colours = colour_map(
            self.brightness * brightness, 1 + self.contrast * contrast, 1 + self.saturation * saturation
        )
        return Change((flip + 1) / 2 < self.flip, colours)

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


def change_images(images: Tensor, mirrored: Tensor, colours: Tensor) -> Tensor:
    """Mirror and recolour the frames (B, F, 3, S, S) in [0, 1] of B samples.

    `mirrored` (B,) bool and `colours` (B, 3, 4) are those of `Change`, the same for all F frames of a sample.
    """
    # not by torch.where, which takes several times as long where a mask has one value for each sample
    turned = images.index_put((mirrored,), images[mirrored].flip(-1))
    mixed = colours[:, None, :, :3] @ turned.flatten(3) + colours[:, None, :, 3:]
    return mixed.clamp_(0, 1).view_as(images)


def as_images(frames: Tensor) -> Tensor:
    """Pictures (..., S, S, 3) uint8 as (..., 3, S, S) in [0, 1], on the same device."""
    return frames.movedim(-1, -3).to(torch.float32) / 255
