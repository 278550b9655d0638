"""The motion network: looks at the candidates and says where to leave the prior."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2d.models import candidates
from s2d.models.blocks import ConvBlock, initialise, widths, zero
from s2d.models.heatmaps import PART_COUNT

DEPTH = 3  # halvings inside the U-Net
MOST = 2.0  # largest logit: of two candidates the odds change by e^4 at most, or heads of people never seen tear


class MotionUpdate(NamedTuple):
    """What the network changes, on its own (h, w) grid. All zero as long as it is untrained."""

    logits: Tensor
    """(B, K, h, w), added to the prior's, within +-MOST."""
    residual: Tensor
    """(B, 2, h, w) flow added in the foreground, normalised, within +-`reach`."""
    occlusion: Tensor
    """(B, 1, h, w) logits: high where the warped source shows what should be seen."""


class MotionNetwork(nn.Module):
    """A small U-Net over the warped candidates, the prior's masks and the part heatmaps of source and driver."""

    def __init__(self, channels: int, reach: float) -> None:
        """`reach` is the largest residual flow, normalised."""
        super().__init__()
        self.reach = reach
        inputs = candidates.COUNT * (3 + 1) + 2 * PART_COUNT
        sizes = widths(channels, DEPTH + 1)
        self.enter = ConvBlock(inputs, channels)
        self.down = nn.ModuleList(ConvBlock(a, b, stride=2) for a, b in pairwise(sizes))
        self.up = nn.ModuleList(ConvBlock(a + b, a) for a, b in pairwise(sizes))
        self.head = nn.Conv2d(channels, candidates.COUNT + 3, 3, padding=1)
        initialise(self)
        zero(self.head)

    def forward(self, warped: Tensor, masks: Tensor, source_heatmaps: Tensor, driving_heatmaps: Tensor) -> MotionUpdate:
        """warped (B, K, 3, h, w) source moved by each candidate; masks (B, K, h, w); heatmaps (B, 11, h, w)."""
        x = self.enter(torch.cat([warped.flatten(1, 2), masks, source_heatmaps, driving_heatmaps], dim=1))
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        for up, skip in zip(reversed(self.up), reversed(skips), strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=False)
            x = up(torch.cat([skip, x], dim=1))
        logits, residual, occlusion = self.head(x).float().split([candidates.COUNT, 2, 1], dim=1)
        logits, residual = (most * torch.tanh(x / most) for x, most in ((logits, MOST), (residual, self.reach)))
        return MotionUpdate(logits, residual, occlusion)
