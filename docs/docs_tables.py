"""Tables and help texts made from the code itself, so that these pages cannot say anything else.

```{s2d-table} NAME
```

with NAME one of TABLES, and `{s2d-help} COMMAND`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from s2d import cli
from s2d.assets import ASSETS
from s2d.curation.limits import DEFAULTS, columns
from s2d.evaluation.figures import FIGURES
from s2d.landmarks import weights
from s2d.landmarks.jitter import METRICS
from s2d.landmarks.layout import PARTS
from s2d.shards.schema import SCHEMAS
from s2d.training.objective import LossWeights

Rows = list[Sequence[str]]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both directives."""
    app.add_directive("s2d-table", Table)
    app.add_directive("s2d-help", Help)
    return {"parallel_read_safe": True}


def _schema(table: str) -> Callable[[], Rows]:
    def rows() -> Rows:
        made: Rows = [("column", "type", "unit", "what it is")]
        for field in SCHEMAS[table]:
            kind = str(field.type).replace("item: ", "").replace("element: ", "")
            kind = "list of structs" if "struct" in kind else kind.replace(" not null", "")
            meaning = {key.decode(): text.decode() for key, text in field.metadata.items()}
            kind += ", may be null" if field.nullable else ""
            made.append((f"`{field.name}`", kind, meaning["unit"], meaning["description"]))
        return made

    return rows


def _metrics() -> Rows:
    rows: Rows = [("figure", "unit", "best", "what it says")]
    for name, metric in METRICS.items():
        rows.append((f"`{name}`", metric.unit, "" if metric.goal is None else f"{metric.goal:g}", metric.says))
    return rows


def _figures() -> Rows:
    rows: Rows = [("figure", "best", "what it says")]
    for name, figure in FIGURES.items():
        rows.append((f"`{name}`", "more" if figure.aim == float("inf") else f"{figure.aim:g}", figure.meaning))
    return rows


def _filters() -> Rows:
    rows: Rows = [("name", "unit", "default", "what is measured")]
    for name, field in columns().items():
        limits = ", ".join(f"{end}{DEFAULTS[end + name]:g}" for end in ("min_", "max_") if end + name in DEFAULTS)
        meaning = {key.decode(): text.decode() for key, text in field.metadata.items()}
        rows.append((f"`{name}`", meaning["unit"], limits, meaning["description"]))
    return rows


def _weights() -> Rows:
    rows: Rows = [("part", "detection", "reach", "flow", "acceleration", "moves with the head")]
    for part in weights.TABLE:
        inside = {name for name, members in PARTS.items() if set(members) <= set(part.landmarks)}
        name = ", ".join(sorted(inside)) or ("corners of the eyes" if 36 in part.landmarks else "lids")
        numbers = (part.detection, part.reach, part.flow, part.acceleration)
        cells = ["∞" if number == float("inf") else f"{number:g}" for number in numbers]
        rows.append((name.replace("_", " "), *cells, "yes" if part.rigid else ""))
    return rows


def _losses() -> Rows:
    usual = LossWeights()
    names = [field.name for field in fields(LossWeights) if not field.name.endswith(("_steps", "_start", "network"))]
    return [("loss", "default weight"), *((f"`{name}`", f"{getattr(usual, name):g}") for name in names)]


def _assets() -> Rows:
    rows: Rows = [("file", "detector", "MB", "licence", "from")]
    rows += [(item.name, item.detector, f"{item.size / 1e6:.1f}", item.licence, str(item.origin)) for item in ASSETS]
    return rows


TABLES: dict[str, Callable[[], Rows]] = {
    **{name: _schema(name) for name in SCHEMAS},
    "metrics": _metrics,
    "figures": _figures,
    "filters": _filters,
    "weights": _weights,
    "losses": _losses,
    "assets": _assets,
}


class Table(Directive):
    """A table by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Its nodes; the first row is the heading."""
        heading, *rows = TABLES[self.arguments[0]]()
        group = nodes.tgroup(cols=len(heading))
        group += [nodes.colspec(colwidth=1) for _ in heading]
        head, body = nodes.thead(), nodes.tbody()
        head += _row(heading)
        body += [_row(row) for row in rows]
        group += [head, body]
        table = nodes.table(classes=["explained"] if heading[-1].startswith("what") else [])
        table += group
        return [table]


def _row(cells: Sequence[str]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        paragraph = nodes.paragraph()
        code = cell.startswith("`")
        paragraph += nodes.literal(text=cell.strip("`")) if code else nodes.Text(cell)
        entry = nodes.entry()
        entry += paragraph
        row += entry
    return row


class Help(Directive):
    """What `s2d COMMAND --help` prints, 88 columns wide."""

    required_arguments = 1
    width: ClassVar[str] = "88"

    def run(self) -> list[nodes.Node]:
        """One literal block."""
        before = os.environ.get("COLUMNS")
        os.environ["COLUMNS"] = self.width
        try:
            text = command_parser(self.arguments[0]).format_help()
        finally:
            os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
        block = nodes.literal_block(text, text)
        block["language"] = "text"
        return [block]


def command_parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    parser = cli._parser([command])
    actions = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    found: argparse.ArgumentParser = next(actions).choices[command]
    return found
