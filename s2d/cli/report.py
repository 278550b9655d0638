"""Make one HTML page of a data set: outcomes and reasons, quality, jitter before and after, best and worst tracks.

examples:
  s2d report DATASET --out report.html
  s2d report DATASET --out report.html --by yaw_max score --each 8
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2d.cli.arguments import at_least

if TYPE_CHECKING:
    from rich.table import Table

MOST_EACH = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d report`."""
    from s2d.curation.report import BY, EACH

    parser.add_argument("path", metavar="DIR", help="folder of a data set, or its URL")
    parser.add_argument("--out", required=True, metavar="HTML", help="the page, with everything in it")
    columns = f"columns whose best and worst tracks are shown (default: {' '.join(BY)})"
    parser.add_argument("--by", nargs="+", default=list(BY), metavar="COLUMN", help=columns)
    parser.add_argument(
        "--each", type=at_least(0, MOST_EACH), default=EACH, metavar="N", help=f"tracks at either end (default: {EACH})"
    )


def run(args: argparse.Namespace) -> None:
    """Write the page and print its main figures."""
    from s2d.cli.output import emit
    from s2d.curation.report import check_measures, write_report
    from s2d.errors import S2DError
    from s2d.files import check_writable
    from s2d.shards.reader import open_dataset
    from s2d.storage import location, reaching

    by = list(dict.fromkeys(args.by))
    check_measures(by)
    check_writable(args.out)
    place = location(args.path)
    with reaching(place):
        if place.is_file():
            raise S2DError(f"cannot report on {place}", "it is a file, without outcomes", "give a data set's folder")
    name = place.resolve().name if isinstance(place, Path) else place.name
    figures = write_report(open_dataset(place), args.out, name=name, by=by, each=args.each)
    emit({"path": args.path, "report": args.out, **figures}, _tables(args.path, args.out, figures), args.json)


def _tables(path: str, out: str, figures: dict[str, Any]) -> list[Table | str]:
    from s2d.cli.output import table

    outcomes = [(row["outcome"], row["files"], 100 * row["share"]) for row in figures["outcomes"]]
    shown: list[Table | str] = [table(path, ("outcome", "files", "%"), outcomes)]
    if figures["reasons"]:
        rows = [(row["reason"], row["outcome"], row["files"]) for row in figures["reasons"]]
        shown.append(table("Why not kept", ("reason", "outcome", "files"), rows))
    return [*shown, f"wrote {out}"]
