"""What happens beside training: examples at validation, checkpoints, and a progress bar."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import default_collate

from s2d import progress
from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.images import caption
from s2d.models.animator import AnimatorOutput
from s2d.models.checkpoint import read_origin, save_animator
from s2d.models.prior import prior_warp
from s2d.training.datamodule import FaceDataModule
from s2d.training.loggers import log_clip, log_examples, log_picture, picture_path
from s2d.training.module import AnimatorModule
from s2d.training.pairs import Sample, finished
from s2d.video import VideoWriter

GAP = 2  # white pixels between the pictures of a sheet


class ExamplesCallback(pl.Callback):
    """After every validation what the averaged weights make of held-out faces.

    A sheet of pairs, one a row: source | driving | warped | result | foreground; a table of the same pairs; and of the
    first held-out track a video, source | driving | result.
    """

    def __init__(self, out: Path, rows: int = 6, clip_frames: int = 50) -> None:
        """Raises S2DError when a number of frames cannot be meant; 0 makes no video."""
        if clip_frames < 0:
            raise S2DError("cannot make videos", f"of {clip_frames} frames", "--clip_frames is 0 or more")
        self.out, self.rows, self.clip_frames = out, rows, clip_frames

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Evenly spread over the validation pairs; drawn by the main process alone."""
        if trainer.sanity_checking or not trainer.is_global_zero or _trying(trainer):
            return
        data: FaceDataModule = trainer.datamodule  # type: ignore[attr-defined]
        self._pairs(trainer, pl_module, data)
        if self.clip_frames:
            self._clip(trainer, pl_module, data)

    def _pairs(self, trainer: pl.Trainer, module: pl.LightningModule, data: FaceDataModule) -> None:
        pairs = data.validation_pairs
        chosen = np.linspace(0, len(pairs) - 1, min(self.rows, len(pairs))).round().astype(int).tolist()
        batch, output = _animated(trainer, module, [pairs[index] for index in chosen])
        log_picture(trainer.loggers, self.out, "sheets", sheet(batch, output), trainer.global_step)
        untrained = prior_warp(batch["source"], batch["source_points"], batch["driving_points"])
        errors = zip(_l1(output.image, batch["driving"]), _l1(untrained, batch["driving"]), strict=True)
        rows = [
            (*_names(data, index), round(mine, 5), round(prior, 5))
            for index, (mine, prior) in zip(chosen, errors, strict=True)
        ]
        strips = list(_rows(batch, output))
        log_examples(trainer.loggers, self.out, "examples", EXAMPLE, rows, strips, trainer.global_step)

    def _clip(self, trainer: pl.Trainer, module: pl.LightningModule, data: FaceDataModule) -> None:
        pairs = data.validation_pairs
        span = pairs.plan[0][0]
        clip = pairs.store.clip(span)
        driving = [int(position) for position in clip.within(span)[: self.clip_frames]]
        path = picture_path(self.out, "clips", trainer.global_step, ".mp4")
        rate = data.rate(span)
        with VideoWriter(path, 3 * data.size + 2 * GAP, data.size, rate, synthetic=True) as writer:
            for start in range(0, len(driving), data.batch_size):
                samples = [pairs.sample(span, (int(clip.usable[0]), at)) for at in driving[start:][: data.batch_size]]
                batch, output = _animated(trainer, module, samples)
                for frame in _beside([batch["source"], batch["driving"], output.image]):
                    writer.write(frame)
        log_clip(trainer.loggers, "clips", path, trainer.global_step)


COLUMNS = ("source", "driving", "warped", "result", "foreground")
EXAMPLE = ("track", "identity", "source_frame", "driving_frame", "l1", "l1_prior")


def _names(data: FaceDataModule, index: int) -> tuple[str, str, int, int]:
    """Of validation pair `index`: track, identity, and its frames' positions in the track."""
    span = data.validation_pairs.plan[index][0]
    return span.track_id, data.identity_of(span), *data.validation_pairs.positions(index)


def _animated(trainer: pl.Trainer, module: pl.LightningModule, samples: list[Sample]) -> tuple[Sample, AnimatorOutput]:
    """The samples as a batch on the module's device, and what it makes of them."""
    loaded = {name: value.to(module.device) for name, value in default_collate(samples).items()}
    batch = trainer.precision_plugin.convert_input(finished(loaded))
    with torch.no_grad(), trainer.precision_plugin.forward_context():
        output: AnimatorOutput = module(batch)
    return batch, output


def _l1(images: Tensor, targets: Tensor) -> list[float]:
    differences = (images.float().clamp(0, 1) - targets.float()).abs().mean((1, 2, 3))
    return [float(value) for value in differences]


def _trying(trainer: pl.Trainer) -> bool:
    """Is this fast_dev_run, which keeps nothing?"""
    return bool(vars(trainer).get("fast_dev_run"))


def sheet(batch: dict[str, Tensor], output: AnimatorOutput) -> Image:
    """Rows of pictures side by side, RGB uint8; the foreground is light where pixels move with the face."""
    size = output.image.shape[-1]
    titles = np.concatenate([caption(name, size + GAP) for name in COLUMNS], axis=1)[:, :-GAP]
    spaced = np.pad(_rows(batch, output), ((0, 0), (0, GAP), (0, 0), (0, 0)), constant_values=255)
    return np.concatenate([titles, *spaced], axis=0)[:-GAP]


def _rows(batch: dict[str, Tensor], output: AnimatorOutput) -> Image:
    """The COLUMNS of each pair, (B, S, W, 3)."""
    foreground = output.foreground.expand(-1, 3, -1, -1)
    return _beside([batch["source"], batch["driving"], output.warped, output.image, foreground])


def _beside(columns: Sequence[Tensor]) -> Image:
    """Pictures (B, 3, S, S) each, as (B, S, W, 3) uint8 with white gaps between the columns."""
    padded = [np.pad(_bytes(column), ((0, 0), (0, 0), (0, GAP), (0, 0)), constant_values=255) for column in columns]
    return np.concatenate(padded, axis=2)[:, :, :-GAP]


def _bytes(images: Tensor) -> Image:
    """(B, 3, S, S) in [0, 1] to uint8 (B, S, S, 3)."""
    scaled = (images.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.asarray(scaled.permute(0, 2, 3, 1).cpu().numpy())


class LastCheckpoint(pl.callbacks.Checkpoint):
    """Keeps one checkpoint, the last: every so many steps, and at the end."""

    def __init__(self, path: Path, every: int) -> None:
        """Raises S2DError when `every` is less than one step."""
        if every < 1:
            raise S2DError("cannot keep checkpoints", f"every {every} steps", "--checkpoint_every is 1 or more")
        self.path, self.every = path, every
        self._saved, self._before = -1, 0

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Save when due; the last step is saved here too, where a resumed run can go on from as from any other."""
        step = trainer.global_step
        due = step // self.every > self._before // self.every  # a batch may take more steps than one
        self._before = step
        if due or step == trainer.max_steps:
            self._save(trainer)

    def on_train_start(self, trainer: pl.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Count from the step that training begins at."""
        self._before = trainer.global_step

    def on_train_end(self, trainer: pl.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Save when training ended for another reason than its number of steps."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if trainer.global_step in (self._saved, 0) or _trying(trainer):
            return
        trainer.save_checkpoint(self.path)
        self._saved = trainer.global_step


class BestWeights(pl.Callback):
    """Keeps the averaged weights of the validation with the least L1 so far, and in their file when it was and how low.

    Those of the start, before any step, are not kept.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.step, self.l1 = path, 0, math.inf

    def go_on(self, step: int) -> None:
        """A run resumed at `step` has to beat what its folder kept until then; what came after that comes again.

        Weights of a file that does not say when they were validated, and how, are beaten by any. Raises S2DError where
        it is damaged, or no animator's.
        """
        kept = _validated(read_origin(self.path).data) if self.path.exists() else None
        if kept and kept[0] <= step:
            self.step, self.l1 = kept

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write them where they are better."""
        module: AnimatorModule = pl_module  # type: ignore[assignment]
        l1 = float(trainer.callback_metrics.get("val_l1", math.nan))
        if trainer.sanity_checking or trainer.global_step == 0 or _trying(trainer) or not l1 < self.l1:
            return
        self.step, self.l1 = trainer.global_step, l1
        if trainer.is_global_zero:
            data: FaceDataModule = trainer.datamodule  # type: ignore[attr-defined]
            facts = {**data.provenance, "step": str(self.step), "val_l1": str(self.l1)}
            save_animator(self.path, module.average, facts, module.people)


def _validated(facts: Mapping[str, str]) -> tuple[int, float] | None:
    """Step and L1 of the validation in a file of `BestWeights`; None in another, such as one that was put there."""
    try:
        step, error = int(facts["step"]), float(facts["val_l1"])
    except (KeyError, ValueError):
        return None
    return (step, error) if math.isfinite(error) else None


class ValidationLines(pl.Callback):
    """A line for every validation where no bar is drawn, as in a log: the error, and what a step takes."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._waited, self._batches = 0.0, 0
        self._since: float | None = None

    def on_train_batch_start(self, *_: Any) -> None:  # noqa: ANN401
        """Validation may lie between two batches, and is no part of a step."""
        self._since = self._since or time.monotonic()

    def on_train_batch_end(self, *_: Any) -> None:  # noqa: ANN401
        """The next batch is loaded from here on."""
        now = time.monotonic()
        self._waited, self._batches, self._since = self._waited + now - (self._since or now), self._batches + 1, now

    def on_validation_start(self, *_: Any) -> None:  # noqa: ANN401
        """The clock stands."""
        self._since = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say it."""
        if trainer.sanity_checking or not trainer.is_global_zero or progress.watched():
            return
        mine, prior = (float(trainer.callback_metrics.get(name, math.nan)) for name in ("val_l1", "val_l1_prior"))
        line = f"step {trainer.global_step}: validation L1 {mine:.4f}, of the untrained prior {prior:.4f}"
        if self._batches:
            line += f"; {self._waited / self._batches:.2f} s a step"
        self._announce(line)


class BarCallback(pl.Callback):
    """One line of progress, on a terminal only."""

    def __init__(self) -> None:
        self._bar: Iterator[int] = iter(())

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin at the step that training begins at."""
        steps = trainer.estimated_stepping_batches  # infinite where only the time is limited
        left = range(max(0, int(steps) - trainer.global_step)) if math.isfinite(steps) else itertools.count()
        self._bar = progress.track(left, "training")
        next(self._bar, None)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:  # noqa: ANN401
        """One step further."""
        next(self._bar, None)

    def on_train_end(self, *_: Any) -> None:  # noqa: ANN401
        """Take the bar away: it goes when nothing refers to it."""
        self._bar = iter(())

    def on_exception(self, *_: Any) -> None:  # noqa: ANN401
        """Also when training breaks off."""
        self.on_train_end()
