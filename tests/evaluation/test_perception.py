"""Perceptual distances of pictures and of distributions."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import Tensor

from s2d.errors import S2DError
from s2d.evaluation.perception import SUBSET, Distribution, Features, Lpips
from s2d.models.perceptual import perceptual_distance


def noise(count: int, seed: int) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_pd_is_the_perceptual_distance() -> None:
    made, true = noise(40, 1), noise(40, 2)
    expected = float(perceptual_distance(made, true).mean())
    assert Features(made).distance(Features(true)) == pytest.approx(expected, rel=1e-4)
    assert Features(made).distance(Features(made)) == 0


def test_kid_is_small_for_one_distribution_and_large_for_two() -> None:
    width = Features(noise(1, 0)).pooled.shape[1]
    rng = torch.Generator().manual_seed(3)
    alike, other = Distribution(), Distribution()
    one, two = (torch.randn(2 * SUBSET, width, generator=rng) for _ in range(2))
    alike.update(one, two)
    other.update(one, two + 0.5)
    assert abs(alike.compute()["kid"]) < 0.1 * other.compute()["kid"]
    assert other.compute() == other.compute()
    assert "fid" not in other.compute()  # far too few frames for it


def test_kid_adds_up_over_batches() -> None:
    width = Features(noise(1, 0)).pooled.shape[1]
    features = torch.randn(2 * SUBSET, width, generator=torch.Generator().manual_seed(4))
    whole, parts = Distribution(), Distribution()
    whole.update(features, features + 1)
    for half in (slice(0, SUBSET), slice(SUBSET, None)):
        parts.update(features[half], features[half] + 1)
    assert parts.compute() == pytest.approx(whole.compute())


def test_too_few_frames_make_no_distribution() -> None:
    few = Distribution()
    pooled = Features(noise(3, 1)).pooled
    few.update(pooled, pooled)
    assert few.compute() == {}


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed")
def test_lpips_says_what_it_lacks() -> None:
    with pytest.raises(S2DError, match=r"torchvision is not installed; pip install torchvision"):
        Lpips()
