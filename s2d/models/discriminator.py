"""The discriminator: real or painted, patch by patch, and whether the face drawn beside it is the one that is seen.

A PatchGAN (Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks", section 3.2) with
spectral normalisation (Miyato et al. 2018), conditioned on the driving landmarks so that a closed eye must be closed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from s2d.models.blocks import SLOPE, initialise, widths
from s2d.models.heatmaps import PART_COUNT


class Judgement(NamedTuple):
    """What the discriminator says of a batch of pictures."""

    scores: Tensor
    """(B, 1, h, w) above 0 where a patch looks real."""
    features: list[Tensor]
    """After every layer, finest first; what feature matching compares."""


class PatchDiscriminator(nn.Module):
    """Halves the picture `levels` times; with the default of 3 a patch is 38 pixels wide."""

    def __init__(self, channels: int, levels: int = 3) -> None:
        super().__init__()
        sizes = [3 + PART_COUNT, *widths(channels, levels)]
        convs = [nn.Conv2d(a, b, 4, 2, padding=1) for a, b in pairwise(sizes)]
        last = nn.Conv2d(sizes[-1], 1, 3, padding=1)
        for conv in (*convs, last):
            initialise(conv)
        self.layers = nn.ModuleList(spectral_norm(conv) for conv in convs)
        self.last = spectral_norm(last)

    def forward(self, images: Tensor, heatmaps: Tensor) -> Judgement:
        """images (B, 3, S, S) in [0, 1], heatmaps (B, 11, S, S) of the landmarks that they should show."""
        x = torch.cat([2 * images - 1, heatmaps], dim=1)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE)
            features.append(x)
        return Judgement(self.last(x).float(), features)
