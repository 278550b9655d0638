"""The command around the pipeline; decoding and detecting have a stand-in (tests/curation/curation_fakes.py)."""

from __future__ import annotations

import json

import pytest

from s2d.cli import main
from s2d.curation.executors.process import Limits
from s2d.curation.limits import columns
from tests.curation.conftest import films  # noqa: F401 - a fixture
from tests.curation.curation_fakes import fake_curate


@pytest.fixture
def seen(monkeypatch):
    """The configuration and executor that the command asked for."""
    asked = {}

    def curate(inputs, out, config, executor, retry_failed):
        asked.update(config=config, executor=executor, retry_failed=retry_failed)
        return fake_curate(inputs, out)

    monkeypatch.setattr("s2d.curation.pipeline.curate", curate)
    return asked


def test_every_input_is_in_the_json(films, tmp_path, capsys, seen):  # noqa: F811
    assert main(["curate", str(films), "--out", str(tmp_path / "out"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["outcomes"] == {"kept": 6, "filtered": 2, "failed": 2}
    assert (result["new"], result["already"], result["tracks"], result["frames"]) == (10, 0, 9, 45)
    assert [row["video"] for row in result["videos"]] == [f"films/{number:02}.mp4" for number in range(10)]
    assert all(row["reason"] for row in result["videos"] if row["outcome"] != "kept")


def test_the_table_names_what_was_not_kept_and_why(films, tmp_path, capsys, seen):  # noqa: F811
    assert main(["curate", str(films), "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    for name, why in (("01", "said failed"), ("03", "said filtered"), ("05", "exit code 1"), ("08", "said filtered")):
        line = next(line for line in shown.splitlines() if f"films/{name}.mp4" in line)
        assert why in line


def test_the_second_time_it_says_that_there_is_nothing_to_do(films, tmp_path, capsys, seen):  # noqa: F811
    command = ["curate", str(films), "--out", str(tmp_path / "out")]
    main(command)
    assert "10 files done now" in capsys.readouterr().out
    assert main(command) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_changed_file_is_mentioned(films, tmp_path, capsys, seen):  # noqa: F811
    command = ["curate", str(films), "--out", str(tmp_path / "out")]
    main(command)
    (films / "01.mp4").write_text("kept 1 by now")
    main(command)
    said = capsys.readouterr().out
    assert "1 file that failed earlier has changed since (first: films/01.mp4): --retry failed works on what" in said
    assert "another folder" not in said
    for name in ("00", "02"):
        (films / f"{name}.mp4").write_text("kept 1 as well")
    (films / "01.mp4").write_text("failed")
    main(command)
    said = capsys.readouterr().out
    assert "2 files have changed since curated (first: films/00.mp4): " in said
    assert "--retry" not in said


def test_options_reach_the_pipeline(films, tmp_path, seen):  # noqa: F811
    options = [
        "--detector",
        "dlib",
        "--workers",
        "3",
        "--timeout",
        "9",
        "--memory-limit",
        "2",
        "--crop-size",
        "128",
        "--min-frames",
        "2",
    ]
    main(
        ["curate", str(films), "--out", str(tmp_path / "out"), *options, "--min-face-px", "99", "--no-jpeg", "--quiet"]
    )
    config, executor = seen["config"], seen["executor"]
    filters = config.filters
    assert (config.detector, config.crop_size, filters.value("min_frames")) == ("dlib", 128, 2)
    assert filters.value("min_face_px") == 99.0
    assert config.jpeg is False
    assert (executor.workers, executor.limits) == (3, Limits(9, 2))
    assert seen["retry_failed"] is False
    main(["curate", str(films), "--out", str(tmp_path / "out"), "--retry", "failed", "--quiet"])
    assert seen["retry_failed"] is True


def test_options_go_before_the_settings_of_a_file(films, tmp_path, seen):  # noqa: F811
    file = tmp_path / "settings.yaml"
    file.write_text("crop_size: 64\ndetector: fan\nfilters: {max_yaw_max: 30, min_frames: 20, min_face_px: 50}")
    options = ["--detector", "dlib", "--filter", "min_frames=off", "--filter", "min_score=.5", "--min-face-px", "70"]
    command = ["curate", str(films), "--out", str(tmp_path / "out"), "--config", str(file), *options, "--quiet"]
    assert main(command) == 0
    config = seen["config"]
    assert (config.detector, config.crop_size, config.jpeg) == ("dlib", 64, True)
    asked = {name: config.filters.value(name) for name in ("min_frames", "min_face_px", "min_score", "max_yaw_max")}
    assert asked == {"min_frames": None, "min_face_px": 70, "min_score": 0.5, "max_yaw_max": 30}


def test_an_unknown_filter_is_one_line_with_near_names(tmp_path, capsys):
    assert main(["curate", "films", "--out", str(tmp_path / "out"), "--filter", "min_sharp=1"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("s2d curate: cannot filter by min_sharp: there is no such filter; near it: min_sharpness")
    assert error.count("\n") == 1


def test_all_filters_can_be_listed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["curate", "--list-filters"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in columns())
    (line,) = [line for line in shown.splitlines() if " face_px " in line]
    assert "min_64" in line


@pytest.mark.parametrize("as_json", [False, True])
def test_when_nothing_was_kept_it_says_so(films, tmp_path, capsys, seen, as_json):  # noqa: F811
    out, extra = tmp_path / "out", ["--json"] if as_json else []
    assert main(["curate", str(films / "01.mp4"), str(films / "03.mp4"), "--out", str(out), *extra]) == 0
    told = capsys.readouterr().err
    assert told.startswith("s2d curate: nothing was kept: see ")
    assert told.endswith(f"`s2d inspect {out}`\n")
    assert main(["curate", str(films), "--out", str(out), *extra]) == 0
    assert capsys.readouterr().err == ""


def test_when_every_file_failed_it_failed(films, tmp_path, capsys, seen):  # noqa: F811
    """The table still says why, and the data set is there to be gone on with."""
    out = tmp_path / "out"
    assert main(["curate", str(films / "01.mp4"), "--out", str(out)]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("s2d curate: no file could be curated: see the reasons above")
    assert told.err.count("\n") == 1
    assert "said failed" in told.out


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--timeout", "0.1", "0.1 is not a whole number, 1 or more"),
        ("--crop-size", "100000", "100000 is not a whole number, 16 to 2048"),
        ("--crop-size", "15", "15 is not a whole number, 16 to 2048"),
    ],
)
def test_a_wrong_value_is_answered_with_what_is_allowed(capsys, option, value, allowed):
    with pytest.raises(SystemExit) as ended:
        main(["curate", "films", "--out", "out", option, value])
    assert ended.value.code == 2
    assert f"wrong usage: argument {option}: {allowed}; " in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--workers", "0"],
        ["--crop-size", "x"],
        ["--min-frames", "-1"],
        ["--filter", "min_frames"],
        ["--filter", "min_frames=x"],
        [],
    ],
)
def test_wrong_usage_ends_with_2(films, tmp_path, capsys, options):  # noqa: F811
    out = ["--out", str(tmp_path / "out")] if options else []
    with pytest.raises(SystemExit) as ended:
        main(["curate", str(films), *out, *options])
    assert ended.value.code == 2


def test_a_missing_input_is_one_line(tmp_path, capsys):
    assert main(["curate", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("s2d curate: cannot curate")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
