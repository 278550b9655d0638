"""Training for a given number of processor seconds on one thread, for the benchmarks that compare what is trained."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from s2d.memory import keep_freed
from s2d.models.animator import Animator
from s2d.models.losses import half_cosine
from s2d.training.datamodule import FaceDataModule
from s2d.training.run import Run, TrainingCLI, config_path, quiet_lightning
from s2d.training.sampling import StreamSampler

FALLING = 0.5  # of the time, at its end, as the second half of a run's steps in the guide
LEFT_OUT = 0.2  # of every training track, at its end: what the same people are tested on


@dataclass(frozen=True)
class Plan:
    """What is trained on, and for how long."""

    data: Path
    held_out: Sequence[str]
    """Identities of which training sees nothing."""
    seconds: float
    """Of processor time, loading included; validation is left out."""
    config: str = "tiny"
    size: int = 64


@dataclass(frozen=True)
class Trained:
    """An animator, and what it took."""

    model: Animator
    steps: int
    seconds: float
    """Of processor time."""
    landmarks: str
    """Those that it was trained on."""

    @property
    def seconds_per_step(self) -> float:
        return self.seconds / max(self.steps, 1)


class Budget(pl.Callback):
    """Ends training when this process has used so many processor seconds since the first step.

    Over the last FALLING of them the learning rate falls to zero as half a cosine.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.used, self._began = seconds, 0.0, 0.0

    def on_train_start(self, *_: Any) -> None:  # noqa: ANN401
        """The clock starts."""
        self._began = time.process_time()

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:  # noqa: ANN401
        """The schedule, which counts steps, has just set the rate anew."""
        rate = half_cosine(max(0.0, self.used / self.seconds - (1 - FALLING)), FALLING)
        for group in trainer.optimizers[0].param_groups:
            group["lr"] *= rate

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:  # noqa: ANN401
        """The clock is looked at."""
        self.used = time.process_time() - self._began
        trainer.should_stop = trainer.should_stop or self.used >= self.seconds


def train(plan: Plan, out: Path, overrides: Mapping[str, object] | None = None) -> Trained:
    """Train as `s2d train` does, into the new folder `out`; overrides are its options without the dashes.

    e.g. {"model.animator.channels": 8}. The last fifth of every training track is left out.
    """
    torch.set_num_threads(1)
    options = {
        "data.path": plan.data,
        "data.size": plan.size,
        "data.val_identities": list(plan.held_out),
        "data.until": 1 - LEFT_OUT,
        "trainer.max_steps": -1,  # until the time is used up
        "model.decay": 0,
        "trainer.limit_val_batches": 0,
        "trainer.accelerator": "cpu",
        "checkpoint_every": 10**9,
        **(overrides or {}),
    }
    with quiet_lightning():
        cli = TrainingCLI([f"--{key}={value}" for key, value in options.items()], config_path(plan.config), Run(out))
        budget = Budget(plan.seconds)
        cli.trainer.callbacks.append(budget)
        result = cli.fit()
    return Trained(cli.model.average.eval(), int(result["steps"]), budget.used, cli.datamodule.landmarks)


def pairs_for(plan: Plan, batch_size: int) -> Iterator[dict[str, Tensor]]:
    """The same training pairs for another method, batch after batch until its processor time is used up."""
    torch.set_num_threads(1)
    keep_freed()  # as for the animator
    held_out = list(plan.held_out)
    data = FaceDataModule(str(plan.data), plan.size, batch_size, val_identities=held_out, until=1 - LEFT_OUT)
    data.setup()
    endless = StreamSampler(10**12, lambda: 0)
    began = time.process_time()
    for batch in DataLoader(data.training_pairs, batch_size, sampler=endless, drop_last=True):
        yield data.on_after_batch_transfer(batch, 0)
        if time.process_time() - began >= plan.seconds:
            return
