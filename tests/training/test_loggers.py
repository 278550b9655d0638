"""Loggers: one CSV for a run however often resumed; wandb never asks and never needs an account."""

from __future__ import annotations

import csv
import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wandb
from wandb.proto import wandb_internal_pb2

from s2d.errors import S2DError
from s2d.images import read_image
from s2d.training import loggers
from s2d.training.checkpoints import find_checkpoint
from s2d.training.datamodule import content_hash
from s2d.training.loggers import log_examples, log_picture, make_logger
from s2d.training.run import Run, train
from s2d.video import VideoReader
from tests.training.conftest import DatasetMaker

BLOCK = 32768  # bytes, of LevelDB
PICTURE = np.zeros((4, 5, 3), np.uint8)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_resumed_run_goes_on_in_the_same_csv(tmp_path: Path):
    first = make_logger("csv", tmp_path)
    for step in range(4):
        first.log_metrics({"loss": 1.0 - step / 10}, step)
    first.log_metrics({"val_l1": 0.5}, 3)
    first.finalize("success")
    second = make_logger("csv", tmp_path, resumed_step=3)  # steps 0, 1, 2 have been done
    second.log_metrics({"loss": 9.0, "other": 1.0}, 3)
    second.finalize("success")
    kept = [(row["step"], row["loss"]) for row in rows(tmp_path / "metrics.csv")]
    assert kept == [("0", "1.0"), ("1", "0.9"), ("2", "0.8"), ("3", "9.0")]


@pytest.mark.parametrize("torn", ["2,0.", "2,\n", "0.8,x\n", "\0\0\0\0", "2,0.8,7,8\n"])
def test_a_row_that_a_killed_run_left_unfinished_is_no_obstacle(tmp_path: Path, torn: str):
    (tmp_path / "metrics.csv").write_text("loss,step\n1.0,0\n0.9,1\n" + torn)
    logger = make_logger("csv", tmp_path, resumed_step=2)
    logger.log_metrics({"loss": 9.0}, 2)
    logger.finalize("success")
    kept = [(row["step"], row["loss"]) for row in rows(tmp_path / "metrics.csv")]
    assert kept == [("0", "1.0"), ("1", "0.9"), ("2", "9.0")]


def test_a_fresh_run_keeps_nothing(tmp_path: Path):
    for value in (1.0, 2.0):
        logger = make_logger("csv", tmp_path)
        logger.log_metrics({"loss": value}, 0)
        logger.finalize("success")
    assert [row["loss"] for row in rows(tmp_path / "metrics.csv")] == ["2.0"]


def test_pictures_are_kept_beside_the_csv(tmp_path: Path):
    log_picture([make_logger("csv", tmp_path)], tmp_path, "sheets", PICTURE + 7, 12)
    assert (read_image(tmp_path / "sheets" / "step-000012.png") == 7).all()


def test_wandb_offline_without_account_and_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.setenv(name, "")  # so that what Lightning sets is taken back
        monkeypatch.delenv(name)
    asked: list[object] = []
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: asked.append(host) or resolve(host, *rest))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("wandb asked a question"))
    logger = make_logger("wandb", tmp_path)
    try:
        logger.log_metrics({"loss": 1.0}, 0)
        log_picture([logger], tmp_path, "sheets", PICTURE, 0)
        assert logger.experiment.settings.mode in ("offline", "dryrun")
    finally:
        wandb.finish()
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert list(folder.glob("run-*.wandb"))
    assert list(folder.rglob("*.png"))
    assert not [host for host in asked if host not in ("localhost", "127.0.0.1", None)]


def records(path: Path) -> Iterator[Any]:
    """What an offline run of wandb holds: records of its protocol in blocks of LevelDB's log format."""
    content, position = path.read_bytes(), 7  # after the file's own header
    assert content[:4] == b":W&B"
    pieces = b""
    while position + 7 <= len(content):
        if BLOCK - position % BLOCK < 7:  # what is left of a block is too small for a header
            position += BLOCK - position % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", content, position + 4)  # after the checksum
        pieces += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            record = wandb_internal_pb2.Record()
            record.ParseFromString(pieces)
            yield record
            pieces = b""


def history(run: Path) -> list[dict[str, Any]]:
    """Rows by what was logged; of a picture, video or table its parts, as clips/count."""
    rows = [record.history.item for record in records(run) if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row} for row in rows]


def written(out: Path) -> tuple[Path, Path]:
    """Both files of a run that was resumed, whole: wandb's own process may write on after `finish`."""
    for _ in range(200):
        files = sorted((out / "wandb").glob("offline-run-*/run-*.wandb"))
        if len(files) == 2 and all("exit" in [r.WhichOneof("record_type") for r in records(path)] for path in files):
            return files[0], files[1]
        time.sleep(0.1)
    raise AssertionError(f"unfinished: {files}")


@pytest.fixture(scope="module")
def offline_run(tmp_path_factory: pytest.TempPathFactory, make_dataset: DatasetMaker) -> tuple[Path, Path]:
    """A short training, stopped and resumed, logged to wandb without an account; the run's folder and its data."""
    out, data = tmp_path_factory.mktemp("runs") / "mine", make_dataset()
    options = ["--data.size=32", "--data.batch_size=4", "--data.val_pairs=4", "--trainer.log_every_n_steps=1"]
    options += ["--model.animator.channels=8", "--model.animator.motion_channels=8", "--model.losses.perceptual=0"]
    options += ["--trainer.accelerator=cpu", "--trainer.devices=1", f"--data.path={data}", "--checkpoint_every=1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        try:
            train([*options, "--trainer.max_steps=2"], "tiny", Run(out, "wandb"))
            wandb.finish()
            train(["--trainer.max_steps=3"], out / "config.yaml", Run(out, "wandb", find_checkpoint(out, "")))
        finally:
            wandb.finish()
    return out, data


def test_an_offline_run_of_wandb_holds_everything(offline_run: tuple[Path, Path]):
    out, _ = offline_run
    first, second = written(out)
    assert first.name == second.name == f"run-{(out / 'wandb-run-id').read_text()}.wandb"  # one run for wandb sync
    rows = history(first) + history(second)
    losses = [(row["trainer/global_step"], row["train_loss"]) for row in rows if "train_loss" in row]
    assert [step for step, _ in losses] == [0, 1, 2]
    assert all(np.isfinite(loss) for _, loss in losses)
    shown = {row["trainer/global_step"]: row["clips/videos"] for row in rows if "clips/videos" in row}
    assert sorted(shown) == [0, 2, 3]
    with VideoReader(first.parent / "files" / shown[0][0]["path"]) as reader:
        assert (reader.width, reader.height, len(reader)) == (3 * 32 + 4, 32, 12)
    assert [row["sheets/_type"] for row in rows if "sheets/_type" in row] == ["images/separated"] * 3
    tables = [row for row in rows if "examples/path" in row]
    assert [(row["examples/nrows"], row["examples/ncols"]) for row in tables] == [(4, 7)] * 3
    table = json.loads((first.parent / "files" / tables[0]["examples/path"]).read_text())
    assert table["columns"] == ["track", "identity", "source_frame", "driving_frame", "l1", "l1_prior", "picture"]
    assert {row[1] for row in table["data"]} == {"ann"}


def test_an_offline_run_of_wandb_knows_configuration_data_and_weights(offline_run: tuple[Path, Path]):
    out, data = offline_run
    _, second = written(out)
    settings: dict[str, Any] = {}
    artifacts = {}
    for record in records(second):
        for item in [*record.config.update, *record.run.config.update]:
            settings[item.key] = json.loads(item.value_json)
        for artifact in (record.artifact, record.request.log_artifact.artifact):
            if artifact.name:
                references = {entry.path: entry.ref for entry in artifact.manifest.contents}
                artifacts[artifact.name] = artifact.type, json.loads(artifact.metadata or "{}"), references
    assert settings["data"]["path"] == str(data)
    assert settings["model"]["animator"]["channels"] == 8
    kind, facts, references = artifacts[f"data-{content_hash(str(data))}"]
    assert (kind, facts["path"], facts["detector"]) == ("dataset", str(data), "made")
    assert sorted(references.values()) == sorted(path.as_uri() for path in data.rglob("*.parquet"))
    kind, facts, references = artifacts[f"model-{(out / 'wandb-run-id').read_text()}"]
    assert (kind, facts["steps"]) == ("model", 3)
    assert references == {
        "best.safetensors": (out / "best.safetensors").as_uri(),
        "last.ckpt": (out / "checkpoints" / "last.ckpt").as_uri(),
        "model.safetensors": (out / "model.safetensors").as_uri(),
    }


def test_tensorboard_shows_what_it_can(tmp_path: Path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = make_logger("tensorboard", tmp_path)
    logger.log_metrics({"loss": 1.5}, 4)
    log_picture([logger], tmp_path, "sheets", PICTURE + 9, 4)
    log_examples([logger], tmp_path, "examples", ["track", "l1"], [["a", 0.25]], [PICTURE], 4)
    logger.finalize("success")
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"), {"tensors": 0, "images": 0, "scalars": 0})
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(4, 1.5)]
    (image,) = events.Images("sheets")
    assert (image.step, image.width, image.height) == (4, 5, 4)
    (text,) = events.Tensors("examples/text_summary")
    assert text.tensor_proto.string_val[0].decode().splitlines() == ["track | l1", "--- | ---", "a | 0.25"]


def test_a_resumed_wandb_run_keeps_its_id(tmp_path: Path):
    one, two = (loggers._run_id(tmp_path / "wandb-run-id") for _ in range(2))
    assert one == two
    assert len(one) == 8


def test_who_has_logged_in(tmp_path: Path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.wandb.ai\n  login user\n  password " + "x" * 40 + "\n")
    assert loggers._logged_in({"WANDB_API_KEY": "x"})
    assert loggers._logged_in({"NETRC": str(netrc)})
    assert not loggers._logged_in({"NETRC": str(netrc), "WANDB_BASE_URL": "https://wandb.example.org"})
    assert not loggers._logged_in({"NETRC": str(tmp_path / "none")})


def test_unknown_logger(tmp_path: Path):
    with pytest.raises(S2DError, match="choose among csv, wandb, tensorboard"):
        make_logger("paper", tmp_path)


def test_tensorboard_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(S2DError, match=r"pip install 's2d\[tensorboard\]'"):
        make_logger("tensorboard", tmp_path)
