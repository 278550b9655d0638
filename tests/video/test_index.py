from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2d.video.index import VideoIndex, _seconds, index_video
from s2d.video.orientation import Orientation

from .conftest import Encode, set_display_matrix


def index_of(stamps: list[int], time_base: Fraction = Fraction(1, 90_000)) -> VideoIndex:
    values = np.array(stamps, np.int64)
    return VideoIndex(Path("a.mp4"), 0, time_base, values, values[:1], None, 96, 80, Orientation(), "", False)


def test_a_repeated_stamp_is_moved_up_by_one_unit_and_pushes_on_only_what_it_meets() -> None:
    assert (index_of([0, 0, 0, 1, 5, 6]).times() * 90_000).round().tolist() == [0, 1, 2, 3, 5, 6]


@given(st.lists(st.integers(-(10**9), 10**12), min_size=1, max_size=50), st.sampled_from([1000, 12_288, 90_000]))
def test_times_ascend_strictly_and_are_exact_where_stamps_do(stamps: list[int], ticks: int) -> None:
    times = index_of(sorted(stamps), Fraction(1, ticks)).times()
    assert (np.diff(times) > 0).all()
    if len(set(stamps)) == len(stamps):
        assert times.tolist() == [float(Fraction(stamp, ticks)) for stamp in sorted(stamps)]


def test_matroska_lengths() -> None:
    assert _seconds("01:02:03.500000000") == 3723.5
    assert _seconds("") == _seconds("soon") == 0.0


@pytest.mark.parametrize(
    ("name", "options", "plain"),
    [
        ("a.mp4", {}, True),
        ("a.mkv", {}, False),
        ("a.mp4", {"pixels": "yuv420p10le"}, False),
        ("a.mp4", {"codec": "mpeg4"}, False),
    ],
)
def test_only_plain_videos_are_for_decord(encode: Encode, texture, name: str, options, plain: bool) -> None:
    path = encode(name, texture[:10], **options)
    assert index_video(path).plain is plain
    if plain:
        set_display_matrix(path, -1, 0, 0, -1)
        assert not index_video(path).plain
