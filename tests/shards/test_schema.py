from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pyarrow as pa
import pytest

from s2d.shards.schema import FRAMES, SCHEMAS, TABLES, flat_flags, flat_points, read_metadata
from tests.shards.conftest import PROVENANCE


@pytest.mark.parametrize("table", TABLES)
def test_every_column_says_what_it_holds(table):
    for field in SCHEMAS[table]:
        assert field.metadata[b"description"], field.name
        assert b"unit" in field.metadata


def test_landmark_columns_are_flat_and_not_null():
    assert FRAMES.field("raw").type.list_size == FRAMES.field("aligned").type.list_size == 140
    assert FRAMES.field("valid").type.list_size == 70
    assert not FRAMES.field("raw").nullable
    assert not FRAMES.field("raw").type.value_field.nullable


def test_points_go_flat_as_x0_y0_x1_and_nan_is_a_value():
    points = np.arange(280, dtype=np.float32).reshape(2, 70, 2)
    points[1, 68] = np.nan
    column = flat_points(points)
    assert column.null_count == 0
    assert column[0].as_py()[:4] == [0, 1, 2, 3]
    assert np.isnan(column[1].as_py()[136])


def test_flags_keep_their_places():
    flags = np.zeros((2, 70), bool)
    flags[1, 69] = True
    assert flat_flags(flags).to_pylist() == flags.tolist()


def test_metadata_survives_the_schema():
    back = read_metadata(PROVENANCE.schema("tracks"))
    assert back["table"] == "tracks"
    assert back["layout"] == "ibug70"
    assert back["crop_size"] == 64
    assert back["alignment"] == {"version": "1", "rounds": 5}
    assert back["config_hash"] == PROVENANCE.config_hash
    assert back["config"]["min_frames"] == 4


def test_metadata_of_a_foreign_schema_is_empty():
    assert read_metadata(pa.schema([("x", pa.int64())])) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"detector": "dlib"},
        {"detector_version": "1.1"},
        {"alignment": {"version": "1", "rounds": 6}},
        {"crop_size": 128},
        {"config": {"jpeg": False, "min_frames": 4}},
    ],
)
def test_the_hash_sees_every_setting(change):
    assert dataclasses.replace(PROVENANCE, **change).config_hash != PROVENANCE.config_hash


def test_the_hash_does_not_see_the_order_of_settings():
    turned = dataclasses.replace(PROVENANCE, config={"min_frames": 4, "jpeg": True})
    assert turned.config_hash == PROVENANCE.config_hash


def test_every_entry_is_json_that_other_languages_read():
    """RFC 8259, section 6: infinity and NaN are not permitted."""
    from s2d.landmarks.alignment import AlignmentParameters

    endless = {"stiffness": {"jaw": math.inf}, "rounds": [1.5, -math.inf]}
    for alignment in (endless, AlignmentParameters().as_dict()):
        entries = dataclasses.replace(PROVENANCE, alignment=alignment).metadata("frames")
        for name in ("s2d.units", "s2d.alignment", "s2d.config"):
            json.loads(entries[name], parse_constant=pytest.fail)
    back = read_metadata(dataclasses.replace(PROVENANCE, alignment=endless).schema("frames"))
    assert back["alignment"] == {"stiffness": {"jaw": None}, "rounds": [1.5, None]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        dataclasses.replace(PROVENANCE, alignment={"rounds": math.nan}).metadata("frames")
