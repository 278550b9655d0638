"""The animator: a source face and two sets of landmarks in, the source with the driving landmarks out.

Landmarks drive an analytic motion prior (prior.py); a motion network chooses among its candidates, and a generator
paints what the warped source cannot show. All output layers begin at zero, so an untrained animator is the prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2d.errors import S2DError
from s2d.landmarks import layout
from s2d.models import motion
from s2d.models.blocks import GROUP, blend, identity_grid, resize, warp
from s2d.models.candidates import COUNT
from s2d.models.edges import Scene
from s2d.models.faces import without_pupils
from s2d.models.generator import FOLD, Decoder, Encoder
from s2d.models.heatmaps import full_precision, part_heatmaps
from s2d.models.interior import skin_colour
from s2d.models.prior import blinks_win, motion_prior, moved, sheet_share


@dataclass(frozen=True)
class AnimatorConfig:
    """The architecture. The defaults are the tiny model: minutes on two CPU cores."""

    size: int = 64
    """Side of the square images in pixels."""
    channels: int = 32
    """Channels of the generator at half of the image's resolution; they double with each halving, up to eight-fold."""
    levels: int = 2
    """Resolutions in the generator, from half of the image's down."""
    bottleneck: int = 1
    """Residual blocks at the generator's coarsest level."""
    motion_channels: int = 16
    """Channels of the motion network at its own full resolution."""
    motion_stride: int = 2
    """Image size over grid size of the motion network: 2 resolves lids better, 4 is four times cheaper."""
    residual_reach: float = 0.25
    """Largest flow that the motion network adds, normalised: an eighth of the image's width, as shoulders move."""
    heatmap_sigma: float = 0.04
    """Width of the drawn landmarks in normalised units (the image is 2 wide)."""

    prior: bool = True
    """Ablation: without it no candidate moves, the motion network alone has to find the whole flow, and the mouth has
    no inside but the generator's."""
    masks: bool = True
    """Ablation: without it the prior's shares of the candidates stay."""
    residual: bool = True
    """Ablation: without it nothing is added to the candidates."""
    pupils: bool = True
    """Ablation: without it pupils are not known."""

    def __post_init__(self) -> None:
        """Make floats of whole numbers where floats are meant, as files of weights have them.

        Raises S2DError when the numbers do not fit together.
        """
        for name in ("residual_reach", "heatmap_sigma"):
            object.__setattr__(self, name, float(getattr(self, name)))  # the only way into a frozen dataclass
        groups, finite = f"a positive multiple of {GROUP}", "a number above 0"
        rules = {
            "channels": (self.channels > 0 and self.channels % GROUP == 0, groups),
            "motion_channels": (self.motion_channels > 0 and self.motion_channels % GROUP == 0, groups),
            "levels": (self.levels in range(1, 9), "1 to 8"),
            "motion_stride": (self.motion_stride in (1, 2, 4, 8), "1, 2, 4 or 8"),
            "bottleneck": (self.bottleneck >= 0, "0 or more"),
            "residual_reach": (0 < self.residual_reach < math.inf, finite),
            "heatmap_sigma": (0 < self.heatmap_sigma < math.inf, finite),
        }
        if rules["levels"][0] and rules["motion_stride"][0]:  # otherwise nothing can be said of the size
            step = max(1 << self.levels, self.motion_stride << motion.DEPTH)
            rules["size"] = self.size > 0 and self.size % step == 0, f"a positive multiple of {step}"
        wrong = {name: allowed for name, (good, allowed) in rules.items() if not good}
        if wrong:
            why = f"it cannot have {', '.join(f'{name}={getattr(self, name)}' for name in wrong)}"
            remedy = "; ".join(f"{name} is {allowed}" for name, allowed in wrong.items())
            raise S2DError("cannot build an animator", why, remedy)


UNTRAINED = AnimatorConfig(size=256, channels=8, levels=1, bottleneck=0, motion_channels=8, motion_stride=8)
"""The prior by itself: as fine as pictures mostly are, for lids; with the smallest networks, which say nothing."""


class EncodedSource(NamedTuple):
    """What the animator needs of a source, computed once for any number of driving frames."""

    image: Tensor
    """(B, 3, S, S) in [0, 1]."""
    points: Tensor
    """(B, 70, 2) normalised."""
    heatmaps: Tensor
    """(B, 11, s, s) on the motion network's grid."""
    skin: Tensor
    """(B, 3) its colour, for what is drawn inside the mouth."""
    features: list[Tensor]
    """The encoder's, from full resolution down."""

    def expand(self, count: int) -> EncodedSource:
        """Use one source for `count` driving frames; as it is when it already holds that many."""
        if self.image.shape[0] == count:
            return self
        fields = (*self[:-1], *self.features)
        image, points, heatmaps, skin, *features = (field.expand(count, *field.shape[1:]) for field in fields)
        return EncodedSource(image, points, heatmaps, skin, features)


class AnimatorOutput(NamedTuple):
    """One batch of animated frames; S is the animator's size, K the number of motion candidates."""

    image: Tensor
    """(B, 3, S, S) the result; may leave [0, 1] a little while training."""
    warped: Tensor
    """(B, 3, S, S) the source moved, before anything is painted."""
    grid: Tensor
    """(B, S, S, 2) where in the source each driving pixel is taken from, normalised."""
    masks: Tensor
    """(B, K, S, S) how much each candidate counts; they sum to 1. Candidate 0 is the background."""
    prior_masks: Tensor
    """(B, K, S, S) the same before the network spoke."""
    painted: Tensor
    """(B, 3, S, S) what the generator adds."""
    smooth: Tensor
    """(B, S, S, 2) the displacement of the grid without that of lids, lips and pupils."""
    head: Tensor
    """(B, S, S, 2) the displacement of the head, likewise, that lids, lips and pupils are worked out beside."""
    sheets: Tensor
    """(B, 1, S, S) how much lids, lips and pupils count together."""
    gaze: Tensor
    """(B, 2, S, S) by how much pupils count more than by `pupil_odds`, in natural logarithms."""
    occlusion: Tensor
    """(B, 1, S, S) 1 where the warped source is trusted, 0 where the generator paints."""

    @property
    def foreground(self) -> Tensor:
        """(B, 1, S, S) how much each pixel moves with the face."""
        return 1 - self.masks[:, :1]


class Animator(nn.Module):
    """Animates faces. Images (B, 3, S, S) in [0, 1]; points (B, 70, 2) normalised, NaN where not known."""

    def __init__(self, config: AnimatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or AnimatorConfig()
        self.encoder = Encoder(self.config.channels, self.config.levels)
        self.motion = motion.MotionNetwork(self.config.motion_channels, self.config.residual_reach)
        self.decoder = Decoder(self.config.channels, self.config.levels, self.config.bottleneck)
        # a third off the time of convolutions on a CPU; torch's type stubs do not know the option
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, source: Tensor, source_points: Tensor, driving_points: Tensor) -> AnimatorOutput:
        """The source image with its face moved from source_points to driving_points.

        Edges of lids, lips and irises lie between pixels (edges.py) but in training, where they would take a seventh
        of a step, and what is learnt is no better.
        Raises ValueError when a shape is not that of the class's docstring, in `encode_source` and `drive` as well.
        """
        return self._driven(self.encode_source(source, source_points), driving_points, hasty=self.training)

    def encode_source(self, source: Tensor, points: Tensor) -> EncodedSource:
        """Everything that does not depend on the driving landmarks."""
        size, batch = self.config.size, source.shape[0]
        _check("source", source, (batch, 3, size, size))
        _check("points", points, (batch, layout.COUNT, 2))
        points = self._seen(points)
        side = self.config.size // self.config.motion_stride
        heatmaps = part_heatmaps(points, side, side, self.config.heatmap_sigma)
        return EncodedSource(source, points, heatmaps, skin_colour(source, points), self.encoder(source))

    def drive(self, encoded: EncodedSource, driving_points: Tensor) -> AnimatorOutput:
        """Animate an encoded source; one source may serve a whole batch of driving landmarks.

        With one sample a pixel: a Renderer, which makes pictures of any size of this, sees to edges itself.
        """
        return self._driven(encoded, driving_points, hasty=True)

    def _driven(self, encoded: EncodedSource, driving_points: Tensor, *, hasty: bool) -> AnimatorOutput:
        size, count = self.config.size, driving_points.shape[0]
        _check("driving_points", driving_points, (count, layout.COUNT, 2))
        _check("encoded.image", encoded.image, (1 if encoded.image.shape[0] == 1 else count, 3, size, size))
        encoded, driving_points = encoded.expand(count), self._seen(driving_points)
        prior = motion_prior(encoded.points, driving_points, size, size)
        if not self.config.prior:
            still = torch.zeros_like(prior.displacement)
            prior = prior._replace(displacement=still, head=still[:, 0])
        heatmaps = part_heatmaps(driving_points, size // FOLD, size // FOLD, self.config.heatmap_sigma)
        prior_masks = prior.masks
        update = self._motion_update(encoded, prior.displacement, prior_masks, heatmaps)
        logits, residual = (resize(field, size, size) for field in (update.logits, update.residual))
        masks = (prior.logits + logits * self.config.masks).softmax(dim=1)
        masks = blinks_win(masks, prior.closing)
        residual = residual.permute(0, 2, 3, 1) * self.config.residual
        displacement = blend(prior.displacement, masks) + (1 - masks[:, 0, ..., None]) * residual
        share = sheet_share(masks) * self.config.prior
        scene = Scene(encoded.image, encoded.skin, encoded.points, driving_points)
        seen = moved(scene, prior, masks, displacement, share)
        occlusion = torch.sigmoid(resize(update.occlusion, size, size))
        correction = self.decoder(_visible(encoded.features, displacement, occlusion), seen.drawn, heatmaps)
        painted = (1 - occlusion) * correction
        smooth, head, together, gaze = seen.motion
        image = (seen.drawn if hasty else seen.between_pixels(prior.sheets)) + painted
        grid = identity_grid(size, size, displacement) + displacement
        return AnimatorOutput(
            image, seen.warped, grid, masks, prior_masks, painted, smooth, head, together, gaze, occlusion
        )

    def _seen(self, points: Tensor) -> Tensor:
        """The landmarks that the animator may look at."""
        return points if self.config.pupils else without_pupils(points)

    def _motion_update(
        self, encoded: EncodedSource, displacement: Tensor, masks: Tensor, heatmaps: Tensor
    ) -> motion.MotionUpdate:
        """Show the motion network the source moved by each candidate, all on its own coarser grid."""
        side, batch = encoded.heatmaps.shape[-1], encoded.image.shape[0]
        flow = resize(displacement.flatten(0, 1).permute(0, 3, 1, 2), side, side).permute(0, 2, 3, 1)
        small = F.avg_pool2d(full_precision(encoded.image), self.config.motion_stride)
        repeated = small[:, None].expand(-1, COUNT, -1, -1, -1).flatten(0, 1)
        moved = warp(repeated, identity_grid(side, side, flow) + flow).reshape(batch, COUNT, 3, side, side)
        drawn = encoded.heatmaps, resize(heatmaps, side, side)
        update: motion.MotionUpdate = self.motion(moved, resize(masks, side, side), *drawn)
        return update


def _check(name: str, tensor: Tensor, wanted: tuple[int, ...]) -> None:
    if tensor.shape != wanted:
        raise ValueError(f"{name} has the shape {tuple(tensor.shape)}, not {wanted}")


def _visible(features: list[Tensor], displacement: Tensor, occlusion: Tensor) -> list[Tensor]:
    """Features moved as the image is, and dimmed where the source is not to be trusted.

    Motion learns from the image alone: what features would say of it is costly, and no better.
    """
    flow = displacement.detach().permute(0, 3, 1, 2)
    moved = []
    for feature in features:
        height, width = feature.shape[-2:]
        grid = identity_grid(height, width, displacement) + resize(flow, height, width).permute(0, 2, 3, 1)
        moved.append(warp(feature, grid) * resize(occlusion, height, width))
    return moved
