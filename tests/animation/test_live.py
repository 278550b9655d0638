"""A live preview with a file in place of the webcam."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s2d.animation.live import NEUTRAL_FRAMES, live
from s2d.cli import main
from s2d.errors import S2DError
from s2d.images import write_image
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.synthetic import make_clip, write_clip
from s2d.landmarks.synthetic.clip import astronaut
from s2d.video import VideoReader, VideoWriter

FRAMES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("live")
    write_image(made / "photo.png", astronaut())
    write_clip(make_clip(frames=FRAMES, size=256, variant="fast"), made / "clip.mp4")
    return made


def test_a_file_drives_and_the_rate_is_the_real_one(folder: Path):
    done = live(folder / "photo.png", driving=folder / "clip.mp4", out=folder / "live.mp4")
    assert done.frames == done.animated == FRAMES
    assert done.fps == pytest.approx(FRAMES / done.seconds)
    assert set(done.milliseconds) == {"read", "detect", "align", "animate", "show"}
    assert 0.8 * done.seconds < sum(done.milliseconds.values()) * FRAMES / 1e3 <= done.seconds
    with VideoReader(folder / "live.mp4") as made, VideoReader(folder / "clip.mp4") as driver:
        np.testing.assert_allclose(made.times, driver.times - driver.times[0], atol=1e-3)
        detector = make_detector()
        noses = [
            np.stack([faces[0].points[30] for faces in detector.detect(list(reader.frames()))])
            for reader in (made, driver)
        ]
    for axis in range(2):  # while the driver's rest is still being found, the face slides towards it
        made_nose, driving_nose = (nose[NEUTRAL_FRAMES:, axis] for nose in noses)
        assert np.corrcoef(made_nose, driving_nose)[0, 1] > 0.9


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
    assert main([*source, "--camera", "99", "--out", str(folder / "none.mp4")]) == 1
    assert "cannot open camera 99" in capfd.readouterr().err
    monkeypatch.setattr("s2d.animation.live.cv2.currentUIFramework", lambda: "")
    assert main([*source, "--driving", str(folder / "clip.mp4")]) == 1
    assert capfd.readouterr().err.endswith("built without windows; write a file with --out\n")
