"""Whole runs through LightningCLI: what is left behind, how mistakes are told, two processes."""

from __future__ import annotations

import csv
import json
import logging
import math
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors import safe_open

from s2d.errors import S2DError
from s2d.images import read_image
from s2d.models.animator import Animator, AnimatorConfig
from s2d.models.checkpoint import People, load_animator, read_people, save_animator
from s2d.training import packaged_configs, precision
from s2d.training.checkpoints import find_checkpoint, read_checkpoint
from s2d.training.module import AnimatorModule
from s2d.training.objective import LossWeights
from s2d.training.run import OptionError, Run, config_path, train
from s2d.video import VideoReader
from tests.training.conftest import DatasetMaker
from tests.training.two_processes import EVERY_STEPS, PLAIN, STEPS

SMALL = """
seed_everything: 0
checkpoint_every: 2
trainer: {max_steps: 3, val_check_interval: 2, check_val_every_n_epoch: null, log_every_n_steps: 1,
          accelerator: cpu, devices: 1}
model:
  animator: {channels: 8, motion_channels: 8}
  losses: {perceptual: 0.0}
data: {size: 32, batch_size: 4, val_pairs: 4}
"""


@pytest.fixture(scope="module")
def data(make_dataset: DatasetMaker) -> Path:
    return make_dataset()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(SMALL)
    return path


def curve(out: Path, name: str) -> list[float]:
    with (out / "metrics.csv").open(newline="") as file:
        return [float(row[name]) for row in csv.DictReader(file) if row[name]]


def test_a_run_leaves_everything(data: Path, config: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder):
    out = tmp_path / "run"
    result = train([f"--data.path={data}"], config, Run(out))
    assert sorted(item.name for item in out.iterdir()) == [
        "checkpoints", "clips", "config.yaml", "examples", "hparams.yaml", "metrics.csv", "model.safetensors", "sheets",
    ]  # fmt: skip
    assert [item.name for item in (out / "checkpoints").iterdir()] == ["last.ckpt"]
    assert sorted(item.name for item in (out / "sheets").iterdir()) == [f"step-{n:06d}.png" for n in (0, 2, 3)]
    assert read_image(out / "sheets" / "step-000003.png").shape == (4 * 34 - 2, 5 * 34 - 2, 3)
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
    assert read_people(result["weights"]) == read_people(result["checkpoint"]) == people
    assert result["held_out"] == ["ann"]
    assert yaml.safe_load((out / "config.yaml").read_text())["data"]["path"] == str(data)
    assert not [w.message for w in recwarn if "lightning" in str(w.filename)]


def test_the_logger_gets_the_whole_configuration(data: Path, config: Path, tmp_path: Path):
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.limit_val_batches=0", "--model.lr=0.003"]
    train(options, config, Run(tmp_path / "run"))
    logged = yaml.safe_load((tmp_path / "run" / "hparams.yaml").read_text())
    options = {"checkpoint_every", "clip_frames", "compile", "init_from", "seed_everything"}
    assert set(logged) == {"data", "model", "trainer", *options}
    assert (logged["model"]["lr"], logged["seed_everything"], logged["data"]["batch_size"]) == (0.003, 0, 4)
    assert logged["data"]["augmentation"]["turn"] == 12.0
    assert logged["model"]["animator"]["size"] == 32


def test_resuming_goes_on_in_the_same_folder(data: Path, config: Path, tmp_path: Path):
    """Stopped at 3, then on to 5, by the run's own configuration; the curve has every step once."""
    straight, halved = Run(tmp_path / "straight"), Run(tmp_path / "halved")
    train([f"--data.path={data}", "--trainer.max_steps=5"], config, straight)
    first = train([f"--data.path={data}"], config, halved)
    again = Run(halved.out, resume=find_checkpoint(halved.out, ""))
    result = train(["--trainer.max_steps=5"], halved.out / "config.yaml", again)
    assert curve(halved.out, "train_loss") == curve(straight.out, "train_loss")
    assert result["val_l1_start"] == first["val_l1_start"]
    one, other = (read_checkpoint(run.out / "checkpoints" / "last.ckpt") for run in (straight, halved))
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())


def test_a_finished_run_is_not_overwritten(data: Path, config: Path, tmp_path: Path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(S2DError, match="already holds a run; go on with --resume"):
        train([f"--data.path={data}"], config, Run(tmp_path))


def test_a_run_that_died_before_its_first_checkpoint_may_begin_again(data: Path, config: Path, tmp_path: Path):
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.limit_val_batches=0"]
    with pytest.raises(S2DError, match="not finite"):
        train([*options, "--model.lr=1e30", "--trainer.max_steps=2"], config, Run(tmp_path))
    assert (tmp_path / "config.yaml").exists()
    assert train(options, config, Run(tmp_path))["steps"] == 1


def test_resuming_one_run_does_not_overwrite_another(data: Path, config: Path, tmp_path: Path):
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.limit_val_batches=0"]
    kept = [train(options, config, Run(tmp_path / name))["weights"] for name in ("one", "two")]
    before = Path(kept[1]).stat().st_mtime_ns
    last = find_checkpoint(tmp_path / "one", "")
    with pytest.raises(S2DError, match=r"two: it already holds a run; .*choose another --out"):
        train([*options, "--trainer.max_steps=2"], config, Run(tmp_path / "two", resume=last))
    assert Path(kept[1]).stat().st_mtime_ns == before
    assert train([*options, "--trainer.max_steps=2"], config, Run(tmp_path / "new", resume=last))["steps"] == 2


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
    ("options", "why"),
    [
        (["--trainer.max_stepz=3"], "max_stepz"),
        (["--trainer.max_steps=many"], "max_steps"),
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
        "data.val_pairs=-1", "data.cache_mb=-1", "data.val_share=1.5", "data.augmentation.noise=-1",
        "data.pair.near_share=2", "model.warmup=-1", "model.lr=-1", "model.lr=.nan", "model.ema_decay=2",
        "seed_everything=-1", "seed_everything=4294967296",
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_meant(data: Path, config: Path, tmp_path: Path, option: str):
    name = option.split("=")[0].split(".")[-1]
    with pytest.raises((S2DError, OptionError), match=name):
        train([f"--data.path={data}", f"--{option}"], config, Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


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


def test_the_data_must_be_named(config: Path, tmp_path: Path):
    with pytest.raises(OptionError, match=r"data\.path"):
        train([], config, Run(tmp_path / "run"))


@pytest.mark.parametrize("text", ["model: {lr: fast}", "modle: {lr: 1.0}", "[1, 2", "\x00"])
def test_wrong_configuration_files(data: Path, tmp_path: Path, text: str):
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(S2DError, match=r"cannot use the configuration .*wrong\.yaml"):
        train([f"--data.path={data}"], path, Run(tmp_path / "run"))


def test_the_folder_is_announced_once_it_is_the_run_s_own(data: Path, config: Path, tmp_path: Path):
    told: list[tuple[str, bool]] = []
    out = tmp_path / "run"
    run = Run(out, announce=lambda line: told.append((line, out.is_dir())))
    with pytest.raises(S2DError):
        train([f"--data.path={tmp_path / 'none'}"], config, run)
    assert told == []
    train([f"--data.path={data}", "--trainer.max_steps=0"], config, run)
    assert told == [(f"training into {out}", True)]


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


def test_resuming_another_animator_leaves_no_folder(data: Path, config: Path, trained: Path, tmp_path: Path):
    run = Run(tmp_path / "run", resume=trained / "checkpoints" / "last.ckpt")
    for option, why in (("animator.channels=16", "animator differs in channels"), ("losses.adversarial=1", "without")):
        with pytest.raises(S2DError, match=why):
            train([f"--data.path={data}", f"--model.{option}"], config, run)
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


def test_packaged_configurations(tmp_path: Path):
    assert config_path("tiny").name == "tiny.yaml"
    with pytest.raises(S2DError, match=r"packaged are: .*tiny"):
        config_path("huge")


@pytest.mark.parametrize("name", packaged_configs())
def test_packaged_configurations_are_understood_and_shown(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as stop:
        train(["--data.path=D", "--print_config"], name, Run(tmp_path / "run"))
    assert stop.value.code == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    own = yaml.safe_load(config_path(name).read_text())
    assert shown["data"]["path"] == "D"
    assert shown["data"]["size"] == own["data"]["size"]
    assert shown["model"]["lr"] == own["model"]["lr"]
    assert not (tmp_path / "run").exists()


def test_lightning_is_itself_again_afterwards(data: Path, config: Path, tmp_path: Path):
    level, filters = logging.getLogger("pytorch_lightning").level, list(warnings.filters)
    with pytest.raises(S2DError):
        train([f"--data.path={tmp_path}"], config, Run(tmp_path / "run"))
    assert logging.getLogger("pytorch_lightning").level == level
    assert warnings.filters == filters


@pytest.fixture(scope="module")
def two_processes(data: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `two_processes.py` leaves, started as several machines would start it."""
    out = tmp_path_factory.mktemp("two")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launcher, "-m", "tests.training.two_processes", str(data), str(config), str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [json.loads(line)["steps"] for line in done.stdout.splitlines()] == [STEPS, STEPS // 2, STEPS, EVERY_STEPS]
    return out


def diaries(out: Path, name: str) -> list[list[dict]]:
    return [json.loads((out / f"{name}-diary" / f"rank-{rank}.json").read_text()) for rank in (0, 1)]


def test_two_processes_equal_one_with_the_doubled_batch(data: Path, config: Path, two_processes: Path, tmp_path: Path):
    """Gradients are averaged over processes, so losses agree but for the order of summation: to 1e-5 of their size."""
    one = train([f"--data.path={data}", f"--trainer.max_steps={STEPS}", *PLAIN], config, Run(tmp_path / "one"))
    losses = [[page["loss"] for page in diary] for diary in diaries(two_processes, "straight")]
    alone = curve(tmp_path / "one", "train_loss")
    assert len(alone) == STEPS
    assert [sum(pair) / 2 for pair in zip(*losses, strict=True)] == pytest.approx(alone, rel=1e-5)
    assert abs(alone[-1] / alone[0] - 1) > 1e-3
    last = two_processes / "straight" / "checkpoints" / "last.ckpt"
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


@pytest.fixture(scope="module")
def trained(data: Path, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    train([f"--data.path={data}", "--trainer.limit_val_batches=0"], config, Run(out))
    return out


def animator_of(name: str) -> AnimatorConfig:
    """The architecture of a packaged configuration."""
    settings = yaml.safe_load(config_path(name).read_text())
    return AnimatorConfig(size=settings["data"]["size"], **settings["model"].get("animator", {}))


@pytest.mark.parametrize("name", packaged_configs())
def test_every_packaged_configuration_can_be_built(name: str):
    settings = yaml.safe_load(config_path(name).read_text())
    model = settings["model"]
    animator, losses = animator_of(name), LossWeights(**model.get("losses", {}))
    assert losses.adversarial_start < settings["trainer"]["max_steps"]
    with torch.device("meta"):
        AnimatorModule(animator, losses, decay=model.get("decay", 0.0))


def test_weights_of_vox256_begin_vox512():
    first, later = map(animator_of, ("vox256", "vox512"))
    with torch.device("meta"):
        small, large = (Animator(config).state_dict() for config in (first, later))
    assert {name: value.shape for name, value in small.items()} == {name: v.shape for name, v in large.items()}
    assert first.size // first.motion_stride == later.size // later.motion_stride
    assert replace(later, size=first.size, motion_stride=first.motion_stride) == first


@pytest.mark.parametrize("weights", ["model.safetensors", "checkpoints/last.ckpt"])
def test_weights_to_begin_with_may_be_of_another_size(
    data: Path, config: Path, trained: Path, tmp_path: Path, weights: str
):
    given = [f"--data.path={data}", "--data.size=64", "--trainer.max_steps=0", f"--init_from={trained / weights}"]
    result = train(given, config, Run(tmp_path / "run"))
    begun, before = (load_animator(path) for path in (result["weights"], trained / weights))
    assert (begun.config.size, before.config.size) == (64, 32)
    for one, other in zip(begun.parameters(), before.parameters(), strict=True):
        assert torch.equal(one, other)
    assert result["val_l1_start"] != result["val_l1_prior"]


@pytest.mark.parametrize("said", [True, False])
def test_people_known_to_the_weights_to_begin_with_are_known(
    make_dataset: DatasetMaker, config: Path, trained: Path, tmp_path: Path, said: bool
):
    """Bob, trained on before, is held out now; of weights that do not say whom they know, nothing is said after."""
    first, weights = trained / "model.safetensors", tmp_path / "first.safetensors"
    save_animator(weights, load_animator(first), {}, read_people(first) if said else None)
    data = make_dataset(people=("bob", "dora", "emil"))
    given = [f"--data.path={data}", "--data.val_identities=[bob, dora]", f"--init_from={weights}"]
    result = train([*given, "--trainer.limit_val_batches=0"], config, Run(tmp_path / "run"))
    people = People(frozenset({"bob", "cleo", "emil"}), frozenset({"ann", "dora"}))
    assert [read_people(result[name]) for name in ("weights", "checkpoint")] == [people if said else None] * 2


@pytest.mark.parametrize(
    ("make", "options", "why"),
    [
        ({"detector": "other"}, [], "detector was made there, but is other in"),
        (
            {},
            ["--model.animator.channels=16"],
            "another animator than is to be trained; give --model.animator.channels=8",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_a_folder_is_made(
    make_dataset: DatasetMaker, config: Path, trained: Path, tmp_path: Path, make: dict, options: list[str], why: str
):
    given = [f"--data.path={make_dataset(**make)}", f"--init_from={trained / 'model.safetensors'}", *options]
    with pytest.raises(S2DError, match=why):
        train(given, config, Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("make", "why"), [({"detector": "other"}, "detector is other"), ({"crop": 96}, "crop_size is 96")]
)
def test_resuming_on_other_data_is_refused_before_a_folder_is_made(
    make_dataset: DatasetMaker, config: Path, trained: Path, tmp_path: Path, make: dict, why: str
):
    run = Run(tmp_path / "run", resume=trained / "checkpoints" / "last.ckpt")
    with pytest.raises(S2DError, match=f"cannot resume on .*{why}, but .* in the checkpoint"):
        train([f"--data.path={make_dataset(**make)}"], config, run)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_does_not_begin_again_with_other_weights(data: Path, config: Path, trained: Path, tmp_path: Path):
    first = [f"--data.path={data}", "--trainer.limit_val_batches=0", f"--init_from={trained / 'model.safetensors'}"]
    train([*first, "--trainer.max_steps=2"], config, Run(tmp_path))
    before = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["state_dict"]
    again = Run(tmp_path, resume=find_checkpoint(tmp_path, ""))
    result = train(["--trainer.max_steps=2"], tmp_path / "config.yaml", again)
    after = load_animator(result["weights"]).state_dict()
    assert all(torch.equal(before[f"average.{name}"], value) for name, value in after.items())


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
