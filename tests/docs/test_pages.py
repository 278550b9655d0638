"""What README.md and docs/ tell people to type works."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from s2d import cli
from tests.docs import snippets
from tests.docs.snippets import PAGES, ROOT, Snippet

RUNNING = [page for page in PAGES if any(block.language in ("sh", "python") for block in snippets.snippets(page))]
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(params=PAGES, ids=name_of)
def page(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.mark.parametrize("running", RUNNING, ids=name_of)
def test_snippets_run(running: Path, desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path / "desk"
    shutil.copytree(desk, place)
    monkeypatch.chdir(place)
    names: dict[str, object] = {}
    for snippet in snippets.snippets(running):
        _try(snippet, place, names)


def _try(snippet: Snippet, place: Path, names: dict[str, object]) -> None:
    if snippet.language == "python":
        exec(snippet.code, names)
    if snippet.language == "yaml" and (named := re.match(r"name: (\w+)\n", snippet.code)):
        (place / f"{named[1]}.yaml").write_text(snippet.code, encoding="utf-8")
    for words in snippet.commands:
        own = snippets.own_words(words)
        if own is not None and snippet.why is None:
            snippets.run(own)
        elif own is not None:
            snippets.parse(own)


def test_commands_in_sentences_are_there(page: Path):
    for _, command, *rest in snippets.mentions(page):
        assert command in cli.COMMANDS
        if command != "train":  # whose other options are LightningCLI's
            named = {word.partition("=")[0] for word in rest if word.startswith("--")}
            assert named <= snippets.options(command), f"{command} {rest}"


def test_links_lead_somewhere(page: Path):
    for target, place in LINK.findall(page.read_text(encoding="utf-8")):
        there = page.parent / target if target else page
        made = ROOT / "notebooks" / there.with_suffix(".ipynb").name
        assert there.exists() or made.exists(), target
        assert not place or place in _anchors(there), f"{target}#{place}"


def _anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub and MyST make them."""
    headings = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_a_wrong_command_would_be_noticed():
    block = Snippet("sh", "s2d jitter clip.mp4 --nonsense 1  # a comment\n", None)
    assert block.commands == [["s2d", "jitter", "clip.mp4", "--nonsense", "1"]]
    with pytest.raises(AssertionError, match="does not know"):
        snippets.parse(block.commands[0][1:])
    with pytest.raises(pytest.fail.Exception, match="nonsense"):
        snippets.parse(["train", "--data", "DATA", "--model.nonsense", "1"])
    with pytest.raises(pytest.fail.Exception, match="ended with 2"):
        snippets.run(["jitter"])
