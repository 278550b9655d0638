"""A comparison of methods as one HTML page: figures, plots, and the frames where tracking is hardest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from s2d import __version__
from s2d.geometry import Array, Floats, Image
from s2d.images import encode_jpeg
from s2d.landmarks import expression, jitter, trembling
from s2d.landmarks.comparison import ComparedTrack, Comparison, best
from s2d.landmarks.draw import contact_sheet
from s2d.landmarks.jitter_plot import AGAINST_TRUTH, WITHOUT_TRUTH, longest, panels
from s2d.landmarks.overlay import Overlay
from s2d.landmarks.verdict import find_apart, verdict, warnings
from s2d.page import Page

AROUND = (-4, -2, 0, 2, 4)  # frames before and after an event
CELL = 280  # pixels of a picture in a sheet
QUALITY = 88
MOST_APART = 3  # sheets
STYLE = """body { max-width: 76rem; }
td:not(.words), th:not(.words) { padding-right: .7rem; }
th { white-space: normal; vertical-align: bottom; }
"""
EVENTS: MappingProxyType[str, str] = MappingProxyType({"blink": "eyes", "opening of the mouth": "mouth"})


def write_report(comparison: Comparison, path: str | Path, *, title: str, lead: str, command: str = "") -> None:
    """Write the page, self-contained. `lead` says what was measured, `command` how to do it again.

    Raises S2DError when `path` cannot be written.
    """
    page = Page(title, lead, STYLE)
    if command:
        page.command(command)
    _figures(page, comparison)
    _pictures(page, comparison)
    _apart(page, comparison)
    _events(page, longest(comparison))
    page.write(Path(path), f"Made by s2d {__version__}.")


def _figures(page: Page, comparison: Comparison) -> None:
    page.section(
        "Figures",
        "Means over tracks, weighted by their frames; in percent of the inter-ocular distance unless the meaning says "
        "otherwise. The best value of a row is bold.",
    )
    methods = comparison.methods
    rows: list[list[str]] = []
    marked: set[tuple[int, int]] = set()
    for name, metric in jitter.METRICS.items():
        values = {method: figures[name] for method, figures in methods.items()}
        if all(value is None for value in values.values()):
            continue
        winners = best(name, values)
        marked |= {(len(rows), column) for column, method in enumerate(values, 1) if method in winners}
        shown = ["-" if value is None else f"{value:.3g}" for value in values.values()]
        rows.append([name, *shown, metric.meaning])
    page.table(["figure", *methods, "meaning"], rows, marked)
    for sentence in verdict(comparison):
        page.text(sentence + ".")


def _pictures(page: Page, comparison: Comparison) -> None:
    track = longest(comparison)
    drawn = panels(comparison)
    across, up = AGAINST_TRUTH if track.truth is not None else WITHOUT_TRUTH
    page.section("Error against stability", f"All tracks. Across {across}, up {up}.")
    page.picture(drawn["stability"], f"{up} against {across}, by method.")
    page.section("Trajectories", f"{track.name}: a lid, the lips and a brow over the first seconds.")
    page.picture(drawn["trajectories"], "Jitter is what trembles between the true movements; lag is what comes late.")
    page.section("Spectra", "At which frequencies the landmarks move within the face.")
    page.picture(drawn["spectra"], f"Right of the dotted line, at {trembling.HIGH_FREQUENCY:g} Hz, is mostly jitter.")


def _events(page: Page, track: ComparedTrack) -> None:
    """Sheets of the frames around the largest blink and the largest opening of the mouth."""
    if track.frames is None:
        page.section("Frames", "The data set stores no pictures.")
        return
    events = find_events(track)
    page.section(
        "Frames where it is hardest",
        "A smoothed track comes late to a blink, or never closes the eye. Points in the method's colour, trails of the "
        "last frames without the head's own motion.",
    )
    for name, sheet in _sheets(track, tuple(track.points), events, EVENTS).items():
        moment = track.times[events[name]] - track.times[0]
        caption = (
            f"Largest {name}, frame {events[name]} ({moment:.2f} s): frames {', '.join(map(str, AROUND))} around it"
        )
        page.picture(encode_jpeg(sheet, QUALITY), f"{caption}; a row per method.", wide=True)


def _apart(page: Page, comparison: Comparison) -> None:
    """Sheets of the frames where aligned and raw landmarks are far apart for long, the worst few."""
    spans = find_apart(comparison)
    if not spans:
        return
    page.section("Where aligned and raw differ most", "One of both is wrong there, and the pictures tell which.")
    for line in warnings(spans):
        page.text(line)
    for span in sorted(spans, key=lambda span: -span.distance)[:MOST_APART]:
        track = next(track for track in comparison.tracks if track.name == span.track)
        if track.frames is None:
            continue
        sheets = _sheets(track, ("raw", "aligned"), {span.part: span.worst - track.first}, {span.part: "face"})
        caption = f"{span.track}, {span.part}: frames around {span.worst}; above raw, below aligned."
        for sheet in sheets.values():
            page.picture(encode_jpeg(sheet, QUALITY), caption, wide=True)


def find_events(track: ComparedTrack) -> dict[str, int]:
    """Frame of the track's largest blink and of its largest opening of the mouth, by the best track there is.

    Events that no frame shows, for want of landmarks, are left out.
    """
    points = _reference(track)
    lids, lips = expression.lid_apertures(points).mean(axis=-1), expression.lip_aperture(points)
    found = {name: _largest(values) for name, values in zip(EVENTS, (-lids, lips), strict=True)}
    return {name: index for name, index in found.items() if index is not None}


def _reference(track: ComparedTrack) -> Floats:
    if track.truth is not None:
        return track.truth
    return track.points["aligned" if "aligned" in track.points else next(iter(track.points))]


def _largest(values: Array) -> int | None:
    return int(np.nanargmax(values)) if np.isfinite(values).any() else None


def _sheets(
    track: ComparedTrack, methods: Sequence[str], events: Mapping[str, int], areas: Mapping[str, str]
) -> dict[str, Image]:
    """One sheet per event, a row per method and a column per frame; the frames are read once."""
    overlays = {name: Overlay(track, methods, panel=CELL, area=areas[name]) for name in events}
    wanted = {name: around(index, len(track.times)) for name, index in events.items()}
    cells: dict[str, list[list[Image]]] = {name: [] for name in events}
    for index, frame in enumerate(track.frames() if track.frames else ()):
        for name, chosen in wanted.items():
            if index in chosen:
                cells[name].append(overlays[name].panels(index, frame))
    return {name: _sheet(columns) for name, columns in cells.items() if columns}


def around(index: int, count: int) -> list[int]:
    """The frames around an event, those that exist.

    >>> around(2, 5)
    [0, 2, 4]
    """
    return [index + step for step in AROUND if 0 <= index + step < count]


def _sheet(columns: Sequence[Sequence[Image]]) -> Image:
    by_row = [picture for row in zip(*columns, strict=True) for picture in row]
    return contact_sheet(by_row, len(columns))
