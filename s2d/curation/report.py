"""A data set as one self-contained HTML page for the person who curates it: what was kept and why, and how good it is.

The size of the page is bounded: figures are aggregated (`figures.py`), and of the tracks only the best and the worst
are shown, whose row groups alone are read.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2d import __version__, charts, progress
from s2d.charts import LARGE, SMALL, short
from s2d.curation.figures import BETTER, HIGH, LOW, describe, extremes, measures
from s2d.curation.track_cards import TRACED, card, figure, shown_columns
from s2d.errors import UsageError
from s2d.page import Page
from s2d.shards.reader import Dataset

if TYPE_CHECKING:
    import pandas as pd

BY = ("jitter_aligned", "sharpness", "face_px", "valid_share")
EACH = 4  # tracks at either end
LOWEST, HIGHEST = "lowest", "highest"  # the ends of a column
UNFOLDED = 20  # longer lists of files are folded up
STYLE = (
    charts.STYLE
    + """
body { max-width: 76rem; }
h3 { font-size: 1.02rem; margin: 1.4rem 0 .3rem; }
.tiles, .charts, .sides, .two { display: grid; gap: 1rem 1.6rem; }
.tiles { grid-template-columns: repeat(4, 1fr); margin: 1.4rem 0; gap: .8rem; }
.tiles div { background: var(--tint); border-radius: 8px; padding: .7rem .9rem; color: var(--soft); font-size: .9rem; }
.tiles b { display: block; color: var(--ink); font-size: 1.4rem; line-height: 1.3; white-space: nowrap; }
.whole { display: flex; height: 1.1rem; border-radius: 6px; overflow: hidden; margin: 1rem 0 .4rem; gap: 2px; }
.whole span { min-width: 3px; }
td.reason { width: 70%; min-width: 8rem; overflow-wrap: anywhere; }
.bar { display: block; height: .45rem; border-radius: 3px; min-width: 3px; margin-bottom: .25rem; }
.key { display: inline-block; width: .75em; height: .75em; border-radius: 2px; margin: 0 .35em 0 0; }
.reasons table { width: 100%; }
.files { width: 100%; } .files td, .files th { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.files th, .files td { width: 50%; vertical-align: top; }
.charts { grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); }
.charts figure { margin: .6rem 0; min-width: 0; }
.charts h3 { margin: 0; overflow-wrap: anywhere; }
h3 small { display: block; color: var(--soft); font-weight: 400; }
.two { grid-template-columns: repeat(auto-fit, minmax(min(24rem, 100%), 1fr)); align-items: start; }
.two figure { max-width: 34rem; margin: .6rem 0; } .two > div { min-width: 0; }
.sides { grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); }
.sides > div { min-width: 0; }
article { padding: .8rem 0; border-top: 1px solid var(--line); }
article h4 { margin: 0; font-size: .95rem; overflow-wrap: anywhere; font-weight: 600; }
article a { color: inherit; text-decoration-color: var(--line); }
article p { margin: .15rem 0 .5rem; font-size: .88rem; color: var(--soft); overflow-wrap: anywhere; }
.strip { display: grid; grid-template-columns: repeat(4, 1fr); gap: 4px; }
.strip img { width: 100%; border-radius: 4px; }
article svg { margin-top: 4px; background: var(--tint); border-radius: 4px; }
summary { cursor: pointer; font-weight: 600; padding: .5rem 0; border-top: 1px solid var(--line); }
article:target { outline: 2px solid var(--best); outline-offset: 6px; }
@media (max-width: 50rem) { .tiles { grid-template-columns: repeat(2, 1fr); } }
@media (max-width: 30rem) { .files th { display: none; } .files td { display: block; width: auto; }
  .files td:first-child { border: none; padding-bottom: 0; } .files td + td { color: var(--soft); padding-top: 0; }
  th, td { padding-right: .55rem; font-size: .9rem; } td.reason { min-width: 6.5rem; }
  .strip { grid-template-columns: repeat(2, 1fr); } body { padding: 1.2rem .9rem 3rem; } }
"""
)
ENDS = {LOW: ("Best: lowest", "Worst: highest"), HIGH: ("Worst: lowest", "Best: highest"), "": ("Lowest", "Highest")}


def write_report(
    dataset: Dataset, path: str | Path, *, name: str, by: Sequence[str] = BY, each: int = EACH
) -> dict[str, Any]:
    """Write the page and return its figures as plain values.

    `name` is the data set's, for the title; `by` names the columns whose `each` best and worst tracks are shown.
    Raises UsageError for a column that does not exist, S2DError when a part is damaged or `path` cannot be written.
    """
    check_measures(by)
    tracks = dataset.tracks()
    figures = describe(dataset.metadata, dataset.videos(), tracks)
    figures["examples"] = [_examples(tracks, column, each) for column in by]
    page = Page(f"Curation report: {name}", _lead(figures), STYLE)
    _overview(page, figures)
    _left_out(page, figures)
    _identities(page, figures["identities"])
    _quality(page, figures)
    _jitter(page, figures["jitter"])
    _tracks(page, dataset, figures["examples"])
    page.write(Path(path), f"Made by s2d {__version__}. Settings: {_settings(figures['metadata'])}.")
    return figures


def check_measures(by: Sequence[str]) -> None:
    """Raises UsageError when tracks cannot be compared by one of these columns."""
    for column in by:
        if column not in measures():
            why = "the tracks have no such column of numbers"
            raise UsageError(f"cannot compare tracks by {column}", why, f"choose from {', '.join(measures())}")


def _examples(tracks: pd.DataFrame, column: str, each: int) -> dict[str, Any]:
    ends = (tracks.iloc[rows][shown_columns(column)].to_dict("records") for rows in extremes(tracks, column, each))
    return {"by": column, "better": BETTER.get(column), **dict(zip((LOWEST, HIGHEST), ends, strict=True))}


def _lead(figures: Mapping[str, Any]) -> str:
    made, totals = figures["metadata"], figures["totals"]
    kept = next(row for row in figures["outcomes"] if row["outcome"] == "kept")
    return (
        f"{kept['files']:,} of {totals['files']:,} files kept, {duration(totals['seconds'])} of faces; detector "
        f"{made['detector']}, crops of {made['crop_size']} pixels."
    )


def duration(seconds: float) -> str:
    """A length of time for people.

    >>> duration(42.04), duration(600), duration(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def percent(share: float) -> str:
    """A share for people; what is not nothing is not shown as nothing, and what is not all not as all.

    >>> percent(0.4213), percent(0.0), percent(1e-6), percent(0.99999)
    ('42.1 %', '0 %', '< 0.1 %', '> 99.9 %')
    """
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{short(round(100 * share, 1))} %"


def _overview(page: Page, figures: Mapping[str, Any]) -> None:
    totals, outcomes = figures["totals"], figures["outcomes"]
    source = totals["source_seconds"]
    tiles = [
        (f"{totals['files']:,}", "files"),
        *((f"{row['files']:,}", f"{row['outcome']}, {percent(row['share'])}", row["outcome"]) for row in outcomes),
        (f"{totals['tracks']:,}", "tracks"),
        (f"{totals['identities']:,}", "identities"),
        (duration(totals["seconds"]), f"of faces in {duration(source)} of readable video"),
        (f"{totals['frames']:,}", "frames"),
    ]
    cells = "".join(_tile(*tile) for tile in tiles)
    page.markup(f'<div class="tiles">{cells}</div>')
    if not totals["files"]:
        return
    says = ", ".join(f"{row['outcome']} {row['files']}" for row in outcomes)
    bars = "".join(
        f'<span class="{row["outcome"]}" style="flex:{row["share"]:.6f}"></span>' for row in outcomes if row["files"]
    )
    page.markup(f'<div class="whole" role="img" aria-label="Files by outcome: {says}">{bars}</div>')
    _reasons(page, figures["reasons"])
    if figures["videos"]:
        page.section("Videos", "Every file that could be read, kept or not.")
        _spreads(page, figures["videos"], "files")


def _tile(value: str, label: str, outcome: str = "") -> str:
    key = f'<span class="key {outcome}"></span>' if outcome else ""
    return f"<div><b>{html.escape(value)}</b>{key}{html.escape(label)}</div>"


def _reasons(page: Page, reasons: Sequence[Mapping[str, Any]]) -> None:
    """Reasons with counts, shares and bars: a table that is its own chart."""
    if not reasons:
        return
    says = "Filtered files were read and measured; failed ones could not be read, or took too much time or memory."
    page.section("Why files were not kept", says)
    largest = max(row["share"] for row in reasons)
    lines = "".join(
        f'<tr><td class="words"><span class="key {row["outcome"]}"></span>{row["outcome"]}</td>'
        f'<td class="words reason">{html.escape(row["reason"])}'
        f'<span class="bar {row["outcome"]}" style="width:{100 * row["share"] / largest:.2f}%"></span></td>'
        f"<td>{row['files']:,}</td><td>{percent(row['share'])}</td></tr>"
        for row in reasons
    )
    head = '<tr><th class="words">outcome</th><th class="words">reason</th><th>files</th><th>share</th></tr>'
    page.markup(f'<div class="scroll reasons"><table>{head}{lines}</table></div>')


def _left_out(page: Page, figures: Mapping[str, Any]) -> None:
    filtered = figures["filtered_tracks"]
    if filtered:
        page.section(
            "Tracks left out",
            "Faces that were found but broke a limit, in all files; a softer limit would bring at most these frames.",
        )
        columns = ("reason", "column", "limit", "tracks", "frames", "least", "median", "most")
        rows = [[figure(row[name]) for name in columns] for row in filtered]
        page.table([*columns[:5], "least value", "median", "most"], rows)
    others = figures["not_kept"]
    if others:
        total = sum(row["files"] for row in figures["reasons"])
        some = "All of them." if len(others) == total else "A few for each reason; the table of videos has all."
        page.section("Files that were not kept", some)
        lines = "".join(_not_kept(row) for row in others)
        opened = " open" if len(others) <= UNFOLDED else ""
        page.markup(
            f"<details{opened}><summary>{len(others)} of {total:,}</summary>"
            f'<table class="files"><tr><th>file</th><th>why</th></tr>{lines}</table></details>'
        )


def _not_kept(row: Mapping[str, Any]) -> str:
    key = f'<span class="key {row["outcome"]}" role="img" aria-label="{row["outcome"]}:"></span>'
    return f"<tr><td>{key}{html.escape(row['video'])}</td><td>{html.escape(row['detail'] or row['reason'])}</td></tr>"


def _identities(page: Page, identities: Mapping[str, Any]) -> None:
    if not identities["count"]:
        return
    page.section("Identities", "Who takes how much of the data set; named by the recipe, the folder or the file.")
    rows = [
        [row["identity"], f"{row['tracks']:,}", f"{row['frames']:,}", duration(row["seconds"]), percent(row["share"])]
        for row in identities["largest"]
    ]
    listed = "all" if len(rows) == identities["count"] else f"the largest of {identities['count']:,}"
    page.markup('<div class="two">')
    page.table([f"identity ({listed})", "tracks", "frames", "time", "share"], rows)
    page.markup(f"{_spread(identities['frames'], 'identities', LARGE)}</div>")


def _quality(page: Page, figures: Mapping[str, Any]) -> None:
    quality = figures["quality"]
    if not quality:
        page.section("Quality of the tracks", "There are no tracks.")
        return
    page.section(
        "Quality of the tracks",
        "How many tracks have which value; the number above a chart is its highest bar, and the outermost bars count "
        "what lies beyond them. A dashed line is a limit of this run; orange is what it left out.",
    )
    _spreads(page, quality, "tracks")
    names = ("column", "least", "q5", "median", "q95", "most", "missing", "unit")
    rows = [[figure(row[name]) for name in names] for row in quality]
    page.markup("<details><summary>The same as a table</summary>")
    page.table(["column", "least", "5 %", "median", "95 %", "most", "missing", "unit"], rows)
    page.markup("</details>")


def _spreads(page: Page, histograms: Sequence[Mapping[str, Any]], of: str) -> None:
    cells = "".join(_spread(row, of) for row in histograms)
    page.markup(f'<div class="charts">{cells}</div>')


def _spread(row: Mapping[str, Any], of: str, size: tuple[int, int] = SMALL) -> str:
    series = {"kept": row["kept"]} | ({"filtered": row["filtered"]} if any(row["filtered"]) else {})
    unit = row["unit"] if row["unit"] not in ("", "1", "count") else "\N{NO-BREAK SPACE}"  # charts stand in line
    notes = [_range(row), f"{row['missing']:,} without a value" if row["missing"] else ""]
    if row["limits"]:
        notes.append(f"limit {' and '.join(map(short, row['limits']))}, {sum(row['filtered']):,} left out")
    label = f"Histogram of {row['column']}: {'; '.join(filter(None, notes))}"
    chart = charts.histogram(series, row["edges"], label, limits=row["limits"], unit=of, size=size)
    words = html.escape(f"{_sentence(row['description'])} {_sentence('; '.join(filter(None, notes)))}")
    title = f"<h3>{html.escape(row['column'])} <small>{html.escape(unit)}</small></h3>"
    return f"<figure>{title}{chart}<figcaption>{words}</figcaption></figure>"


def _range(row: Mapping[str, Any]) -> str:
    if not row["known"]:
        return ""
    if row["least"] == row["most"]:
        return f"always {short(row['median'])}"
    return f"median {short(row['median'])}, from {short(row['least'])} to {short(row['most'])}"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "." if words else ""


def _jitter(page: Page, jitter: Mapping[str, Any] | None) -> None:
    if jitter is None:
        return
    raw, aligned = jitter["raw_median"], jitter["aligned_median"]
    factor = f", {raw / aligned:.1f} times less" if aligned else ""
    page.section(
        "Jitter before and after",
        f"Mean acceleration of the landmarks within the face, {jitter['unit']}: median {short(raw)} as detected (raw), "
        f"{short(aligned)} after temporal alignment{factor}. Of {jitter['tracks']:,} tracks {jitter['calmer']:,} are "
        "calmer. A face that moves accelerates too, so the least is not 0.",
    )
    series = {"raw": jitter["raw"], "aligned": jitter["aligned"]}
    both = charts.histogram(series, jitter["edges"], "Histogram of jitter, raw and aligned", stacked=False, size=LARGE)
    scatter = charts.pairs(
        jitter["pairs"], jitter["edges"][-1], "Jitter of each track, raw across, aligned up", ("raw", "aligned")
    )
    page.markup(
        f'<div class="two"><figure>{both}<figcaption>{_KEY} tracks by jitter</figcaption></figure><figure>{scatter}'
        "<figcaption>Each track, raw across and aligned up; below the dashed line it became calmer. Larger dots are "
        "several tracks.</figcaption></figure></div>"
    )


_KEY = '<span class="key raw"></span>raw &ensp;<span class="key aligned"></span>aligned &ensp;'


def _tracks(page: Page, dataset: Dataset, examples: Sequence[Mapping[str, Any]]) -> None:
    if not any(row[LOWEST] for row in examples):
        return
    page.section(
        "Best and worst tracks",
        "Frames spread over the track, and the motion of a landmark that should hardly move: what trembles is jitter.",
    )
    page.markup(f"<p>{_KEY} Curves: height of the left eye's outer corner within the face, up to {TRACED} frames.</p>")
    shown = [(row["by"], track) for row in examples for end in (LOWEST, HIGHEST) for track in row[end]]
    cards = {
        (by, track["track_id"]): card(dataset, by, track)
        for by, track in progress.track(shown, "drawing tracks", len(shown))
    }
    for number, row in enumerate(examples):
        opened = " open" if number == 0 else ""
        page.markup(f"<details{opened}><summary>By {html.escape(row['by'])}</summary>{_ends(row, cards)}</details>")


def _ends(row: Mapping[str, Any], cards: Mapping[tuple[str, str], str]) -> str:
    """The two ends of one column, the good one first."""
    if not row[LOWEST]:
        return "<p>No track has a value.</p>"
    titles = dict(zip((LOWEST, HIGHEST), ENDS[row["better"] or ""], strict=True))
    order = (HIGHEST, LOWEST) if row["better"] == HIGH else (LOWEST, HIGHEST)
    sides = (
        f"<div><h3>{titles[end]} {html.escape(row['by'])}</h3>"
        + "".join(cards[row["by"], track["track_id"]] for track in row[end])
        + "</div>"
        for end in order
        if row[end]
    )
    return f'<div class="sides">{"".join(sides)}</div>'


def _settings(metadata: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in metadata.get("config", {}).items() if not name.startswith("alignment.")}
    return ", ".join(f"{name} {value}" for name, value in plain.items())
