from __future__ import annotations

import math

import pytest

from s2d.curation.limits import DEFAULTS, REASONS, SIGNED, columns, parse_filters
from s2d.errors import UsageError
from s2d.shards.schema import TRACKS, VIDEOS

NONE = dict.fromkeys(DEFAULTS)  # all defaults off


@pytest.mark.parametrize(
    ("measures", "reason"),
    [
        ({"frames": 10, "face_px": 64.0, "jitter_raw": 3.0}, None),
        ({"frames": 9, "face_px": 64.0}, "too short"),
        ({"frames": 10, "face_px": 63.9}, "face too small"),
        ({"frames": 10, "jitter_raw": 3.01}, "jitter_raw too high"),
        ({"frames": 10}, None),
        ({"frames": None, "face_px": math.nan}, None),
    ],
)
def test_limits_hold_at_their_value_and_not_beyond(measures, reason):
    filters = parse_filters({"min_frames": 10, "min_face_px": 64, "max_jitter_raw": 3})
    refusal = filters.refused(measures)
    assert (refusal and refusal.reason) == reason


def test_a_refusal_says_what_was_measured():
    refusal = parse_filters({"min_frames": 10}).refused({"frames": 9})
    assert refusal.detail == "frames is 9, the least is 10"
    assert refusal.as_dict() == {"reason": "too short", "value": 9.0, "limit": 10.0}
    assert parse_filters({"max_yaw_max": 40}).refused({"yaw_max": 41.2}).detail == "yaw_max is 41.2, the most is 40"


def test_defaults_hold_unless_they_are_changed_or_switched_off():
    assert parse_filters().as_dict() == parse_filters({}).as_dict() == DEFAULTS
    assert parse_filters({"min_face_px": 10, "max_score": 0.5}).as_dict() == {
        **DEFAULTS,
        "min_face_px": 10,
        "max_score": 0.5,
    }
    assert parse_filters(NONE).as_dict() == {}


def test_the_order_in_which_they_are_given_does_not_matter():
    given = {"max_score": 1, "min_face_px": 2, "min_score": 0}
    assert parse_filters(given) == parse_filters(dict(reversed(given.items())))
    assert list(parse_filters(NONE | given).as_dict()) == ["min_face_px", "max_score", "min_score"]


def test_every_measured_number_may_be_limited_and_nothing_else():
    assert {"face_px", "sharpness", "yaw_min", "valid_share", "jitter_raw", "width", "seconds"} <= set(columns())
    unlimited = {"track_id", "video", "shot", "face", "start_frame", "value", "limit", "tracks", "bytes", "outcome"}
    assert not unlimited & set(columns())
    for name in columns():
        assert parse_filters({f"min_{name}": 0}).value(f"min_{name}") == 0
        assert parse_filters({f"max_{name}": 1, f"min_{name}": None}).value(f"max_{name}") == 1


def test_the_tracks_column_is_meant_where_both_tables_have_one():
    assert set(VIDEOS.names) & set(TRACKS.names) & set(columns()) == {"frames", "fps", "seconds"}
    assert columns()["frames"].metadata == TRACKS.field("frames").metadata


def test_every_default_and_every_plain_word_belongs_to_a_filter():
    for name in (*DEFAULTS, *REASONS):
        assert name.removeprefix("min_").removeprefix("max_") in columns()


def test_what_may_be_negative_may_be_limited_by_negative_values():
    given = {"min_yaw_min": -30, "max_pitch_min": -1, "min_crop_left": -5, "min_start_time": -0.1}
    assert parse_filters(given).as_dict() == {**DEFAULTS, **given}
    assert SIGNED.issubset(columns())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"min_face_pix": 1}, "cannot filter by min_face_pix: there is no such filter; near it: min_face_px, "),
        ({"face_px": 1}, "near it: min_face_px, max_face_px"),
        ({"qqq": 1}, "there is no such filter; see --list-filters"),
        ({"qqqq": None}, "there is no such filter"),
        ({5: 1}, "cannot filter by 5: there is no such filter"),
        ({"min_face_px": "128"}, "'128' is no number"),
        ({"min_face_px": True}, "True is no number"),
        ({"min_face_px": math.nan}, "nan is no number"),
        ({"min_valid_share": 80}, "80 is out of range, its unit is: 0 to 1; give 0 to 1"),
        ({"max_yaw_max": 400}, "400 is out of range, its unit is: degree"),
        ({"min_frames": -1}, "-1 is out of range, its unit is: count; give 0 or more"),
        ({"max_abs_yaw": -5}, "-5 is out of range, its unit is: degree; give 0 to 180"),
        ({"max_face_px": -1}, "-1 is out of range, its unit is: video pixel; give 0 or more"),
        ({"min_jitter_aligned": -0.1}, "-0.1 is out of range"),
        ({"min_score": 0.9, "max_score": 0.8}, "no score is at least 0.9 and at most 0.8"),
        (["min_score"], "['min_score'] is no mapping"),
        ("min_score", "'min_score' is no mapping"),
    ],
)
def test_a_wrong_filter_is_one_clear_line(given, says):
    with pytest.raises(UsageError) as raised:
        parse_filters(given)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)
