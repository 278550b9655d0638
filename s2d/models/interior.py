"""The inside of a mouth, drawn where it opens further than the source's: upper teeth, the dark, the tongue in it.

A warp has only what the source shows. What is drawn here is a first guess, right in place and roughly in colour; the
generator paints over it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models import mouth as m
from s2d.models.blocks import identity_grid
from s2d.models.faces import face_radius, known_in_both, known_mean
from s2d.models.heatmaps import full_precision
from s2d.models.lips import TEETH_HEIGHT

NOSE = (*layout.PARTS["nose_bridge"], *layout.PARTS["nose_base"])
LIGHT = 0.67  # mean of skin in the light in which these colours look right
TEETH, TEETH_HUE = 0.74, 0.7  # lightness, and power of the skin's hue: teeth share the light's colour, not the skin's
DARK, TONGUE = 0.16, 0.4  # lightness of the throat, and of the tongue before it
FLESH_HUE, FLESH = 1.6, (1.15, 0.93, 0.92)  # flesh is more colourful than skin and redder, but not in a grey picture
COLOURFUL = 0.28  # saturation of skin from which on a picture is no grey one
SMILE, ROUND = 0.2, 0.5  # openings, in mouth widths: the one shows the teeth, behind the other
HIDDEN = 0.35  # of them is hidden
SOFTNESS = 0.06  # mouth widths over which it fades in behind the lips
BOW = 0.4  # of the height of the teeth: how much deeper their lower edge lies in the middle
TOOTH_ENDS = (0.0, 0.17, 0.3, 0.41)  # mouth widths from the middle, where one tooth ends and the next begins
NICK, NICK_WIDTH = 0.2, 0.012  # share of their light that is lost there, over these mouth widths
BLEND = 0.08  # mouth widths over which one thing inside passes into the next
STRETCH = 2.0  # of what the source shows below its teeth, which nobody sees
FULL = 0.1  # mouth widths of opening, beyond the source's, from which on all that the source has not is drawn


def draw_interior(image: Tensor, source: Tensor, driving: Tensor, skin: Tensor, grid: Tensor, pixel: float) -> Tensor:
    """`image` (B, 3, h, w), the source moved, with the inside of the mouth where it opens; on grid (h, w, 2).

    Its nodes are `pixel` apart, normalised. Points (B, 70, 2) normalised; skin (B, 3) of `skin_colour`. Unchanged where
    a landmark of the mouth is not known, or it opens no further.
    """
    before, now = m.Mouth.of(source), m.Mouth.of(driving)
    u, v = now.axes.local(grid.reshape(1, -1, 2))
    upper, lower = now.edge(m.INNER_UPPER, u), now.edge(m.INNER_LOWER, u)
    shown = (before.opening * before.widths_by_height / now.widths_by_height)[:, None]  # in the driver's mouth widths
    opening = now.opening[:, None]
    share = _missing(v - upper, opening, shown) * (torch.minimum(v - upper, lower - v) / SOFTNESS).clamp(0, 1)
    share = torch.where(known_in_both(source, driving, m.NEEDED)[:, None], share, 0.0)
    middle_u, middle = now.axes.local(now.points[:, [m.INNER_UPPER[2]]])
    light = 1 - _nicks(u - middle_u, pixel / now.axes.width[:, None])
    colour = _inside(u, v - middle, lower - v, opening, skin, light)
    return image + (share[:, None] * (colour - image.flatten(2))).reshape(image.shape)


def _missing(depth: Tensor, opening: Tensor, shown: Tensor) -> Tensor:
    """How much the source lacks of what is `depth` below the upper lip: (B, N), 0 to 1."""
    teeth = shown.clamp(max=TEETH_HEIGHT)
    more = (opening - shown).clamp(min=0)
    lacks_teeth = 1 - (shown / TEETH_HEIGHT).clamp(max=1)
    lacks_rest = 1 - (STRETCH * (shown - teeth) / (opening - teeth).clamp(min=1e-6)).clamp(0, 1)
    lower_down = ((depth - TEETH_HEIGHT) / BLEND + 0.5).clamp(0, 1)
    return (lacks_teeth + lower_down * (lacks_rest - lacks_teeth)) * (more / FULL).clamp(max=1)


def _inside(u: Tensor, line: Tensor, above: Tensor, opening: Tensor, skin: Tensor, teeth_light: Tensor) -> Tensor:
    """Colours (B, 3, N) at places `line` below the middle of the upper lip and `above` the lower one."""
    mean = skin.mean(-1, keepdim=True).clamp(min=1e-6)
    hue = (skin / mean).clamp(min=1e-3)  # a power's slope is infinite at 0
    light = (mean / LIGHT).sqrt()  # the root is the light's; the rest is the person's own, and teeth do not share it
    hidden = HIDDEN * ((opening - SMILE) / (ROUND - SMILE)).clamp(0, 1)
    arch = 1 - (2 * u - 1).clamp(-1, 1) ** 2  # from the corners to the middle: in the corners it is darker
    lightness = DARK + (TONGUE - DARK) * (1 - above / (0.6 * opening).clamp(min=BLEND)).clamp(0, 1)
    colourful = ((1 - skin.amin(-1) / skin.amax(-1).clamp(min=1e-6)) / COLOURFUL).clamp(max=1)
    red = 1 + colourful[:, None] * (skin.new_tensor(FLESH) - 1)
    flesh = lightness[:, None] * (light * hue**FLESH_HUE * red)[..., None]
    teeth = (TEETH * light * hue**TEETH_HUE)[..., None] * teeth_light[:, None]
    bite = 1 - ((line - TEETH_HEIGHT * (1 - BOW + BOW * arch)) / BLEND + 0.5).clamp(0, 1)
    return flesh + (bite * (1 - hidden))[:, None] * (teeth - flesh)


def _nicks(aside: Tensor, pixel: Tensor) -> Tensor:
    """How much darker it is between two teeth, at places (B, N) beside the middle; fainter where a pixel is wider."""
    width = pixel.clamp(min=NICK_WIDTH)
    offset = (aside.abs()[..., None] - aside.new_tensor(TOOTH_ENDS)).abs().amin(-1)
    return NICK * NICK_WIDTH / width * torch.exp(-((offset / width) ** 2))


def skin_colour(image: Tensor, points: Tensor) -> Tensor:
    """The mean colour of the skin, by the nose: (B, 3, H, W) in [0, 1], points (B, 70, 2) normalised -> (B, 3)."""
    image, points = full_precision(image), full_precision(points)
    centre = known_mean(points[:, list(NOSE)])
    grid = identity_grid(image.shape[-2], image.shape[-1], points)
    squared = ((grid - centre[:, None, None]) ** 2).sum(-1) / (0.3 * face_radius(points)[:, None, None]) ** 2
    nearest = squared.amin((1, 2), keepdim=True)  # a nose beyond the border: the skin next to it
    weights = torch.exp(0.5 * (nearest - squared))[:, None]
    return (image * weights).sum((2, 3)) / weights.sum((2, 3))
