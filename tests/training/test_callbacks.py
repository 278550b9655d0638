"""Sheets show the right pictures in the right places; the bar counts; the last checkpoint is the last."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from s2d import progress
from s2d.errors import S2DError
from s2d.images import CAPTION
from s2d.models.animator import Animator, AnimatorConfig, AnimatorOutput
from s2d.models.checkpoint import save_animator
from s2d.training.callbacks import GAP, BarCallback, BestWeights, LastCheckpoint, ValidationLines, sheet


def test_a_sheet_is_rows_of_five_pictures():
    size = 6
    levels = iter((0.2, 0.4, 0.6, 0.8, 0.3))
    source, driving, warped, image = (torch.full((2, 3, size, size), next(levels)) for _ in range(4))
    image[1] = 1.7  # clipped
    masks = torch.full((2, 8, size, size), 0.25)
    unused = [torch.zeros(0)] * 6
    output = AnimatorOutput(image, warped, torch.zeros(0), masks, masks, *unused)
    made = sheet({"source": source, "driving": driving}, output)
    assert made.shape == (CAPTION + 2 * size + GAP, 5 * size + 4 * GAP, 3)
    titles, made = made[:CAPTION], made[CAPTION:]
    assert titles.min() < 128
    middles = made[size // 2 :: size + GAP, size // 2 :: size + GAP, 0]
    assert middles.tolist() == [[51, 102, 153, 204, 191], [51, 102, 153, 255, 191]]
    assert (made[size : size + GAP] == 255).all()


class FakeTrainer(SimpleNamespace):
    """As much of a trainer as the callbacks look at."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"global_step": 0, "max_steps": -1, "fast_dev_run": False, "saved": []} | options)

    def save_checkpoint(self, path: Path) -> None:
        self.saved.append(self.global_step)


@pytest.mark.parametrize(
    ("stop", "limit", "saved"), [(7, 7, [3, 6, 7]), (7, -1, [3, 6, 7]), (6, -1, [3, 6]), (0, -1, [])]
)
def test_the_last_step_is_always_kept(stop: int, limit: int, saved: list[int]):
    callback, trainer = LastCheckpoint(Path("x"), every=3), FakeTrainer(max_steps=limit)
    for step in range(1, stop + 1):
        trainer.global_step = step
        callback.on_train_batch_end(trainer)
    callback.on_train_end(trainer)
    assert trainer.saved == saved


def test_gradient_accumulation_saves_a_step_once():
    callback, trainer = LastCheckpoint(Path("x"), every=1), FakeTrainer()
    for trainer.global_step in (1, 1, 1, 2, 2):
        callback.on_train_batch_end(trainer)
    assert trainer.saved == [1, 2]


@pytest.mark.parametrize(("steps", "total"), [(10, 4), (math.inf, None)])
def test_the_bar_counts_the_steps_that_are_left(monkeypatch: pytest.MonkeyPatch, steps: float, total: int | None):
    asked: list[int] = []
    totals: list[int | None] = []
    ended: list[bool] = []

    def track(items: Iterable[int], label: str) -> Any:
        totals.append(len(items) if isinstance(items, range) else None)
        try:
            for item in items:
                asked.append(item)
                yield item
        finally:
            ended.append(True)

    monkeypatch.setattr(progress, "track", track)
    bar, trainer = BarCallback(), FakeTrainer(global_step=6, estimated_stepping_batches=steps)
    bar.on_train_start(trainer, SimpleNamespace())
    bar.on_train_batch_end(trainer)
    assert (asked, totals, ended) == ([0, 1], [total], [])
    bar.on_train_end()
    assert ended == [True]


@pytest.mark.parametrize("watched", [True, False])
def test_a_log_has_a_line_for_every_validation(monkeypatch: pytest.MonkeyPatch, watched: bool):
    monkeypatch.setattr(progress, "watched", lambda: watched)
    said: list[str] = []
    lines = ValidationLines(said.append)
    trainer = FakeTrainer(
        global_step=100,
        sanity_checking=False,
        is_global_zero=True,
        callback_metrics={"val_l1": 0.02, "val_l1_prior": 0.025},
    )
    clock = iter((10.0, 12.0, 15.0, 100.0, 101.0))  # a batch of 2 s, one of 3; a validation; one of 1
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    lines.on_validation_start(trainer)
    lines.on_validation_end(trainer, SimpleNamespace())
    lines.on_train_batch_start(trainer)
    lines.on_train_batch_end(trainer)
    lines.on_train_batch_start(trainer)
    lines.on_train_batch_end(trainer)
    lines.on_validation_start(trainer)
    trainer.global_step = 150
    lines.on_validation_end(trainer, SimpleNamespace())
    lines.on_train_batch_start(trainer)
    lines.on_train_batch_end(trainer)
    lines.on_validation_end(trainer, SimpleNamespace())
    if watched:
        assert said == []
        return
    assert said[0] == "step 100: validation L1 0.0200, of the untrained prior 0.0250"
    assert said[1] == "step 150: validation L1 0.0200, of the untrained prior 0.0250; 2.50 s a step"
    assert said[2].endswith("; 2.00 s a step")


@pytest.mark.parametrize(
    ("facts", "kept"),
    [
        ({"step": "3", "val_l1": "0.25"}, (3, 0.25)),
        ({"step": "5", "val_l1": "0.25"}, (0, math.inf)),
        ({}, (0, math.inf)),
        ({"step": "3"}, (0, math.inf)),
        ({"val_l1": "0.25"}, (0, math.inf)),
        ({"step": "3", "val_l1": "low"}, (0, math.inf)),
        ({"step": "3", "val_l1": "nan"}, (0, math.inf)),
        ({"step": "third", "val_l1": "0.25"}, (0, math.inf)),
    ],
)
def test_what_has_to_be_beaten(tmp_path: Path, facts: dict[str, str], kept: tuple[int, float]):
    """Weights that do not say when they were validated, and how, or at a step that is gone, are none to beat."""
    save_animator(
        tmp_path / "best.safetensors", Animator(AnimatorConfig(size=32, channels=8, motion_channels=8)), facts
    )
    best = BestWeights(tmp_path / "best.safetensors")
    best.go_on(step=4)
    assert (best.step, best.l1) == kept


def test_checkpoints_need_a_distance():
    with pytest.raises(S2DError, match="every 0 steps"):
        LastCheckpoint(Path("x"), every=0)
