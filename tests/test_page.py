"""The page: whole in one file, safe for any text, best cells marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.images import encode_jpeg, write_image
from s2d.page import Page

PICTURE = np.full((8, 8, 3), 200, np.uint8)


def written(page: Page, path: Path) -> str:
    page.write(path, "footer")
    return path.read_text(encoding="utf-8")


def test_text_is_escaped(tmp_path: Path) -> None:
    page = Page("<T>", "a & b")
    page.section("s<", "p>")
    page.command("x < y")
    page.table(["<c>"], [["<d>"]])
    text = written(page, tmp_path / "page.html")
    for escaped in ("&lt;T&gt;", "a &amp; b", "s&lt;", "p&gt;", "x &lt; y", "&lt;c&gt;", "&lt;d&gt;"):
        assert escaped in text


def test_best_cells_and_words(tmp_path: Path) -> None:
    page = Page("t", "l")
    page.table(["name", "a", "b"], [["one", "1", "2"], ["two", "3", "4"]], best={(0, 1), (1, 2)})
    text = written(page, tmp_path / "page.html")
    assert "<td class=words>one</td><td class=best>1</td><td>2</td>" in text
    assert "<td>3</td><td class=best>4</td>" in text


def test_pictures_from_files_and_bytes_are_embedded(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", PICTURE)
    page = Page("t", "l")
    page.picture(tmp_path / "a.png", "file")
    page.picture(encode_jpeg(PICTURE), "bytes", wide=True)
    text = written(page, tmp_path / "page.html")
    assert text.count("data:image/png;base64,iVBOR") == 1
    assert text.count("data:image/jpeg;base64,/9j/") == 1
    assert text.count('<div class="scroll wide">') == 1


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(S2DError, match="cannot write"):
        Page("t", "l").write(tmp_path / "file" / "page.html", "")
