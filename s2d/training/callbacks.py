"""What happens beside training: contact sheets at validation, and a progress bar."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
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
from s2d.models.animator import AnimatorOutput
from s2d.training.loggers import log_picture

GAP = 2  # white pixels between the pictures of a sheet


class SheetCallback(pl.Callback):
    """After every validation a sheet of held-out pairs, one a row: source | driving | warped | result | foreground."""

    def __init__(self, out: Path, rows: int = 6) -> None:
        self.out, self.rows = out, rows

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw with the averaged weights, evenly spread over the validation pairs."""
        if trainer.sanity_checking or not trainer.is_global_zero or _trying(trainer):
            return
        pairs = trainer.datamodule.validation_pairs  # type: ignore[attr-defined]
        chosen = np.linspace(0, len(pairs) - 1, min(self.rows, len(pairs))).round().astype(int)
        batch = default_collate([pairs[int(index)] for index in chosen])
        batch = {name: value.to(pl_module.device) for name, value in batch.items()}
        with torch.no_grad():
            output = pl_module(batch)
        log_picture(trainer.loggers, self.out, "sheets", sheet(batch, output), trainer.global_step)


def _trying(trainer: pl.Trainer) -> bool:
    """Is this fast_dev_run, which keeps nothing?"""
    return bool(vars(trainer).get("fast_dev_run"))


def sheet(batch: dict[str, Tensor], output: AnimatorOutput) -> Image:
    """Rows of pictures side by side, RGB uint8; the foreground is light where pixels move with the face."""
    foreground = output.foreground.expand(-1, 3, -1, -1)
    columns = [batch["source"], batch["driving"], output.warped, output.image, foreground]
    padded = [np.pad(_bytes(column), ((0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=255) for column in columns]
    return np.concatenate(list(np.concatenate(padded, axis=2)), axis=0)[:-GAP, :-GAP]


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
        self._saved = -1

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Save when due; the last step is saved here too, where a resumed run can go on from as from any other."""
        step = trainer.global_step
        if step % self.every == 0 or step == trainer.max_steps:
            self._save(trainer)

    def on_train_end(self, trainer: pl.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Save when training ended for another reason than its number of steps."""
        self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        if trainer.global_step in (self._saved, 0) or _trying(trainer):
            return
        trainer.save_checkpoint(self.path)
        self._saved = trainer.global_step


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
