"""The LightningModule: the animator, its losses and schedule, and the running average of its weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from s2d.errors import S2DError
from s2d.models.animator import Animator, AnimatorConfig, AnimatorOutput
from s2d.models.checkpoint import FORMAT, PEOPLE, VERSION, People, check_format
from s2d.models.discriminator import PatchDiscriminator
from s2d.models.heatmaps import part_heatmaps
from s2d.models.losses import half_cosine
from s2d.models.perceptual import perceptual_distance
from s2d.models.prior import prior_warp
from s2d.training.objective import LossWeights, Objective

BETAS = (0.9, 0.99)  # the second moment of the usual .999 remembers longer than a short run lasts
_ANIMATOR = AnimatorConfig()
_LOSSES = LossWeights()
START = "s2d_val_start"
RIVALS = ("val_l1_prior", "val_l1_copy", "val_perceptual_prior")  # validation figures that no training changes


class AnimatorModule(pl.LightningModule):
    """Trains an animator on pairs of frames; validates and keeps the exponential average of its weights.

    Batches are those of `s2d.training.pairs.finished`.
    """

    def __init__(
        self,
        animator: AnimatorConfig = _ANIMATOR,
        losses: LossWeights = _LOSSES,
        lr: float = 1e-3,
        warmup: int = 50,
        decay: float = 0.0,
        weight_decay: float = 0.0,
        ema_decay: float = 0.999,
    ) -> None:
        """What to train and how.

        Args:
            animator: architecture.
            losses: weights of the losses and their schedule.
            lr: learning rate of AdamW, for the discriminator too.
            warmup: steps over which the learning rate rises from zero.
            decay: share of trainer.max_steps, at the end, over which the learning rate falls to zero as half a cosine.
                With 0 a run can be prolonged without a dent, and the average of the weights does part of the same.
            weight_decay: of AdamW.
            ema_decay: share of the average that each step keeps; less in the first steps, (1 + t) / (10 + t).

        Raises S2DError when a number cannot be meant.
        """
        super().__init__()
        numbers = {"lr": lr, "warmup": warmup, "decay": decay, "weight_decay": weight_decay, "ema_decay": ema_decay}
        wrong = [f"{name}={value}" for name, value in numbers.items() if not 0 <= value < math.inf]
        wrong += [f"{name}={numbers[name]}" for name in ("decay", "ema_decay") if numbers[name] > 1]
        if wrong:
            why = f"it cannot have {', '.join(wrong)}"
            raise S2DError("cannot train an animator", why, "these are 0 or more, decay and ema_decay are at most 1")
        # for checkpoints; loggers are given the whole configuration by s2d.training.run
        self.save_hyperparameters({"animator": asdict(animator), "losses": asdict(losses)}, logger=False)
        self.animator = Animator(animator)
        self.average = copy.deepcopy(self.animator).requires_grad_(False)
        self.objective = Objective(losses)
        self.discriminator = PatchDiscriminator(animator.channels // 2) if losses.adversarial else None
        self.lr, self.warmup, self.decay = lr, warmup, decay
        self.weight_decay, self.ema_decay = weight_decay, ema_decay
        self.start: dict[str, float] = {}
        """Validation figures before the first step; kept in checkpoints."""
        self.people: People | None = None
        """Whom this training has, and had before, if that is known; kept in checkpoints."""
        self.validated_at = -1
        """Step of the latest validation."""
        self._rivals: dict[str, Tensor] = {}

    def setup(self, stage: str) -> None:
        """What is validated on may be other data than before, or more of them."""
        self._rivals = {}

    def forward(self, batch: Mapping[str, Tensor]) -> AnimatorOutput:
        """Animate with the averaged weights."""
        output: AnimatorOutput = self.average(batch["source"], batch["source_points"], batch["driving_points"])
        return output

    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> Tensor:
        """Weighted sum of the losses; each is logged as train_NAME. Raises S2DError when it is not finite."""
        encoded = self.animator.encode_source(batch["source"], batch["source_points"])
        output = self.animator.drive(encoded, batch["driving_points"])
        following = self.animator.drive(encoded, batch["next_points"]) if "next" in batch else None
        back = self._back(batch) if self.objective.weights.cycle else None
        terms = self.objective(output, batch, self.global_step, following, back)
        if self.discriminator is not None:
            terms |= self._adversarial(self.discriminator, output, batch)
        total = torch.stack(list(terms.values())).sum()
        frames = [frame for frame in (output, following, back) if frame is not None]
        # checked before the backward pass, where grid_sample on a CPU crashes the process at such a grid
        if not all(bool(value.isfinite().all()) for value in (total, *(frame.grid for frame in frames))):
            raise self._diverged("the loss")
        size = len(batch["source"])
        self.log_dict({f"train_{name}": value.detach() for name, value in terms.items()}, batch_size=size)
        self.log("train_loss", total.detach(), batch_size=size)
        return total

    def _back(self, batch: Mapping[str, Tensor]) -> AnimatorOutput:
        """The driving frame moved to the source's landmarks."""
        output: AnimatorOutput = self.animator(batch["driving"], batch["driving_points"], batch["source_points"])
        return output

    def _adversarial(
        self, discriminator: PatchDiscriminator, output: AnimatorOutput, batch: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        if self.global_step < self.objective.weights.adversarial_start:
            # part of the sum all the same: DDP waits for the gradient of every parameter
            return {"discriminator": 0.0 * torch.stack([p.sum() for p in discriminator.parameters()]).sum()}
        size = output.image.shape[-1]
        heatmaps = part_heatmaps(batch["driving_points"], size, size, self.animator.config.heatmap_sigma)
        return self.objective.compete(discriminator, output.image, batch["driving"], heatmaps)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Raises S2DError when a gradient is not finite, but for 16-mixed, which skips such steps by itself."""
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            return
        norms = [p.grad.norm() for p in self.parameters() if p.grad is not None]
        if not bool(torch.stack(norms).isfinite().all()):
            raise self._diverged("the gradient")

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Animator and discriminator are clipped apart: the one's large gradients shall not slow the other down."""
        for network in filter(None, (self.animator, self.discriminator)):
            if gradient_clip_val and gradient_clip_algorithm == "value":
                torch.nn.utils.clip_grad_value_(network.parameters(), gradient_clip_val)
            elif gradient_clip_val:
                torch.nn.utils.clip_grad_norm_(network.parameters(), gradient_clip_val)

    def _diverged(self, what: str) -> S2DError:
        remedy = "lower --model.lr or clip with --trainer.gradient_clip_val, then resume from the last checkpoint"
        return S2DError("cannot go on training", f"{what} is not finite after {self.global_step} steps", remedy)

    def optimizer_step(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        """Step, then follow with the average."""
        super().optimizer_step(*args, **options)
        step = self.trainer.global_step
        keep = min(self.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, current in zip(self.average.parameters(), self.animator.parameters(), strict=True):
                mean.lerp_(current, 1 - keep)

    def validation_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        """Logs the L1 of the animator, of the untrained prior and of the source as it is; and perceptual distances."""
        output, driving = self(batch), batch["driving"]
        figures = {
            "val_l1": l1(output.image, driving),
            "val_perceptual": perceptual_distance(output.image.float().clamp(0, 1), driving).mean(),
        }
        figures |= {} if self._rivals else rivals(batch)
        self.log_dict(figures, batch_size=len(driving), sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Logs again what no training changes; every process remembers the same."""
        self.log_dict(self._rivals)

    def on_train_start(self) -> None:
        """A resumed run goes on with the learning rate and weight decay of its options, not those of the checkpoint."""
        (optimizer,) = self.trainer.optimizers
        schedule: Any = self.trainer.lr_scheduler_configs[0].scheduler
        schedule.base_lrs = [self.lr]
        for group in optimizer.param_groups:
            now = self.lr * schedule.lr_lambdas[0](schedule.last_epoch)
            group.update(initial_lr=self.lr, lr=now, weight_decay=self.weight_decay)

    def on_validation_end(self) -> None:
        """Remember when, and how good the rivals are."""
        self.validated_at = self.trainer.global_step
        if not self.trainer.sanity_checking:  # which looks at a few batches only
            known = self.trainer.callback_metrics
            self._rivals = {name: known[name] for name in RIVALS if name in known}

    def configure_optimizers(self) -> Any:  # noqa: ANN401
        """One AdamW over the animator and the discriminator: their losses share no gradients, see `Objective.compete`.

        Raises S2DError as `check_schedule`.
        """
        learning = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(learning, lr=self.lr, betas=BETAS, weight_decay=self.weight_decay)
        steps = self.trainer.max_steps
        self.check_schedule(steps)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self._rate(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def check_schedule(self, steps: int) -> None:
        """Raises S2DError when the learning rate is to fall at the end of a run that has none; -1 is without end."""
        if self.decay and steps < 1:
            remedy = "give --trainer.max_steps, or --model.decay 0"
            raise S2DError("cannot let the learning rate fall at the end", "the run has no last step", remedy)

    def _rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` of `steps`, as a share of `lr`."""
        rise = min(1.0, (step + 1) / (self.warmup + 1))
        falling = self.decay * steps
        return rise * half_cosine(step - (steps - falling), falling) if falling and step > steps - falling else rise

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the format, the figures before the first step, and who was trained on."""
        checkpoint[VERSION] = FORMAT
        checkpoint[START] = dict(self.start)
        checkpoint[PEOPLE] = self.people.plain() if self.people else None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises S2DError as `check_resumed`."""
        self.check_resumed(checkpoint)
        self.start = dict(checkpoint.get(START, {}))
        self.people = People.of_plain(checkpoint.get(PEOPLE))

    def check_resumed(self, checkpoint: Mapping[str, Any]) -> None:
        """Raises S2DError where a checkpoint is of another format, or of another animator or discriminator."""
        check_format(checkpoint.get(VERSION), "cannot resume from the checkpoint")
        theirs = checkpoint["hyper_parameters"].get("animator")
        mine = self.hparams["animator"]
        if theirs != mine:
            differ = sorted(key for key in mine if not theirs or theirs.get(key) != mine[key])
            why = f"its animator differs in {', '.join(differ)}"
            raise S2DError("cannot resume", why, "resume with the configuration it began with")
        competing = any(name.startswith("discriminator.") for name in checkpoint["state_dict"])
        if competing != (self.discriminator is not None):
            why = f"it was trained {'with' if competing else 'without'} a discriminator"
            remedy = "resume with the --model.losses.adversarial it began with"
            raise S2DError("cannot resume", why, remedy)


def rivals(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The RIVALS of a batch: the figures of the untrained prior and of the source as it is."""
    driving = batch["driving"]
    untrained = prior_warp(batch["source"], batch["source_points"], batch["driving_points"])
    figures = l1(untrained, driving), l1(batch["source"], driving), perceptual_distance(untrained, driving).mean()
    return dict(zip(RIVALS, figures, strict=True))


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference, images in [0, 1] (what a picture cannot show is clipped first)."""
    return (image.float().clamp(0, 1) - target).abs().mean()
