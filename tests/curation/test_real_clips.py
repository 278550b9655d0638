"""Curation of real and of broken files with the real detector, in real worker processes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from s2d.curation.config import CurationConfig
from s2d.curation.executors import LocalExecutor
from s2d.curation.limits import parse_filters
from s2d.curation.pipeline import curate
from s2d.shards.reader import open_dataset
from s2d.video import VideoReader, VideoWriter

pytestmark = pytest.mark.media


def test_a_talking_face_is_kept_and_every_broken_file_has_its_reason(media, tmp_path):
    inputs = [media / "clips" / "pexel_front.mp4", media / "hostile"]
    summary = curate(inputs, tmp_path / "out", executor=LocalExecutor(2))
    outcomes = dict(zip(summary.videos.video, summary.videos.outcome, strict=True))
    assert outcomes.pop("pexel_front.mp4") == "kept"
    assert set(outcomes.values()) == {"failed"}
    assert len(outcomes) == len(list((media / "hostile").iterdir()))
    assert all(summary.videos.reason[1:])
    assert curate(inputs, tmp_path / "out").new == 0

    dataset = open_dataset(tmp_path / "out")
    (track,) = dataset.tracks().itertuples()
    frames = dataset.frames(track.track_id)
    assert np.nanmin(frames.aligned) > 256 * 0.1, "the crop has a margin around the face"
    assert np.nanmax(frames.aligned) < 256 * 0.9
    assert track.jitter_aligned < 0.8 * track.jitter_raw


def test_a_copy_of_a_real_clip_and_a_photo_as_video_are_recognised(media, tmp_path):
    """A real clip, the same at half the size, 15 frames a second and within bars, and a photo shown for two seconds."""
    clip, folder = media / "clips" / "pexel_front.mp4", tmp_path / "set"
    folder.mkdir()
    (folder / "a.mp4").symlink_to(clip)
    with VideoReader(clip) as reader, VideoWriter(folder / "b.mp4", 320, 240, 15) as writer:
        for number, frame in enumerate(reader.frames()):
            if number % 2 == 0:
                half = cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA)
                writer.write(np.pad(half, ((30, 30), (0, 0), (0, 0))))
        photo = reader.frame(20)
    with VideoWriter(folder / "c.mp4", 640, 360, 25) as writer:
        for _ in range(50):
            writer.write(photo)
    config = CurationConfig(filters=parse_filters({"min_face_px": 40}))
    rows = curate([folder], tmp_path / "out", config, LocalExecutor(1)).videos.set_index("video")
    assert list(rows.reason) == ["", "near duplicate", "still picture"]
    assert rows.nearest_video["set/b.mp4"] == "set/a.mp4"
    assert rows.bar_share["set/b.mp4"] == pytest.approx(0.25, abs=0.01)
