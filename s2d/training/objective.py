"""The training objective: which losses count how much, and when."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from s2d.errors import S2DError
from s2d.models import losses
from s2d.models.animator import AnimatorOutput
from s2d.models.blocks import identity_grid
from s2d.models.discriminator import PatchDiscriminator
from s2d.models.perceptual import Perceptual

REACH = 0.06  # normalised: a lid's or lip's own width around the polygon, where its edge is drawn


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses in s2d.models.losses; one that is 0 is not computed."""

    l1: float = 10.0
    """Multi-scale L1 of the result."""
    warped: float = 5.0
    """Multi-scale L1 of the warped source before anything is painted: keeps the motion honest."""
    perceptual: float = 1.0
    """Perceptual distance of the result."""
    perceptual_every: int = 2
    """Of so many pictures of a batch one is compared perceptually, the first ones: all would cost a sixth of a step."""
    eyes: float = 1.0
    """L1 around the driving eyes, which are a hundredth of the picture."""
    mouth: float = 1.0
    """L1 around the driving lips."""
    smoothness: float = 0.1
    """Second differences of the flow, but for that of lids and lips."""
    fold: float = 1.0
    """Places where it turns inside out."""
    mask_prior: float = 0.1
    """Divergence of the masks from the prior's; fades to 0 at step `mask_prior_steps`."""
    mask_prior_steps: int = 500
    """Until then the masks learn close to the prior, afterwards freely."""
    coherence: float = 0.0
    """Error of the change from frame to frame; needs a third frame, so a step takes half as long again."""
    cycle: float = 0.0
    """Way from driving to source and back again that does not end where it began; needs the reverse motion too."""
    adversarial: float = 0.0
    """Hinge loss against a patch discriminator, from step `adversarial_start` on."""
    feature_matching: float = 10.0
    """Difference of the discriminator's features, as a multiple of `adversarial`; steadies it."""
    adversarial_start: int = 0
    """Until then nothing is sharp enough for a discriminator to learn from."""
    network: str = "efficientnet"
    """Perceptual network, a name in s2d.models.perceptual.NETWORKS."""

    def __post_init__(self) -> None:
        """Raises S2DError when a number cannot be meant."""
        numbers = {name: value for name, value in vars(self).items() if name != "network"}
        wrong = [f"{name}={value}" for name, value in numbers.items() if not 0 <= value < math.inf]
        wrong += [f"{name}=0" for name in ("mask_prior_steps", "perceptual_every") if numbers[name] == 0]
        if wrong:
            why = f"there cannot be {', '.join(wrong)}"
            raise S2DError("cannot use these loss weights", why, "weights are 0 or more, steps 1 or more")
        helpers = ("perceptual_every", "mask_prior", "mask_prior_steps", "feature_matching", "adversarial_start")
        if not any(value for name, value in numbers.items() if name not in helpers):
            remedy = f"raise another than {', '.join(helpers)}"
            raise S2DError("cannot use these loss weights", "none that stays is above 0", remedy)


class Objective(nn.Module):
    """Weighted losses by name, each a scalar; their sum is what is minimised."""

    def __init__(self, weights: LossWeights) -> None:
        super().__init__()
        self.weights = weights
        # in a list, out of sight of torch's modules: DDP sends all buffers it finds to all processes at every step
        self._perceptual = [Perceptual(weights.network)] if weights.perceptual else []

    def forward(
        self,
        output: AnimatorOutput,
        batch: Mapping[str, Tensor],
        step: int,
        following: AnimatorOutput | None = None,
        back: AnimatorOutput | None = None,
    ) -> dict[str, Tensor]:
        """`batch` as the output was made from; `following` the output for its third frame, for the coherence loss;
        `back` the output for its two frames exchanged, for the cycle loss.
        """
        weight, target = self.weights, batch["driving"]
        terms = self._pictures(output.image, target) | self._parts(output.image, target, batch["driving_points"])
        if weight.warped:
            terms["warped"] = weight.warped * losses.multiscale_l1(output.warped, target)
        height, width = output.smooth.shape[1:3]
        even = identity_grid(height, width, output.smooth) + output.smooth  # lids and lips may jump
        if weight.smoothness:
            terms["smoothness"] = weight.smoothness * losses.flow_smoothness(even)
        if weight.fold:
            terms["fold"] = weight.fold * losses.fold_penalty(even)
        fading = weight.mask_prior * losses.half_cosine(step, weight.mask_prior_steps)
        if fading:
            terms["mask_prior"] = fading * losses.mask_prior(output.masks, output.prior_masks)
        if following is not None and weight.coherence:
            change = losses.pair_loss(output.image, following.image, target, batch["next"])
            terms["coherence"] = weight.coherence * change
        if back is not None and weight.cycle:
            terms["cycle"] = weight.cycle * losses.cycle_loss(output.grid, back.grid, output.foreground.detach())
        return terms

    def compete(
        self, discriminator: PatchDiscriminator, image: Tensor, target: Tensor, heatmaps: Tensor
    ) -> dict[str, Tensor]:
        """The losses between the animator and a discriminator, both sides in one sum.

        The animator's gradients pass through a discriminator that is held still, the discriminator's stop at the image.
        """
        discriminator.requires_grad_(False)
        fake = discriminator(image, heatmaps)
        with torch.no_grad():
            wanted = discriminator(target, heatmaps).features
        discriminator.requires_grad_(True)
        scores = [discriminator(picture, heatmaps).scores for picture in (target, image.detach())]
        terms = {
            "adversarial": self.weights.adversarial * losses.hinge_generator(fake.scores),
            "discriminator": losses.hinge_discriminator(*scores),
        }
        if self.weights.feature_matching:
            matching = losses.feature_matching(fake.features, wanted)
            terms["feature_matching"] = self.weights.feature_matching * self.weights.adversarial * matching
        return terms

    def _pictures(self, image: Tensor, target: Tensor) -> dict[str, Tensor]:
        terms = {}
        if self.weights.l1:
            terms["l1"] = self.weights.l1 * losses.multiscale_l1(image, target)
        for network in self._perceptual:
            some = -(-len(image) // self.weights.perceptual_every)  # the same ones for any number of processes
            terms["perceptual"] = self.weights.perceptual * network.to(image.device)(image[:some], target[:some])
        return terms

    def _parts(self, image: Tensor, target: Tensor, points: Tensor) -> dict[str, Tensor]:
        height, width = target.shape[-2:]
        terms = {}
        for name, weight, polygons in (
            ("eyes", self.weights.eyes, losses.EYES),
            ("mouth", self.weights.mouth, losses.MOUTH),
        ):
            if weight:
                where = losses.region(points, polygons, height, width, REACH)
                terms[name] = weight * losses.weighted_l1(image, target, where)
        return terms
