"""One video through the worker: real decoding, tracking, aligning and writing; only the detector follows a script."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from s2d import progress
from s2d.curation import worker
from s2d.curation.clip import Clip
from s2d.curation.config import CurationConfig
from s2d.curation.limits import DEFAULTS, parse_filters
from s2d.curation.pipeline import Summary, run
from s2d.curation.plan import find_sources
from s2d.curation.staging import FOLDER, Staging, claimed
from s2d.errors import S2DError
from s2d.geometry import Crop, Image
from s2d.images import decode_jpeg
from s2d.landmarks.detectors.base import Face
from s2d.shards.reader import Dataset, open_dataset
from s2d.shards.writer import FramesWriter, WriteError
from s2d.video import VideoReader, VideoWriter
from tests.curation.curation_fakes import InProcess

SIZE, FRAMES = 160, 24
UNIT_FACE = np.random.default_rng(1).uniform(0, 1, (70, 2))
UNIT_FACE[[36, 45]] = (0.2, 0.4), (0.8, 0.4)
PHOTO = np.asarray(skimage.data.astronaut())


def a_face(left: float, top: float, size: float, pupils: bool = True) -> Face:
    points = (UNIT_FACE * size + (left, top)).astype(np.float32)
    valid = np.ones(70, bool)
    if not pupils:
        points[68:], valid[68:] = np.nan, False
    return Face(np.array([left, top, left + size, top + size], np.float32), points, 0.9, valid)


class Scripted:
    """A detector that finds what the script says, frame by frame; an exception in the script is raised."""

    name, version = "scripted", "1"

    def __init__(self, script: Sequence[list[Face] | Exception]) -> None:
        self.script = list(script)

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        found, self.script = self.script[: len(frames)], self.script[len(frames) :]
        for faces in found:
            if isinstance(faces, Exception):
                raise faces
        return found


def film(path: Path, frames: int = FRAMES) -> Path:
    """A view that moves over the astronaut's face by one pixel a frame, from 0 s on at 25 frames a second."""
    path.parent.mkdir(exist_ok=True)
    with VideoWriter(path, SIZE, SIZE, 25) as writer:
        for n in range(frames):
            writer.write(PHOTO[40 : 40 + SIZE, 150 + n : 150 + n + SIZE])
    return path


def steady(size: float = 70, frames: int = FRAMES, left: float = 60) -> list[list[Face]]:
    """A face of this size that stands on the photo, so it moves to the left by one pixel a frame."""
    return [[a_face(left - n, 40, size)] for n in range(frames)]


def dataset_crop(dataset: Dataset) -> Crop:
    """The crop of its only track."""
    track = dataset.tracks().iloc[0]
    return Crop(track.crop_left, track.crop_top, track.crop_side)


@pytest.fixture
def curate(tmp_path, monkeypatch):
    """Curate one file (or a folder of them) with a scripted detector, in this process; gives the summary."""

    def curate_(path: Path, script: Sequence[list[Face] | Exception], **options: object) -> Summary:
        filters = parse_filters(
            {name: options.pop(name) for name in list(options) if name.startswith(("min_", "max_"))}
        )
        detector, config = Scripted(script), CurationConfig(detector="scripted", filters=filters, **options)
        monkeypatch.setattr(worker, "make_detector", lambda name: detector)
        monkeypatch.setattr(progress, "quiet", True)  # a worker sets it; this is undone for the tests after
        sources, out = find_sources([path], tmp_path / "out"), tmp_path / "out"
        with claimed(out):
            staging = Staging(out / FOLDER, config.provenance(detector))
            return run(sources, staging, worker.VideoWorker(config, staging), InProcess(), 8)

    return curate_


@pytest.fixture
def only(curate):
    """The same for a single file: its row of the videos table."""
    return lambda *arguments, **options: curate(*arguments, **options).videos.iloc[0]


def test_a_kept_video_in_full(only, tmp_path):
    path = film(tmp_path / "ann" / "talk.mp4")
    script = steady()
    row = only(path.parent, script)
    assert (row.video, row.identity, row.outcome, row.reason) == ("ann/talk.mp4", "talk", "kept", "")
    assert (row.width, row.height, row.frames, row.shots, row.face_frames) == (SIZE, SIZE, FRAMES, 1, FRAMES)
    assert (row.fps, row.tracks, row.track_frames) == (25, 1, FRAMES)
    assert row.seconds == pytest.approx(FRAMES / 25)
    dataset = open_dataset(tmp_path / "out")
    track = dataset.tracks().iloc[0]
    assert track.track_id == f"talk-{row.sha256[:12]}-000-00"
    assert (track.start_frame, track.end_frame, track.frames, track.face_px) == (0, FRAMES - 1, FRAMES, 70)
    assert track.interocular_px == pytest.approx(42, abs=1e-3)
    assert list(track.index[track.isna()]) == ["split", "box_share"], "every quality column has a value"
    crop = dataset_crop(dataset)
    stored = dataset.frames(track.track_id)
    with VideoReader(path) as reader:
        np.testing.assert_array_equal(stored.time, reader.times)
        for jpeg, frame in zip(stored.jpeg, reader.frames(), strict=True):
            difference = np.abs(decode_jpeg(jpeg).astype(int) - crop.image(frame, 256))
            assert difference.mean() < 2.5
    raw = np.stack([crop.points(faces[0].points, 256) for faces in script])
    np.testing.assert_allclose(stored.raw, raw, atol=1e-3)
    assert np.abs(stored.aligned - raw).mean() < 2


def test_every_frame_has_its_measures(only, tmp_path):
    script = steady()
    script[7] = []
    only(film(tmp_path / "talk.mp4"), script)
    dataset = open_dataset(tmp_path / "out")
    track = dataset.tracks().iloc[0]
    measures = dataset.frames(track.track_id).measures
    for name, values in measures.items():
        missing = [7] if name in ("sharpness", "brightness", "disagreement") else []
        assert np.flatnonzero(np.isnan(values)).tolist() == missing, name
    assert (measures["yaw"].min(), measures["yaw"].max()) == (track.yaw_min, track.yaw_max)
    assert np.nanmedian(measures["sharpness"]) == pytest.approx(track.sharpness)
    assert track.disagreement == pytest.approx(np.nanmedian(measures["disagreement"]))


def test_a_still_picture_is_filtered_but_not_a_single_frame(curate, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    with VideoWriter(folder / "still.mp4", SIZE, SIZE, 25) as writer:
        for _ in range(FRAMES):
            writer.write(PHOTO[40 : 40 + SIZE, 150 : 150 + SIZE])
    film(folder / "moving.mp4")
    script = [*steady(), *([[a_face(60, 40, 70)]] * FRAMES)]
    rows = curate(folder, script).videos.set_index("video")
    assert rows.outcome["set/moving.mp4"] == "kept"
    still = rows.loc["set/still.mp4"]
    assert (still.outcome, still.reason, still.limit) == ("filtered", "still picture", DEFAULTS["min_motion"])
    assert still.value < 0.25


def test_a_video_that_breaks_a_limit_on_videos_is_not_even_looked_at(only, tmp_path):
    path = film(tmp_path / "talk.mp4")
    row = only(path, [RuntimeError("was looked at")], min_width=SIZE + 1)
    assert (row.outcome, row.reason, row.value, row.limit) == ("filtered", "width too low", SIZE, SIZE + 1)
    assert row.detail == f"width is {SIZE}, the least is {SIZE + 1}"
    assert len(row.filtered_tracks) == 0


def test_black_bars_are_measured_and_may_be_limited(only, tmp_path):
    path = tmp_path / "talk.mp4"
    with VideoWriter(path, SIZE, SIZE + 40, 25) as writer:
        for n in range(FRAMES):
            writer.write(np.pad(PHOTO[40 : 40 + SIZE, 150 + n : 150 + n + SIZE], ((20, 20), (0, 0), (0, 0))))
    script = [[a_face(60 - n, 60, 70)] for n in range(FRAMES)]
    row = only(path, script, max_bar_share=0.1)
    assert (row.bar_top, row.bar_bottom, row.bar_left, row.bar_right) == (20, 20, 0, 0)
    assert (row.outcome, row.reason, row.limit) == ("filtered", "bar_share too high", 0.1)
    assert row.value == pytest.approx(0.2)


def test_what_the_data_set_says_of_its_making(only, tmp_path):
    only(film(tmp_path / "talk.mp4"), steady(), crop_size=64, min_face_px=50)
    metadata = open_dataset(tmp_path / "out").metadata
    assert (metadata["detector"], metadata["detector_version"], metadata["crop_size"]) == ("scripted", "1", 64)
    assert metadata["config"]["min_face_px"] == 50
    assert metadata["alignment"]["version"]


def test_landmarks_only(only, tmp_path):
    only(film(tmp_path / "talk.mp4"), steady(), jpeg=False)
    dataset = open_dataset(tmp_path / "out")
    assert dataset.frames(dataset.tracks().track_id[0]).jpeg is None


def test_pupils_that_the_detector_never_gives_stay_nan(only, tmp_path):
    only(film(tmp_path / "talk.mp4"), [[a_face(60 - n, 40, 70, pupils=False)] for n in range(FRAMES)])
    dataset = open_dataset(tmp_path / "out")
    stored = dataset.frames(dataset.tracks().track_id[0])
    assert np.isnan(stored.aligned[:, 68:]).all()
    assert not stored.valid[:, 68:].any()
    assert np.isfinite(stored.aligned[:, :68]).all()


def test_a_frame_where_the_face_was_missed_is_bridged(only, tmp_path):
    script = steady()
    script[7] = []
    only(film(tmp_path / "talk.mp4"), script)
    dataset = open_dataset(tmp_path / "out")
    stored = dataset.frames(dataset.tracks().track_id[0])
    assert np.isnan(stored.raw[7]).all()
    assert not stored.valid[7].any()
    assert stored.score[7] == 0
    assert np.isfinite(stored.aligned[7]).all()


def test_no_face(only, tmp_path):
    row = only(film(tmp_path / "talk.mp4"), [[]] * FRAMES)
    assert (row.outcome, row.reason, row.face_frames) == ("filtered", worker.NO_FACE, 0)


def test_a_face_now_and_then(only, tmp_path):
    script = [[a_face(60, 40, 70)] if n < 2 else [] for n in range(FRAMES)]
    row = only(film(tmp_path / "talk.mp4"), script)
    assert (row.outcome, row.reason, row.face_frames, row.brief_faces) == ("filtered", worker.TOO_BRIEF, 2, 1)


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_brief_faces_are_kept_where_they_are_asked_for(only, tmp_path, frames):
    script = [[a_face(60 - n, 40, 70)] if n < frames else [] for n in range(FRAMES)]
    row = only(film(tmp_path / "talk.mp4"), script, min_frames=frames)
    assert (row.outcome, row.tracks, row.track_frames) == ("kept", 1, frames)
    dataset = open_dataset(tmp_path / "out")
    stored = dataset.frames(dataset.tracks().track_id[0])
    raw = np.stack([dataset_crop(dataset).points(faces[0].points, 256) for faces in script[:frames]])
    np.testing.assert_allclose(stored.raw, raw, atol=1e-3)
    assert np.abs(stored.aligned - raw).mean() < 2


@pytest.mark.parametrize(
    ("options", "reason", "value", "limit"),
    [({"min_face_px": 71}, "face too small", 70, 71), ({"min_frames": FRAMES + 1}, "too short", FRAMES, FRAMES + 1)],
)
def test_a_limit_leaves_the_reason_the_value_and_the_limit(only, tmp_path, options, reason, value, limit):
    row = only(film(tmp_path / "talk.mp4"), steady(), **options)
    assert (row.outcome, row.reason, row.value, row.limit) == ("filtered", reason, value, limit)
    assert len(open_dataset(tmp_path / "out")) == 0


def test_one_face_kept_and_one_too_small(only, tmp_path):
    script = [[a_face(60 - n, 40, 70), a_face(140 - n, 5, 25)] for n in range(FRAMES)]
    row = only(film(tmp_path / "talk.mp4"), script)
    assert (row.outcome, row.tracks, len(row.filtered_tracks)) == ("kept", 1, 1)
    left_out = row.filtered_tracks[0]
    assert (left_out["reason"], left_out["value"], left_out["frames"]) == ("face too small", 25, FRAMES)


def test_a_text_file_has_failed_and_the_rest_goes_on(curate, tmp_path):
    folder = film(tmp_path / "set" / "b.mp4").parent
    (folder / "a.mp4").write_text("hello")
    (folder / "c.mp4").write_text("")
    rows = curate(folder, steady()).videos.set_index("video")
    assert list(rows.outcome) == ["failed", "kept", "failed"]
    assert all(rows.reason[["set/a.mp4", "set/c.mp4"]])
    assert len(rows.sha256["set/a.mp4"]) == 64


def test_a_truncated_video_has_failed_or_is_whole_up_to_there(curate, tmp_path):
    path = film(tmp_path / "set" / "a.mp4", 60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    row = curate(path, steady(frames=60)).videos.iloc[0]
    assert row.outcome == "failed"
    assert row.reason
    assert len(open_dataset(tmp_path / "out")) == 0


def test_a_surprise_names_its_kind_and_its_place(only, tmp_path):
    script = [*steady(frames=20), ZeroDivisionError("so small")]
    row = only(film(tmp_path / "talk.mp4"), script)
    assert (row.outcome, row.reason) == ("failed", "ZeroDivisionError")
    assert "so small" in row.detail
    assert "test_worker.py, line" in row.detail


def test_a_second_track_that_breaks_takes_the_first_with_it(only, tmp_path, monkeypatch):
    """A video is kept with all it has, or not at all: no half results."""
    real, calls = worker.align, []

    def breaks_later(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise S2DError("cannot align", "frame 3 is broken")
        return real(*arguments)

    monkeypatch.setattr(worker, "align", breaks_later)
    script = [[a_face(30 - n / 2, 40, 70), a_face(110 - n / 2, 40, 70)] for n in range(FRAMES)]
    row = only(film(tmp_path / "talk.mp4"), script)
    assert (row.outcome, row.reason, row.tracks) == ("failed", "frame N is broken", 0)
    assert row.detail == "frame 3 is broken"
    assert len(open_dataset(tmp_path / "out")) == 0


def test_trouble_with_the_output_is_not_the_videos(curate, tmp_path, monkeypatch):
    def refuse(self, track):
        raise WriteError("cannot write", "No space left on device")

    monkeypatch.setattr(FramesWriter, "write", refuse)
    path = film(tmp_path / "talk.mp4")
    with pytest.raises(WriteError):
        curate(path, steady())
    monkeypatch.undo()


def test_only_a_call_changes_its_process(tmp_path, monkeypatch):
    """To look at the detector is no work: the threads of OpenCV and the progress bars of the process stay."""
    monkeypatch.setattr(worker, "make_detector", lambda name: Scripted([]))
    monkeypatch.setattr(progress, "quiet", False)
    before = cv2.getNumThreads()
    config = CurationConfig(detector="scripted")
    assert worker.VideoWorker(config, Staging(tmp_path, config.provenance(Scripted([])))).detector.name == "scripted"
    assert (cv2.getNumThreads(), progress.quiet) == (before, False)


def test_clips_of_one_video_in_a_row_read_it_once_and_are_what_they_are_alone(tmp_path, monkeypatch):
    read = []
    for name in ("VideoReader", "file_sha256"):
        real = getattr(worker, name)
        monkeypatch.setattr(
            worker, name, lambda path, *rest, real=real, name=name: read.append(name) or real(path, *rest)
        )
    monkeypatch.setattr(progress, "quiet", True)
    long, other = (film(tmp_path / "films" / f"{name}.mp4", 60) for name in ("long", "other"))
    ranges = [
        (long, Clip(0, 0.8)),
        (long, Clip(0.8, 1.6)),
        (long, Clip(1.6, 2.4)),
        (other, Clip(0, 0.8)),
        (other, None),
    ]
    sources = [replace(find_sources([path], tmp_path / "out")[0], clip=clip) for path, clip in ranges]
    config, rows = CurationConfig(detector="scripted"), []
    for together in (True, False):
        staging = Staging(tmp_path / f"out-{together}" / FOLDER, config.provenance(Scripted([])))
        staging.folder.mkdir(parents=True)
        work = worker.VideoWorker(config, staging)
        for source in sources:
            script = Scripted(steady(frames=60))
            monkeypatch.setattr(worker, "make_detector", lambda name, script=script: script)
            work = work if together else worker.VideoWorker(config, staging)
            work.__dict__["detector"] = script
            assert work(source) == "kept"
        rows.append([(one.video, one.tracks) for one in map(staging.load, sources)])
        if together:
            assert read == ["file_sha256", "VideoReader"] * 3, "one for each video's clips, one for the whole video"
    assert rows[0] == rows[1]


def test_a_worker_lets_go_of_its_frames_before_the_next_video_is_fetched(tmp_path, monkeypatch):
    readers, held = [], []

    def opened(*of):
        reader = VideoReader(*of)
        readers.append(weakref.ref(reader))
        return reader

    def count_held():
        held.append(sum(reader() is not None for reader in readers))

    monkeypatch.setattr(worker, "VideoReader", opened)
    monkeypatch.setattr(progress, "quiet", True)
    config = CurationConfig(detector="scripted")
    staging = Staging(tmp_path / "out" / FOLDER, config.provenance(Scripted([])))
    staging.folder.mkdir(parents=True)
    fetch = staging.at_hand
    monkeypatch.setattr(Staging, "at_hand", lambda self, source: count_held() or fetch(source))
    work = worker.VideoWorker(config, staging)
    for name, clip in (("one", Clip(0, 0.8)), ("other", Clip(0, 0.8)), ("other", Clip(0.1, 0.9)), ("whole", None)):
        work.__dict__["detector"] = Scripted(steady())
        path = tmp_path / f"{name}.mp4"
        source = find_sources([path if path.exists() else film(path)], tmp_path / "out")[0]
        assert work(replace(source, clip=clip)) == "kept"
    count_held()
    assert len(readers) == 3
    assert held == [0, 0, 1, 0, 0], "before each is fetched, only that of the same video; after a whole file, none"
