"""Notebooks as they are committed: a question, outputs, an answer, and nothing of the machine that ran them.

That they run is nbmake's business: `make test`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.snippets import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MACHINE = re.compile(
    r"/(?:home|root|tmp|work|mnt|Users|private|var|opt|usr)/|\.venv|site-packages|://(?:localhost|127\.)"
)


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def cells(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return json.loads(Path(request.param).read_text(encoding="utf-8"))["cells"]


def outputs_of(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [output for cell in cells for output in cell.get("outputs", [])]


def test_it_opens_with_a_question_and_ends_with_an_answer(cells: list[dict[str, Any]]):
    first, last = "".join(cells[0]["source"]), "".join(cells[-1]["source"])
    assert first.startswith("# ")
    assert first.splitlines()[0].endswith("?")
    assert last.startswith("## Answer\n")
    assert len(last) > 200


def test_it_was_run_from_top_to_bottom(cells: list[dict[str, Any]]):
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))


def test_its_outputs_are_there_and_none_is_an_error(cells: list[dict[str, Any]]):
    kinds = [output["output_type"] for output in outputs_of(cells)]
    assert any("image/png" in output.get("data", {}) for output in outputs_of(cells))
    assert "error" not in kinds


def test_no_output_tells_of_the_machine(cells: list[dict[str, Any]]):
    for output in outputs_of(cells):
        words = {kind: text for kind, text in output.get("data", {}).items() if not kind.startswith("image/")}
        text = json.dumps([words, output.get("text", "")])
        assert not MACHINE.search(text), MACHINE.search(text)


def test_a_path_would_be_noticed():
    assert MACHINE.search("/home/someone/.venv/lib")
    assert not MACHINE.search("videos/eileen/calm-0.mp4")


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 4
