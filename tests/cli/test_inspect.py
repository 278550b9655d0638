from __future__ import annotations

import json
from dataclasses import replace

import pytest

from s2d.cli import main
from s2d.curation.config import CurationConfig, read_settings
from s2d.shards.reader import open_dataset
from s2d.shards.writer import write_shard
from tests.shards.conftest import PROVENANCE, example, video_row, write_example  # noqa: F401 - a fixture


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


def test_videos_as_a_whole_have_figures_too(tmp_path, capsys):
    facts = {"bar_share": 0.25, "nearest_distance": 0.5, "width": 640, "fingerprint": "ab" * 44, "nearest_video": "x"}
    path, scratch = tmp_path / "data", tmp_path / "scratch"
    path.mkdir()
    scratch.mkdir()
    write_shard(path, PROVENANCE, [video_row("a/one.mp4", 0, 0, **facts)], [], [], scratch)
    found = {row["column"]: row for row in as_json(capsys, path)["video_quality"]}
    assert list(found) == ["width", "bar_share", "nearest_distance"]
    assert (found["bar_share"]["q50"], found["bar_share"]["unit"]) == (0.25, "0 to 1")
    assert main(["inspect", str(path)]) == 0
    assert "nearest_distance" in capsys.readouterr().out


def test_the_table_of_measures_fits_a_narrow_terminal(example, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setenv("COLUMNS", "72")
    assert main(["inspect", str(example)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 72


def test_every_track_is_listed_by_the_id_that_animate_takes(example, capsys):  # noqa: F811
    found = as_json(capsys, example)["track_list"]
    assert [row["track_id"] for row in found] == ["a-two-0", "b-one-0", "b-one-1"]
    assert found[2] == {"track_id": "b-one-1", "video": "b/one.mp4", "frames": 6, "seconds": 0.24, "face_px": 80.0}
    assert as_json(capsys, open_dataset(example).row_group("a-two-0")[0])["track_list"] == [
        {"track_id": "a-two-0", "frames": 5}
    ]


def test_of_many_tracks_the_first_are_shown_unless_all_are_asked_for(example, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setattr("s2d.cli.inspect.SHOWN", 2)
    assert main(["inspect", str(example)]) == 0
    shown = capsys.readouterr().out
    assert "b-one-0" in shown
    assert "b-one-1" not in shown
    assert "... and 1 more; --tracks shows all" in shown
    assert main(["inspect", str(example), "--tracks"]) == 0
    shown = capsys.readouterr().out
    assert "b-one-1" in shown
    assert "more;" not in shown
    assert len(as_json(capsys, example)["track_list"]) == 3


def test_settings_are_wrapped_and_the_longest_left_to_json(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    for count in (10, 90):
        settings = {f"number_{n}": n for n in range(count)}
        path = write_example(tmp_path / f"data{count}", replace(PROVENANCE, alignment=settings))
        assert main(["inspect", str(path)]) == 0
        shown = capsys.readouterr().out
        rows = [line for line in shown.splitlines() if line.startswith("│")]
        assert max(map(len, rows)) <= 60
        text = "".join(row.strip("│ ").split("│")[-1] for row in rows).replace(" ", "")
        assert ('"number_9":9}' in text) == (count == 10)
        assert as_json(capsys, path)["metadata"]["alignment"] == settings


def test_the_settings_are_shown_and_may_be_given_again(tmp_path, capsys):
    given = {"detector": "mesh", "crop_size": 128, "jpeg": False, "filters": {"max_abs_yaw": 45, "min_frames": None}}
    config = CurationConfig.from_settings(given)
    stored = {"jpeg": config.jpeg, "measures": "3", **config.filters.as_dict()}
    path = write_example(tmp_path / "data", replace(PROVENANCE, detector="mesh", crop_size=128, config=stored))
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(as_json(capsys, path)["settings"]))
    assert CurationConfig.from_settings(read_settings(file)) == config
    assert main(["inspect", str(path)]) == 0
    rows = [line.strip("│ ").split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    shown = {row[0].strip(): row[1].strip() for row in rows if len(row) == 2}
    assert (shown["crop_size"], shown["jpeg"], shown["max_abs_yaw"], shown["min_frames"]) == (
        "128",
        "false",
        "45.0",
        "off",
    )


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
    assert ("video pixel" in shown) is not lone


def test_what_is_no_data_set_is_one_line(tmp_path, capsys):
    assert main(["inspect", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("s2d inspect: cannot open the data set")
    assert error.count("\n") == 1
