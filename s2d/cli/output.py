"""How commands print: a human table, or exactly one JSON object."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPED_WIDTH = 160


def emit(result: Mapping[str, Any], tables: Sequence[Table | str], as_json: bool) -> None:
    """Print `result` as one JSON object, or `tables` for people."""
    if as_json:
        print(json.dumps(_plain(result), ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False, emoji=False, width=room())
    for table in tables:
        console.print(table, markup=False) if isinstance(table, str) else console.print(table)


def tell(note: str) -> None:
    """Print a line on what may be wrong with a result, before there is one."""
    emit({}, [f"note: {note}"], as_json=False)


def room() -> int:
    """Characters in a line of the terminal; where there is no terminal, enough that no cell is folded."""
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return shutil.get_terminal_size().columns if known else PIPED_WIDTH


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], figures: Collection[int] = ()) -> Table:
    """A table with words to the left and figures to the right, in their shortest exact form.

    `figures` are columns of figures that were made words already.
    """
    made = Table(title=escape(title), title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        words = index not in figures and all(isinstance(row[index], str) for row in rows)
        made.add_column(escape(column), justify="left" if words else "right", overflow="fold")
    for row in rows:
        made.add_row(*(escape(_cell(value)) for value in row))
    return made


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Numbers of numpy as numbers, NaN and infinity as null: JSON has neither."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
