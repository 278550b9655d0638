"""How good an animator is, beside the baselines that it has to be better than.

examples:
  s2d evaluate --data DATA --checkpoint runs/small/best.safetensors --identities ann bob
  s2d evaluate --data DATA --checkpoint runs/small/best.safetensors --start 0.85      of one person alone: later frames
  s2d evaluate --data DATA --checkpoint runs/small/best.safetensors --protocol cross --json
  s2d evaluate --data DATA                                                              the baselines alone

protocols:
  same      the first frame of each track, moved to its later frames: these are the truth
  cross     the same picture moved by another person, in each mode of retargeting: nobody knows the truth
  temporal  neighbouring frames: does the result hold together over time

Figures are means over identities; --json adds their 95 % bootstrap intervals. A checkpoint says whom it was trained on
(older ones do not): protocol same shows known and held-out people apart, unless --identities or --start choose; a note
says how many it knows. Without these, a published test or validation split is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from s2d.cli.arguments import at_least
from s2d.evaluation import PROTOCOLS
from s2d.wording import counted, first_few

if TYPE_CHECKING:
    from rich.table import Table

MEANT = {
    "held out": "held out of the animator's training",
    "known": "trained on",
    "new": "not among those its training had",
}
APART = "Compare methods within a table: the clips of one group may move more than those of another."
NARROW = 130  # characters in a line, below which there is no room for what each figure means
MEANINGS = f"A terminal of {NARROW} columns shows what the figures mean; --json says it, too."
STARS = (
    "* best methods, none where all are alike; copy (the source as it is) and truth (the detector's own error on the "
    "true frames; across identities, what it finds in the driver's own frames) are no methods, and what is within the "
    "truth's own error is alike."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d evaluate`."""
    parser.add_argument("--data", required=True, metavar="DIR", help="data set of `s2d curate`")
    parser.add_argument("--checkpoint", metavar="FILE", help="trained weights; without: the baselines alone")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="same", help="see above (default: same)")
    parser.add_argument("--identities", nargs="+", metavar="NAME", help="evaluate on these people")
    parser.add_argument(
        "--start", type=_share, default=0.0, metavar="SHARE", help="leave out this much of each track at its beginning"
    )
    parser.add_argument("--frames", type=at_least(1), default=60, metavar="N", help="per track, at most (default: 60)")
    parser.add_argument(
        "--looks",
        type=at_least(0),
        default=6,
        metavar="N",
        help="frames per track that detectors look at in protocol same: AKD, pupils, lids, identity (default: 6)",
    )
    parser.add_argument(
        "--most",
        type=at_least(1),
        default=20,
        metavar="N",
        help="tracks, evenly spread, and pairs (default: 20)",
    )
    parser.add_argument(
        "--landmarks", choices=("aligned", "raw"), default="aligned", help="of the stored ones, those that drive"
    )
    parser.add_argument("--sheets", metavar="DIR", help="write a contact sheet per track (protocol same)")
    parser.set_defaults(usage_error=parser.error)


def run(args: argparse.Namespace) -> None:
    """Evaluate and print one table, or two for protocol cross."""
    from pathlib import Path

    from s2d.cli.output import emit, room
    from s2d.evaluation.run import Options, evaluate

    if args.sheets and args.protocol != "same":
        args.usage_error("--sheets belongs to --protocol same")
    options = Options(
        frames=args.frames,
        looks=args.looks,
        people=args.identities,
        start=args.start,
        most=args.most,
        landmarks=args.landmarks,
        sheets=Path(args.sheets) if args.sheets else None,
    )
    result = evaluate(args.data, args.checkpoint, args.protocol, options)
    notes = [why if name == "checkpoint" else f"left out: {name}, {why}" for name, why in result["notes"].items()]
    notes += [MEANINGS] if room() < NARROW else []
    emit(_with_meanings(result), [*_tables(result), *notes], args.json)


def _with_meanings(result: Mapping[str, Any]) -> dict[str, Any]:
    from s2d.evaluation.figures import FIGURES

    methods = result["methods"] if "methods" in result else next(iter(result["modes"].values()))
    names = {name for figures in methods.values() for name in figures}
    return {**result, "meanings": {name: figure.meaning for name, figure in FIGURES.items() if name in names}}


def _tables(result: Mapping[str, Any]) -> list[Table | str]:
    named, size = f"{result['data']}, protocol {result['protocol']}", f"{result['size']} px"
    tracks, people = counted(result["tracks"], "track", "tracks"), _people(result["identities"])
    title = f"{named}: {tracks}, {people}, {size}"
    if "groups" in result:
        shown = {name for group in result["groups"].values() for name in _measured(group["methods"])}
        tables = [_group(named, size, name, group, shown) for name, group in result["groups"].items()]
        return [*tables, APART, STARS]
    if "methods" in result:
        return [_table(title, result["methods"]), STARS]
    return [*(_table(f"{title}\nretargeting {mode}", methods) for mode, methods in result["modes"].items()), STARS]


def _group(named: str, size: str, name: str, group: Mapping[str, Any], shown: set[str]) -> Table:
    who = group["identities"]
    return _table(f"{named}: {_people(who)}, {size}\n{MEANT[name]}: {first_few(who)}", group["methods"], shown)


def _people(identities: Sequence[str]) -> str:
    return counted(len(identities), "identity", "identities")


def _measured(methods: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Names of the figures that any method has."""
    return {name for figures in methods.values() for name, value in figures.items() if _mean(value) is not None}


def _table(title: str, methods: Mapping[str, Mapping[str, Any]], shown: set[str] | None = None) -> Table:
    """A row per figure, those in `shown` or all that were measured; a column per method; the best of a row starred."""
    from s2d.cli.output import room, table
    from s2d.evaluation.figures import FIGURES, best

    rows = []
    for name, figure in FIGURES.items():
        values = {method: _mean(figures.get(name)) for method, figures in methods.items()}
        known = {method: value for method, value in values.items() if value is not None}
        if name in (_measured(methods) if shown is None else shown):
            winners = best(name, known)
            cells = [
                "-" if value is None else f"{'*' * (method in winners)}{value:.3g}" for method, value in values.items()
            ]
            rows.append([name, *cells, figure.meaning])
    columns = ["figure", *methods, "meaning"]
    if room() < NARROW:  # folded to a few letters, meanings would hide the figures
        rows, columns = [row[:-1] for row in rows], columns[:-1]
    return table(title, columns, rows, figures=range(1, len(methods) + 1))


def _mean(value: Any) -> float | None:  # noqa: ANN401 - an Estimate, a plain number (KID) or nothing
    import math

    mean = value[0] if isinstance(value, tuple) else value
    return None if mean is None or math.isnan(mean) else float(mean)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share, from 0 to less than 1")
    return value
