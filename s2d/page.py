"""One self-contained HTML page: text, tables, pictures and videos, nothing beside it and nothing from the network."""

from __future__ import annotations

import base64
import html
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2d.files import whole_file

PNG = b"\x89PNG"
STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5d6470; --line: #d8dce2; --paper: #fff; --tint: #f3f5f8;
  --best: #00707f; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #a0a7b3; --line: #3a3f47; --paper: #16181c; --tint: #202329; --best: #58c7d6; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.2rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; }
p { margin: .4rem 0 .9rem; max-width: 44rem; }
.lead, figcaption, footer { color: var(--soft); }
figure { margin: 1rem 0; }
figcaption { font-size: .9rem; margin-top: .3rem; }
img, video { display: block; max-width: 100%; height: auto; border-radius: 6px; background: var(--tint); }
.scroll { overflow-x: auto; }
td.words:not(:first-child) { min-width: 11rem; }
.wide img { min-width: 44rem; max-width: none; width: 100%; }
.best { font-weight: 700; color: var(--best); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .95rem; }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
.words { text-align: left; white-space: normal; }
pre { background: var(--tint); padding: .7rem .9rem; border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .9rem; }
footer { margin-top: 3rem; font-size: .9rem; }
"""


@dataclass
class Page:
    """Collects blocks in order; `write` makes the file."""

    title: str
    lead: str
    style: str = ""
    """CSS added to STYLE."""
    blocks: list[str] = field(default_factory=list)

    def section(self, title: str, text: str) -> None:
        """A heading and a paragraph."""
        self.blocks.append(f"<h2>{html.escape(title)}</h2>\n<p>{html.escape(text)}</p>")

    def text(self, text: str) -> None:
        """A paragraph."""
        self.blocks.append(f"<p>{html.escape(text)}</p>")

    def markup(self, block: str) -> None:
        """HTML or SVG made elsewhere, with all text in it escaped."""
        self.blocks.append(block)

    def command(self, *lines: str) -> None:
        """Command lines that do the same by hand."""
        self.blocks.append(f"<pre>{html.escape(chr(10).join(lines))}</pre>")

    def table(
        self, columns: Sequence[str], rows: Sequence[Sequence[Any]], best: Collection[tuple[int, int]] = ()
    ) -> None:
        """Columns of words, and the first, stand to the left, figures to the right; `best` (row, column) stand out."""
        words = [index == 0 or all(str(row[index])[:1].isalpha() for row in rows) for index in range(len(columns))]
        head = "".join(_cell("th", column, word) for column, word in zip(columns, words, strict=True))
        lines = [
            "".join(_cell("td", cell, words[column], (number, column) in best) for column, cell in enumerate(row))
            for number, row in enumerate(rows)
        ]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        self.blocks.append(f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>')

    def picture(self, picture: Path | bytes, caption: str, *, wide: bool = False) -> None:
        """A PNG or JPEG file, or its bytes, embedded; a `wide` one is scrolled on a narrow screen, not shrunk."""
        data = picture if isinstance(picture, bytes) else picture.read_bytes()
        image = embedded(data, caption)
        self._figure(f'<div class="scroll wide">{image}</div>' if wide else image, caption)

    def video(self, path: Path, caption: str) -> None:
        """An MP4, embedded."""
        source = f"data:video/mp4;base64,{_base64(path.read_bytes())}"
        self._figure(f'<video controls loop muted autoplay playsinline src="{source}"></video>', caption)

    def _figure(self, content: str, caption: str) -> None:
        self.blocks.append(f"<figure>{content}<figcaption>{html.escape(caption)}</figcaption></figure>")

    def write(self, path: Path, footer: str) -> None:
        """Write the page atomically."""
        document = (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.title)}</title><style>{STYLE}{self.style}</style></head>\n<body>\n"
            f'<h1>{html.escape(self.title)}</h1>\n<p class="lead">{html.escape(self.lead)}</p>\n'
            + "\n".join(self.blocks)
            + f"\n<footer>{html.escape(footer)}</footer>\n</body></html>\n"
        )
        with whole_file(path) as temporary:
            temporary.write_text(document, encoding="utf-8")


def embedded(picture: bytes, alt: str) -> str:
    """A PNG or JPEG as an element with the bytes in it; `alt` says what it shows."""
    kind = "png" if picture.startswith(PNG) else "jpeg"
    return f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{_base64(picture)}">'


def _cell(tag: str, content: object, words: bool, best: bool = False) -> str:
    kind = " class=words" if words else " class=best" if best else ""
    return f"<{tag}{kind}>{html.escape(str(content))}</{tag}>"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
