"""Pictures of any size from the motion of an animator, which works at its own.

What is smooth is resampled: the flow, and what the generator painted. What has edges is made anew at the picture's
size: lids, lips and pupils, lashes and the inside of the mouth.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor
from torch.nn import functional as F

from s2d.models.blocks import identity_grid
from s2d.models.edges import Motion, Scene, between_pixels, show
from s2d.models.eyes import Eyes
from s2d.models.faces import head_similarity, scale_of
from s2d.models.interior import skin_colour
from s2d.models.sheets import Sheets


class MovedFace(Protocol):
    """What an animator of size S says about B driving frames."""

    @property
    def painted(self) -> Tensor:
        """(B, 3, S, S) what the generator adds."""
        ...

    @property
    def smooth(self) -> Tensor:
        """(B, S, S, 2) displacement, normalised, without that of lids, lips and pupils."""
        ...

    @property
    def head(self) -> Tensor:
        """(B, S, S, 2) the displacement of the head, likewise, that these are worked out beside."""
        ...

    @property
    def sheets(self) -> Tensor:
        """(B, 1, S, S) how much lids, lips and pupils count together."""
        ...

    @property
    def gaze(self) -> Tensor:
        """(B, 2, S, S) by how much pupils count more than by `pupil_odds`, in natural logarithms."""
        ...


class Renderer:
    """One source, shown at any size as an animator moves it."""

    def __init__(self, source: Tensor, points: Tensor) -> None:
        """Source (1, 3, H, W) in [0, 1], points (1, 70, 2) normalised in this picture.

        It shows the same square as the picture that the animator was given.
        """
        self._source, self._points = source, points
        self._skin = skin_colour(source, points)
        self._grid = identity_grid(source.shape[-2], source.shape[-1], points)

    def __call__(self, face: MovedFace, driving_points: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [0, 1]; driving_points (B, 70, 2) normalised in the source's picture."""
        height, width = self._source.shape[-2:]
        given = (self._source, self._skin, self._points)
        picture, skin, points = (field.expand(len(driving_points), *field.shape[1:]) for field in given)
        scene = Scene(picture, skin, points, driving_points)
        flows = (_upsampled_flow(field, height, width) for field in (face.smooth, face.head))
        motion = Motion(*flows, *(_upsample(field, height, width) for field in (face.sheets, face.gaze)))
        eyes = Eyes.of(points, driving_points, scale_of(head_similarity(points, driving_points))).seen()
        sheets = Sheets.on(self._grid, points, driving_points, eyes)
        shown = between_pixels(*show(scene, motion, sheets, sheets.grid), scene, motion, sheets)
        return (shown + _upsample(face.painted, height, width)).clamp(0, 1)


def _upsampled_flow(displacement: Tensor, height: int, width: int) -> Tensor:
    """Displacement (B, S, S, 2) at another size: (B, height, width, 2).

    Pixel centres of both are half a pixel inside the square, so normalised units, from centre to centre, differ.
    """
    size = displacement.shape[1]
    scale = [(size - 1) / size * length / (length - 1) for length in (width, height)]
    fine = _upsample(displacement.permute(0, 3, 1, 2), height, width).permute(0, 2, 3, 1)
    return fine * fine.new_tensor(scale)


def _upsample(field: Tensor, height: int, width: int) -> Tensor:
    """Resample (B, C, h, w) as pictures of the same square are resampled: by pixel area, not by corner nodes."""
    if field.shape[-2:] == (height, width):
        return field
    return F.interpolate(field, (height, width), mode="bilinear", align_corners=False)
