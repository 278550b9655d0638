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
from s2d.landmarks.layout import interocular
from s2d.landmarks.synthetic import clip as clip_module
from s2d.landmarks.synthetic import make_clip, write_clip, write_truth
from s2d.video import VideoReader
from tests.shards.conftest import write_example

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
    monkeypatch.setattr("s2d.landmarks.synthetic.folder.make_clip", lambda still, **options: CLIP)
    assert main(["jitter", "--synthetic", "--clips", "2", "--variants", "calm", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["tracks"] == 2
    assert 0 < result["methods"]["raw"]["nmf"] < 10
    assert result["methods"]["raw"]["nme"] > 0
    assert result["truth"] == "the clips' own motion"


def test_truth_beside_a_video_is_used(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The raw landmarks tremble by half a pixel around the truth: their flicker is 2 x 0.5 over the eyes' distance."""
    monkeypatch.setenv("COLUMNS", "80")
    copy = tmp_path / "talk.mp4"
    copy.write_bytes(video.read_bytes())
    write_truth(CLIP, tmp_path / "talk.parquet")
    assert main(["jitter", str(copy), "--methods", "raw", "aligned", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["truth"] == str(tmp_path / "talk.parquet")
    assert result["methods"]["raw"]["nmf"] == pytest.approx(100 / interocular(CLIP.truth).mean(), rel=0.1)
    assert main(["jitter", str(copy), "--methods", "raw", "aligned"]) == 0
    output = capsys.readouterr().out
    assert "against talk.parquet" in output
    assert max(len(line) for line in output.splitlines() if line[:1] in "┏┃┡│└") <= 80
    row = next(line for line in output.splitlines() if " nmf " in line)
    assert row.count("*") == 1


def test_a_parquet_of_somebody_elses_is_left_alone(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "talk.mp4"
    copy.write_bytes(video.read_bytes())
    (tmp_path / "talk.parquet").write_text("something else")
    assert main(["jitter", str(copy), "--methods", "raw", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["truth"] is None


def test_truth_of_another_video_is_refused(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "talk.mp4"
    copy.write_bytes(video.read_bytes())
    write_truth(make_clip(skimage.data.astronaut(), POINTS, frames=5, size=64), tmp_path / "talk.parquet")
    assert main(["jitter", str(copy)]) == 1
    assert "12 frames, its truth 5" in capsys.readouterr().err


def test_overlay_and_report(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay, report = tmp_path / "new" / "overlay.mp4", tmp_path / "new" / "report.html"
    assert main(["jitter", str(video), "--overlay", str(overlay), "--report", str(report), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["overlay"], result["report"]) == (str(overlay), str(report))
    with VideoReader(overlay) as reader:
        assert len(reader) == 12
        assert reader.width == 2 * reader.height  # raw and aligned, unless --methods names others
    page = report.read_text()
    assert "Landmark jitter: talk.mp4" in page
    assert "1 track, 12 frames, detector mesh; without truth." in page
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["overlay.mp4", "report.html"]


def test_methods_in_the_order_they_are_named(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jitter", str(video), "--methods", "rts", "raw", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["methods"]) == ["rts", "raw"]


def test_many_methods_have_their_meanings_below(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jitter", str(video)]) == 0
    output = capsys.readouterr().out
    assert output.count("phase_residual_6") == 2
    assert output.count("slip over the skin in 6 frames") == 1


def test_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_example(tmp_path / "data", jpeg=False)
    assert main(["jitter", str(data), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["tracks"], result["tracks_in_all"], result["frames"]) == (3, 3, 16)
    assert result["detector"] == "mesh"
    assert result["methods"]["raw"]["phase_residual_1"] is None  # no pictures are stored
    assert main(["jitter", str(data), "--track", "b-one-1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["tracks"], result["tracks_in_all"], result["frames"]) == (1, 3, 6)


def test_a_part_of_the_tracks_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2d.evaluation.stored.MOST_TRACKS", 2)
    assert main(["jitter", str(write_example(tmp_path / "data", jpeg=False))]) == 0
    assert "tracks 2 of 3 (evenly spread" in capsys.readouterr().out


def test_outputs_are_tried_before_anything_is_measured(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2d.cli.jitter._measure", lambda args: pytest.fail("measured"))
    (tmp_path / "file").touch()
    for option, name in (
        ("--plot", "file/a.png"),
        ("--plot", "a.docx"),
        ("--overlay", "a.gif"),
        ("--overlay", "file/a.mp4"),
        ("--report", "file/a.html"),
        ("--report", "."),
    ):
        assert main(["jitter", str(video), option, str(tmp_path / name)]) == 1
        error = capsys.readouterr().err
        assert "cannot write" in error
        assert error.count("\n") == 1


def test_overlay_of_a_data_set_without_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_example(tmp_path / "data", jpeg=False)
    assert main(["jitter", str(data), "--overlay", str(tmp_path / "a.mp4")]) == 1
    assert "no pictures are stored" in capsys.readouterr().err
    assert not (tmp_path / "a.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--synthetic", "--still", "nowhere.png"], "nowhere.png"),
        (["nowhere.mp4"], "nowhere.mp4"),
        (["."], "nothing of one is in it"),
        (["a.mp4", "--landmarks", "nowhere.npy"], "nowhere.npy: no such file"),
        (["nowhere.parquet"], "no such file"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jitter", *arguments]) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--synthetic", "--clips", "0"],
        ["a.mp4", "--synthetic"],
        ["a.mp4", "--track", "x"],
        ["a.mp4", "--clips", "2"],
        ["a.mp4", "--clips", "4"],
        ["a.mp4", "--seed", "0"],
        ["--synthetic", "--variants", "wild"],
        [".", "--detector", "mesh"],
        ["part-1.parquet", "--detector", "dlib"],
        ["a.mp4", "--overlay", "a.mp4"],
        ["./a.mp4", "--report", "a.mp4"],
        ["--synthetic", "--plot", "a.png", "--report", "a.png"],
        ["--synthetic", "--track", "x"],
        ["a.mp4", "--methods", "raw", "--overlay", "a.mp4"],
        ["a.mp4", "--methods"],
        ["a.mp4", "--methods", "raw", "raw"],
        ["a.mp4", "--landmarks", "a.npy", "--detector", "mesh"],
        ["--synthetic", "--landmarks", "a.npy"],
        [".", "--landmarks", "a.npy"],
        ["a.mp4", "--landmarks", "a.npy", "--plot", "a.npy"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as usage:
        main(["jitter", *arguments])
    assert usage.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("s2d jitter: wrong usage: ")
    assert error.count("\n") == 1


def test_unknown_method_names_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as usage:
        main(["jitter", "a.mp4", "--methods", "raw", "magic"])
    assert usage.value.code == 2
    error = capsys.readouterr().err
    assert "magic" in error
    assert all(name in error for name in METHODS)


def test_a_video_without_a_face(
    video: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("s2d.landmarks.detectors.factory.make_detector", lambda name: BlindDetector())
    assert main(["jitter", str(video)]) == 1
    assert "no face was found in 5 frames or more" in capsys.readouterr().err


def test_own_landmarks_take_the_detectors_place(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2d.landmarks.detectors.factory.make_detector", lambda name: pytest.fail("asked"))
    own = CLIP.truth[:, :68] + np.random.default_rng(0).normal(0, 0.5, (12, 68, 2))
    own[5] = np.nan
    np.save(tmp_path / "own.npy", own)
    copy = tmp_path / "talk.mp4"
    copy.write_bytes(video.read_bytes())
    write_truth(CLIP, tmp_path / "talk.parquet")
    report = str(tmp_path / "a.html")
    assert main(["jitter", str(copy), "--landmarks", str(tmp_path / "own.npy"), "--report", report, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["detector"], result["tracks"], result["frames"]) == ("own.npy", 1, 12)
    raw = result["methods"]["raw"]
    assert raw["nmf"] == pytest.approx(100 / interocular(CLIP.truth).mean(), rel=0.15)
    assert raw["gain_pupil"] is None
    assert raw["ms_per_frame"] is None
    assert result["methods"]["aligned"]["nmf"] < raw["nmf"]
    assert result["apart"] == []
    assert result["verdict"][0].startswith("nmf is flicker")
    assert "detector own.npy" in Path(report).read_text()


def test_own_landmarks_of_another_length(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "own.npy", CLIP.truth[:11])
    assert main(["jitter", str(video), "--landmarks", str(tmp_path / "own.npy")]) == 1
    error = capsys.readouterr().err
    assert "the video has 12 frames, the landmarks 11 rows" in error
    assert error.count("\n") == 1


def test_online_methods_when_they_are_asked_for(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jitter", str(video), "--methods", "raw", "online_lag0", "online_lag2", "--json"]) == 0
    methods = json.loads(capsys.readouterr().out)["methods"]
    assert list(methods) == ["raw", "online_lag0", "online_lag2"]
    assert methods["online_lag0"]["phase_residual_1"] < methods["raw"]["phase_residual_1"]


def test_a_folder_of_videos_is_refused(video: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jitter", str(video.parent)]) == 1
    error = capsys.readouterr().err
    assert "it holds videos, and no data set; give one of the videos" in error
    assert error.count("\n") == 1


def test_a_folder_of_synthetic_clips_is_measured_clip_by_clip(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(video.read_bytes())
        write_truth(CLIP, tmp_path / f"{name}.parquet")
    assert main(["jitter", str(tmp_path), "--methods", "raw", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["tracks"], result["frames"], result["truth"]) == (2, 24, "the truth beside 2 clips")
    assert result["methods"]["raw"]["nmf"] > 0
