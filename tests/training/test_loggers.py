"""Loggers: one CSV for a run however often resumed; wandb never asks and never needs an account."""

from __future__ import annotations

import csv
import socket
from pathlib import Path

import numpy as np
import pytest
import wandb

from s2d.errors import S2DError
from s2d.images import read_image
from s2d.training import loggers
from s2d.training.loggers import log_picture, make_logger

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
    with pytest.raises(S2DError, match="pip install tensorboard"):
        make_logger("tensorboard", tmp_path)
