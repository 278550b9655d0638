"""`s2d synth` as typed, and that `s2d jitter` and `s2d curate` know what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from s2d.cli import main
from s2d.curation.plan import find_sources
from s2d.landmarks.synthetic import clip as clip_module
from s2d.landmarks.synthetic import read_truth

POINTS = np.loadtxt(Path(__file__).parents[1] / "landmarks" / "astronaut.csv", delimiter=",", dtype=np.float32)
TINY = ["--frames", "3", "--size", "64", "--fps", "25"]


@pytest.fixture(autouse=True)
def known_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_module, "_detect", lambda still: POINTS)


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["synth", "--out", str(tmp_path), "--clips", "2", "--variants", "fast", "--seed", "3", *TINY, "--json"]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert output.count("\n") == 1
    clips = json.loads(output)["clips"]
    assert [Path(clip["video"]).name for clip in clips] == ["fast-3.mp4", "fast-4.mp4"]
    assert all(clip["written"] and clip["still"] == "astronaut" for clip in clips)
    assert len(read_truth(clips[0]["truth"])) == 3


def test_second_run_says_that_all_was_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["synth", "--out", str(tmp_path), "--clips", "1", *TINY]
    assert main(command) == 0
    assert "new" in capsys.readouterr().out
    assert main(command) == 0
    assert "was there" in capsys.readouterr().out


def test_curation_takes_the_clips_without_their_truth(tmp_path: Path) -> None:
    assert main(["synth", "--out", str(tmp_path / "clips"), "--clips", "1", *TINY, "--quiet"]) == 0
    (tmp_path / "clips" / "other.parquet").touch()
    found = [source.video for source in find_sources([tmp_path / "clips"], tmp_path / "data")]
    assert found == ["clips/calm-0.mp4", "clips/other.parquet"]


@pytest.mark.parametrize(
    "wrong", [["--clips", "0"], ["--variants", "wild"], ["--size", "x"], ["--frames", "-1"], ["--seed", "-1"]]
)
def test_wrong_usage_is_2(tmp_path: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as usage:
        main(["synth", "--out", str(tmp_path), *wrong])
    assert usage.value.code == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.parametrize(("wrong", "says"), [(["--still", "none.png"], "no such file"), (["--fps", "0"], "rate")])
def test_mistakes_are_one_line(tmp_path: Path, wrong: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "--out", str(tmp_path), *wrong]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
