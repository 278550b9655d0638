"""How far pictures are from the truth, by region: L1, PSNR, SSIM; and the perceptual distance of whole pictures.

Each metric is two pure functions: `*_sums` of some frames, which `merge` adds up over batches, tracks or processes, and
`mean_of` or `psnr_of` of the sums. Pictures are (B, 3, H, W) in [0, 1], regions (B, 1, H, W) by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

Sums = Mapping[str, tuple[float, float]]
"""By region: weighted total of what is measured, and total weight."""
WINDOW = 5  # pixels that the Gaussian window of SSIM (sigma 1.5) reaches; the border of that width does not count


def l1_sums(images: Tensor, targets: Tensor, regions: Mapping[str, Tensor]) -> Sums:
    """Absolute differences, mean over channels.

    >>> ones = torch.ones(1, 1, 4, 4)
    >>> mean_of(l1_sums(0.25 * torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), {"all": ones}))
    {'all': 0.25}
    """
    return _sums((images - targets).abs().mean(1, keepdim=True), regions)


def squared_sums(images: Tensor, targets: Tensor, regions: Mapping[str, Tensor]) -> Sums:
    """Squared differences, mean over channels; for `psnr_of`."""
    return _sums((images - targets).square().mean(1, keepdim=True), regions)


def ssim_sums(images: Tensor, targets: Tensor, regions: Mapping[str, Tensor]) -> Sums:
    """Structural similarity (Wang et al. 2004: Gaussian window of sigma 1.5), mean over channels, by scikit-image."""
    maps = [_ssim_map(image, target) for image, target in zip(images, targets, strict=True)]
    inner = (..., slice(WINDOW, -WINDOW), slice(WINDOW, -WINDOW))
    measured = torch.from_numpy(np.stack(maps))[:, None]
    return _sums(measured[inner], {name: weights[inner] for name, weights in regions.items()})


def merge(*parts: Sums) -> Sums:
    """Sums of several batches, tracks or processes as one.

    >>> merge({"all": (1.0, 2.0)}, {"all": (3.0, 2.0)})
    {'all': (4.0, 4.0)}
    """
    names = parts[0] if parts else ()
    return {name: (sum(p[name][0] for p in parts), sum(p[name][1] for p in parts)) for name in names}


def mean_of(sums: Sums) -> dict[str, float]:
    """Weighted mean by region; NaN where a region is empty."""
    return {name: total / weight if weight > 0 else math.nan for name, (total, weight) in sums.items()}


def psnr_of(sums: Sums) -> dict[str, float]:
    """Peak signal-to-noise ratio in dB of the mean squared difference; infinite for equal pictures.

    Of the mean over all frames: the mean of the frames' own ratios would be infinite with a single perfect frame.

    >>> psnr_of({"all": (0.01, 1.0)})
    {'all': 20.0}
    """
    return {name: -10 * math.log10(mean) if mean > 0 else mean + math.inf for name, mean in mean_of(sums).items()}


def _sums(measured: Tensor, regions: Mapping[str, Tensor]) -> Sums:
    return {
        name: (float((measured * weights).sum()), float(weights.expand_as(measured).sum()))
        for name, weights in regions.items()
    }


def _ssim_map(image: Tensor, target: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(3, H, W) each to (H, W)."""
    _, full = structural_similarity(
        image.numpy(),
        target.numpy(),
        channel_axis=0,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return np.asarray(full.mean(0), np.float32)
