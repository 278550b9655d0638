from __future__ import annotations

import json

import pytest

from s2d.cli import main
from s2d.shards.reader import open_dataset
from tests.shards.conftest import example  # noqa: F401 - a fixture


def as_json(capsys, *arguments):
    assert main(["inspect", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_data_set_in_figures(example, capsys):  # noqa: F811
    found = as_json(capsys, example)
    assert found["videos"] == {"kept": 2, "filtered": 0, "failed": 2}
    assert found["reasons"] == [{"outcome": "failed", "reason": "no video", "videos": 2}]
    assert (found["tracks"], found["identities"], found["frames"]) == (3, 2, 16)
    assert found["seconds"] == pytest.approx(16 / 25)
    assert found["metadata"]["layout"] == "ibug70"
    assert found["metadata"]["crop_size"] == 64
    face = next(row for row in found["quality"] if row["column"] == "face_px")
    assert (face["q0"], face["q50"], face["q100"], face["unit"]) == (80, 80, 80, "video pixel")


def test_a_lone_part_of_frames(example, capsys):  # noqa: F811
    path, _ = open_dataset(example).row_group("b-one-0")
    found = as_json(capsys, path)
    assert (found["tracks"], found["frames"], found["identities"], found["quality"]) == (2, 11, None, [])


@pytest.mark.parametrize("lone", [False, True])
def test_tables_for_people(example, capsys, lone):  # noqa: F811
    path = open_dataset(example).row_group("b-one-0")[0] if lone else example
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "ibug70" in shown
    assert ("no video" in shown) is not lone
    assert ("face_px" in shown) is not lone


def test_what_is_no_data_set_is_one_line(tmp_path, capsys):
    assert main(["inspect", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("s2d inspect: cannot open the data set")
    assert error.count("\n") == 1
