"""Manifests: the files in which a data set lists its videos, and cuts clips out of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from s2d.curation.clip import Clip
from s2d.curation.recipes.keys import Keys
from s2d.curation.recipes.pattern import Pattern

FORMATS = ("text", "csv", "json")
UNITS = ("seconds", "frames")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Manifest:
    """How to read the rows of a manifest; a row is a mapping of fields to texts."""

    files: Pattern
    """Path below the root; its fields are fields of every row."""
    format: str
    columns: tuple[str, ...]
    """Names of the columns of a text without a header; one that ends in * takes all further ones, a row for each."""
    separator: str | None
    """Between columns of a text; None for white space."""
    under: str
    """Key in JSON that holds the rows, by name or as a list."""
    start: str
    """Field with the start of the clip; empty where rows are whole videos."""
    end: str
    """Field with its end; empty where the field `start` holds both, as "00:30-01:00"."""
    end_included: bool
    in_frames: bool
    rate: float | None
    """Frames a second that the frame numbers count, if not the video's own."""
    box: tuple[str, ...]
    """Fields with left, top, right and bottom, or one with all four, as "624-48-1018-553"; empty: there is no box."""
    box_size: tuple[str, ...]
    """Fields with the width and height that the box is in; empty where it is in shares."""

    def rows(self, text: str) -> Iterator[dict[str, str]]:
        """The rows of one file. Raises ValueError when it is not of this format."""
        if self.format == "json":
            yield from self._json_rows(text)
        elif self.format == "csv":
            yield from ({str(k): str(v) for k, v in row.items()} for row in csv.DictReader(io.StringIO(text)))
        else:
            for number, line in enumerate(text.splitlines(), 1):
                if line.strip():
                    yield from self._text_rows(line, number)

    def _text_rows(self, line: str, number: int) -> Iterator[dict[str, str]]:
        values = [value.strip() for value in line.split(self.separator)]
        *columns, last = self.columns
        fixed = dict(zip(columns, values, strict=False))
        rest = values[len(columns) :]
        if not rest or (len(rest) > 1 and not last.endswith("*")):
            raise ValueError(f"line {number} has {len(values)} columns, not {len(self.columns)}")
        yield from ({**fixed, last.rstrip("*"): value} for value in rest)

    def _json_rows(self, text: str) -> Iterator[dict[str, str]]:
        held = json.loads(text)
        for key in filter(None, self.under.split(".")):
            held = held.get(key) if isinstance(held, Mapping) else None
        if isinstance(held, list):
            held = {str(number): row for number, row in enumerate(held)}
        if not isinstance(held, Mapping):
            raise ValueError(f"it has no rows under {self.under!r}")
        for key, row in held.items():
            yield {"key": str(key), **dict(_flat(row))}

    def clip(self, row: Mapping[str, str]) -> Clip | None:
        """The part of its video that a row means, or None for all of it.

        Raises KeyError for a missing field, ValueError for what is no range.
        """
        if not self.start:
            return None
        if self.end:
            start, end = _moment(row[self.start]), _moment(row[self.end])
        else:
            start, end = map(_moment, row[self.start].split("-"))
        end += self.end_included
        if self.in_frames and self.rate:
            start, end = start / self.rate, end / self.rate
        if not end > start:
            raise ValueError(f"a clip from {start:g} to {end:g}")
        return Clip(start, end, self.in_frames and not self.rate, self._box(row) if self.box else None)

    def _box(self, row: Mapping[str, str]) -> tuple[float, float, float, float]:
        texts = _NUMBER.findall(row[self.box[0]]) if len(self.box) == 1 else [row[name] for name in self.box]
        width, height = (float(row[name]) for name in self.box_size) if self.box_size else (1.0, 1.0)
        if len(texts) != 4 or not (width > 0 and height > 0):
            raise ValueError(f"a box of {' '.join(texts)} in {width:g} x {height:g}")
        left, top, right, bottom = map(float, texts)
        return left / width, top / height, right / width, bottom / height


def read_manifest(keys: Keys | None) -> Manifest | None:
    """The `manifest` part of a recipe; raises S2DError for wrong keys."""
    if keys is None:
        return None
    keys.only(
        "files", "format", "columns", "separator", "under", "start", "end", "end_included", "unit", "rate", "box",
        "box_size",
    )  # fmt: skip
    kind = keys.choice("format", FORMATS)
    columns, size = keys.texts("columns", []), keys.texts("box_size", [])
    if kind == "text" and not columns:
        raise keys.wrong("columns", "missing", "name the columns of the text")
    if len(size) not in (0, 2):
        raise keys.wrong("box_size", f"{size!r} are not two fields", "name the fields of width and height")
    return Manifest(
        files=Pattern(keys.text("files")),
        format=kind,
        columns=tuple(columns),
        separator=keys.text("separator") if keys.has("separator") else None,
        under=keys.text("under", ""),
        start=keys.text("start", ""),
        end=keys.text("end", ""),
        end_included=keys.flag("end_included"),
        in_frames=keys.choice("unit", UNITS) == "frames",
        rate=keys.number("rate"),
        box=tuple(keys.texts("box", [])),
        box_size=tuple(size),
    )


def _flat(row: object, trail: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested mappings, under dotted names."""
    if isinstance(row, Mapping):
        for key, value in row.items():
            yield from _flat(value, f"{trail}.{key}" if trail else str(key))
    else:
        yield trail, str(row)


def _moment(text: Any) -> float:  # noqa: ANN401
    """Seconds (or frames) of "81.62", "01:35" or "1:02:03".

    >>> _moment("01:35"), _moment("81.62")
    (95.0, 81.62)
    """
    seconds = 0.0
    for part in str(text).strip().split(":"):
        seconds = 60 * seconds + float(part)
    return seconds
