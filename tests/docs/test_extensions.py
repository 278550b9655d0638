"""What docs/ adds to Sphinx: docstrings, notebooks and tables become what a page needs."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from s2d.landmarks.jitter import METRICS
from s2d.shards.schema import SCHEMAS
from tests.docs.snippets import ROOT


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mended(text: str) -> list[str]:
    lines = text.splitlines()
    load("docs_docstrings")._mend(lines)
    return lines


def test_what_restructured_text_would_take_for_markup_is_escaped_outside_of_code():
    assert mended("|x - x*| of `a*b`, see data_") == [r"\|x - x\*\| of `a*b`, see data\_"]


def test_examples_and_indented_blocks_stay_as_they_are():
    assert mended(">>> a * b\n6*\n\nOf * the") == [">>> a * b", "6*", "", r"Of \* the"]
    assert mended("Minimise\n\n    a * b\n      + c\n\nwith") == [
        "Minimise", "", "::", "", "    a * b", "      + c", "", "with",
    ]  # fmt: skip


def test_arguments_become_a_list():
    assert mended("Args:\n    lr: rate of *AdamW*,\n        constant.") == [
        "Args:", "", r"- `lr`: rate of \*AdamW\*,", "  constant.",
    ]  # fmt: skip


def test_a_notebook_becomes_a_page_with_its_outputs():
    code = {"cell_type": "code", "source": ["1 + 1"], "outputs": []}
    code["outputs"].append({"output_type": "stream", "text": ["\x1b[1mbold\x1b[0m\n"]})
    code["outputs"].append({"data": {"image/png": "QUJD", "text/plain": "<Figure>"}})
    code["outputs"].append({"data": {"text/html": ["<style>p {}</style>\n<table></table>"], "text/plain": "x"}})
    page = load("docs_notebooks")._page({"cells": [{"cell_type": "markdown", "source": "# Why?"}, code]})
    assert page.startswith("# Why?\n\n````python\n1 + 1\n````\n\n````text\nbold\n````\n\n<img ")
    assert "base64,QUJD" in page
    assert page.endswith('<div class="output"><table></table></div>\n')


@pytest.mark.parametrize(
    "name", ["videos", "tracks", "frames", "metrics", "figures", "filters", "weights", "losses", "assets"]
)
def test_tables_have_rows_as_wide_as_their_headings(name: str):
    heading, *rows = load("docs_tables").TABLES[name]()
    assert rows
    assert {len(row) for row in rows} == {len(heading)}


def test_tables_hold_everything():
    tables = load("docs_tables").TABLES
    assert [row[0] for row in tables["tracks"]()[1:]] == [f"`{name}`" for name in SCHEMAS["tracks"].names]
    assert [row[0] for row in tables["metrics"]()[1:]] == [f"`{name}`" for name in METRICS]


def test_help_is_that_of_the_command():
    text = load("docs_tables").command_parser("jitter").format_help()
    assert "--landmarks" in text
    assert "usage: s2d jitter" in text
