"""Options that say what to filter by; all end in one list of names and numbers, `args.filters`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from s2d.cli.arguments import at_least


def add_filter_arguments(parser: argparse.ArgumentParser) -> None:
    """`--filter NAME=NUMBER`, two short forms of it, and `--list-filters`."""
    group = parser.add_argument_group("filters", "what breaks a limit is recorded with reason, value and limit")

    def add(option: str, kind: Callable[[str], tuple[str, float | None]], metavar: str, says: str) -> None:
        group.add_argument(option, dest="filters", action="append", type=kind, metavar=metavar, help=says)

    add("--filter", _named_number, "NAME=NUMBER", "limit a measure, such as max_abs_yaw=45; NAME=off: no limit")
    add("--min-frames", _number_of("min_frames", at_least(1)), "N", "filter shorter tracks (default: 15)")
    add("--min-face-px", _number_of("min_face_px", at_least(0)), "PX", "filter smaller faces (default: 64)")
    group.add_argument("--list-filters", nargs=0, action=_ListFilters, help="list all that may be limited, and exit")


def _named_number(text: str) -> tuple[str, float | None]:
    name, equals, number = text.partition("=")
    try:
        return name.strip(), None if number == "off" else float(number)
    except ValueError:
        why = f"{text} is not NAME=NUMBER" if not equals else f"{number} is no number"
        raise argparse.ArgumentTypeError(why) from None


def _number_of(name: str, parse: Callable[[str], int]) -> Callable[[str], tuple[str, float | None]]:
    return lambda text: (name, float(parse(text)))


class _ListFilters(argparse.Action):
    """Like --help: prints, and ends the program."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        from s2d.cli.output import emit, table
        from s2d.curation.limits import DEFAULTS, LEAST, MOST, columns

        rows = []
        for name, field in columns().items():
            default = ", ".join(f"{end}{DEFAULTS[end + name]:g}" for end in (LEAST, MOST) if end + name in DEFAULTS)
            rows.append((name, field.metadata[b"unit"].decode(), default, field.metadata[b"description"].decode()))
        title = f"Filters: {LEAST}NAME or {MOST}NAME, with NAME one of"
        emit({}, [table(title, ("NAME", "unit", "default", "what is measured"), rows)], as_json=False)
        parser.exit()
