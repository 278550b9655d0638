"""Clips of long videos: only their frames are read, and numbers and times stay those of the video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s2d.curation import worker
from s2d.curation.clip import Clip
from s2d.curation.config import CurationConfig
from s2d.curation.limits import parse_filters
from s2d.curation.pipeline import run
from s2d.curation.plan import Source, find_sources
from s2d.curation.staging import FOLDER, Staging, claimed
from s2d.errors import S2DError
from s2d.shards.reader import open_dataset
from s2d.video import VideoReader
from tests.curation.curation_fakes import InProcess
from tests.curation.test_worker import Scripted, a_face, dataset_crop, film, steady

TIMES = np.arange(50) / 25


@pytest.mark.parametrize(
    ("clip", "frames"),
    [
        (Clip(0, 2), (0, 50)),
        (Clip(0.4, 0.8), (10, 20)),
        (Clip(0.41, 0.79), (11, 20)),
        (Clip(1.6, 99), (40, 50)),
        (Clip(10, 20, in_frames=True), (10, 20)),
        (Clip(40, 60, in_frames=True), (40, 50)),
    ],
)
def test_the_frames_of_a_range(clip, frames):
    assert clip.frames(TIMES) == frames


@pytest.mark.parametrize("clip", [Clip(2.5, 3), Clip(0.41, 0.42), Clip(50, 60, in_frames=True)])
def test_a_range_without_frames(clip):
    with pytest.raises(S2DError, match="no frame in the clip's range"):
        clip.frames(TIMES)


def test_the_share_of_detections_inside_a_box():
    boxes = np.array([[10, 10, 30, 30], [np.nan] * 4, [60, 10, 80, 30], [10, 10, 31, 31]])
    assert Clip(0, 1, box=(0.0, 0.0, 0.5, 1.0)).box_share(boxes, 100, 50) == pytest.approx(2 / 3)
    assert Clip(0, 1).box_share(boxes, 100, 50) is None


@pytest.fixture
def curate(tmp_path, monkeypatch):
    """Curate clips of one film with a scripted detector; gives the rows of the videos table and the data set."""

    def curate_(path: Path, script, *clips: Clip):
        detector = Scripted(script)
        config = CurationConfig("scripted", filters=parse_filters({"min_frames": 4, "min_box_share": 0.5}))
        monkeypatch.setattr(worker, "make_detector", lambda name: detector)
        monkeypatch.setattr(worker.progress, "quiet", True)
        (source,), out = find_sources([path], tmp_path / "out"), tmp_path / "out"
        sources: list[Source] = [replace(source, video=f"{source.video}#{clip.label}", clip=clip) for clip in clips]
        with claimed(out):
            staging = Staging(out / FOLDER, config.provenance(detector))
            summary = run(sources, staging, worker.VideoWorker(config, staging), InProcess(), 8)
        return summary.videos, open_dataset(out)

    return curate_


def test_only_the_range_is_read_and_its_numbers_are_the_videos(curate, tmp_path, monkeypatch):
    read = []
    real = VideoReader.frames

    def frames(self, start=0, stop=None):
        for number, frame in enumerate(real(self, start, stop), start):
            read.append(number)
            yield frame

    monkeypatch.setattr(VideoReader, "frames", frames)
    path = film(tmp_path / "talk.mp4", 40)
    videos, dataset = curate(path, steady(frames=40)[10:22], Clip(0.4, 0.88))
    assert set(read) == set(range(10, 22))
    row, track = videos.iloc[0], dataset.tracks().iloc[0]
    assert (row.video, row.span, row.outcome, row.frames) == ("talk.mp4#0.4-0.88", "0.4-0.88", "kept", 12)
    assert row.seconds == pytest.approx(12 / 25)
    assert (track.start_frame, track.end_frame, track.frames) == (10, 21, 12)
    assert track.track_id == f"talk#0.4-0.88-{row.sha256[:12]}-000-00"
    stored = dataset.frames(track.track_id)
    np.testing.assert_array_equal(stored.frame, np.arange(10, 22))
    np.testing.assert_array_equal(stored.time, VideoReader(path).times[10:22])
    raw = np.array([faces[0].points for faces in steady(frames=40)[10:22]])
    crop = dataset_crop(dataset)
    np.testing.assert_allclose(stored.raw, [crop.points(points, 256) for points in raw], atol=1e-3)


def test_two_clips_of_a_film_are_two_videos(curate, tmp_path):
    script = steady(frames=40)
    clips = Clip(0, 10, in_frames=True), Clip(20, 30, in_frames=True)
    shuffled = [*script[20:30], *script[:10]]  # the executor takes the second first
    videos, dataset = curate(film(tmp_path / "talk.mp4", 40), shuffled, *clips)
    assert list(videos.outcome) == ["kept", "kept"]
    assert sorted(dataset.tracks().start_frame) == [0, 20]
    assert videos.sha256.nunique() == 1


def test_a_face_outside_of_the_clips_box_is_filtered(curate, tmp_path):
    script = [[a_face(10 - n / 4, 40, 70), a_face(85 - n / 4, 40, 70)] for n in range(24)]
    videos, dataset = curate(film(tmp_path / "talk.mp4"), script, Clip(0, 5, box=(0.5, 0.0, 1.0, 1.0)))
    row = videos.iloc[0]
    assert (row.outcome, row.tracks, len(row.filtered_tracks)) == ("kept", 1, 1)
    left_out = row.filtered_tracks[0]
    assert (left_out["reason"], left_out["value"], left_out["limit"]) == ("outside the box of the clip", 0.0, 0.5)
    assert list(dataset.tracks().box_share) == [1.0]


def test_a_clip_beyond_the_end_has_failed(curate, tmp_path):
    videos, _ = curate(film(tmp_path / "talk.mp4"), [], Clip(7, 9))
    row = videos.iloc[0]
    assert (row.outcome, row.reason) == ("failed", "no frame in the clip's range")
    assert "the video has 24 frames up to 0.92 s" in row.detail
