"""`s2d jitter` as typed: table, JSON, plot, and one line for each mistake."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from s2d.cli import main
from s2d.geometry import Image
from s2d.landmarks.comparison import METHODS
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.synthetic import clip as clip_module
from s2d.landmarks.synthetic import make_clip, write_clip

FIGURES = {
    *("nme", "nme_unbiased", "nmf", "nmf_static", "accel_error", "lag_frames", "gain_lid", "gain_lip", "gain_pupil"),
    *("phase_residual_1", "phase_residual_6", "ms_per_frame"),
}
POINTS = np.loadtxt(Path(__file__).parents[1] / "landmarks" / "astronaut.csv", delimiter=",", dtype=np.float32)
CLIP = make_clip(skimage.data.astronaut(), POINTS, frames=12, size=160)


class RollingDetector:
    """Sees CLIP's faces in turn, over and over, trembling a little."""

    name, version = "rolling", "1"

    def __init__(self) -> None:
        self.count, self.rng = 0, np.random.default_rng(0)

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        found = []
        for _ in frames:
            points = CLIP.truth[self.count % 12] + self.rng.normal(0, 0.5, (70, 2)).astype(np.float32)
            box = np.concatenate([points[:68].min(axis=0), points[:68].max(axis=0)])
            found.append([Face(box, points, 0.9, np.ones(70, bool))])
            self.count += 1
        return found


class BlindDetector(RollingDetector):
    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        return [[] for _ in frames]


@pytest.fixture(autouse=True)
def rolling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2d.landmarks.detectors.factory.make_detector", lambda name: RollingDetector())
    monkeypatch.setattr(clip_module, "_detect", lambda still: POINTS)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "talk.mp4"
    write_clip(CLIP, path)
    return path


def test_json_of_a_video(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jitter", str(video), "--json"]) == 0
    output = capsys.readouterr().out
    assert output.count("\n") == 1
    result = json.loads(output)
    assert result["video"] == str(video)
    assert result["tracks"] == 1
    assert list(result["methods"]) == list(METHODS)
    for figures in result["methods"].values():
        assert set(figures) >= FIGURES
        assert figures["nme"] is None
        assert figures["gain_lid"] is None
        assert figures["phase_residual_1"] > 0
    assert set(result["units"]) == set(result["methods"]["raw"])


def test_table_and_plot(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jitter", str(video), "--plot", str(tmp_path / "new" / "jitter.png")]) == 0
    output = capsys.readouterr().out
    assert "phase_residual_6" in output
    assert "nme_unbiased" not in output  # not known without truth
    assert (tmp_path / "new" / "jitter.png").stat().st_size > 10_000


def test_synthetic_has_the_truth(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("s2d.cli.jitter.FRAMES", 12)
    monkeypatch.setattr("s2d.landmarks.synthetic.make_clip", lambda still, **options: CLIP)
    assert main(["jitter", "--synthetic", "--clips", "2", "--variants", "calm", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["tracks"] == 2
    assert 0 < result["methods"]["raw"]["nmf"] < 10
    assert result["methods"]["raw"]["nme"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--synthetic", "--variants", "wild"], "use one of calm"), (["nowhere.mp4"], "nowhere.mp4")],
)
def test_mistakes_are_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jitter", *arguments]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["--synthetic", "--clips", "0"], ["a.mp4", "--synthetic"]])
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as usage:
        main(["jitter", *arguments])
    assert usage.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_video_without_a_face(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("s2d.landmarks.detectors.factory.make_detector", lambda name: BlindDetector())
    assert main(["jitter", str(video)]) == 1
    assert "no face was found" in capsys.readouterr().err
