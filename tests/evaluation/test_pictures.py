"""Picture metrics against scikit-image, and sums that add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from s2d.evaluation import pictures
from s2d.evaluation.regions import REGIONS, regions
from tests.models.conftest import draw_face, turned


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(5)
    true = torch.rand(4, 3, 32, 32, generator=rng)
    return (true + 0.1 * torch.randn(4, 3, 32, 32, generator=rng)).clamp(0, 1), true


WHOLE = {"all": torch.ones(4, 1, 32, 32)}


def test_psnr_is_scikit_image_s(pair: tuple[Tensor, Tensor]) -> None:
    made, true = pair
    expected = peak_signal_noise_ratio(true.numpy(), made.numpy(), data_range=1.0)
    assert pictures.psnr_of(pictures.squared_sums(made, true, WHOLE))["all"] == pytest.approx(expected, abs=1e-4)


def test_ssim_is_scikit_image_s(pair: tuple[Tensor, Tensor]) -> None:
    made, true = pair
    expected = np.mean([
        structural_similarity(
            one.numpy(), other.numpy(), channel_axis=0, data_range=1.0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )
        for one, other in zip(made, true, strict=True)
    ])  # fmt: skip
    assert pictures.mean_of(pictures.ssim_sums(made, true, WHOLE))["all"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("sums", [pictures.l1_sums, pictures.squared_sums, pictures.ssim_sums])
def test_parts_add_up_to_the_whole(sums, pair: tuple[Tensor, Tensor]) -> None:
    made, true = pair
    points = torch.cat([turned(draw_face(), 5 * n) for n in range(4)])
    where = regions(points, 32, 32)
    parts = [
        sums(made[part], true[part], {name: weights[part] for name, weights in where.items()})
        for part in (slice(0, 1), slice(1, 4))
    ]
    whole = pictures.mean_of(sums(made, true, where))
    for name, value in pictures.mean_of(pictures.merge(*parts)).items():
        assert value == pytest.approx(whole[name], rel=1e-5)


def test_an_error_counts_only_where_it_is() -> None:
    face = draw_face()
    where = regions(face, 64, 64)
    made, true = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    made[..., 36:48, 24:40] = 0.5  # the mouth, at y .16 to .5
    found = pictures.mean_of(pictures.l1_sums(made, true, where))
    assert found["mouth"] > 0.4
    assert found["eyes"] == found["background"] == 0
    assert found["all"] == pytest.approx(0.5 * 12 * 16 / 64**2)
    assert tuple(where) == REGIONS


def test_background_and_face_are_apart() -> None:
    where = regions(draw_face(), 64, 64)
    assert float((where["background"] * where["face"]).max()) == 0
    assert where["background"][0, 0, 0, 0] == 1
    assert where["face"][0, 0, 32, 32] == 1


def test_equal_pictures_and_empty_regions() -> None:
    equal = torch.rand(1, 3, 16, 16)
    nothing = {"eyes": torch.zeros(1, 1, 16, 16), "all": torch.ones(1, 1, 16, 16)}
    sums = pictures.squared_sums(equal, equal, nothing)
    assert pictures.psnr_of(sums)["all"] == math.inf
    assert math.isnan(pictures.mean_of(sums)["eyes"])
    assert math.isnan(pictures.psnr_of(sums)["eyes"])
