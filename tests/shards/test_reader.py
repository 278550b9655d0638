from __future__ import annotations

import dataclasses
import errno
import pickle

import duckdb
import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from s2d.errors import S2DError
from s2d.shards.reader import open_dataset
from s2d.shards.schema import FRAME_MEASURES, TRACKS, VIDEOS
from s2d.shards.writer import FramesWriter, frame_table
from s2d.storage import Remote
from tests.shards.conftest import PROVENANCE, track_content, write_example


def assert_holds(frames, name: str, count: int) -> None:
    wanted = track_content(name, count)
    for column in ("frame", "time", "raw", "aligned", "score", "valid"):
        np.testing.assert_array_equal(getattr(frames, column), wanted[column])
        assert getattr(frames, column).dtype == wanted[column].dtype
    assert frames.jpeg == wanted["jpeg"]


@pytest.mark.parametrize(("name", "count"), [("b-one-0", 5), ("b-one-1", 6), ("a-two-0", 5)])
def test_what_was_written_comes_back_exactly(example, name, count):
    assert_holds(open_dataset(example).frames(name), name, count)


def test_tables_are_sorted_by_video(example):
    dataset = open_dataset(example)
    assert list(dataset.tracks().track_id) == ["a-two-0", "b-one-0", "b-one-1"]
    assert list(dataset.tracks().columns) == TRACKS.names
    assert list(dataset.videos().video) == ["a/two.mp4", "a/two.mp4.broken", "b/one.mp4", "b/one.mp4.broken"]
    assert list(dataset.videos().columns) == VIDEOS.names
    assert len(dataset) == 3


def test_measures_by_frame_come_back_and_what_is_not_known_is_nan_here_and_null_in_the_file(tmp_path):
    values = np.array([0.5, np.nan, 0.25, 0.125], np.float32)
    content = track_content("t", 4) | {"measures": {"sharpness": values}}
    path = tmp_path / "part.parquet"
    with FramesWriter(path, PROVENANCE) as writer:
        writer.write(frame_table("t", **content))
    measures = open_dataset(path).frames("t").measures
    assert tuple(measures) == FRAME_MEASURES
    np.testing.assert_array_equal(measures["sharpness"], values)
    assert np.isnan(measures["yaw"]).all()
    assert pq.read_table(path)["sharpness"].null_count == 1


def test_a_data_set_from_before_there_were_such_columns_is_read_with_nulls(example):
    """Strip all nullable columns, as a part by an older s2d has fewer of them."""
    for table in ("videos", "tracks", "frames"):
        for part in (example / table).iterdir():
            old = pq.ParquetFile(part)
            names = [field.name for field in old.schema_arrow if not field.nullable or field.name == "jpeg"]
            groups = [old.read_row_group(number, names) for number in range(old.num_row_groups)]
            with pq.ParquetWriter(part, groups[0].schema) as writer:
                for group in groups:
                    writer.write_table(group)
    dataset = open_dataset(example)
    assert dataset.tracks()["sharpness"].isna().all()
    assert dataset.videos()["fingerprint"].isna().all()
    frames = dataset.frames("b-one-1")
    assert_holds(frames, "b-one-1", 6)
    assert all(values.shape == (6,) and np.isnan(values).all() for values in frames.measures.values())


def test_metadata_is_at_hand(example):
    metadata = open_dataset(str(example)).metadata
    assert (metadata["layout"], metadata["crop_size"], metadata["detector"]) == ("ibug70", 64, "mesh")


def test_pictures_may_be_left_out(example):
    assert open_dataset(example).frames("a-two-0", jpeg=False).jpeg is None


def test_a_data_set_without_pictures(tmp_path):
    assert open_dataset(write_example(tmp_path / "data", jpeg=False)).frames("a-two-0").jpeg is None


def test_arrays_may_be_changed_by_who_asked_for_them(example):
    frames = open_dataset(example).frames("a-two-0")
    for column in ("frame", "time", "raw", "aligned", "score", "valid"):
        assert getattr(frames, column).flags.writeable, column


def test_it_survives_the_trip_to_another_process(example):
    copy = pickle.loads(pickle.dumps(open_dataset(example)))
    assert_holds(copy.frames("b-one-1"), "b-one-1", 6)


def test_a_lone_part_of_frames(example):
    path, row = open_dataset(example).row_group("b-one-1")
    lone = open_dataset(path)
    assert row == 1
    assert lone.tracks().to_dict("list") == {"track_id": ["b-one-0", "b-one-1"], "frames": [5, 6]}
    assert list(lone.videos().columns) == VIDEOS.names
    assert len(lone.videos()) == 0
    assert_holds(lone.frames("b-one-1"), "b-one-1", 6)


def test_a_shard_without_its_videos_part_does_not_count(example):
    part = open_dataset(example).row_group("a-two-0")[0].name
    (example / "videos" / part).unlink()
    assert list(open_dataset(example).tracks().track_id) == ["b-one-0", "b-one-1"]


def test_pandas_alone_reads_it(example):
    frames = pd.read_parquet(example / "frames")
    assert len(frames) == 16
    points = np.stack(frames[frames.track_id == "b-one-1"].aligned.to_list()).reshape(-1, 70, 2)
    np.testing.assert_array_equal(points, track_content("b-one-1", 6)["aligned"])


def test_duckdb_alone_reads_it(example):
    query = f"""
        select video, count(*), min(frame), sum(octet_length(jpeg)), any_value(len(raw)), sum(cast(valid[70] as int))
        from '{example}/**/frames/*.parquet' join '{example}/tracks/*.parquet' using (track_id)
        group by video order by video
    """
    assert duckdb.sql(query).fetchall() == [("a/two.mp4", 5, 7, 250, 140, 0), ("b/one.mp4", 11, 7, 550, 140, 0)]


def test_no_such_track_names_those_that_there_are(example, monkeypatch):
    with pytest.raises(S2DError, match=r"cannot find track nobody: .* has 3: (\w-\w+-\d(, )?){3}; `s2d inspect"):
        open_dataset(example).frames("nobody")
    monkeypatch.setattr("s2d.wording.NAMED", 2)
    with pytest.raises(S2DError, match=r"has 3: \w-\w+-\d, \w-\w+-\d and 1 more; "):
        open_dataset(example).frames("nobody")


def test_the_tracks_that_begin_like_the_asked_one_are_named(example):
    """And no other: the first few of a large data set seldom are those."""
    with pytest.raises(S2DError, match=r"did you mean b-one-0, b-one-1\?; `s2d inspect"):
        open_dataset(example).frames("b-one")


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("nowhere", "no such file or folder"),
        (".", "nothing of one is in it"),
        ("data/frames", r"give .*data$"),
    ],
)
def test_what_is_no_data_set_is_refused(example, where, words):
    with pytest.raises(S2DError, match=words):
        open_dataset(example.parent / where)


def _rewrite(path, **metadata):
    table = pq.read_table(path)
    entries = {key.encode(): value.encode() for key, value in metadata.items()}
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **entries}), path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("s2d.layout", "coco17", "landmark layout coco17, not ibug70"),
        ("s2d.schema_version", "99", "schema version 99, this s2d reads 1"),
        ("s2d.crop_size", "32", "crop_size is"),
    ],
)
def test_another_make_is_refused(example, key, value, words):
    _rewrite(sorted((example / "tracks").iterdir())[0], **{key: value})
    with pytest.raises(S2DError, match=words):
        open_dataset(example)


def test_foreign_parquet_is_refused(tmp_path):
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "x.parquet")
    with pytest.raises(S2DError, match="Parquet, but not from s2d"):
        open_dataset(tmp_path / "x.parquet")


def test_a_lone_part_of_another_table_is_refused(example):
    with pytest.raises(S2DError, match="a part of tracks, not of frames"):
        open_dataset(next((example / "tracks").iterdir()))


@pytest.mark.parametrize("table", ["tracks", "frames"])
def test_a_missing_part_is_named(example, table):
    part = next((example / table).iterdir())
    part.unlink()
    with pytest.raises(S2DError, match=rf"cannot read .*{table}/{part.name}: it is missing"):
        open_dataset(example)


@pytest.mark.parametrize("table", ["videos", "tracks", "frames"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "text"])
def test_a_damaged_part_is_named_and_never_crashes(example, table, damage):
    part = open_dataset(example).row_group("b-one-0")[0]
    part = example / table / part.name
    content = part.read_bytes()
    middle = bytes(255 - value for value in content[4:-500])
    damaged = {"truncated": content[:-40], "flipped": content[:4] + middle + content[-500:], "text": b"hello"}[damage]
    part.write_bytes(damaged)
    with pytest.raises(S2DError, match=f"cannot (read|open) .*{table}/{part.name}"):
        _read_everything(example)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), r"cannot read memory://data/.*: Permission denied; check"),
        (
            RuntimeError("token expired"),
            "cannot reach memory://data/.*: RuntimeError: token expired; check",
        ),
        (OSError("Couldn't deserialize thrift"), "cannot read .*: Couldn't deserialize thrift; damaged: remove part-"),
    ],
)
def test_what_a_store_refuses_is_not_taken_for_damage(example, monkeypatch, said, words):
    system = fsspec.filesystem("memory")
    system.put(str(example), "/data", recursive=True)
    dataset = open_dataset("memory://data")

    def refuse(*_):
        raise said

    monkeypatch.setattr(Remote, "open", refuse)
    with pytest.raises(S2DError, match=words):
        dataset.videos()
    system.rm("/data", recursive=True)


def _read_everything(folder):
    dataset = open_dataset(folder)
    dataset.videos()
    dataset.tracks()
    dataset.frames("b-one-0")


def test_the_same_tracks_twice_are_refused(example):
    part = open_dataset(example).row_group("a-two-0")[0].name
    for table in ("videos", "tracks", "frames"):
        (example / table / "part-copy.parquet").write_bytes((example / table / part).read_bytes())
    with pytest.raises(S2DError, match=r"its track a-two-0 is in part-\w+.parquet as well"):
        open_dataset(example)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"detector": "dlib"}, "detector is (mesh|dlib), but (mesh|dlib) in part-"),
        ({"detector_version": "1.1"}, "detector_version is"),
        ({"alignment": {"version": "1", "rounds": 6}}, "alignment.rounds is [56], but [56] in"),
        ({"config": {"jpeg": True, "min_frames": 4, "more": 1}}, "more is (None|1), but (None|1) in"),
    ],
)
def test_parts_of_different_makes_are_no_data_set(tmp_path, change, words):
    """One part of each, with tracks of other names."""
    write_example(tmp_path / "data")
    other = write_example(tmp_path / "other", dataclasses.replace(PROVENANCE, **change))
    strange = open_dataset(other).row_group("a-two-0")[0].name
    twin = open_dataset(tmp_path / "data").row_group("a-two-0")[0].name
    for table in ("videos", "tracks", "frames"):
        (tmp_path / "data" / table / twin).unlink()
        (other / table / strange).rename(tmp_path / "data" / table / strange)
    with pytest.raises(S2DError, match=words):
        open_dataset(tmp_path / "data")
