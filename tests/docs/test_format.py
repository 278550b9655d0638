"""The promise of docs/format.md: data sets of earlier versions of the schema stay readable, and mean the same.

Each folder of `golden` was made by the first s2d of its schema version from a synthetic clip, with
`s2d curate astronaut --out golden --crop-size 64`; expected.json says what is in it. They are added to, never changed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import s2d
from s2d.images import decode_jpeg
from s2d.shards.schema import SCHEMA_VERSION, SCHEMAS

GOLDEN = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


@pytest.fixture(params=GOLDEN, ids=lambda path: path.name)
def golden(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def expected(golden: Path) -> dict[str, Any]:
    return json.loads((golden / "expected.json").read_text(encoding="utf-8"))


def test_the_current_schema_has_a_golden_data_set():
    assert f"schema-{SCHEMA_VERSION}" in [path.name for path in GOLDEN]


def test_s2d_reads_it(golden: Path, expected: dict[str, Any]):
    dataset = s2d.open_dataset(golden)
    videos, tracks = dataset.videos(), dataset.tracks()
    assert {row.video: [row.outcome, row.reason] for row in videos.itertuples()} == expected["outcomes"]
    assert tracks["track_id"].tolist() == [expected["track_id"]]
    assert tracks.loc[0, ["crop_left", "crop_top", "crop_side"]].tolist() == expected["crop"]
    assert tracks.loc[0, ["jitter_raw", "jitter_aligned"]].tolist() == pytest.approx(expected["jitter"])
    frames = dataset.frames(expected["track_id"])
    assert frames.raw.shape == frames.aligned.shape == (expected["frames"], 70, 2)
    assert frames.raw[0, 8].tolist() == expected["raw_first_chin"]
    assert frames.aligned[-1, 68].tolist() == expected["aligned_last_pupil"]
    assert frames.raw.mean(dtype=np.float64) == pytest.approx(expected["raw_mean"], abs=1e-9)
    assert frames.aligned.mean(dtype=np.float64) == pytest.approx(expected["aligned_mean"], abs=1e-9)
    assert frames.measures["yaw"][0] == pytest.approx(expected["yaw_first"])
    assert frames.time[-1] == expected["last_time"]
    assert frames.valid.all()
    assert hashlib.sha256(frames.jpeg[0]).hexdigest() == expected["jpeg_sha256"]
    size = int(dataset.metadata["crop_size"])
    assert decode_jpeg(frames.jpeg[0]).shape == (size, size, 3)


def test_pandas_alone_reads_it_as_the_readme_says(golden: Path, expected: dict[str, Any]):
    frames = pd.read_parquet(golden / "frames")
    points = np.stack(frames["aligned"]).reshape(-1, 70, 2)
    assert points[-1, 68].tolist() == expected["aligned_last_pupil"]
    assert pd.read_parquet(golden / "tracks")["track_id"].tolist() == [expected["track_id"]]


def test_duckdb_alone_reads_it(golden: Path, expected: dict[str, Any]):
    query = f"select count(*), max(time), any_value(raw[17:18] order by frame) from '{golden}/frames/*.parquet'"
    ((count, last, chin),) = duckdb.sql(query).fetchall()
    assert (count, last) == (expected["frames"], expected["last_time"])
    assert list(chin) == expected["raw_first_chin"]  # DuckDB counts from 1: x8, y8 are the 17th and 18th number


def test_no_column_of_the_version_is_lost_or_changed(golden: Path, expected: dict[str, Any]):
    if golden.name != f"schema-{SCHEMA_VERSION}":
        pytest.skip("columns are promised within a version")
    for table, columns in expected["columns"].items():
        for name, was in columns.items():
            now = SCHEMAS[table].field(name)
            kind = str(now.type).replace("list<item:", "list<element:")  # Parquet's name for what a list holds
            assert [kind, now.nullable, now.metadata[b"unit"].decode()] == was, f"{table}.{name}"
        added = [field for field in SCHEMAS[table] if field.name not in columns]
        assert all(field.nullable for field in added), f"new columns of {table} must be nullable"
