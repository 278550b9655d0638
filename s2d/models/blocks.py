"""Bricks of both networks: convolutions with group normalisation, spatially adaptive normalisation, warping."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2d.models.heatmaps import full_precision

GROUP = 8  # channels per normalisation group; group statistics do not depend on batch size or number of processes
SLOPE = 0.2  # of the leaky rectifier


class ConvBlock(nn.Sequential):
    """Convolution 3x3, group normalisation, leaky rectifier; halves height and width with stride 2."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.GroupNorm(outputs // GROUP, outputs),
            nn.LeakyReLU(SLOPE),
        )


class Pointwise(nn.Conv2d):
    """Convolution 1x1, as a product of matrices: torch's own lays out channels-last pictures anew, there and back."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, inputs, h, w) -> (B, outputs, h, w)."""
        if torch.compiler.is_exporting():  # other runtimes have fast ones
            return super().forward(x)
        return F.linear(x.movedim(1, -1), self.weight[..., 0, 0], self.bias).movedim(-1, 1)


class SpadeBlock(nn.Module):
    """Normalise, scale and shift by what the condition says at each place, rectify, convolve 3x3.

    Park et al. 2019, "Semantic Image Synthesis with Spatially-Adaptive Normalization", with group statistics.
    """

    def __init__(self, inputs: int, outputs: int, condition: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(inputs // GROUP, inputs, affine=False)
        self.shared = nn.Conv2d(condition, hidden, 3, padding=1)
        self.scale, self.shift = Pointwise(hidden, inputs), Pointwise(hidden, inputs)
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """x (B, inputs, h, w), condition (B, condition, h, w) -> (B, outputs, h, w)."""
        said = F.leaky_relu(self.shared(condition), SLOPE)
        modulated = self.norm(x) * self.scale(said) + self.shift(said)
        return self.conv(F.leaky_relu(modulated, SLOPE))  # type: ignore[no-any-return]


def widths(channels: int, levels: int) -> list[int]:
    """Channels of each level of a pyramid, doubling downwards to at most eight times as many.

    >>> widths(16, 5)
    [16, 32, 64, 128, 128]
    """
    return [min(channels << level, 8 * channels) for level in range(levels)]


def initialise(module: nn.Module) -> None:
    """Kaiming-normal weights and zero biases for every convolution: with smaller weights the masks stay the prior's."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, a=SLOPE)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
    for child in module.modules():
        if isinstance(child, SpadeBlock) and child.scale.bias is not None:
            nn.init.ones_(child.scale.bias)


def zero(conv: nn.Conv2d) -> None:
    """Let an output layer begin by saying nothing."""
    nn.init.zeros_(conv.weight)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def resize(field: Tensor, height: int, width: int) -> Tensor:
    """Bilinear resampling of (B, C, h, w) whose corner nodes stay corner nodes, as normalised grids count."""
    if field.shape[-2:] == (height, width):
        return field
    return F.interpolate(field, (height, width), mode="bilinear", align_corners=True)


def warp(images: Tensor, grid: Tensor) -> Tensor:
    """Sample (B, C, H, W) at normalised positions (B, h, w, 2), the border repeated beyond the edge; never bfloat16."""
    with torch.autocast(images.device.type, enabled=False):
        images = full_precision(images)
        return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=True)


def smoothstep(x: Tensor) -> Tensor:
    """0 below 0, 1 above 1, 3 x^2 - 2 x^3 between; its steepest slope is 1.5."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def identity_grid(height: int, width: int, like: Tensor) -> Tensor:
    """The nodes (height, width, 2) of a normalised grid, as `grid_sample(align_corners=True)` counts them."""
    x = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device)
    y = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)


def blend(displacement: Tensor, masks: Tensor) -> Tensor:
    """Displacements (B, K, h, w, 2) weighted by masks (B, K, h, w): (B, h, w, 2)."""
    along = [(way * masks).sum(dim=1) for way in displacement.unbind(-1)]  # an axis at a time: twice as fast
    return torch.stack(along, dim=-1)
