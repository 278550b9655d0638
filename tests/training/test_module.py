"""The module: begins as the prior, averages its weights, and goes on after a stop as if there had been none."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from s2d.errors import S2DError
from s2d.models.animator import AnimatorConfig
from s2d.models.checkpoint import load_animator
from s2d.training.callbacks import LastCheckpoint
from s2d.training.checkpoints import WholeCheckpointIO, read_checkpoint
from s2d.training.datamodule import FaceDataModule
from s2d.training.module import RIVALS, AnimatorModule, prior_warp, rivals
from s2d.training.objective import LossWeights
from s2d.training.pairs import finished
from s2d.training.run import quiet_lightning
from tests.training.conftest import DatasetMaker

SMALL = AnimatorConfig(size=32, channels=8, motion_channels=8)
LIGHT = LossWeights(perceptual=0.0)


class Diary(pl.Callback):
    """Remembers the sample numbers of every batch."""

    def __init__(self) -> None:
        self.numbers: list[list[int]] = []

    def on_train_batch_start(self, trainer: object, module: object, batch: dict[str, torch.Tensor], _: int) -> None:
        self.numbers.append(batch["number"].tolist())


class Notes(pl.Callback):
    """Remembers the figures of every validation."""

    def __init__(self) -> None:
        self.figures: list[dict[str, torch.Tensor]] = []

    def on_validation_end(self, trainer: pl.Trainer, module: object) -> None:
        if not trainer.sanity_checking:
            self.figures.append(dict(trainer.callback_metrics))


@pytest.fixture(scope="module")
def data(make_dataset: DatasetMaker) -> Path:
    return make_dataset()


def make_module(**options: object) -> AnimatorModule:
    torch.manual_seed(0)
    return AnimatorModule(SMALL, LIGHT, warmup=3, **options)  # type: ignore[arg-type]


def make_trainer(path: Path, *callbacks: pl.Callback, every: int = 3, sanity: int = 0, **options: object) -> pl.Trainer:
    return pl.Trainer(
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=sanity,
        accelerator="cpu",
        devices=1,
        callbacks=[LastCheckpoint(path, every), *callbacks],
        plugins=[WholeCheckpointIO()],
        **options,  # type: ignore[arg-type]
    )


def fit(
    data: Path, path: Path, steps: int, resume: Path | None = None, workers: int = 0, batch_size: int = 4,
    lr: float = 1e-3, **options: object,
) -> tuple[AnimatorModule, list[list[int]]]:  # fmt: skip
    module, diary = make_module(lr=lr), Diary()
    loader = FaceDataModule(str(data), size=32, batch_size=batch_size, val_pairs=4, workers=workers)
    with quiet_lightning():
        trainer = make_trainer(path, diary, max_steps=steps, check_val_every_n_epoch=None, **options)
        trainer.fit(module, datamodule=loader, ckpt_path=resume)
    return module, diary.numbers


@pytest.mark.parametrize(
    ("workers", "options"),
    [(0, {}), (1, {"limit_train_batches": 2}), (0, {"limit_train_batches": 3}), (0, {"limit_train_batches": 4})],
    ids=["one epoch", "epochs end before and after the stop", "an epoch ends at the stop", "and after it"],
)
def test_stopped_and_resumed_equals_straight(data: Path, tmp_path: Path, workers: int, options: dict[str, int]):
    options = {"val_check_interval": 2, **options}
    straight, numbers = fit(data, tmp_path / "straight.ckpt", 6, workers=workers, **options)
    _, first = fit(data, tmp_path / "half.ckpt", 3, workers=workers, **options)
    resumed, second = fit(data, tmp_path / "rest.ckpt", 6, tmp_path / "half.ckpt", workers, **options)
    assert numbers == [list(range(4 * n, 4 * n + 4)) for n in range(6)]
    assert first + second == numbers
    one, other = (read_checkpoint(tmp_path / f"{name}.ckpt") for name in ("straight", "rest"))
    assert one["global_step"] == other["global_step"] == 6
    for (name, value), again in zip(straight.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(value, again), name
    for slot, values in one["optimizer_states"][0]["state"].items():
        for name, value in values.items():
            assert torch.equal(value, other["optimizer_states"][0]["state"][slot][name])


def test_overfitting_sees_the_same_batches_again(data: Path, tmp_path: Path):
    _, numbers = fit(data, tmp_path / "last.ckpt", 4, overfit_batches=2, limit_val_batches=0)
    assert numbers == [[0, 1, 2, 3], [4, 5, 6, 7]] * 2


def test_another_batch_size_neither_repeats_nor_skips_samples(data: Path, tmp_path: Path):
    """Twice over, because what was known at the first resume must not be forgotten at the second."""
    taken: list[int] = []
    for steps, size in ((2, 4), (5, 2), (6, 8)):
        path, resume = tmp_path / f"{steps}.ckpt", tmp_path / "last.ckpt"
        _, numbers = fit(data, path, steps, resume if resume.exists() else None, batch_size=size)
        path.rename(resume)
        taken += [number for batch in numbers for number in batch]
    assert taken == list(range(2 * 4 + 3 * 2 + 1 * 8))


def test_another_learning_rate_counts_from_the_first_step_after_resuming(data: Path, tmp_path: Path):
    path = tmp_path / "half.ckpt"
    before, _ = fit(data, path, 2)
    still, _ = fit(data, tmp_path / "still.ckpt", 4, path, lr=0.0)
    moved, _ = fit(data, tmp_path / "moved.ckpt", 4, path)
    for name, weight in before.animator.named_parameters():
        assert torch.equal(still.animator.get_parameter(name), weight)
    assert any(not torch.equal(moved.animator.get_parameter(n), w) for n, w in before.animator.named_parameters())


def test_it_begins_as_the_prior_and_leaves_it(data: Path, tmp_path: Path):
    module, loader = make_module(), FaceDataModule(str(data), size=32, batch_size=4, val_pairs=8)
    with quiet_lightning():
        trainer = make_trainer(tmp_path / "last.ckpt", max_steps=8)
        start = trainer.validate(module, datamodule=loader, verbose=False)[0]
        trainer.fit(module, datamodule=loader)
        end = trainer.validate(module, datamodule=loader, verbose=False)[0]
    assert start["val_l1"] == start["val_l1_prior"]
    assert end["val_l1_prior"] == start["val_l1_prior"]
    assert end["val_l1_copy"] == start["val_l1_copy"]
    assert end["val_l1"] < start["val_l1"]
    assert set(start) == {"val_l1", "val_l1_prior", "val_l1_copy", "val_perceptual", "val_perceptual_prior"}


@pytest.mark.parametrize("sanity", [0, 1])
def test_what_no_training_changes_is_worked_out_once_and_logged_every_time(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sanity: int
):
    """A sanity check before training, of one batch of two, is not taken for the whole."""
    worked_out: list[int] = []
    monkeypatch.setattr("s2d.training.module.rivals", lambda batch: worked_out.append(1) or rivals(batch))
    module, loader, notes = make_module(), FaceDataModule(str(data), size=32, batch_size=4, val_pairs=8), Notes()
    options = {"max_steps": 3, "val_check_interval": 1, "check_val_every_n_epoch": None}
    with quiet_lightning():
        trainer = make_trainer(tmp_path / "last.ckpt", notes, sanity=sanity, **options)
        trainer.fit(module, datamodule=loader)
        assert len(worked_out) == 2 + sanity
        (again,) = trainer.validate(module, datamodule=loader, verbose=False)
    assert len(worked_out) == 4 + sanity
    for name in RIVALS:
        assert [float(figures[name]) for figures in notes.figures] == [again[name]] * 4
    assert len({float(figures["val_l1"]) for figures in notes.figures}) == 3


def test_an_untrained_module_gives_the_prior_exactly(data: Path):
    loader = FaceDataModule(str(data), size=32)
    loader.setup()
    batch = finished(next(iter(loader.val_dataloader())))
    with torch.no_grad():
        output = make_module()(batch)
    assert torch.equal(output.image, prior_warp(batch["source"], batch["source_points"], batch["driving_points"]))


def test_the_average_follows_the_weights(data: Path, tmp_path: Path):
    """With k kept, the average of a, b is k a + (1 - k) b; in the first step k is 1/10."""
    before = {name: value.clone() for name, value in make_module().animator.named_parameters()}
    module, _ = fit(data, tmp_path / "last.ckpt", 1)
    moved = 0.0
    for name, mean in module.average.named_parameters():
        now = module.animator.get_parameter(name)
        torch.testing.assert_close(mean, 0.1 * before[name] + 0.9 * now)
        assert not mean.requires_grad
        moved += float((now - before[name]).detach().abs().sum())
    assert moved > 0


def test_checkpoints_hold_plain_values_and_the_averaged_animator(data: Path, tmp_path: Path):
    path = tmp_path / "last.ckpt"
    module, _ = fit(data, path, 2)
    content = torch.load(path, weights_only=True)
    assert content["hyper_parameters"]["animator"] == vars(SMALL)
    assert not [name for name in content["state_dict"] if not name.startswith(("animator.", "average."))]
    for one, other in zip(load_animator(path).parameters(), module.average.parameters(), strict=True):
        assert torch.equal(one, other)


def test_another_architecture_does_not_resume(data: Path, tmp_path: Path):
    path = tmp_path / "last.ckpt"
    fit(data, path, 1)
    module = AnimatorModule(AnimatorConfig(size=32, channels=16, motion_channels=8), LIGHT)
    with quiet_lightning(), pytest.raises(S2DError, match="its animator differs in channels"):
        make_trainer(tmp_path / "b.ckpt", max_steps=2).fit(
            module, datamodule=FaceDataModule(str(data), size=32, batch_size=4), ckpt_path=path
        )


def test_the_coherence_loss_uses_the_third_frame(data: Path):
    loader = FaceDataModule(str(data), size=32, batch_size=2, consecutive=True)
    loader.setup()
    module = AnimatorModule(SMALL, LossWeights(perceptual=0.0, coherence=1.0))
    logged: dict[str, torch.Tensor] = {}
    module.log_dict = lambda values, **_: logged.update(values)  # type: ignore[method-assign, assignment]
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    module.training_step(finished(next(iter(loader.train_dataloader()))), 0).backward()
    assert logged["train_coherence"] > 0


class Damage(pl.Callback):
    """After two steps spoils one value: of the batch, and by it the loss, or of a gradient."""

    def __init__(self, what: str) -> None:
        self.what = what

    def on_train_batch_start(self, trainer: pl.Trainer, _: object, batch: dict[str, torch.Tensor], number: int) -> None:
        if self.what == "loss" and trainer.global_step == 2:
            batch["driving"][0, 0, 0, 0] = torch.nan

    def on_after_backward(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.what == "gradient" and trainer.global_step == 2:
            next(module.animator.parameters()).grad[0] = torch.inf  # type: ignore[index]


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_ends_training_and_the_last_checkpoint_stays(data: Path, tmp_path: Path, what: str):
    module, loader = make_module(), FaceDataModule(str(data), size=32, batch_size=4, val_pairs=4)
    trainer = make_trainer(tmp_path / "last.ckpt", Damage(what), every=1, max_steps=4, limit_val_batches=0)
    with quiet_lightning(), pytest.raises(S2DError, match=f"the {what} is not finite after 2 steps"):
        trainer.fit(module, datamodule=loader)
    kept = read_checkpoint(tmp_path / "last.ckpt")
    assert kept["global_step"] == 2
    assert all(value.isfinite().all() for value in kept["state_dict"].values())
    assert all(parameter.isfinite().all() for parameter in module.parameters())


def test_a_rate_beyond_reason_is_an_error_not_a_crash(data: Path, tmp_path: Path):
    """Weights of 1e30 make the grid NaN; clipped at the border, the pictures alone would not show it."""
    losses = LossWeights(perceptual=0.0, smoothness=0.0, fold=0.0, mask_prior=0.0)
    module = AnimatorModule(SMALL, losses, lr=1e30, warmup=0)
    loader = FaceDataModule(str(data), size=32, batch_size=4, val_pairs=4)
    trainer = make_trainer(tmp_path / "last.ckpt", max_steps=4, limit_val_batches=0)
    with quiet_lightning(), pytest.raises(S2DError, match="is not finite after 1 steps"):
        trainer.fit(module, datamodule=loader)


@pytest.mark.parametrize(("step", "share"), [(0, 0.25), (3, 1.0), (60, 1.0), (80, 0.5), (99, 0.0015)])
def test_the_learning_rate_rises_and_falls_at_the_end(step: int, share: float):
    module = make_module(decay=0.4)
    assert module._rate(step, 100) == pytest.approx(share, abs=1e-3)
    assert make_module()._rate(max(step, 3), 100) == 1


def test_a_rate_that_falls_needs_a_last_step(data: Path, tmp_path: Path):
    loader = FaceDataModule(str(data), size=32, batch_size=4, val_pairs=4)
    trainer = make_trainer(tmp_path / "last.ckpt", max_steps=-1, max_time="00:00:00:05")
    with quiet_lightning(), pytest.raises(S2DError, match="no last step"):
        trainer.fit(make_module(decay=0.5), datamodule=loader)


def adversarial(start: int) -> AnimatorModule:
    torch.manual_seed(0)
    return AnimatorModule(SMALL, LossWeights(perceptual=0.0, adversarial=0.1, adversarial_start=start), warmup=0)


def train_adversarial(data: Path, path: Path, start: int, steps: int, resume: Path | None = None) -> AnimatorModule:
    module = adversarial(start)
    loader = FaceDataModule(str(data), size=32, batch_size=4, val_pairs=4)
    with quiet_lightning():
        make_trainer(path, max_steps=steps, check_val_every_n_epoch=None).fit(
            module, datamodule=loader, ckpt_path=resume
        )
    return module


def test_the_discriminator_begins_when_it_is_told(data: Path, tmp_path: Path):
    fresh = adversarial(2).discriminator.state_dict()
    waiting = train_adversarial(data, tmp_path / "a.ckpt", start=2, steps=2).discriminator
    for name, value in waiting.state_dict().items():
        assert torch.equal(value, fresh[name]), name
    begun = train_adversarial(data, tmp_path / "b.ckpt", start=2, steps=3).discriminator
    assert any(not torch.equal(value, fresh[name]) for name, value in begun.state_dict().items())


def test_adversarial_training_resumes_exactly(data: Path, tmp_path: Path):
    straight = train_adversarial(data, tmp_path / "straight.ckpt", start=1, steps=4)
    train_adversarial(data, tmp_path / "half.ckpt", start=1, steps=2)
    resumed = train_adversarial(data, tmp_path / "rest.ckpt", start=1, steps=4, resume=tmp_path / "half.ckpt")
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_run_without_discriminator_is_not_resumed_with_one(data: Path, tmp_path: Path):
    fit(data, tmp_path / "plain.ckpt", 1)
    with pytest.raises(S2DError, match="without a discriminator"):
        train_adversarial(data, tmp_path / "other.ckpt", start=0, steps=2, resume=tmp_path / "plain.ckpt")


def test_the_discriminator_does_not_use_up_the_animators_gradient():
    module = adversarial(0)
    for parameter in (*module.animator.parameters(), *module.discriminator.parameters()):
        parameter.grad = torch.ones_like(parameter)
    module.configure_gradient_clipping(torch.optim.SGD(module.parameters(), 0.1), 1.0)
    for network in (module.animator, module.discriminator):
        norm = torch.stack([p.grad.norm() for p in network.parameters()]).norm()
        assert float(norm) == pytest.approx(1.0, rel=1e-3)
