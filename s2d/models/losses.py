"""Training losses: pure functions of images (B, C, H, W), grids (B, H, W, 2), masks (B, K, H, W) and landmarks.

Each returns a scalar, the mean over the batch. How they are weighted, and when, is the training's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from s2d.landmarks import layout
from s2d.models.blocks import identity_grid, resize, smoothstep, warp
from s2d.models.heatmaps import full_precision
from s2d.models.prior import signed_distance

EYES: tuple[tuple[int, ...], ...] = layout.EYES
MOUTH: tuple[tuple[int, ...], ...] = (layout.PARTS["outer_lips"],)
MASK_EPSILON = 1e-6
REGION_GRID = 64  # nodes per side where distances are measured: finer ones cost a twentieth of a step at 128 pixels


def multiscale_l1(image: Tensor, target: Tensor, scales: int = 3) -> Tensor:
    """Mean absolute difference, averaged over `scales` resolutions, each half of the one before.

    >>> float(multiscale_l1(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.5)))
    0.5
    """
    difference = image - target  # that of smaller pictures is the smaller difference
    total = difference.abs().mean()
    for _ in range(scales - 1):
        difference = F.avg_pool2d(difference, 2)
        total = total + difference.abs().mean()
    return total / scales


def region(points: Tensor, polygons: Sequence[tuple[int, ...]], height: int, width: int, reach: float) -> Tensor:
    """Where landmark polygons are: (B, 1, height, width), 1 inside, falling smoothly to 0 at distance `reach` outside.

    points (B, 70, 2) and `reach` in normalised units. A polygon with a landmark that is not known is left out.
    """
    points = full_precision(points)
    with torch.autocast(points.device.type, enabled=False):
        covered = torch.zeros(len(points), height, width, dtype=points.dtype, device=points.device)
        for polygon in polygons:
            corners = points[:, list(polygon)]
            known = torch.isfinite(corners).flatten(1).all(1)
            nodes = signed_distance(corners.nan_to_num(), *(min(side, REGION_GRID) for side in (height, width)))
            distance = resize(nodes[:, None], height, width)[:, 0]
            inside = (1 - smoothstep(distance / reach)) * known[:, None, None]
            covered = torch.maximum(covered, inside)
    return covered[:, None]


def weighted_l1(image: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean absolute difference where `weights` (B, 1, H, W) say; 0 where they are all zero."""
    weighted = ((image - target).abs() * weights).sum()
    return weighted / (weights.sum() * image.shape[1]).clamp(min=1.0)


def flow_smoothness(grid: Tensor) -> Tensor:
    """Mean absolute second difference of the flow along both axes, in nodes: affine motion costs nothing."""
    nodes = _in_nodes(grid)
    down = nodes[:, 2:] - 2 * nodes[:, 1:-1] + nodes[:, :-2]
    across = nodes[:, :, 2:] - 2 * nodes[:, :, 1:-1] + nodes[:, :, :-2]
    return down.abs().mean() + across.abs().mean()


def fold_penalty(grid: Tensor) -> Tensor:
    """Mean of the negative part of the flow's Jacobian determinant: 0 as long as nothing is turned inside out."""
    return F.relu(-jacobian(grid)).mean()


def jacobian(grid: Tensor) -> Tensor:
    """Determinant of the flow's derivative: (B, H, W, 2) -> (B, H - 1, W - 1) cells; 1 where it stands still."""
    nodes = _in_nodes(grid)
    across = (nodes[:, :, 1:] - nodes[:, :, :-1])[:, :-1]
    down = (nodes[:, 1:] - nodes[:, :-1])[:, :, :-1]
    return across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]


def mask_prior(masks: Tensor, prior_masks: Tensor) -> Tensor:
    """How far the masks have left the prior's: Kullback-Leibler divergence, mean over pixels."""
    prior = prior_masks.clamp(min=MASK_EPSILON)
    return (prior * (prior.log() - masks.clamp(min=MASK_EPSILON).log())).sum(dim=1).mean()


def half_cosine(step: float, steps: float) -> float:
    """From 1 at step 0 to 0 at `steps` and after, as half a cosine.

    >>> [round(half_cosine(step, 100), 2) for step in (0, 50, 100, 200)]
    [1.0, 0.5, 0.0, 0.0]
    """
    return 0.5 * (1 + math.cos(math.pi * min(step / steps, 1.0)))


def pair_loss(first: Tensor, second: Tensor, target_first: Tensor, target_second: Tensor) -> Tensor:
    """Mean absolute error of the change between two neighbouring frames: flicker costs, a constant error does not."""
    return F.l1_loss(second - first, target_second - target_first)


def cycle_loss(there: Tensor, back: Tensor, weights: Tensor) -> Tensor:
    """How far from home the way there and back ends: mean of |x| + |y|, normalised, where `weights` (B, 1, H, W) say.

    there, back (B, H, W, 2): grids from driving to source and from source to driving.
    """
    returned = warp(back.permute(0, 3, 1, 2), there).permute(0, 2, 3, 1)
    home = identity_grid(there.shape[1], there.shape[2], there)
    missed = (returned - home).abs().sum(-1)[:, None]
    return (missed * weights).sum() / weights.sum().clamp(min=1.0)


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator minimises, Lim and Ye 2017, "Geometric GAN", eq. 10: scores beyond +-1 cost nothing.

    >>> float(hinge_discriminator(torch.tensor([2.0, 0.0]), torch.tensor([-3.0, 0.5])))
    1.25
    """
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator(fake: Tensor) -> Tensor:
    """What the generator minimises against `hinge_discriminator`: the negative mean score."""
    return -fake.mean()


def feature_matching(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Mean absolute difference of a discriminator's features, mean over layers (pix2pixHD, Wang et al. 2018, eq. 4)."""
    return torch.stack([F.l1_loss(a, b.detach()) for a, b in zip(fake, real, strict=True)]).mean()


def _in_nodes(grid: Tensor) -> Tensor:
    """Normalised positions counted in nodes of the grid itself."""
    height, width = grid.shape[1:3]
    return grid * (grid.new_tensor([width - 1, height - 1]) / 2)
