"""Docstrings as they are written here: plain text with `code` in backticks, and examples; to reStructuredText."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

CODE = re.compile(r"(`+[^`]+`+)")
SPECIAL = re.compile(r"([*|\\])|(?<=\w)(_)(?!\w)")  # what reStructuredText would take for markup
SECTION = re.compile(r"^(Args|Raises|Returns):$")
ITEM = re.compile(r"^ +(\w+): (.*)$")


def setup(app: Sphinx) -> dict[str, bool]:
    """Mend every docstring before it is parsed."""
    app.connect("autodoc-process-docstring", lambda *given: _mend(given[-1]))
    return {"parallel_read_safe": True}


def _mend(lines: list[str]) -> None:
    """In place. Examples and indented blocks stay as they are; the rest is plain text."""
    mended: list[str] = []
    kind = "text"
    for number, line in enumerate(lines):
        blank_before = not number or not lines[number - 1].strip()
        if line.startswith(">>>"):
            kind = "example"
        elif not line.strip():
            kind = "text" if kind == "example" else kind
        elif SECTION.match(line):
            kind = "section"
        elif not line.startswith(" ") and kind != "example":
            kind = "text"
        elif blank_before and kind == "text":
            mended += [] if kind == "block" else ["::", ""]
            kind = "block"
        mended += _line(line, kind)
    lines[:] = mended


def _line(line: str, kind: str) -> list[str]:
    if kind in ("example", "block"):
        return [line]
    if kind == "section" and (item := ITEM.match(line)):
        return ["", f"- `{item[1]}`: {escaped(item[2])}"]
    if kind == "section" and line.startswith(" "):
        return [f"  {escaped(line.strip())}"]
    return [escaped(line)]


def escaped(line: str) -> str:
    r"""A line whose special characters outside of code mean themselves.

    >>> escaped("|x - x*| of `a*b`")
    '\\|x - x\\*\\| of `a*b`'
    """
    parts = CODE.split(line)
    return "".join(part if CODE.fullmatch(part) else SPECIAL.sub(_escape, part) for part in parts)


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[0]
