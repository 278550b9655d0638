"""A live preview with a file in place of the webcam."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from s2d.animation.live import BLEND_SECONDS, LOST_SECONDS, NEUTRAL_SECONDS, LiveFace, LiveResult, _File, _Window, live
from s2d.cli import main
from s2d.errors import S2DError, UsageError
from s2d.geometry import Float32, Image
from s2d.images import write_image
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.synthetic import make_clip, write_clip
from s2d.landmarks.synthetic.clip import astronaut
from s2d.video import VideoReader, VideoWriter
from s2d.video.writer import CLOCK
from tests.landmarks.drawn_face import face, wide_face

FRAMES = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("live")
    write_image(made / "photo.png", astronaut())
    write_clip(make_clip(frames=FRAMES, size=256, variant="fast"), made / "clip.mp4")
    return made


@pytest.fixture(scope="module")
def done(folder: Path) -> LiveResult:
    return live(folder / "photo.png", driving=folder / "clip.mp4", out=folder / "live.mp4")


def test_a_file_drives_and_the_rate_is_the_real_one(folder: Path, done: LiveResult):
    assert done.frames == done.animated == FRAMES
    assert done.fps == pytest.approx(FRAMES / done.seconds)
    assert set(done.milliseconds) == {"read", "detect", "align", "animate", "show"}
    in_turn = sum(done.milliseconds[name] for name in ("read", "detect", "align", "show"))
    assert max(in_turn, done.milliseconds["animate"]) * FRAMES / 1e3 <= done.seconds
    with VideoReader(folder / "live.mp4") as made, VideoReader(folder / "clip.mp4") as driver:
        np.testing.assert_allclose(made.times, driver.times - driver.times[0], atol=1e-3)
        moving = driver.times - driver.times[0] > NEUTRAL_SECONDS + BLEND_SECONDS
        detector = make_detector()
        noses = [
            np.stack([faces[0].points[30] for faces in detector.detect(list(reader.frames()))])[moving]
            for reader in (made, driver)
        ]
    for axis in range(2):
        assert np.corrcoef(noses[0][:, axis], noses[1][:, axis])[0, 1] > 0.9


def test_the_photo_stands_still_until_the_rest_is_known_and_then_starts_without_a_jump(folder: Path, done: LiveResult):
    assert done.animated == FRAMES
    with VideoReader(folder / "live.mp4") as made:
        frames, times = np.stack(list(made.frames())).astype(float), made.times
    change = abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
    still = times[1:] < NEUTRAL_SECONDS
    assert change[still].max() < 1  # of 255: what H.264 leaves
    later = change[times[1:] > NEUTRAL_SECONDS + BLEND_SECONDS]
    assert later.max() > 2
    assert change.max() <= 1.5 * later.max()


def test_moments_closer_than_a_tick_of_the_file_follow_each_other_by_one(tmp_path: Path):
    picture = np.full((64, 64, 3), 128, np.uint8)
    with VideoWriter(tmp_path / "x.mp4", 64, 64, 25) as writer:
        screen = _File(writer)
        for moment in (2.0, 2.000001, 2.000002, 2.04):
            assert screen.show(picture, moment)
    with VideoReader(tmp_path / "x.mp4") as made:
        np.testing.assert_allclose(made.times, [0, 1 / CLOCK, 2 / CLOCK, 0.04], atol=1e-6)


@pytest.mark.parametrize(
    ("key", "visible", "going_on"), [(-1, 1.0, True), (ord("x"), 1.0, True), (ord("q"), 1.0, False), (-1, 0.0, False)]
)
def test_a_window_ends_the_preview_by_q_or_by_being_closed(
    monkeypatch: pytest.MonkeyPatch, key: int, visible: float, going_on: bool
):
    shown: list[Image] = []
    monkeypatch.setattr("s2d.animation.live.cv2.imshow", lambda _, picture: shown.append(picture))
    monkeypatch.setattr("s2d.animation.live.cv2.waitKey", lambda _: key)
    monkeypatch.setattr("s2d.animation.live.cv2.getWindowProperty", lambda *_: visible)
    picture = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert _Window().show(picture, 0.0) is going_on
    np.testing.assert_array_equal(shown[0], picture[..., ::-1])  # OpenCV's windows are BGR


@pytest.mark.parametrize("gap", [0.8 * LOST_SECONDS, 1.5 * LOST_SECONDS])
def test_after_a_loss_that_was_long_the_next_face_has_a_rest_of_its_own(gap: float):
    """Somebody of another shape comes at once, or later: only then the photo stands still until it is known, too."""
    frame, one, other = np.zeros((400, 400, 3), np.uint8), face().astype(np.float32), wide_face().astype(np.float32)
    source, live_face = one + 5, LiveFace(SimpleNamespace())  # type: ignore[arg-type]  # detections are given here

    def shown(points: Float32, begin: float, seconds: float) -> list[Float32]:
        moments = np.arange(begin, begin + seconds, 0.1)
        aligned = [(live_face.align(frame, points, moment), moment) for moment in moments]
        return [live_face.retarget(source, found, moment) for found, moment in aligned if found is not None]

    first = shown(one, 0.0, NEUTRAL_SECONDS + BLEND_SECONDS + 0.2)
    np.testing.assert_allclose(first[-1], source, atol=0.01)
    later = shown(other, NEUTRAL_SECONDS + BLEND_SECONDS + 0.1 + gap, NEUTRAL_SECONDS + BLEND_SECONDS + 0.3)
    moved = abs(np.stack(later) - source).max(axis=(1, 2))
    if gap > LOST_SECONDS:
        assert moved.max() < 0.1
    else:
        assert moved[-1] > 1


def test_a_driver_without_a_face_is_told_and_leaves_nothing(folder: Path):
    with VideoWriter(folder / "grey.mp4", 128, 128, 25) as writer:
        for _ in range(3):
            writer.write(np.full((128, 128, 3), 128, np.uint8))
    with pytest.raises(S2DError, match="no face was seen"):
        live(folder / "photo.png", driving=folder / "grey.mp4", out=folder / "none.mp4")
    assert not (folder / "none.mp4").exists()


def test_without_a_camera_or_a_window_one_line_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    source = ["live", "--source", str(folder / "photo.png")]
    with pytest.raises(SystemExit, match="2"):
        main([*source, "--camera", "-1"])
    assert "0 or more" in capfd.readouterr().err
    with pytest.raises(UsageError, match="counted from 0"):
        live(folder / "photo.png", camera=-1)
    assert main([*source, "--camera", "99", "--out", str(folder / "none.mp4")]) == 1
    told = capfd.readouterr().err
    assert told.startswith("s2d live: cannot open camera 99: ")
    assert told.count("\n") == 1  # nothing of OpenCV's own, which logs each way that it tried
    monkeypatch.setattr("s2d.animation.live.cv2.currentUIFramework", lambda: "")
    assert main([*source, "--driving", str(folder / "clip.mp4")]) == 1
    assert capfd.readouterr().err.endswith("built without windows; write a file with --out\n")


@pytest.mark.parametrize("option", ["--checkpoint", "--model"])
def test_the_animator_is_named_as_in_animate(folder: Path, capsys: pytest.CaptureFixture[str], option: str):
    missing = str(folder / "missing.onnx")
    assert main(["live", "--source", str(folder / "photo.png"), option, missing]) == 1
    assert f"cannot load an animator from {missing}: no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["live", "--help"])
    told = capsys.readouterr().out
    assert "--checkpoint FILE" in told
    assert "--model" not in told


def test_landmark_files_are_no_drivers_of_live(capsys: pytest.CaptureFixture[str]):
    """Told before anything is looked for, be it the photo or a window."""
    assert main(["live", "--source", "missing.png", "--driving", "mine.csv"]) == 2
    told = capsys.readouterr().err
    assert told.endswith("it is a landmark file, and live takes a video or a camera; give it to s2d animate\n")


def test_it_is_shown_at_the_asked_size(folder: Path, tmp_path: Path):
    live(folder / "photo.png", driving=folder / "clip.mp4", out=tmp_path / "small.mp4", size=96)
    made = VideoReader(tmp_path / "small.mp4")
    assert (made.width, made.height) == (96, 96)
    with pytest.raises(UsageError, match="size 97: it does not suit a video; give an even number, 64 to 2048"):
        live(folder / "photo.png", driving=folder / "clip.mp4", out=tmp_path / "odd.mp4", size=97)


def test_what_is_wrong_with_the_photo_is_told(folder: Path, tmp_path: Path):
    write_image(tmp_path / "lying.png", np.rot90(astronaut()).copy())
    notes: list[str] = []
    live(tmp_path / "lying.png", driving=folder / "clip.mp4", out=tmp_path / "out.mp4", size=64, tell=notes.append)
    assert any("turn the photo" in note for note in notes)
