"""Weights count as they say; nothing that is switched off is computed; the mask prior fades."""

from __future__ import annotations

import math

import pytest
import torch

from s2d.errors import S2DError
from s2d.models import losses
from s2d.models.animator import Animator, AnimatorConfig, AnimatorOutput
from s2d.models.blocks import identity_grid
from s2d.models.discriminator import PatchDiscriminator
from s2d.models.heatmaps import part_heatmaps
from s2d.models.perceptual import perceptual_distance
from s2d.training.objective import LossWeights, Objective
from tests.training.conftest import face

OFF = dict.fromkeys(("warped", "perceptual", "eyes", "mouth", "smoothness", "fold", "mask_prior"), 0.0)


@pytest.fixture(scope="module")
def case() -> tuple[AnimatorOutput, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    source, driving = torch.rand(2, 2, 3, 32, 32)
    points = torch.stack([torch.from_numpy(face(at, 0.5)) for at in ((0.0, 0.0), (0.1, 0.05))])
    output = Animator(AnimatorConfig(size=32, channels=8, motion_channels=8))(source, points, points.flip(0))
    return output, {"source": source, "driving": driving, "driving_points": points.flip(0)}


def test_only_l1(case: tuple[AnimatorOutput, dict[str, torch.Tensor]]):
    output, batch = case
    terms = Objective(LossWeights(l1=2.0, **OFF))(output, batch, step=0)
    assert set(terms) == {"l1"}
    image, target = output.image, batch["driving"]
    levels = [(image - target).abs().mean()]
    for _ in range(2):
        image, target = (t.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5)) for t in (image, target))
        levels.append((image - target).abs().mean())
    torch.testing.assert_close(terms["l1"], 2 * torch.stack(levels).mean())


@pytest.mark.parametrize("name", sorted(OFF))
def test_every_weight_scales_its_term(case: tuple[AnimatorOutput, dict[str, torch.Tensor]], name: str):
    output, batch = case
    shaken = torch.rand(output.grid.shape, generator=torch.Generator().manual_seed(0))
    output = output._replace(masks=output.masks.flip(1), smooth=output.smooth + shaken)
    once, thrice = (Objective(LossWeights(**OFF | {name: w}))(output, batch, step=0)[name] for w in (1.0, 3.0))
    assert once > 0
    torch.testing.assert_close(thrice, 3 * once)


def test_the_mask_prior_fades(case: tuple[AnimatorOutput, dict[str, torch.Tensor]]):
    output, batch = case
    objective = Objective(LossWeights(**OFF | {"mask_prior": 1.0, "mask_prior_steps": 100}))
    output = output._replace(masks=output.masks.flip(1))
    start, half = (objective(output, batch, step=step)["mask_prior"] for step in (0, 50))
    torch.testing.assert_close(half, start / 2)
    assert "mask_prior" not in objective(output, batch, step=100)


def test_coherence_forgives_a_constant_error(case: tuple[AnimatorOutput, dict[str, torch.Tensor]]):
    output, batch = case
    batch = batch | {"next": batch["driving"].flip(0)}
    objective = Objective(LossWeights(coherence=1.0))
    exact = output._replace(image=batch["driving"] + 0.2), output._replace(image=batch["next"] + 0.2)
    assert objective(exact[0], batch, 0, exact[1])["coherence"] < 1e-6
    flicker = output._replace(image=batch["next"] - 0.2)
    assert objective(exact[0], batch, 0, flicker)["coherence"] == pytest.approx(0.4, abs=1e-5)


def test_what_is_off_is_not_computed(
    case: tuple[AnimatorOutput, dict[str, torch.Tensor]], monkeypatch: pytest.MonkeyPatch
):
    output, batch = case
    monkeypatch.delattr(losses, "multiscale_l1")
    terms = Objective(LossWeights(**OFF | {"l1": 0.0, "fold": 1.0}))(output, batch, step=0)
    assert set(terms) == {"fold"}


def test_the_perceptual_network_is_neither_trained_nor_kept_nor_sent_to_other_processes(
    case: tuple[AnimatorOutput, dict[str, torch.Tensor]],
):
    objective = Objective(LossWeights())
    assert not list(objective.parameters())
    assert not objective.state_dict()
    assert not list(objective.buffers())
    assert objective(*case, step=0)["perceptual"] > 0


@pytest.mark.parametrize(("every", "compared"), [(1, 4), (2, 2), (3, 2), (9, 1)])
def test_some_pictures_of_a_batch_are_compared_perceptually(every: int, compared: int):
    """The first ones, which are the same if processes share the batch, one sample in turn each."""
    generator = torch.Generator().manual_seed(0)
    image, target = (torch.rand(4, 3, 32, 32, generator=generator) for _ in range(2))
    found = Objective(LossWeights(perceptual_every=every))._pictures(image, target)["perceptual"]
    torch.testing.assert_close(found, perceptual_distance(image, target)[:compared].mean())


@pytest.mark.parametrize(
    "wrong",
    [
        {"l1": -1.0},
        {"l1": math.nan},
        {"eyes": math.inf},
        {"mask_prior_steps": 0},
        {"perceptual_every": 0},
        {"network": "alexnet"},
        OFF | {"l1": 0.0, "mask_prior": 1.0},
    ],
)
def test_weights_that_cannot_be_meant(wrong: dict[str, object]):
    with pytest.raises(S2DError):
        Objective(LossWeights(**wrong))  # type: ignore[arg-type]


def test_both_sides_of_the_competition_share_no_gradients(case: tuple[AnimatorOutput, dict[str, torch.Tensor]]):
    _, batch = case
    torch.manual_seed(0)
    discriminator, image = PatchDiscriminator(8, 2), torch.rand(2, 3, 32, 32, requires_grad=True)
    drawn = part_heatmaps(batch["driving_points"], 32, 32, 0.04)
    weights = LossWeights(adversarial=0.5, feature_matching=4.0)
    terms = Objective(weights).compete(discriminator, image, batch["driving"], drawn)
    assert set(terms) == {"adversarial", "feature_matching", "discriminator"}
    learning = list(discriminator.parameters())
    for name, term in terms.items():
        grads = torch.autograd.grad(term, [image, *learning], retain_graph=True, allow_unused=True)
        reaches_image, reaches_weights = grads[0] is not None, any(grad is not None for grad in grads[1:])
        assert (reaches_image, reaches_weights) == ((False, True) if name == "discriminator" else (True, False))
    once = Objective(LossWeights(adversarial=1.0, feature_matching=4.0)).compete(
        discriminator.eval(), image, batch["driving"], drawn
    )
    half = Objective(weights).compete(discriminator, image, batch["driving"], drawn)
    for name in ("adversarial", "feature_matching"):
        torch.testing.assert_close(half[name], once[name] / 2)


def test_the_cycle_costs_nothing_where_nothing_moves(case: tuple[AnimatorOutput, dict[str, torch.Tensor]]):
    output, batch = case
    still = output._replace(grid=identity_grid(32, 32, output.grid)[None].expand(2, -1, -1, -1))
    objective = Objective(LossWeights(cycle=2.0))
    assert objective(still, batch, step=0, back=still)["cycle"] < 1e-5
    away = still._replace(grid=still.grid * 0.5)
    assert objective(away, batch, step=0, back=still)["cycle"] > 0.01
    assert "cycle" not in Objective(LossWeights())(still, batch, step=0, back=still)
