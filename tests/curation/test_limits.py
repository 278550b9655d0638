from __future__ import annotations

import dataclasses

import pytest

from s2d.curation.config import CurationConfig
from s2d.curation.limits import LIMITS, refused
from s2d.shards.schema import TRACKS

VALUES = {"min_frames": 10, "min_face_px": 64.0}


@pytest.mark.parametrize(
    ("measures", "reason"),
    [
        ({"frames": 10, "face_px": 64.0}, None),
        ({"frames": 9, "face_px": 64.0}, "too short"),
        ({"frames": 10, "face_px": 63.9}, "face too small"),
        ({"frames": 10}, None),
    ],
)
def test_limits_hold_at_their_value_and_not_below(measures, reason):
    refusal = refused(measures, VALUES)
    assert (refusal and refusal.reason) == reason


def test_a_refusal_says_what_was_measured():
    refusal = refused({"frames": 9}, VALUES)
    assert refusal.detail == "frames is 9, the least is 10"
    assert refusal.as_dict() == {"reason": "too short", "value": 9.0, "limit": 10.0}


def test_every_limit_has_its_column_and_its_option():
    options = {field.name for field in dataclasses.fields(CurationConfig)}
    assert {limit.name for limit in LIMITS} <= options
    assert {limit.column for limit in LIMITS} <= set(TRACKS.names)
