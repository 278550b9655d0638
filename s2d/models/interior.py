"""The inside of a mouth, drawn where it opens further than the source's: upper teeth, the dark, the tongue in it.

A warp has only what the source shows. What is drawn here is a first guess, right in place and roughly in colour; the
generator paints over it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models import mouth as m
from s2d.models.blocks import identity_grid, smoothstep
from s2d.models.faces import face_radius, known_mean
from s2d.models.heatmaps import full_precision
from s2d.models.lips import TEETH_HEIGHT, Lips

NOSE = (*layout.PARTS["nose_bridge"], *layout.PARTS["nose_base"])
# Colours and heights are near the medians of 160 mouths of 47 people that open, and have the contrast of single ones.
LIGHT = 0.67  # mean of skin in the light in which these colours look right
TEETH, TEETH_HUE = 0.76, 0.7  # lightness, and power of the skin's hue: teeth share the light's colour, not the skin's
DARK, TONGUE = 0.2, 0.6  # lightness of the throat, and of the tongue and the lower teeth before it
TONGUE_HEIGHT = 0.25  # mouth widths above the lower lip up to which these reach
FLESH = (1.12, 0.92, 0.96)  # flesh over skin: pinker, but not in a grey picture
COLOURFUL = 0.28  # saturation of skin from which on a picture is no grey one
SMILE, ROUND = 0.2, 0.5  # openings, in mouth widths: the one shows the teeth, behind the other
HIDDEN = 0.35  # of them is hidden
NARROW, WIDE = 0.75, 1.1  # width of the mouth over the source's: the one, of rounded lips, hides teeth, the other none
ROUNDED_HIDES = 0.8  # of them
SOFTNESS = 0.03  # mouth widths over which it fades in behind the lips
CORNER, CORNER_FADE = 0.07, 0.2  # mouth widths from its corners in which a mouth is dark, and over which it gets light
BITE, BOW = 0.13, 0.4  # mouth widths of teeth below the lip's middle, and how much less of that there is at the corners
SHADE, SHADE_HEIGHT = 0.3, 0.05  # share of light that the lip takes from teeth at its edge, and how far down
TOOTH_ENDS = (0.0, 0.17, 0.3, 0.41)  # mouth widths from the middle, where one tooth ends and the next begins
NICK, NICK_WIDTH = 0.25, 0.012  # share of their light that is lost there, over these mouth widths
ROUNDED, ROUNDED_WIDTH = 0.02, 0.03  # mouth widths that they are shorter there, and over which
BLEND = 0.04  # mouth widths over which one thing inside passes into the next
STRETCH = 2.0  # of what the source shows below its teeth, which nobody sees
AJAR, SHOWING = 0.05, 0.04  # mouth widths of opening that detectors give closed lips, and beyond, that show teeth
FULL = 0.1  # mouth widths of opening, beyond the source's, from which on all that the source has not is drawn


class _Inside(NamedTuple):
    """Places in a mouth, (B, N) each in its widths."""

    u: Tensor
    """Along, from the first corner."""
    aside: Tensor
    """Along, from the middle of the upper lip."""
    line: Tensor
    """Below the middle of the upper lip, which teeth do not follow upwards."""
    depth: Tensor
    """Below the upper lip."""
    above: Tensor
    """Above the lower lip."""

    @staticmethod
    def of(lips: Lips) -> _Inside:
        """The driver's."""
        middle_u, middle = lips.mine.axes.local(lips.mine.points[:, [m.INNER_UPPER[2]]])
        u, (v, upper, lower) = lips.u, lips.gap
        return _Inside(u, u - middle_u, v - middle, v - upper, lower - v)

    @property
    def lit(self) -> Tensor:
        """How much light comes there: the corners are dark."""
        return smoothstep((torch.minimum(self.u, 1 - self.u) - CORNER) / CORNER_FADE)


def draw_interior(image: Tensor, lips: Lips, skin: Tensor, pixel: float) -> Tensor:
    """`image` (B, 3, h, w), the source moved, with the inside of the mouth where it opens; at the N = h w places of
    `lips`.

    These are `pixel` apart, normalised; skin (B, 3) of `skin_colour`. Unchanged where a landmark of the mouth is not
    known, or it opens no further.
    """
    at, opening = _Inside.of(lips), lips.mine.opening[:, None]
    share = _missing(lips, at) * (torch.minimum(at.depth, at.above) / SOFTNESS).clamp(0, 1)
    share = torch.where(lips.known, share, 0.0)
    seen = (1 - _own(lips)) * (1 - HIDDEN * ((opening - SMILE) / (ROUND - SMILE)).clamp(0, 1))
    seen = seen * (1 - ROUNDED_HIDES * (1 - smoothstep((lips.size - NARROW) / (WIDE - NARROW))))
    flesh = _flesh(at, opening, skin)
    teeth = _teeth(at, skin, pixel / lips.mine.axes.width[:, None])
    colour = flesh + (_bitten(at) * seen)[:, None] * (teeth - flesh)
    return image + (share[:, None] * (colour - image.flatten(2))).reshape(image.shape)


def _missing(lips: Lips, at: _Inside) -> Tensor:
    """How much the source lacks of what is there: (B, N), 0 to 1; nothing at rest, nor teeth that it shows itself."""
    opening, shown = lips.mine.opening[:, None], lips.theirs.opening[:, None] / lips.size
    upper, lower = lips.theirs.inner_edges(at.u)
    teeth = ((lower - upper) / lips.size).clamp(0.0, TEETH_HEIGHT)  # torch.export takes no whole number with another
    own = _own(lips)
    rest = STRETCH * (shown - AJAR - TEETH_HEIGHT) / (opening - TEETH_HEIGHT).clamp(min=1e-6)
    lacks_rest = 1 - own * rest.clamp(0, 1)
    lower_down = ((at.depth - teeth) / BLEND + 1).clamp(0, 1)
    return (1 - own + lower_down * (lacks_rest - 1 + own)) * ((opening - shown) / FULL).clamp(0, 1)


def _own(lips: Lips) -> Tensor:
    """Whether the source shows teeth of its own: (B, 1), 0 to 1."""
    return ((lips.theirs.opening[:, None] / lips.size - AJAR) / SHOWING).clamp(0, 1)


def _light_and_hue(skin: Tensor) -> tuple[Tensor, Tensor]:
    """How light it is, (B, 1), and the hue of skin (B, 3), whose mean is 1."""
    mean = skin.mean(-1, keepdim=True).clamp(min=1e-6)
    # the root is the light's; the rest is the person's own, and teeth do not share it. A power's slope is infinite at 0
    return (mean / LIGHT).sqrt(), (skin / mean).clamp(min=1e-3)


def _flesh(at: _Inside, opening: Tensor, skin: Tensor) -> Tensor:
    """Colours (B, 3, N) of throat and tongue."""
    light, hue = _light_and_hue(skin)
    tongue = 1 - at.above / (0.6 * opening).clamp(BLEND, TONGUE_HEIGHT)
    lightness = DARK + (TONGUE - DARK) * tongue.clamp(0, 1) * at.lit
    colourful = ((1 - skin.amin(-1) / skin.amax(-1).clamp(min=1e-6)) / COLOURFUL).clamp(max=1)
    pink = 1 + colourful[:, None] * (skin.new_tensor(FLESH) - 1)
    return lightness[:, None] * (light * hue * pink)[..., None]


def _teeth(at: _Inside, skin: Tensor, pixel: Tensor) -> Tensor:
    """Colours (B, 3, N) of upper teeth; the lines between them are fainter where a `pixel` (B, 1) is wider."""
    light, hue = _light_and_hue(skin)
    width = pixel.clamp(min=NICK_WIDTH)
    nicks = NICK * NICK_WIDTH / width * _between_teeth(at.aside, width)
    shade = SHADE * (1 - at.depth / SHADE_HEIGHT).clamp(0, 1)
    return (TEETH * light * hue**TEETH_HUE)[..., None] * ((1 - nicks) * (1 - shade))[:, None]


def _bitten(at: _Inside) -> Tensor:
    """Where upper teeth are: (B, N), 0 to 1."""
    arch = 1 - (2 * at.u - 1).clamp(-1, 1) ** 2  # from the corners to the middle
    end = BITE * (1 - BOW + BOW * arch) - ROUNDED * _between_teeth(at.aside, ROUNDED_WIDTH)
    return at.lit * (1 - ((at.line - end) / BLEND + 0.5).clamp(0, 1))


def _between_teeth(aside: Tensor, width: Tensor | float) -> Tensor:
    """A ridge (B, N) of this width, 1 where two teeth meet."""
    offset = (aside.abs()[..., None] - aside.new_tensor(TOOTH_ENDS)).abs().amin(-1)
    return torch.exp(-((offset / width) ** 2))


def skin_colour(image: Tensor, points: Tensor) -> Tensor:
    """The mean colour of the skin, by the nose: (B, 3, H, W) in [0, 1], points (B, 70, 2) normalised -> (B, 3)."""
    image, points = full_precision(image), full_precision(points)
    centre = known_mean(points[:, list(NOSE)])
    grid = identity_grid(image.shape[-2], image.shape[-1], points)
    squared = ((grid - centre[:, None, None]) ** 2).sum(-1) / (0.3 * face_radius(points)[:, None, None]) ** 2
    nearest = squared.amin((1, 2), keepdim=True)  # a nose beyond the border: the skin next to it
    weights = torch.exp(0.5 * (nearest - squared))[:, None]
    return (image * weights).sum((2, 3)) / weights.sum((2, 3))
