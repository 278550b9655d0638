"""What a run refuses, in one line, and that it leaves nothing then."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
import torch

from s2d.errors import S2DError
from s2d.training.run import OptionError, Run, train


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--trainer.max_stepz=3"], "max_stepz"),
        (["--trainer.max_steps=many"], "max_steps.*expected a whole number"),
        (["--model.lr=fast"], "lr.*expected a number"),
        (["--data.landmarks=best"], "landmarks"),
        (["--model.animator.size=64"], "size"),  # follows data.size
    ],
)
def test_wrong_options(data: Path, config: Path, tmp_path: Path, options: list[str], why: str):
    with pytest.raises(OptionError, match=why):
        train([f"--data.path={data}", *options], config, Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "option",
    [
        "checkpoint_every=0", "data.visit=0", "data.window=0", "data.batch_size=0", "data.workers=-1",
        "data.val_pairs=-1", "data.cache_mb=-1", "data.val_share=1.5", "data.until=0", "data.augmentation.noise=-1",
        "data.pair.near_share=2", "model.warmup=-1", "model.lr=-1", "model.lr=.nan", "model.ema_decay=2",
        "seed_everything=-1", "seed_everything=4294967296",
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_meant(data: Path, config: Path, tmp_path: Path, option: str):
    name = option.split("=")[0].split(".")[-1]
    with pytest.raises((S2DError, OptionError), match=name):
        train([f"--data.path={data}", f"--{option}"], config, Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_the_data_must_be_named(config: Path, tmp_path: Path):
    with pytest.raises(OptionError, match=r"data\.path"):
        train([], config, Run(tmp_path / "run"))


@pytest.mark.parametrize("text", ["model: {lr: fast}", "modle: {lr: 1.0}", "[1, 2", "\x00"])
def test_wrong_configuration_files(data: Path, tmp_path: Path, text: str):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(S2DError, match=r"cannot use the configuration .*wrong\.yaml"):
        train([f"--data.path={data}"], path, Run(tmp_path / "run"))


def test_wrong_data_makes_no_folder(config: Path, tmp_path: Path):
    with pytest.raises(S2DError, match="no such file or folder"):
        train([f"--data.path={tmp_path / 'none'}"], config, Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("trainer.max_steps=-5", "max_steps"),
        ("trainer.max_epochs=-5", "max_epochs"),
        ("trainer.limit_val_batches=-1", "limit_val_batches"),
        ("trainer.accelerator=abacus", "abacus"),
        ("trainer.strategy=chess", "chess"),
        ("trainer.devices=abc", "devices"),
        ("trainer.max_time={fortnights: 1}", "fortnights"),
        ("model.decay=0.5", "no last step"),
    ],
)
def test_what_lightning_refuses_leaves_no_folder(data: Path, config: Path, tmp_path: Path, option: str, why: str):
    told: list[str] = []
    given = [f"--data.path={data}", "--trainer.max_steps=-1", f"--{option}"]
    with pytest.raises(S2DError, match=why):
        train(given, config, Run(tmp_path / "new" / "run", announce=told.append))
    assert (list(tmp_path.iterdir()), told) == ([], [])


def test_a_logger_that_is_not_there_leaves_no_folder(
    data: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(S2DError, match="not installed"):
        train([f"--data.path={data}"], config, Run(tmp_path / "run", "tensorboard"))
    assert not (tmp_path / "run").exists()


def test_what_the_machine_lacks(data: Path, config: Path, tmp_path: Path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(S2DError, match="change the --trainer options"):
        train([f"--data.path={data}", "--trainer.accelerator=gpu"], config, Run(tmp_path / "run"))


def test_a_folder_that_cannot_be_made(data: Path, config: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(S2DError, match="cannot train into"):
        train([f"--data.path={data}"], config, Run(tmp_path / "file" / "run"))


def test_lightning_is_itself_again_afterwards(data: Path, config: Path, tmp_path: Path):
    level, filters = logging.getLogger("pytorch_lightning").level, list(warnings.filters)
    with pytest.raises(S2DError):
        train([f"--data.path={tmp_path}"], config, Run(tmp_path / "run"))
    assert logging.getLogger("pytorch_lightning").level == level
    assert warnings.filters == filters
