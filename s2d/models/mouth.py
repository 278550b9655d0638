"""The inside of a mouth, drawn where it opens further than the source's: upper teeth, and the dark below them.

A warp has only what the source shows, and from closed lips it can make but thicker lips. What is drawn here is a first
guess, right in place and roughly in colour; the generator paints over it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models import candidates as c
from s2d.models.frame import Frame
from s2d.models.heatmaps import full_precision

INNER = layout.PARTS["inner_lips"]  # clockwise on the screen from the first corner
FIRST, UPPER, LAST, LOWER = INNER[0], INNER[1:4], INNER[4], INNER[:4:-1]
CORNERS = layout.PARTS["outer_lips"][0], layout.PARTS["outer_lips"][6]
EYE_CORNERS = tuple(eye[k] for eye in layout.EYES for k in (0, 3))
NOSTRILS = layout.PARTS["nose_base"][2]  # the point between them
NOSE = (*layout.PARTS["nose_bridge"], *layout.PARTS["nose_base"])
TEETH = (0.78, 0.76, 0.71)  # in the light in which skin has the colour SKIN
CAVITY = (0.40, 0.24, 0.23)  # the dark of a mouth and the tongue in it, mixed
SKIN = (0.80, 0.65, 0.57)
TEETH_HEIGHT = 0.14  # of the upper teeth below the lip, in mouth widths
SMILE, ROUND = 0.2, 0.5  # openings, in mouth widths: the one shows the teeth, behind the other
HIDDEN = 0.7  # of them is hidden
SOFTNESS = 0.1  # mouth widths over which it fades in behind the lips; sharper edges cost more where lips are misplaced
FULL = 0.15  # mouth widths of opening, beyond the source's, from which on all that the source has not is drawn


class _Mouth(NamedTuple):
    """Inner lips in the frame of the outer corners."""

    frame: Frame
    points: Tensor
    """(B, 70, 2) all landmarks, 0 where not known."""

    def lip(self, lip: tuple[int, ...], u: Tensor) -> Tensor:
        """Where the inner edge of a lip is across, at places u (B, N) along the mouth."""
        return self.frame.edge(self.points[:, [FIRST, *lip, LAST]], u)

    @property
    def opening(self) -> Tensor:
        """(B,) mean distance of the inner lips, in mouth widths; 0 where they touch or have crossed."""
        upper, lower = (self.frame.local(self.points[:, list(lip)])[1] for lip in (UPPER, LOWER))
        return (lower - upper).mean(-1).clamp(min=0)

    @property
    def widths_by_height(self) -> Tensor:
        """(B,) the mouth's width over the way from the eyes to the nostrils, which no turn to a side shortens."""
        eyes = self.points[:, list(EYE_CORNERS)].mean(1)
        height = ((self.points[:, NOSTRILS] - eyes) ** 2).sum(-1).clamp(min=1e-12).sqrt()
        return self.frame.width / height


def draw_interior(image: Tensor, source_points: Tensor, driving_points: Tensor, tone: Tensor) -> Tensor:
    """`image` (B, 3, H, W), the source moved, with the inside of the mouth where it opens; tone (B, 2) of `skin_tone`.

    Points (B, 70, 2) normalised. Unchanged where a landmark of the mouth is not known, or it opens no further.
    """
    with torch.autocast(image.device.type, enabled=False):
        source_points, driving_points = full_precision(source_points), full_precision(driving_points)
        needed = [*INNER, *CORNERS, *EYE_CORNERS, NOSTRILS]
        known = torch.isfinite(source_points[:, needed] + driving_points[:, needed]).all(-1).all(-1)
        before, now = _mouth(source_points), _mouth(driving_points)
        source_opening = before.opening * before.widths_by_height / now.widths_by_height  # in the driver's mouth widths
        more = (now.opening - source_opening).clamp(min=0)
        amount = (more / FULL).clamp(max=1) * more / now.opening.clamp(min=1e-6) * known
        height, width = image.shape[-2:]
        u, v = now.frame.local(c.identity_grid(height, width, driving_points).reshape(1, -1, 2))
        upper, lower = now.lip(UPPER, u), now.lip(LOWER, u)
        behind = (torch.minimum(v - upper, lower - v) / SOFTNESS).clamp(0, 1)
        share = (amount[:, None] * behind).reshape(-1, 1, height, width)
        below = ((v - upper - TEETH_HEIGHT) / SOFTNESS + 0.5).clamp(0, 1).reshape(-1, 1, height, width)
        teeth, cavity = _coloured(TEETH, tone), _coloured(CAVITY, tone)
        hidden = HIDDEN * ((now.opening - SMILE) / (ROUND - SMILE)).clamp(0, 1)
        teeth = teeth + hidden[:, None, None, None] * (cavity - teeth)
    return image + share * (teeth + below * (cavity - teeth) - image)


def skin_tone(image: Tensor, points: Tensor) -> Tensor:
    """How light and how colourful a face is, by its nose: (B, 3, H, W) in [0, 1], (B, 70, 2) -> (B, 2).

    Lightness is 1 for SKIN and else the square root of the skin's over SKIN's: the rest is the person's own, and teeth
    do not share it. Colour is 1 for SKIN and above, 0 in a grey picture.
    """
    image, points = full_precision(image), full_precision(points)
    nose = points[:, list(NOSE)]
    known = torch.isfinite(nose).all(-1, keepdim=True)
    centre = torch.where(known, nose, 0.0).sum(1) / known.sum(1).clamp(min=1)
    grid = c.identity_grid(image.shape[-2], image.shape[-1], points)
    squared = ((grid - centre[:, None, None]) ** 2).sum(-1) / (0.3 * c.face_radius(points)[:, None, None]) ** 2
    nearest = squared.amin((1, 2), keepdim=True)  # a nose beyond the border: the skin next to it
    weights = torch.exp(0.5 * (nearest - squared))[:, None]
    skin = (image * weights).sum((2, 3)) / weights.sum((2, 3))
    lightness = (skin.mean(-1) / (sum(SKIN) / 3)).clamp(min=1e-6).sqrt()
    colour = _saturation(skin) / _saturation(skin.new_tensor(SKIN))
    return torch.stack([lightness, colour.clamp(max=1)], dim=-1)


def _saturation(colour: Tensor) -> Tensor:
    return 1 - colour.amin(-1) / colour.amax(-1).clamp(min=1e-6)


def _coloured(colour: tuple[float, ...], tone: Tensor) -> Tensor:
    """A colour in the tone of a face: (B, 3, 1, 1)."""
    grey = sum(colour) / len(colour)
    lightness, saturation = tone[:, :1], tone[:, 1:]
    return ((grey + saturation * (tone.new_tensor(colour) - grey)) * lightness)[..., None, None]


def _mouth(points: Tensor) -> _Mouth:
    points = points.nan_to_num(0.0, 0.0, 0.0)
    return _Mouth(Frame.between(points[:, CORNERS[0]], points[:, CORNERS[1]]), points)
