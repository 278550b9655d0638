"""Sentences and warnings from figures and distances that are made up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from s2d.geometry import Float32
from s2d.landmarks import jitter, layout
from s2d.landmarks.comparison import ComparedTrack, Comparison
from s2d.landmarks.verdict import find_apart, verdict, warnings

FPS, COUNT = 25, 60
NOSE = list(range(27, 36))


@pytest.fixture
def track(astronaut_points: Float32) -> ComparedTrack:
    raw = np.repeat(astronaut_points[None], COUNT, axis=0)
    slips = {"raw": 2.0, "aligned": 0.86, "savgol": 2.2, "rts": 1.94}
    empty: jitter.Figures = dict.fromkeys(jitter.METRICS)
    figures = {name: {**empty, "phase_residual_1": slip, "nmf": slip / 2} for name, slip in slips.items()}
    points = {name: raw.copy() for name in slips}
    return ComparedTrack("clip", np.arange(COUNT) / FPS, points, None, figures, first=90)


def test_a_sentence_without_truth(track: ComparedTrack) -> None:
    (says,) = verdict(Comparison([track]))
    assert says.startswith("phase_residual_1 is flicker without truth")
    assert "57 % less than raw ones" in says
    assert says.endswith("best filter (rts) 3 % less")


def test_a_sentence_with_truth_and_without_filters(track: ComparedTrack) -> None:
    figures = {name: track.figures[name] for name in ("raw", "aligned")}
    figures["aligned"]["nmf"] = 1.5
    (says,) = verdict(Comparison([replace(track, truth=track.points["raw"], figures=figures)]))
    assert says.startswith("nmf is flicker:")
    assert says.endswith("50 % more than raw ones")


def test_no_sentence_without_both(track: ComparedTrack) -> None:
    assert verdict(Comparison([replace(track, figures={"raw": track.figures["raw"]})])) == []
    assert verdict(Comparison([])) == []


def moved(track: ComparedTrack, percent: float, start: int, stop: int) -> ComparedTrack:
    eyes = layout.interocular(track.points["raw"]).mean()
    track.points["aligned"][start:stop, NOSE, 0] += np.float32(percent / 100 * eyes)
    return track


def test_far_for_long_is_told(track: ComparedTrack) -> None:
    (span,) = find_apart(Comparison([moved(track, 10.0, 8, 21)]))  # 13 frames are 0.52 s
    assert (span.part, span.first, span.last) == ("nose", 98, 110)
    assert span.distance == pytest.approx(10.0, abs=0.02)
    (line,) = warnings([span])
    assert "look at frames 98 to 110: nose of aligned and raw are far apart" in line


@pytest.mark.parametrize(("percent", "stop"), [(7.9, 30), (12.0, 20)])
def test_near_or_short_is_not(track: ComparedTrack, percent: float, stop: int) -> None:
    assert find_apart(Comparison([moved(track, percent, 8, stop)])) == []


def test_missed_frames_and_other_methods_say_nothing(track: ComparedTrack) -> None:
    moved(track, 10.0, 8, 40)
    track.points["raw"][10:38] = np.nan
    assert find_apart(Comparison([track])) == []
    assert find_apart(Comparison([replace(track, points={"raw": track.points["raw"]})])) == []


def test_parts_that_overlap_share_a_line(track: ComparedTrack) -> None:
    moved(track, 10.0, 8, 21)
    track.points["aligned"][15:40, 48:68, 1] += 30
    spans = find_apart(Comparison([track]))
    assert {span.part for span in spans} == {"nose", "mouth"}
    (line,) = warnings(spans)
    assert "frames 98 to 129: nose and mouth" in line
