"""Pictures of any size from the motion of an animator, which works at its own.

What is smooth is resampled: the flow, and what the generator painted. What has edges is made anew at the picture's
size: lids, lips and pupils, lashes and the inside of the mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from s2d.geometry_torch import displacement
from s2d.models.blocks import identity_grid, smoothstep, warp
from s2d.models.box import Box
from s2d.models.eyes import Eyes, apart
from s2d.models.faces import head_similarity, scale_of
from s2d.models.interior import skin_colour
from s2d.models.prior import blend, pupil_odds
from s2d.models.sheets import Sheets

TAPS = 4  # samples of a pixel over which a motion jumps
APART = 1.5  # pixels of the source between neighbours, from which on these are taken; wholly at twice as many


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


class _Fields(NamedTuple):
    """A MovedFace on the nodes of some grid, displacements in its own normalised units."""

    smooth: Tensor
    """(B, h, w, 2)."""
    head: Tensor
    """(B, h, w, 2)."""
    sheets: Tensor
    """(B, 1, h, w)."""
    gaze: Tensor
    """(B, 2, h, w)."""

    @staticmethod
    def of(face: MovedFace, height: int, width: int) -> _Fields:
        """At this size."""
        flows = (_upsampled_flow(field, height, width) for field in (face.smooth, face.head))
        return _Fields(*flows, *(_upsample(field, height, width) for field in (face.sheets, face.gaze)))

    def around(self, rows: Tensor, columns: Tensor) -> _Fields:
        """What these K nodes have, for TAPS places around each: fields of h = TAPS, w = K. They are smooth."""
        flows = (field[:, None, rows, columns].expand(-1, TAPS, -1, -1) for field in (self.smooth, self.head))
        shares = (field[:, :, None, rows, columns].expand(-1, -1, TAPS, -1) for field in (self.sheets, self.gaze))
        return _Fields(*flows, *shares)


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
        fields, points = _Fields.of(face, height, width), self._points.expand(len(driving_points), -1, -1)
        similarity = head_similarity(points, driving_points)
        eyes = Eyes.of(points, driving_points, scale_of(similarity)).seen()
        sheets = Sheets.on(self._grid, points, driving_points, eyes)
        picture, places = self._shown(sheets, fields, similarity)
        torn = _torn(places, (sheets.eyes, sheets.mouth))
        rows, columns = (torn > 0).any(0).nonzero(as_tuple=True)
        if len(rows):
            fine = Sheets.at(_taps(self._grid, rows, columns), points, driving_points, eyes, sheets.pixel)
            mean = self._shown(fine, fields.around(rows, columns), similarity)[0].mean(2)
            coarse = picture[..., rows, columns]
            picture[..., rows, columns] = torch.lerp(coarse, mean, torn[:, None, rows, columns])
        return (picture + _upsample(face.painted, height, width)).clamp(0, 1)

    def _shown(self, sheets: Sheets, fields: _Fields, similarity: Tensor) -> tuple[Tensor, Tensor]:
        """The source (B, 3, h, w) on the grid of `sheets`, and where in it each node is taken from, (B, h, w, 2)."""
        lids, turned = _with_pupils(sheets, fields, similarity)
        flow = fields.smooth + lids[:, 0, ..., None] * sheets.motion(fields.head) + turned
        places, share = sheets.grid + flow, torch.cat([lids, fields.sheets], dim=1)
        source, skin = (field.expand(len(flow), *field.shape[1:]) for field in (self._source, self._skin))
        return sheets.draw(warp(source, places), source, skin, share), places


def _with_pupils(sheets: Sheets, fields: _Fields, similarity: Tensor) -> tuple[Tensor, Tensor]:
    """How much lids and lips count beside pupils, (B, 1, h, w), and what these add to the displacement (B, h, w, 2)."""
    box, pupils = sheets.gaze, sheets.pupils
    bias, together = (field[..., box.rows, box.columns] for field in (fields.gaze, fields.sheets))
    odds = pupil_odds(apart(pupils.holds)).transpose(0, 1) * bias.exp()
    lids = together / (1 + odds.sum(1, keepdim=True))
    turned = pupils.turned(similarity, displacement(similarity, pupils.grid))
    turned = apart(turned + pupils.hidden(turned)).transpose(0, 1) - box.cut(fields.head)[:, None]
    height, width = sheets.grid.shape[:2]
    fewer = box.put_back((lids - together)[..., None], height, width)[..., 0]
    return fields.sheets + fewer, box.put_back(blend(turned, lids * odds), height, width)


def _torn(places: Tensor, boxes: Sequence[Box]) -> Tensor:
    """Where neighbours come from places (B, H, W, 2) of the source further apart than they are: (B, H, W), 0 to 1.

    At the edges of lids, lips and irises, which one sample a pixel would show as stairs and dots, and where skin is
    pressed together. Looked for in `boxes` alone.
    """
    torn = places.new_zeros(places.shape[:-1])
    per_unit = (places.new_tensor([places.shape[2], places.shape[1]]) - 1) / 2
    for box in boxes:
        pixels = box.cut(places) * per_unit
        across, down = (
            smoothstep((pixels.diff(dim=axis).norm(dim=-1) - APART) / APART).movedim(axis, -1) for axis in (2, 1)
        )
        found = torn[:, box.rows, box.columns]
        for values, share in ((found, across), (found.mT, down)):
            for side in (values[..., 1:], values[..., :-1]):  # either of the two neighbours
                torch.maximum(side, share, out=side)
    return torn


def _taps(grid: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Places (TAPS, K, 2) around K nodes of a grid (H, W, 2), in the middles of the quarters of their pixels."""
    quarter = (grid[-1, -1] - grid[0, 0]) / (grid.new_tensor([grid.shape[1], grid.shape[0]]) - 1) / 4
    return grid[rows, columns] + quarter * grid.new_tensor([[-1, -1], [1, -1], [-1, 1], [1, 1]])[:, None]


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
