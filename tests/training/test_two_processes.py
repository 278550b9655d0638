"""Two processes that a launcher starts train as one would: samples, gradients, every loss, resuming."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from s2d.models.checkpoint import load_animator
from s2d.training.checkpoints import read_checkpoint
from s2d.training.run import Run, train
from tests.training.conftest import curve
from tests.training.two_processes import DOUBLE, EVERY_STEPS, PLAIN, STEPS


@pytest.fixture(scope="module")
def two_processes(data: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `two_processes.py` leaves, started as several machines would start it."""
    out = tmp_path_factory.mktemp("two")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "tests.training.two_processes", str(data), str(config), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [json.loads(line)["steps"] for line in done.stdout.splitlines()] == [
        STEPS,
        STEPS,
        STEPS // 2,
        STEPS,
        EVERY_STEPS,
    ]
    return out


def diaries(out: Path, name: str) -> list[list[dict]]:
    return [json.loads((out / f"{name}-diary" / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def test_two_processes_equal_one_with_the_doubled_batch(data: Path, config: Path, two_processes: Path, tmp_path: Path):
    """Gradients are averaged over processes, so losses agree but for the order of summation: to 1e-6 of their size."""
    one = train([f"--data.path={data}", f"--trainer.max_steps={STEPS}", *PLAIN, DOUBLE], config, Run(tmp_path / "one"))
    losses = [[page["loss"] for page in diary] for diary in diaries(two_processes, "exact")]
    alone = curve(tmp_path / "one", "train_loss")
    assert len(alone) == STEPS
    assert [sum(pair) / 2 for pair in zip(*losses, strict=True)] == pytest.approx(alone, rel=1e-6)
    assert abs(alone[-1] / alone[0] - 1) > 1e-3
    last = two_processes / "exact" / "checkpoints" / "last.ckpt"
    weights, others = (load_animator(path).state_dict() for path in (one["checkpoint"], last))
    differ = torch.cat([(weights[name] - others[name]).abs().flatten() > 1e-6 for name in weights])
    assert differ.float().mean() < 0.01  # AdamW divides by the gradient's size: where it is nearly 0, rounding shows


def test_two_processes_share_the_samples(two_processes: Path):
    """Together they take what one process would, each its own."""
    for name in ("straight", "halved"):
        one, other = (
            [number for page in diary for number in page["numbers"]] for diary in diaries(two_processes, name)
        )
        assert not set(one) & set(other)
        assert sorted(one + other) == list(range(4 * STEPS))


def test_two_processes_train_alike_with_every_loss(two_processes: Path):
    """The adversarial one begins after the first step; perceptual is left out, it has no weights to learn."""
    assert [len(diary) for diary in diaries(two_processes, "every")] == [EVERY_STEPS] * 2
    one, other = ((two_processes / "every-diary" / f"rank-{rank}.sha256").read_text() for rank in (0, 1))
    assert one == other
    assert min(curve(two_processes / "every", "train_discriminator")[1:]) > 0


def test_two_processes_resume_to_the_very_same(two_processes: Path):
    assert diaries(two_processes, "halved") == diaries(two_processes, "straight")
    one, other = (
        read_checkpoint(two_processes / name / "checkpoints" / "last.ckpt") for name in ("straight", "halved")
    )
    assert one["global_step"] == other["global_step"] == STEPS
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
    assert curve(two_processes / "halved", "train_loss") == curve(two_processes / "straight", "train_loss")
