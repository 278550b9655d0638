"""`s2d evaluate` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from s2d.cli import main
from s2d.cli.evaluate import _tables
from s2d.models.animator import Animator, AnimatorConfig
from s2d.models.checkpoint import People, save_animator
from tests.training.conftest import DatasetMaker, make_dataset  # noqa: F401 - a fixture


@pytest.fixture(scope="module")
def data(make_dataset: DatasetMaker) -> Path:  # noqa: F811
    return make_dataset()


def test_json_is_one_object(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--data", str(data), "--frames", "3", "--looks", "0", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    mean, low, high = result["methods"]["tps"]["l1"]
    assert low <= mean <= high
    assert result["meanings"]["l1"].startswith("mean absolute difference")
    assert result["protocol"] == "same"


def test_the_table_stars_the_best_and_says_what_is_missing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--data", str(data), "--frames", "3", "--looks", "0", "--quiet"]) == 0
    table = capsys.readouterr().out
    (row,) = [line for line in table.splitlines() if " l1_face " in line]
    assert row.count("*") >= 1
    assert "protocol same: 3 tracks, 3 identities, 64 px" in table
    assert "left out: lpips, cannot measure" in table


@pytest.mark.parametrize(("columns", "said"), [("129", False), ("130", True)])
def test_meanings_are_shown_where_there_is_room_for_them(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str, said: bool
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["evaluate", "--data", str(data), "--frames", "2", "--looks", "0", "--most", "1", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert (" meaning " in shown) == said
    assert ("A terminal of 130 columns" in shown) != said


def test_the_table_says_whom_a_checkpoint_may_know(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_animator(tmp_path / "m.safetensors", Animator(AnimatorConfig(size=32)).eval(), {})
    given = ["evaluate", "--data", str(data), "--checkpoint", str(tmp_path / "m.safetensors"), "--frames", "2"]
    assert main([*given, "--looks", "0", "--most", "1", "--quiet"]) == 0
    assert "people that it may have been trained on; give --identities" in " ".join(capsys.readouterr().out.split())


def test_known_and_held_out_people_have_a_table_each(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = People(frozenset({"ann", "bob"}), frozenset({"cleo"}))
    save_animator(tmp_path / "m.safetensors", Animator(AnimatorConfig(size=32)).eval(), {}, people)
    given = ["evaluate", "--data", str(data), "--checkpoint", str(tmp_path / "m.safetensors"), "--frames", "2"]
    assert main([*given, "--looks", "0", "--quiet"]) == 0
    shown = capsys.readouterr().out
    held_out, known = shown.index("held out of the animator's training: cleo"), shown.index("trained on: ann, bob")
    assert held_out < shown.index(" l1_face ") < known
    assert shown.count(" l1_face ") == 2


def test_groups_have_the_same_rows_and_one_identity_is_one() -> None:
    """A figure that only one group has is a dash in the other."""
    own = {"tps": {"l1": (0.1, 0.1, 0.1)}, "prior": {"l1": (0.2, 0.2, 0.2)}}
    more = {name: {**figures, "kid": 0.3} for name, figures in own.items()}
    groups = {
        "held out": {"identities": ["ann"], "methods": own},
        "known": {"identities": ["bob", "cy"], "methods": more},
    }
    about = {"data": "D", "protocol": "same", "size": 64, "tracks": 3, "identities": ["ann", "bob", "cy"]}
    held_out, known, *_ = _tables({**about, "groups": groups})
    assert "1 identity," in str(held_out.title)
    assert "2 identities," in str(known.title)
    rows = [[list(column.cells) for column in table.columns[:3]] for table in (held_out, known)]
    assert rows[0] == [["l1", "kid"], ["*0.1", "-"], ["0.2", "-"]]
    assert rows[1] == [["l1", "kid"], ["*0.1", "0.3"], ["0.2", "0.3"]]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--identities", "zoe"], 1, "no identity 'zoe'"),
        (["--start", "1"], 2, "1 is not a share"),
        (["--frames", "0"], 2, "--frames"),
        (["--protocol", "temporal", "--sheets", "x"], 2, "--sheets belongs to --protocol same"),
        (["--checkpoint", "none.safetensors"], 1, "no such file"),
    ],
)
def test_mistakes_are_one_line(
    data: Path, options: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        got = main(["evaluate", "--data", str(data), *options])
    except SystemExit as stop:
        got = stop.code
    complaint = capsys.readouterr().err
    assert got == code
    assert words in complaint
    assert complaint.count("\n") == 1
