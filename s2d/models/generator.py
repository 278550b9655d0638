"""The generator: paints what warping cannot show.

It works at half of the picture's resolution and below: four pixels are one place with four times the channels (Shi et
al. 2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN", section 3.2). At full
resolution a step took about a third as long again; the picture as a whole gained nothing by it, lids of 64 pixels did.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2d.models.blocks import SLOPE, ConvBlock, Pointwise, SpadeBlock, initialise, resize, widths, zero
from s2d.models.heatmaps import PART_COUNT

FOLD = 2  # pixels a side that are one place


class Encoder(nn.Module):
    """Features of the source at half resolution and at each halving."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        sizes = widths(channels, levels)
        self.enter = ConvBlock(3 * FOLD**2, channels)
        self.down = nn.ModuleList(ConvBlock(a, b, stride=2) for a, b in pairwise(sizes))
        initialise(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """image (B, 3, S, S) in [0, 1] -> a list of (B, C min(2^level, 8), S/2 >> level, S/2 >> level)."""
        features = [self.enter(_fold(image))]
        for down in self.down:
            features.append(down(features[-1]))
        return features


class Decoder(nn.Module):
    """From warped features and the driving face's drawing to a correction of the warped image; zero untrained."""

    def __init__(self, channels: int, levels: int, bottleneck: int) -> None:
        super().__init__()
        sizes = widths(channels, levels)
        last = sizes[-1]
        hidden = channels // 2
        self.bottleneck = nn.ModuleList(SpadeBlock(last, last, PART_COUNT, hidden) for _ in range(bottleneck))
        finer = list(reversed(list(pairwise(sizes))))
        self.lateral = nn.ModuleList(Pointwise(b, a) for a, b in finer)
        self.up = nn.ModuleList(SpadeBlock(a, a, PART_COUNT, hidden) for a, _ in finer)
        self.head = nn.Conv2d(channels + 3 * FOLD**2, 3 * FOLD**2, 3, padding=1)
        initialise(self)
        zero(self.head)

    def forward(self, features: Sequence[Tensor], warped: Tensor, heatmaps: Tensor) -> Tensor:
        """features as the encoder's, warped; warped (B, 3, S, S); heatmaps (B, 11, s, s) -> correction (B, 3, S, S)."""
        x = features[-1]
        for block in self.bottleneck:
            x = x + block(x, resize(heatmaps, *x.shape[-2:]))
        for lateral, block, skip in zip(self.lateral, self.up, reversed(features[:-1]), strict=True):
            x = F.interpolate(lateral(x), skip.shape[-2:], mode="bilinear", align_corners=False)
            x = block(skip + x, resize(heatmaps, *skip.shape[-2:]))
        x = torch.cat([F.leaky_relu(x, SLOPE), _fold(warped)], dim=1)
        return F.pixel_shuffle(self.head(x).float(), FOLD)


def _fold(image: Tensor) -> Tensor:
    """Pixels of (B, 3, S, S) in [0, 1] as channels, in [-1, 1]: (B, 3 FOLD^2, S / FOLD, S / FOLD), channels last."""
    return F.pixel_unshuffle(2 * image - 1, FOLD).contiguous(memory_format=torch.channels_last)
