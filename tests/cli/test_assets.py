"""`s2d assets`: what people and programs read, and the exit codes."""

from __future__ import annotations

import hashlib
import json

import pytest

from s2d import assets
from s2d.assets import Asset, Web
from s2d.cli import main

CONTENT = b"a small model"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two models that can be fetched, one for each of two detectors; returns the folder they belong in."""
    monkeypatch.setenv("S2D_ASSETS", str(tmp_path / "models"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "web.bin").write_bytes(CONTENT)
    origin, sha256 = Web((tmp_path / "web.bin").as_uri()), hashlib.sha256(CONTENT).hexdigest()
    made = [Asset(f"{name}.bin", name, len(CONTENT), sha256, "MIT", origin) for name in ("mesh", "fan")]
    monkeypatch.setattr(assets, "ASSETS", tuple(made))
    return tmp_path / "models"


def ask(capsys, *arguments: str) -> tuple[int, dict, str]:
    code = main(["assets", *arguments, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_list_shows_licence_origin_and_state(folder, capsys):
    code, answer, _ = ask(capsys, "list")
    assert code == 0
    assert answer["folder"] == str(folder)
    assert [(row["name"], row["state"], row["path"]) for row in answer["assets"]] == [
        ("mesh.bin", "missing", None),
        ("fan.bin", "missing", None),
    ]
    assert {row["licence"] for row in answer["assets"]} == {"MIT"}


def test_table_for_people(folder, capsys):
    assert main(["assets", "fetch", "fan"]) == 0
    capsys.readouterr()
    assert main(["assets", "list"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("fan.bin", "MIT", "ok", "missing", f"in {folder}"))


def test_fetch_without_a_name_takes_the_default_detectors(folder, capsys):
    code, answer, _ = ask(capsys, "fetch")
    assert code == 0
    assert [(row["name"], row["state"]) for row in answer["assets"]] == [("mesh.bin", "ok")]
    assert [file.name for file in folder.iterdir()] == ["mesh.bin"]


def test_verify_of_what_is_there_passes_and_of_what_is_named_but_missing_fails(folder, capsys):
    ask(capsys, "fetch")
    assert ask(capsys, "verify")[0] == 0
    code, answer, err = ask(capsys, "verify", "fan")
    assert code == 1
    assert answer["assets"][0]["state"] == "missing"
    assert err == "s2d assets: model files do not verify: fan.bin is missing; run `s2d assets fetch fan.bin`\n"


def test_damage_is_found_named_and_mended_by_the_command_that_is_named(folder, capsys):
    ask(capsys, "fetch", "mesh", "fan")
    (folder / "mesh.bin").write_bytes(CONTENT[:-1] + b"?")
    code, _, err = ask(capsys, "verify")
    assert code == 1
    assert "mesh.bin is damaged; run `s2d assets fetch mesh.bin`" in err
    ask(capsys, "fetch", "mesh.bin")
    assert ask(capsys, "verify")[0] == 0


@pytest.mark.parametrize("arguments", [["mend"], []])
def test_wrong_words(folder, arguments):
    with pytest.raises(SystemExit) as caught:
        main(["assets", *arguments])
    assert caught.value.code == 2


@pytest.mark.parametrize("action", ["fetch", "verify", "list"])
def test_an_unknown_name_is_wrong_usage_and_names_the_known(folder, capsys, action):
    assert main(["assets", action, "yolo"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "choose from fan, fan.bin, mesh, mesh.bin" in error
