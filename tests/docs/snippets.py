"""The commands and the Python that stand in README.md and in docs/, as tests can run them.

A fenced block runs as it stands, from top to bottom of its page, unless a comment right before it says
`<!-- parsed only: REASON -->`: then its commands must only be ones that the program takes. Training runs for one batch.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from s2d import cli
from s2d.cli import train
from s2d.training.run import OptionError, Run, TrainingCLI, config_path

ROOT = Path(__file__).parents[2]
MADE = ROOT / "docs" / "notebooks"  # pages of notebooks, which nbmake runs
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").rglob("*.md")) if MADE not in page.parents)]
BLOCK = re.compile(r"(?:<!-- parsed only: (?P<why>.+?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.M | re.S)
INLINE = re.compile(r"`(s2d \w[^`]*)`")


@dataclass(frozen=True)
class Snippet:
    """One fenced block."""

    language: str
    code: str
    why: str | None
    """Why it is only parsed; None where it runs."""

    @property
    def commands(self) -> list[list[str]]:
        """Words of each command of a shell block, comments taken off."""
        lines = self.code.replace("\\\n", " ").splitlines() if self.language == "sh" else []
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def snippets(page: Path) -> list[Snippet]:
    """The blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [Snippet(found["language"], found["code"], found["why"]) for found in BLOCK.finditer(text)]


def mentions(page: Path) -> list[list[str]]:
    """Commands inside sentences and tables, which may be parts of commands."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [shlex.split(command) for command in INLINE.findall(text) if "COMMAND" not in command]


def own_words(words: list[str]) -> list[str] | None:
    """What is given to s2d, also by `torchrun ... -m s2d`; None for other programs."""
    if words[:1] == ["s2d"]:
        return words[1:]
    if "-m" in words and words[words.index("-m") + 1] == "s2d":
        return words[words.index("-m") + 2 :]
    return None


def run(words: list[str]) -> None:
    """Run a command of s2d in this process; anything but success fails the test."""
    if words[0] == "train":
        words = [*words, "--fast_dev_run"]
    with leaving_well():
        assert cli.main(words) == 0, shlex.join(["s2d", *words])


def parse(words: list[str]) -> None:
    """Fail the test where the program would not take these words."""
    parser = cli._parser(words)
    with leaving_well():
        args, unknown = parser.parse_known_args(words)
        if words[0] == "train":
            _parse_training(args, unknown)
        else:
            assert not unknown, f"s2d does not know {unknown}"


def options(command: str) -> set[str]:
    """All options of a command, those of LightningCLI not counted."""
    (choices,) = (action.choices for action in cli._parser([command])._actions if isinstance(action.choices, dict))
    return {name for action in choices[command]._actions for name in action.option_strings}


def _parse_training(args: argparse.Namespace, unknown: list[str]) -> None:
    """What s2d does not know itself is LightningCLI's."""
    args.passed_on = [option for option in unknown if not option.startswith("--print_config")]
    config = config_path(args.config or train.DEFAULT_CONFIG)
    try:
        ParsedOnly(train._options(args), config, Run(args.out or Path("never-made")))
    except OptionError as error:
        pytest.fail(str(error))


class ParsedOnly(TrainingCLI):
    """Ends where classes would be made of the options."""

    def instantiate_classes(self) -> None:
        pass


@contextlib.contextmanager
def leaving_well() -> Iterator[None]:
    """`--help` and its like end the program with 0, which is no failure."""
    try:
        yield
    except SystemExit as left:
        if left.code not in (0, None):
            pytest.fail(f"the program ended with {left.code}")
