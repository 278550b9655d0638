"""What each process of a launcher runs in test_two_processes.py: four trainings by the command line, each with a diary.

torchrun --nproc-per-node 2 -m tests.training.two_processes DATA CONFIG OUT
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from s2d.cli import main

# What makes a mean over two halves another than over the whole is left out: eyes and mouth, which are weighted by their
# size in all of a batch.
PLAIN = ["--model.losses.eyes=0", "--model.losses.mouth=0"]
DOUBLE = "--trainer.precision=64-true"  # in float32 Adam's first steps blow rounding up where gradients are next to 0
STEPS = 4
EVERY = ["adversarial=0.1", "adversarial_start=1", "cycle=0.5", "coherence=1"]
EVERY_LOSS = [f"--model.losses.{loss}" for loss in EVERY]  # coherence asks for consecutive frames by itself
EVERY_STEPS = 3


class Diary(pl.Callback):
    """Writes the sample numbers of every batch and its loss to FOLDER/rank-N.json, beside those written before.

    And of the weights, the discriminator's too, a digest at the end.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.pages: list[dict[str, Any]] = []

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: object, batch: dict[str, Any], number: int
    ) -> None:
        loss = float(trainer.callback_metrics["train_loss"])
        self.pages.append({"numbers": batch["number"].tolist(), "loss": loss})

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        path = self.folder / f"rank-{trainer.global_rank}.json"
        before = json.loads(path.read_text()) if path.exists() else []
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([*before, *self.pages]))
        values = b"".join(value.detach().numpy().tobytes() for value in module.parameters())
        path.with_suffix(".sha256").write_text(hashlib.sha256(values).hexdigest())


def run(data: str, config: str, out: Path) -> None:
    """Straight through; the same stopped half way and resumed; and with every loss."""

    def train(name: str, *options: str) -> None:
        diary = [f"--trainer.callbacks={Diary.__module__.replace('__main__', 'tests.training.two_processes')}.Diary"]
        diary += [f"--trainer.callbacks.folder={out / f'{name}-diary'}"]
        shared = ["--trainer.strategy=ddp", "--trainer.devices=2", "--data.batch_size=2", *PLAIN, *diary]
        if code := main(["train", "--json", f"--out={out / name}", *shared, *options]):
            sys.exit(code)

    given = [f"--data={data}", f"--config={config}"]
    train("straight", *given, f"--trainer.max_steps={STEPS}")
    train("exact", *given, f"--trainer.max_steps={STEPS}", DOUBLE)
    train("halved", *given, f"--trainer.max_steps={STEPS // 2}")
    train("halved", "--resume", f"--trainer.max_steps={STEPS}")
    train("every", *given, *EVERY_LOSS, f"--trainer.max_steps={EVERY_STEPS}", "--trainer.limit_val_batches=0")


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
