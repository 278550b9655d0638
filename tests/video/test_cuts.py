from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from s2d.video import ShotDetector, VideoReader, shots, with_starts

CUTS = {"cut_noface_to_face.mov": [96, 168]}  # sky to face, and one black frame at the very end
CLIPS = [
    *("cut_noface_to_face.mov", "no_face.mp4", "pexel_front.mp4", "pexel_tilted.mp4", "portrait_s18.mp4"),
    *(f"portrait_d{number}.mp4" for number in (0, 6, 9, 11, 13, 14, 18, 19)),
]


def cuts_of(frames) -> list[int]:
    detector = ShotDetector()
    for index, frame in enumerate(frames):
        detector.update(index, frame)
    return detector.cuts()


@pytest.mark.media
@pytest.mark.parametrize("name", CLIPS)
def test_real_clips_are_cut_where_they_are_cut(media: Path, name: str) -> None:
    with VideoReader(media / "clips" / name) as reader:
        assert cuts_of(reader.frames()) == CUTS.get(name, [])


def scenes() -> tuple[np.ndarray, np.ndarray]:
    return skimage.data.astronaut()[:256, :256], skimage.data.coffee()[:256, :256]


@pytest.mark.parametrize("at", [1, 2, 5, 18, 19])
def test_a_cut_is_found_anywhere(at: int) -> None:
    first, second = scenes()
    assert cuts_of([first] * at + [second] * (20 - at)) == [at]


@pytest.mark.parametrize("at", [1, 2, 5, 18, 19])
def test_frames_come_with_the_starts_of_their_shots(at: int) -> None:
    first, second = scenes()
    frames = [first] * at + [second] * (20 - at)
    given, starts = zip(*with_starts(frames), strict=True)
    assert all(one is other for one, other in zip(given, frames, strict=True))
    assert np.flatnonzero(starts).tolist() == [0, at]
    assert list(with_starts([])) == []


def test_a_single_foreign_frame_is_a_shot_of_its_own() -> None:
    first, second = scenes()
    assert cuts_of([first] * 10 + [second] + [first] * 10) == [10, 11]


def test_a_fast_pan_is_no_cut() -> None:
    wide = np.hstack([skimage.data.astronaut()] * 2)
    assert cuts_of(wide[:, 20 * step : 20 * step + 300] for step in range(30)) == []


def test_stillness_has_no_cuts_and_a_longer_wait_changes_nothing() -> None:
    first, _ = scenes()
    assert cuts_of([first] * 30) == cuts_of([]) == []
    detector = ShotDetector()
    detector.update(0, first)
    assert detector.cuts() == detector.cuts() == []


def test_numbers_need_not_start_at_zero() -> None:
    first, second = scenes()
    detector = ShotDetector()
    for index, frame in enumerate([first] * 6 + [second] * 6, start=100):
        detector.update(index, frame)
    assert detector.cuts() == [106]


@given(st.lists(st.integers(-3, 40), max_size=6), st.integers(0, 30))
def test_shots_tile_the_video(cuts: list[int], count: int) -> None:
    ranges = shots(cuts, count)
    assert [frame for start, stop in ranges for frame in range(start, stop)] == list(range(count))
    assert {start for start, _ in ranges[1:]} == {cut for cut in cuts if 0 < cut < count}
