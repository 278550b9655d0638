"""Names of files are shown as they are, whatever they look like to the library that draws the tables."""

from __future__ import annotations

import pytest

from s2d.cli.output import emit, table


@pytest.mark.parametrize("name", ["clip [take 2].mp4", "[/end].mp4", "[bold]a[/bold]", "a:smile:.mp4", "ends in \\"])
def test_titles_headings_cells_and_lines_are_plain_text(capsys, name):
    emit({}, [table(f"title {name}", [f"heading {name}", "figure"], [(f"cell {name}", 1.5)]), f"line {name}"], False)
    shown = capsys.readouterr().out
    for place in ("title", "heading", "cell", "line"):
        assert f"{place} {name}" in shown
