"""The report and the plots, on tracks whose figures and events are made up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.geometry import Float32, Image
from s2d.images import read_image
from s2d.landmarks import jitter
from s2d.landmarks.comparison import ComparedTrack, Comparison, best
from s2d.landmarks.jitter_plot import check_format, longest, panels, plot
from s2d.landmarks.jitter_report import find_events, write_report

COUNT = 24
BLINK, WIDE = 9, 17


def frames() -> Iterator[Image]:
    for _ in range(COUNT):
        yield np.full((400, 400, 3), 120, np.uint8)


@pytest.fixture
def track(astronaut_points: Float32) -> ComparedTrack:
    """Shuts its eyes in frame 9, opens its mouth in frame 17; six methods, the last better than the rest."""
    true = np.repeat(astronaut_points[None] - [60, 0], COUNT, axis=0).astype(np.float32)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        true[BLINK, upper] = true[BLINK, lower]
    true[WIDE, [65, 66, 67], 1] += 12
    rng = np.random.default_rng(1)
    names = ["raw", "aligned", "one_euro", "savgol", "mine", "rts"]
    points = {name: true + rng.normal(0, 1.2 - 0.2 * n, true.shape).astype(np.float32) for n, name in enumerate(names)}
    figures = jitter.compare(points, np.arange(COUNT) / 25, truth=true, anchor=points["raw"])
    for figure in figures.values():
        figure["ms_per_frame"] = 1.0
    return ComparedTrack("clip 0.0", np.arange(COUNT) / 25, points, true, figures, frames)


def without_truth(track: ComparedTrack) -> ComparedTrack:
    figures = jitter.compare(track.points, track.times, frames=frames(), anchor=track.points["raw"])
    return replace(track, truth=None, figures={name: {**f, "ms_per_frame": None} for name, f in figures.items()})


def write(comparison: Comparison, path: Path) -> str:
    write_report(comparison, path, title="A & B", lead="Two tracks.", command="s2d jitter a.mp4")
    return path.read_text(encoding="utf-8")


def test_page_has_all_and_needs_nothing_else(track: ComparedTrack, tmp_path: Path) -> None:
    page = write(Comparison([track]), tmp_path / "new" / "report.html")
    assert "<h1>A &amp; B</h1>" in page
    assert page.count("<img") == 5  # stability, trajectories, spectra, blink, mouth
    assert not re.search(r'(src|href)="(?!data:)', page)
    for name in track.points:
        assert f">{name}<" in page
    assert f"Largest blink, frame {BLINK}" in page
    assert f"Largest opening of the mouth, frame {WIDE}" in page


def test_best_of_a_row_is_bold(track: ComparedTrack, tmp_path: Path) -> None:
    page = write(Comparison([track]), tmp_path / "report.html")
    value = track.figures["rts"]["nmf"]
    assert f"<td class=best>{value:.3g}</td>" in page
    assert page.count("class=best>") >= 8
    row = next(line for line in page.split("<tr>") if ">acceleration<" in line)
    assert "class=best" not in row  # less is not better: a still face has none


def test_without_truth_and_pictures(track: ComparedTrack, tmp_path: Path) -> None:
    page = write(Comparison([replace(without_truth(track), frames=None)]), tmp_path / "report.html")
    assert page.count("<img") == 3
    assert "stores no pictures" in page
    assert "phase_residual_6 against anchor_drift" in page
    assert "nme_unbiased" not in page


def test_far_apart_is_shown(track: ComparedTrack, tmp_path: Path) -> None:
    """A nose that the aligned landmarks have elsewhere for 20 frames: a warning and a sheet."""
    assert "differ most" not in write(Comparison([track]), tmp_path / "near.html")
    track.points["aligned"][2:22, 27:36, 0] += 20
    page = write(Comparison([replace(track, first=100)]), tmp_path / "far.html")
    assert "Where aligned and raw differ most" in page
    assert "look at frames 102 to 121: nose of aligned and raw are far apart" in page
    assert page.count("<img") == 6


def test_events_are_found(track: ComparedTrack) -> None:
    assert find_events(track) == {"blink": BLINK, "opening of the mouth": WIDE}
    assert find_events(replace(track, truth=None)) == {"blink": BLINK, "opening of the mouth": WIDE}
    blind = np.full_like(track.points["raw"], np.nan)
    assert find_events(replace(track, truth=None, points={"raw": blind})) == {}


def test_report_that_cannot_be_written(track: ComparedTrack, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(S2DError, match="cannot write"):
        write(Comparison([track]), tmp_path / "file" / "report.html")


def test_plot_of_many_methods(track: ComparedTrack, tmp_path: Path) -> None:
    for number, shown in enumerate((track, without_truth(track))):
        plot(Comparison([shown]), tmp_path / f"{number}.png")
        picture = read_image(tmp_path / f"{number}.png")
        assert picture.shape[1] > 1200
        assert picture.std() > 10


def test_plots_of_what_is_hardly_known(track: ComparedTrack) -> None:
    """Two frames, or a method that never found anything: pictures without lines, no failure."""
    unknown: dict[str, float | None] = dict.fromkeys(jitter.METRICS)
    short = replace(
        track,
        times=track.times[:2],
        points={name: points[:2] for name, points in track.points.items()},
        truth=None,
        figures=dict.fromkeys(track.points, unknown),
    )
    assert all(data.startswith(b"\x89PNG") for data in panels(Comparison([short])).values())


def test_longest_track_is_shown(track: ComparedTrack) -> None:
    short = replace(track, times=track.times[:3])
    assert longest(Comparison([short, track])) is track


def test_format_of_a_plot(tmp_path: Path) -> None:
    for name in ("a.png", "a.SVG", "a.pdf", "a"):
        check_format(tmp_path / name)
    with pytest.raises(S2DError, match=r"name it \.png"):
        check_format("a.docx")


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("nmf", {"a": 1.0, "b": 0.5, "c": None}, {"b"}),
        ("gain_lid", {"a": 0.8, "b": 1.3}, {"a"}),
        ("lag_frames", {"a": -0.3, "b": 0.2}, {"b"}),
        ("auc", {"a": 0.7, "b": 0.9}, {"b"}),
        ("nmf", {"a": 0.5, "b": 0.5, "c": 1.0}, {"a", "b"}),
        ("nmf", {"a": 1.0}, set()),
        ("nmf", {"a": 1.0, "b": 1.0}, set()),
        ("anchor_drift", {"a": 0.0, "b": 1.0}, set()),
    ],
)
def test_best(name: str, values: dict[str, float | None], expected: set[str]) -> None:
    assert best(name, values) == expected
