"""Whole runs through LightningCLI: what is left behind, and what options do."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open

from s2d.errors import S2DError
from s2d.images import CAPTION, read_image
from s2d.models.checkpoint import People, load_animator, read_origin
from s2d.training import precision
from s2d.training.run import HELD_OUT, Run, train
from s2d.video import VideoReader
from tests.training.conftest import DatasetMaker, curve


def test_a_run_leaves_everything(data: Path, config: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder):
    out = tmp_path / "run"
    result = train([f"--data.path={data}"], config, Run(out))
    assert sorted(item.name for item in out.iterdir()) == [
        "best.safetensors", "checkpoints", "clips", "config.yaml", "examples", "hparams.yaml", "metrics.csv",
        "model.safetensors", "sheets",
    ]  # fmt: skip
    assert [item.name for item in (out / "checkpoints").iterdir()] == ["last.ckpt"]
    assert sorted(item.name for item in (out / "sheets").iterdir()) == [f"step-{n:06d}.png" for n in (0, 2, 3)]
    assert read_image(out / "sheets" / "step-000003.png").shape == (CAPTION + 4 * 34 - 2, 5 * 34 - 2, 3)
    with VideoReader(out / "clips" / "step-000003.mp4") as reader:
        shown = next(iter(reader.frames()))
        assert (shown.shape, len(reader), reader.fps) == ((32, 3 * 32 + 2 * 2, 3), 12, 25)
    with (out / "examples" / "step-000003.csv").open(newline="") as file:
        examples = list(csv.DictReader(file))
    assert [(row["track"], row["identity"], row["source_frame"]) for row in examples] == [("ann-0", "ann", "0")] * 4
    assert np.mean([float(row["l1"]) for row in examples]) == pytest.approx(result["val_l1"], abs=1e-5)
    assert np.mean([float(row["l1_prior"]) for row in examples]) == pytest.approx(result["val_l1_prior"], abs=1e-5)
    assert result["steps"] == 3
    assert result["val_l1_start"] == result["val_l1_prior"] == curve(out, "val_l1")[0]
    assert result["val_l1"] == pytest.approx(curve(out, "val_l1")[-1])
    assert result["validation"] == "1 of 3 identities held out: ann"
    with safe_open(result["weights"], "pt") as weights:
        assert json.loads(weights.metadata()["s2d"])["data"]["detector"] == "made"
    for one, other in zip(load_animator(out / "model.safetensors").parameters(),
                          load_animator(result["checkpoint"]).parameters(), strict=True):  # fmt: skip
        assert torch.equal(one, other)
    people = People(frozenset({"bob", "cleo"}), frozenset({"ann"}))
    assert read_origin(result["weights"]).people == read_origin(result["checkpoint"]).people == people
    assert (result["validated_on"], result["held_out"]) == (HELD_OUT, ["ann"])
    assert yaml.safe_load((out / "config.yaml").read_text())["data"]["path"] == str(data)
    assert not [w.message for w in recwarn if "lightning" in str(w.filename)]


def test_the_logger_gets_the_whole_configuration(data: Path, config: Path, tmp_path: Path):
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.limit_val_batches=0", "--model.lr=0.003"]
    train(options, config, Run(tmp_path / "run"))
    logged = yaml.safe_load((tmp_path / "run" / "hparams.yaml").read_text())
    options = {"checkpoint_every", "clip_frames", "compile", "init_from", "seed_everything"}
    assert set(logged) == {"data", "model", "trainer", *options}
    assert (logged["model"]["lr"], logged["seed_everything"], logged["data"]["batch_size"]) == (0.003, 0, 4)
    assert logged["data"]["augmentation"]["brightness"] == 0.1
    assert logged["model"]["animator"]["size"] == 32


def test_trying_out_keeps_nothing(data: Path, config: Path, tmp_path: Path):
    result = train([f"--data.path={data}", "--trainer.fast_dev_run=true"], config, Run(tmp_path / "run"))
    assert result["steps"] == 1
    assert result["weights"] is None
    assert not (tmp_path / "run").exists()


def test_a_run_without_validation_or_steps(data: Path, config: Path, tmp_path: Path):
    options = [f"--data.path={data}", "--trainer.limit_val_batches=0", "--trainer.max_steps=0"]
    result = train(options, config, Run(tmp_path / "run"))
    assert (result["steps"], result["checkpoint"], result["val_l1_start"]) == (0, None, None)
    assert math.isnan(result["val_l1"])
    assert Path(result["weights"]).exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--trainer.max_steps=-1", "--trainer.max_time=00:00:00:01"],
        ["--trainer.overfit_batches=1"],
        ["--trainer.callbacks=LearningRateMonitor"],
        ["--trainer.plugins=LightningEnvironment"],
    ],
)
def test_lightning_s_own_options(data: Path, config: Path, tmp_path: Path, options: list[str]):
    given = [f"--data.path={data}", "--trainer.max_steps=2", "--trainer.limit_val_batches=0", *options]
    assert train(given, config, Run(tmp_path / "run"))["steps"] >= 1


def test_the_folder_is_announced_once_it_is_the_run_s_own(data: Path, config: Path, tmp_path: Path):
    told: list[tuple[str, bool]] = []
    out = tmp_path / "run"
    run = Run(out, announce=lambda line: told.append((line, out.is_dir())))
    with pytest.raises(S2DError):
        train([f"--data.path={tmp_path / 'none'}"], config, run)
    assert told == []
    train([f"--data.path={data}", "--trainer.max_steps=0"], config, run)
    assert told[0] == (f"training into {out}", True)
    assert [line.partition(":")[0] for line, _ in told[1:]] == ["step 0"]


def test_several_data_sets(data: Path, make_dataset: DatasetMaker, config: Path, tmp_path: Path):
    other = make_dataset(people=("bob", "dora", "emil"))
    paths = json.dumps([str(data), str(other)])
    options = [f"--data.path={paths}", "--data.weights=[1, 3]", "--data.val_identities=[bob]", "--trainer.max_steps=1"]
    result = train(options, config, Run(tmp_path / "run"))
    assert result["validation"] == "1 of 5 identities held out: bob"
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["data"]["path"] == [str(data), str(other)]


def test_compiled_networks_train_alike(data: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With a compiler that changes nothing; that it is asked for each network is what is tested."""
    asked: list[str] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **_: asked.append(type(module).__name__))
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.limit_val_batches=0"]
    train([*options, "--compile=true"], config, Run(tmp_path / "run"))
    assert asked == ["Encoder", "MotionNetwork", "Decoder"]


def test_bf16_only_where_there_are_units_for_it(
    data: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(precision, "processor_has_bf16", lambda: False)
    told: list[str] = []
    options = [f"--data.path={data}", "--trainer.max_steps=0", "--trainer.limit_val_batches=0"]
    train([*options, "--trainer.precision=bf16-mixed"], config, Run(tmp_path / "run", announce=told.append))
    assert told[1:] == ["training in 32 bits, not in bf16-mixed: this processor has no bf16 units"]
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["trainer"]["precision"] == "32-true"


def test_images_are_in_the_precision_that_is_trained_in(data: Path, config: Path, tmp_path: Path):
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.precision=64-true"]
    assert math.isfinite(train(options, config, Run(tmp_path / "run"))["val_l1"])
