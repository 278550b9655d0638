"""Self-reenactment: the first frame of a track moved to its later frames, which are the truth.

This is what papers call same-identity or video reconstruction (Siarohin et al. 2019, First Order Motion Model).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from s2d.evaluation import pictures
from s2d.evaluation.footage import Clip
from s2d.evaluation.interval import by_identity, estimate
from s2d.evaluation.methods import Method, Scene
from s2d.evaluation.regions import regions
from s2d.models.perceptual import perceptual_distance

Figures = dict[str, float]
BATCH = 32


def picture_figures(made: Tensor, clip: Clip) -> Figures:
    """L1, PSNR and SSIM by region, and PD, of pictures (N, 3, S, S) made for the driving frames of a clip."""
    parts = regions(clip.points, *made.shape[-2:])
    l1 = pictures.mean_of(pictures.l1_sums(made, clip.images, parts))
    psnr = pictures.psnr_of(pictures.squared_sums(made, clip.images, parts))
    ssim = pictures.mean_of(pictures.ssim_sums(made, clip.images, parts))
    batches = zip(torch.split(made, BATCH), torch.split(clip.images, BATCH), strict=True)
    distance = torch.cat([perceptual_distance(image, truth) for image, truth in batches]).mean()
    named = {"l1": l1, "psnr": psnr, "ssim": ssim}
    figures = {_name(metric, part): value for metric, values in named.items() for part, value in values.items()}
    return {**figures, "pd": float(distance)}


def _name(metric: str, part: str) -> str:
    return metric if part == "all" else f"{metric}_{part}"


def reconstruct(methods: Mapping[str, Method], clip: Clip) -> dict[str, Tensor]:
    """What each method makes of a clip: (N, 3, S, S) by name."""
    scene = Scene.of_clip(clip)
    return {name: method(scene) for name, method in methods.items()}


def summarise(rows: Iterable[tuple[str, Figures]]) -> dict[str, tuple[float, float, float]]:
    """Figures of tracks (identity, figures) as mean, low and high over identities, by figure."""
    rows = list(rows)
    names = list(dict.fromkeys(name for _, figures in rows for name in figures))
    return {
        name: estimate(by_identity((who, figures[name]) for who, figures in rows if name in figures)) for name in names
    }
