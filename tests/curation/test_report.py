"""The page: whole, self-contained, the same bytes each time, and fitting a wide and a narrow window."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import fsspec
import pytest

from s2d.cli import main
from s2d.curation.report import write_report
from s2d.errors import S2DError, UsageError
from s2d.shards.reader import open_dataset
from tests.curation.report_data import write_data
from tests.shards.conftest import write_example

VOID = {"meta", "img", "br"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Balance(HTMLParser):
    """Fails where an element is closed that is not open; collects ids and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def make(folder: Path, page: Path, **options: object) -> str:
    write_report(open_dataset(folder), page, name="mine", **options)  # type: ignore[arg-type]
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("report") / "data")


def test_page_is_well_formed_and_needs_nothing_else(data: Path, tmp_path: Path) -> None:
    page = make(data, tmp_path / "report.html")
    checked = Balance()
    checked.feed(page)
    assert checked.open == []
    assert len(checked.ids) == len(set(checked.ids)) > 0
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert not re.search(r"https?:|url\(|@import|<script|<link", page)
    assert "&lt;script&gt;alert(1)" in page


def test_page_has_the_figures(data: Path, tmp_path: Path) -> None:
    page = make(data, tmp_path / "report.html")
    for piece in (
        "<b>6</b><span class=\"key kept\"></span>kept, 60 %", "filtered, 10 %", "failed, 30 %", "face too small",
        "detail 0", "face_px is 50, the least is 64", "limit 64, 2 left out", "1 without a value",
        "Of 6 tracks 5 are calmer", "identity (all)", "<td>83.3 %</td>", "median 3.5 as detected (raw), 1.75 after",
    ):  # fmt: skip
        assert piece in page, piece


def test_best_and_worst_tracks_by_any_column(data: Path, tmp_path: Path) -> None:
    page = make(data, tmp_path / "report.html", by=["face_px", "jitter_aligned"], each=2)
    best, worst = page.index("Best: highest face_px"), page.index("Worst: lowest face_px")
    assert best < page.index('id="face_px-track-5"') < page.index('id="face_px-track-4"') < worst
    assert worst < page.index('id="face_px-track-0"') < page.index('id="face_px-track-1"')
    assert 'id="face_px-track-2"' not in page
    assert page.index("Best: lowest jitter_aligned") < page.index("Worst: highest jitter_aligned")
    assert page.count("<article") == 8
    assert page.count("data:image/jpeg;base64,") == 8 * 4


def test_column_whose_ends_are_neither_good_nor_bad(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = make(data, tmp_path / "report.html", by=["brightness", "jitter_raw"])
    assert "By brightness</summary><p>No track has a value.</p>" in page
    monkeypatch.setattr("s2d.curation.report.BETTER", {})
    page = make(data, tmp_path / "report.html", by=["jitter_raw"])
    assert "<h3>Lowest jitter_raw</h3>" in page
    assert "Best:" not in page
    with pytest.raises(UsageError, match="choose from frames, seconds, face_px"):
        make(data, tmp_path / "report.html", by=["video"])


@pytest.mark.parametrize(
    ("column", "title"),
    [
        ("disagreement", "Best: lowest"), ("hidden_share", "Best: lowest"), ("jitter_raw", "Best: lowest"),
        ("seconds", "Best: highest"), ("face_px", "Best: highest"),
    ],
)  # fmt: skip
def test_which_end_is_the_good_one(tmp_path: Path, column: str, title: str) -> None:
    folder = write_data(tmp_path / "data", **{column: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    assert f"<h3>{title} {column}</h3>" in make(folder, tmp_path / "report.html", by=[column], each=1)


def test_same_data_same_bytes(data: Path, tmp_path: Path) -> None:
    assert make(data, tmp_path / "a.html") == make(data, tmp_path / "b.html")


@pytest.mark.parametrize(("options", "images"), [({"jpeg": False}, 6 * 4 * 3 + 5 * 4), ({"kept": False}, 0)])
def test_without_pictures_and_without_tracks(tmp_path: Path, options: dict[str, bool], images: int) -> None:
    page = make(write_data(tmp_path / "data", **options), tmp_path / "report.html")
    assert page.count("<img") == images
    assert ("There are no tracks." in page) == (images == 0)


def test_damaged_picture_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(S2DError, match=r"cannot read a picture of .*damaged"):
        make(write_example(tmp_path / "data"), tmp_path / "report.html")


def test_command(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "new" / "report.html"
    assert main(["report", str(data), "--out", str(page), "--by", "score", "face_px", "--each", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["report"] == str(page)
    assert told["totals"]["files"] == 10
    assert [row["by"] for row in told["examples"]] == ["score", "face_px"]
    assert told["examples"][1]["lowest"][0]["track_id"] == "track-0"
    assert "data:image" not in json.dumps(told)
    assert main(["report", str(data), "--out", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "not a video" in shown
    assert f"wrote {page}" in shown


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["nowhere"], 1, "no such file or folder"),
        (["DATA", "--by", "beauty"], 2, "no such column"),
        (["DATA/videos"], 1, "cannot open the data set"),
        (["FILE"], 1, "it is a file"),
    ],
)
def test_mistakes_are_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, said: str
) -> None:
    (tmp_path / "file").touch()
    given = [option.replace("DATA", str(data)).replace("FILE", str(tmp_path / "file")) for option in options]
    assert main(["report", *given, "--out", str(tmp_path / "report.html")]) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("width", [1440, 400])
def test_nothing_is_cut_off_in_a_browser(data: Path, tmp_path: Path, width: int) -> None:
    """Measured inside a frame of that width, since a headless window cannot be as narrow as a telephone."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser: install one of {', '.join(BROWSERS)} to run this test")
    make(data, tmp_path / "report.html")
    opened = (tmp_path / "report.html").read_text(encoding="utf-8").replace("<details>", "<details open>")
    (tmp_path / "report.html").write_text(opened, encoding="utf-8")
    # what a table's own scroll bar reaches may be wider than the page
    script = (
        "const f = document.querySelector('iframe'), d = f.contentDocument.documentElement;"
        "const bad = [...d.querySelectorAll('body *')].filter(e => !e.closest('.scroll') && !e.closest('svg')"
        " && e.getBoundingClientRect().right > d.clientWidth + 1).map(e => e.outerHTML.slice(0, 80));"
        "const images = [...d.querySelectorAll('img')];"
        "document.title = JSON.stringify({width: d.clientWidth, content: d.scrollWidth, bad: bad,"
        " images: images.length, broken: images.filter(i => !i.naturalWidth).length})"
    )
    frame = f'<iframe src="report.html" style="width:{width}px;height:900px;border:0" onload="{script}"></iframe>'
    (tmp_path / "frame.html").write_text(frame, encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
        "--dump-dom",
    ]
    place = [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width + 60},1000"]
    address = (tmp_path / "frame.html").as_uri()
    done = subprocess.run([browser, *flags, *place, address], capture_output=True, text=True, timeout=120, check=True)
    title = re.search("<title>(.*)</title>", done.stdout)
    assert title, done.stderr
    seen = json.loads(title[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert seen["bad"] == []
    assert (seen["width"], seen["content"]) == (width, width)
    assert seen["images"] > 0
    assert seen["broken"] == 0


def test_a_data_set_behind_a_url(data: Path, tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    system.put(str(data), "/talking", recursive=True)
    try:
        assert main(["report", "memory://talking", "--out", str(tmp_path / "remote.html"), "--quiet"]) == 0
    finally:
        system.rm("/talking", recursive=True)
    assert "Curation report: talking" in (tmp_path / "remote.html").read_text()
