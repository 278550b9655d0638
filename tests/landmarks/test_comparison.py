"""Methods side by side: with a detector whose mistakes are known, the figures of "raw" are known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from s2d.errors import S2DError
from s2d.geometry import Float32, Image
from s2d.landmarks import jitter, layout
from s2d.landmarks.comparison import METHODS, Comparison, compare_clip, compare_video, find_clip
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.filters import MovingAverage, OneEuro, RauchTungStriebel, SavitzkyGolay
from s2d.landmarks.jitter_plot import plot
from s2d.landmarks.palette import COLOURS
from s2d.landmarks.synthetic import SyntheticClip, make_clip, read_truth, write_clip, write_truth
from s2d.landmarks.tracking import Track
from s2d.video import VideoReader

DEVIATION = 0.8


class KnowingDetector:
    """Knows the truth of a clip, and trembles by DEVIATION pixels; counts frames as they come."""

    name, version = "knowing", "1"

    def __init__(self, truth: Float32, work: Callable[[], object] = lambda: None) -> None:
        self.points = truth + np.random.default_rng(0).normal(0, DEVIATION, truth.shape).astype(np.float32)
        self.work, self.count = work, 0

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        found = []
        for _ in frames:
            points = self.points[self.count]
            box = np.concatenate([points[:68].min(axis=0), points[:68].max(axis=0)])
            found.append([Face(box, points, 0.9, np.ones(70, bool))])
            self.count += 1
            self.work()
        return found


def clip(points: Float32, variant: str = "calm", frames: int = 24) -> SyntheticClip:
    return make_clip(skimage.data.astronaut(), points, frames=frames, size=256, variant=variant)


@pytest.fixture(scope="module")
def calm(astronaut_points: Float32) -> SyntheticClip:
    return clip(astronaut_points)


@pytest.fixture(scope="module")
def compared(calm: SyntheticClip) -> Comparison:
    return compare_clip(calm, KnowingDetector(calm.truth))


def test_raw_trembles_as_its_detector(calm: SyntheticClip, compared: Comparison) -> None:
    raw = compared.methods["raw"]
    unit = 100 / layout.interocular(calm.truth).mean()
    assert raw["nmf"] == pytest.approx(2 * DEVIATION * unit, rel=0.06)
    assert raw["phase_residual_1"] == pytest.approx(DEVIATION * np.sqrt(np.pi) * unit, rel=0.2)
    assert raw["anchor_drift"] == 0


def test_alignment_is_steadier_and_as_true(compared: Comparison) -> None:
    raw, aligned = compared.methods["raw"], compared.methods["aligned"]
    for name in ("nmf", "nmf_static", "nme_unbiased", "accel_error", "phase_residual_1", "phase_residual_6"):
        assert (aligned[name] or 9.0) < 0.6 * (raw[name] or 0.0), name
    assert abs(aligned["lag_frames"] or 0.0) < 0.1


class Clock:
    """Stands in for `time.perf_counter`: only what the test calls work takes time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def work(self, seconds: float) -> None:
        self.now += seconds


def test_time_is_the_detectors_for_raw_and_without_decoding_for_the_others(
    calm: SyntheticClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    decode = VideoReader.frames

    def slow_frames(*arguments: int) -> Iterator[Image]:
        for frame in decode(*arguments):
            clock.work(0.25)
            yield frame

    def raw(track: Track, frames: Iterable[Image]) -> Float32:
        clock.work(1.0)
        return track.raw

    def looks(track: Track, frames: Iterable[Image]) -> Float32:
        for _ in frames:
            clock.work(0.004)
        return track.raw

    monkeypatch.setattr(VideoReader, "frames", slow_frames)
    detector = KnowingDetector(calm.truth, lambda: clock.work(0.01))
    methods = {"raw": raw, "looks": looks, "blind": lambda track, frames: track.raw}
    figures = compare_clip(calm, detector, methods).methods
    times = {name: figures[name]["ms_per_frame"] for name in methods}
    assert times == pytest.approx({"raw": 10, "looks": 4, "blind": 0}, abs=1e-6)


def test_the_methods_are_the_aligner_and_the_filters_at_their_defaults(compared: Comparison) -> None:
    assert list(METHODS) == ["raw", "aligned", "one_euro", "savgol", "moving_average", "rts"] == list(COLOURS)
    (track,) = compared.tracks
    filters = (OneEuro(), SavitzkyGolay(), MovingAverage(), RauchTungStriebel())
    for name, smooth in zip(list(METHODS)[2:], filters, strict=True):
        expected = smooth(track.points["raw"], track.times).astype(np.float32)
        np.testing.assert_array_equal(track.points[name], expected, err_msg=name)


def test_filters_are_steadier_than_raw_and_less_than_aligned(compared: Comparison) -> None:
    flicker = {name: figures["nmf"] or 0.0 for name, figures in compared.methods.items()}
    for name in list(METHODS)[2:]:
        assert flicker["aligned"] < flicker[name] < flicker["raw"], name


def test_every_figure_has_a_name(compared: Comparison) -> None:
    for figures in compared.methods.values():
        assert set(figures) == set(jitter.METRICS)


def test_dropped_detections_are_missing_in_raw_and_bridged_in_all_others(astronaut_points: Float32) -> None:
    missing = clip(astronaut_points, "missing", frames=30)
    (track,) = compare_clip(missing, KnowingDetector(missing.truth)).tracks
    gone = np.isnan(track.points["raw"]).all(axis=(1, 2))
    np.testing.assert_array_equal(gone, missing.dropped)
    for name in list(METHODS)[1:]:
        assert np.isfinite(track.points[name]).all(), name
    (found,) = find_clip(missing, KnowingDetector(missing.truth))
    np.testing.assert_array_equal(found.raw, track.points["raw"])


def test_without_truth_there_are_no_errors(calm: SyntheticClip, tmp_path: Path) -> None:
    write_clip(calm, tmp_path / "calm.mp4")
    compared = compare_video(tmp_path / "calm.mp4", KnowingDetector(calm.truth))
    (track,) = compared.tracks
    assert track.truth is None
    assert track.name == "calm.mp4, shot 0, face 0"
    assert compared.methods["raw"]["nme"] is None
    assert (compared.methods["raw"]["phase_residual_1"] or 0) > 0


def test_frames_of_a_track_can_be_read_again(calm: SyntheticClip, compared: Comparison, tmp_path: Path) -> None:
    """Those of a clip are rendered, as its file is gone; those of a video are decoded."""
    (track,) = compared.tracks
    assert track.name == "calm-0.mp4, shot 0, face 0"
    assert track.frames is not None
    np.testing.assert_array_equal(list(track.frames()), list(calm.frames()))
    write_clip(calm, tmp_path / "calm.mp4")
    (seen,) = compare_video(tmp_path / "calm.mp4", KnowingDetector(calm.truth)).tracks
    assert seen.frames is not None
    assert [len(list(seen.frames())) for _ in range(2)] == [24, 24]


def test_truth_from_a_file_is_as_good_as_the_clip(calm: SyntheticClip, compared: Comparison, tmp_path: Path) -> None:
    write_clip(calm, tmp_path / "calm.mp4")
    write_truth(calm, tmp_path / "calm.parquet")
    truth = read_truth(tmp_path / "calm.parquet")
    again = compare_video(tmp_path / "calm.mp4", KnowingDetector(calm.truth), truth, {"raw": METHODS["raw"]})
    for name, value in compared.methods["raw"].items():
        if name != "ms_per_frame":
            assert again.methods["raw"][name] == value, name


def test_truth_of_another_length_is_refused(calm: SyntheticClip, astronaut_points: Float32, tmp_path: Path) -> None:
    write_clip(calm, tmp_path / "calm.mp4")
    with pytest.raises(S2DError, match="24 frames, its truth 7"):
        compare_video(tmp_path / "calm.mp4", KnowingDetector(calm.truth), clip(astronaut_points, frames=7))


def test_a_track_of_something_else_does_not_count(calm: SyntheticClip) -> None:
    elsewhere = KnowingDetector(calm.truth - np.float32([90, 0]) * 2)
    assert compare_clip(calm, elsewhere).tracks == []
    elsewhere.count = 0
    assert find_clip(calm, elsewhere) == []


def test_own_methods_stand_beside(calm: SyntheticClip) -> None:
    """A method that the package does not have is measured like the others."""
    methods = {"still": lambda track, frames: np.repeat(track.raw[:1], len(track.raw), axis=0)}
    figures = compare_clip(calm, KnowingDetector(calm.truth), methods).methods
    assert list(figures) == ["still"]
    assert figures["still"]["gain_lip"] == pytest.approx(0, abs=0.05)


def test_pooling_weighs_tracks_by_frames(compared: Comparison) -> None:
    from dataclasses import replace

    (track,) = compared.tracks
    short = replace(
        track, times=track.times[:8], figures={name: {**f, "nme": 0.0} for name, f in track.figures.items()}
    )
    pooled = Comparison([track, short]).methods["raw"]
    assert pooled["nme"] == pytest.approx((track.figures["raw"]["nme"] or 0) * 24 / 32)
    none = replace(track, figures={name: {**f, "nme": None} for name, f in track.figures.items()})
    assert Comparison([track, none]).methods["raw"]["nme"] == pytest.approx(track.figures["raw"]["nme"])


def test_plot_is_a_picture_and_the_same_each_time(compared: Comparison, tmp_path: Path) -> None:
    from s2d.images import read_image

    for name in ("a.png", "b.png"):
        plot(compared, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    picture = read_image(tmp_path / "a.png")
    assert picture.shape[0] > 500
    assert picture.std() > 10
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
