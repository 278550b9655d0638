"""The skin of a lid that closes, where what stretches over the eye is too dark for it.

Lashes, make-up and the shadow of a brow lie right above an open lid, and would be drawn out over the whole eye. As far
as that is darker than the skin below the eye, the lid takes the colour of that skin.
"""

from __future__ import annotations

import torch
from torch import Tensor

from s2d.models.blocks import smoothstep, warp
from s2d.models.eyes import apart, lid_edges
from s2d.models.lids import FARTHEST, Lids

BELOW = (0.2, 0.3, 0.4)  # eye widths below the lower lid where skin is taken
SHADED = 0.72  # of the light below the eye is what a lid gets at least; more lights up lids that are just dark
SHARE = 0.7  # of what it is darker is taken away
ABOVE, EDGE = 0.1, 0.06  # eye widths over which this begins above the eye, and ends at the edge of the lid


def draw_lids(image: Tensor, picture: Tensor, lids: Lids) -> Tensor:
    """The image (B, 3, h, w), the source `picture` (B, 3, H, W) moved, with lids that close in the colour of skin.

    At the places of `lids`, N = h w. Unchanged at rest, and where a landmark of the eye is not known.
    """
    flat = image.flatten(2)
    share = torch.where(lids.eyes.known[:, None], SHARE * lids.closed * _covering(lids), 0.0)
    for weight, skin in zip(apart(share[:, None]), _skin(picture, lids), strict=True):
        darker = (SHADED * skin - flat).mean(1, keepdim=True).clamp(min=0)
        flat = flat + weight * darker / skin.mean(1, keepdim=True).clamp(min=1e-3) * skin
    return flat.reshape(image.shape)


def _covering(lids: Lids) -> Tensor:
    """Where a lid lies over what was open: (E, N), 0 to 1."""
    v, upper, _ = lids.gap
    top = torch.maximum(lids.upper_end, upper - FARTHEST)
    return lids.within * smoothstep((v - top) / ABOVE + 1) * smoothstep((upper - v) / EDGE)


def _skin(picture: Tensor, lids: Lids) -> tuple[Tensor, ...]:
    """The colour of the skin below either eye, straight below each place: (B, 3, N) each."""
    eyes = lids.eyes
    _, lower = lid_edges(eyes.theirs, eyes.source, lids.u)
    along = lids.u.clamp(0, 1)
    ways = [eyes.theirs.way(along, lower + below) for below in BELOW]
    places = torch.stack([apart(eyes.theirs.corner[:, None] + way) for way in ways])  # (taps, 2, B, N, 2)
    return tuple(warp(picture, places[:, side].transpose(0, 1)).mean(2) for side in range(2))
