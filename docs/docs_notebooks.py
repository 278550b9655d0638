"""Executed notebooks as pages: their text, code and committed outputs, without running anything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # what a terminal takes for bold and colours


def setup(app: Sphinx) -> dict[str, bool]:
    """Write a page of Markdown per notebook before Sphinx looks for its sources."""
    folder = Path(app.srcdir) / "notebooks"
    folder.mkdir(exist_ok=True)
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        page = _page(json.loads(notebook.read_text(encoding="utf-8")))
        target = folder / f"{notebook.stem}.md"
        if not target.exists() or target.read_text(encoding="utf-8") != page:
            target.write_text(page, encoding="utf-8")
    return {"parallel_read_safe": True}


def _page(notebook: dict[str, Any]) -> str:
    parts = [part for cell in notebook["cells"] for part in _cell(cell)]
    return "\n\n".join(parts) + "\n"


def _cell(cell: dict[str, Any]) -> list[str]:
    source = _text(cell["source"])
    if cell["cell_type"] != "code":
        return [source]
    return [_fenced(source, "python"), *(_output(output) for output in cell["outputs"])]


def _output(output: dict[str, Any]) -> str:
    """A picture, a table, or what was printed."""
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img class="output" alt="output of the cell above" src="data:image/png;base64,{data["image/png"]}">'
    if "text/html" in data:
        table = STYLE.sub("", _text(data["text/html"])).strip()
        return f'<div class="output">{table}</div>'.replace("\n\n", "\n")
    return _fenced(COLOUR.sub("", _text(output.get("text") or data.get("text/plain", ""))), "text")


def _text(given: str | list[str]) -> str:
    return given if isinstance(given, str) else "".join(given)


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````"
