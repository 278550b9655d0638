"""The packaged configurations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from s2d.errors import S2DError
from s2d.training import packaged_configs
from s2d.training.module import AnimatorModule
from s2d.training.objective import LossWeights
from s2d.training.run import Run, config_path, train
from tests.training.conftest import animator_of


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


@pytest.mark.parametrize("name", packaged_configs())
def test_every_packaged_configuration_can_be_built(name: str):
    settings = yaml.safe_load(config_path(name).read_text())
    model = settings["model"]
    animator, losses = animator_of(name), LossWeights(**model.get("losses", {}))
    assert losses.adversarial_start < settings["trainer"]["max_steps"]
    with torch.device("meta"):
        AnimatorModule(animator, losses, decay=model.get("decay", 0.0))
