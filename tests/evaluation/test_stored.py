"""Methods on a curated data set: what is stored is measured, not made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data

from s2d.errors import S2DError
from s2d.evaluation.stored import choose_tracks, compare_dataset, is_dataset, stored_footage
from s2d.geometry import Float32
from s2d.images import encode_jpeg
from s2d.landmarks import trembling
from s2d.landmarks.alignment import align
from s2d.landmarks.comparison import METHODS, compare_track
from s2d.shards.reader import open_dataset
from s2d.shards.schema import Provenance
from s2d.shards.writer import frame_table, write_shard
from tests.shards.conftest import track_row, video_row, write_example

NAMES = ("one", "two", "three")
FRAMES = 8


@pytest.fixture(scope="module")
def points() -> Float32:
    """The astronaut's landmarks in a crop of 128 pixels: its upper left quarter, halved."""
    table = Path(__file__).parents[1] / "landmarks" / "astronaut.csv"
    return (np.loadtxt(table, delimiter=",", dtype=np.float32) - [100, 0]).astype(np.float32) / 2


def write_dataset(folder: Path, points: Float32, pictures: bool = True) -> Path:
    """Three tracks of a still face with trembling raw landmarks; the aligned ones are the truth."""
    scratch = folder / ".staging"
    scratch.mkdir(parents=True)
    rng = np.random.default_rng(4)
    crop = np.ascontiguousarray(skimage.data.astronaut()[:256:2, 100:356:2])
    tables = []
    for name in NAMES:
        raw = (points + rng.normal(0, 0.5, (FRAMES, 70, 2))).astype(np.float32)
        valid = np.ones((FRAMES, 70), bool)
        raw[3], valid[3] = np.nan, False
        tables.append(
            frame_table(
                name,
                np.arange(FRAMES),
                np.arange(FRAMES) / 25,
                raw,
                np.repeat(points[None], FRAMES, axis=0),
                np.ones(FRAMES, np.float32),
                valid,
                [encode_jpeg(crop)] * FRAMES if pictures else None,
            )
        )
    provenance = Provenance("mesh", "1.0", {"version": "1"}, 128, {"jpeg": pictures})
    rows = [track_row(name, "v.mp4", FRAMES) for name in NAMES]
    write_shard(folder, provenance, [video_row("v.mp4", 3, 3 * FRAMES)], rows, iter(tables), scratch)
    scratch.rmdir()
    return folder


@pytest.fixture
def folder(tmp_path: Path, points: Float32) -> Path:
    return write_dataset(tmp_path / "data", points)


def test_stored_landmarks_are_measured_as_they_are(folder: Path) -> None:
    compared = compare_dataset(folder)
    assert sorted(track.name for track in compared.tracks) == sorted(NAMES)
    dataset = open_dataset(folder)
    for track in compared.tracks:
        rows = dataset.frames(track.name)
        np.testing.assert_array_equal(track.points["raw"], rows.raw)
        np.testing.assert_array_equal(track.points["aligned"], rows.aligned)
        assert list(track.points) == list(METHODS)
        assert track.truth is None
        assert track.frames is not None
        assert len(list(track.frames())) == FRAMES
    figures = compared.methods
    assert figures["aligned"]["acceleration"] == pytest.approx(0, abs=1e-4)
    assert figures["raw"]["acceleration"] == pytest.approx(
        np.mean([trembling.acceleration(dataset.frames(name).raw) for name in NAMES])
    )
    assert figures["aligned"]["phase_residual_1"] == pytest.approx(0, abs=0.01)
    assert figures["raw"]["ms_per_frame"] is figures["aligned"]["ms_per_frame"] is None  # it was somebody else's time
    assert figures["rts"]["ms_per_frame"] is not None


def test_methods_that_look_at_pictures_see_the_stored_crops(folder: Path, points: Float32) -> None:
    methods = {"again": lambda track, frames: align(track, frames).points}
    (track,) = compare_dataset(folder, methods, track_id="two").tracks
    assert abs(track.points["again"] - points).mean() < 0.3


def test_one_part_of_the_frames_will_do(folder: Path) -> None:
    (part,) = (folder / "frames").iterdir()
    assert len(compare_dataset(part, {"raw": METHODS["raw"]}).tracks) == 3


def test_choice_of_tracks(folder: Path) -> None:
    dataset = open_dataset(folder)
    everything = choose_tracks(dataset)
    assert sorted(everything) == sorted(NAMES)
    assert choose_tracks(dataset, "two") == ["two"]
    assert choose_tracks(dataset, most=2) == [everything[0], everything[2]]  # evenly spread, first and last included
    with pytest.raises(S2DError, match="cannot find track four"):
        choose_tracks(dataset, "four")


def test_without_pictures(tmp_path: Path, points: Float32) -> None:
    """Filters and stored landmarks need none; what does, says so."""
    folder = write_dataset(tmp_path / "bare", points, pictures=False)
    compared = compare_dataset(folder)
    assert compared.tracks[0].frames is None
    assert compared.methods["raw"]["phase_residual_1"] is None
    assert (compared.methods["raw"]["acceleration"] or 0) > 0
    with pytest.raises(S2DError, match="no pictures are stored"):
        compare_dataset(folder, {"again": lambda track, frames: align(track, frames).points})


def test_footage_reads_its_pictures_each_time(folder: Path) -> None:
    footage = stored_footage(open_dataset(folder), "one")
    assert footage.frames is not None
    for _ in range(2):
        assert [frame.shape for frame in footage.frames()] == [(128, 128, 3)] * FRAMES
    assert np.isnan(footage.track.boxes[3]).all()
    assert compare_track(footage, {"raw": METHODS["raw"]}) is not None


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(S2DError, match="no such file"):
        compare_dataset(tmp_path / "none")
    with pytest.raises(S2DError, match="nothing of one is in it"):
        compare_dataset(tmp_path)
    broken = write_example(tmp_path / "broken")  # its pictures are random bytes
    with pytest.raises(S2DError, match="cannot read a picture of"):
        compare_dataset(broken)


def test_what_can_only_be_a_data_set(tmp_path: Path) -> None:
    assert is_dataset(tmp_path)
    assert is_dataset("part-1.parquet")
    assert not is_dataset("clip.mp4")
