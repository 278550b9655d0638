"""The command line: one module per command, imported only when it is asked for.

To add a command: write `s2d/cli/NAME.py` with `add_arguments(parser)` and `run(args)`, and name it in COMMANDS.
`run` returns nothing; it prints through `s2d.cli.output.emit` and raises S2DError for what a user can put right.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from s2d import __version__, progress
from s2d.errors import S2DError, UsageError

COMMANDS = {
    "curate": "videos in, temporally aligned landmarks as Parquet out",
    "report": "one HTML page of a data set: outcomes, quality, best and worst tracks",
    "inspect": "what a data set or one of its files holds",
    "jitter": "how much landmarks flicker: raw against aligned",
    "synth": "clips of a talking face whose landmarks are known exactly",
    "train": "train the animator on a data set",
    "evaluate": "how good an animator is, beside the baselines it has to be better than",
    "animate": "animate a face photo by a video or by landmarks",
    "live": "animate a face photo by a webcam, while it runs",
    "export": "an animator as an ONNX graph, checked against torch",
    "assets": "list, fetch or verify model files",
    "demo": "the whole path on a built-in sample, ending in one HTML page",
}

AFTER_STOP = {  # what Ctrl-C does not lose
    "curate": "; give the same command again to go on",
    "train": "; from its last checkpoint, go on with --resume and its folder as --out",
}
WITHOUT_WINDOWS = (
    "install that library of the system (on Debian: apt-get install libgl1 libglib2.0-0), "
    "or OpenCV's build that does without: pip install --force-reinstall --no-deps opencv-python-headless"
)


class Parser(argparse.ArgumentParser):
    """Says in one line, like every other mistake, what is wrong with the words of a command."""

    commands: Collection[str] = ()
    """Names of commands, where one is the first word."""
    _words: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - overloaded
        """Keep the words, for what is said of them."""
        self._words = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the line, with what was perhaps meant, and leave with 2."""
        said = " ".join([*message.split(), *self._meant(), *self._without_option()])
        self.exit(2, f"{self.prog}: wrong usage: {said}; `{self.prog} --help` lists the options\n")

    def _meant(self) -> list[str]:
        given = [word.partition("=")[0] for word in self._words if word.startswith("--")]
        options = [word for word in given if "." not in word]  # those are LightningCLI's, which knows them
        first = [word for word in self._words if not word.startswith("-")][:1] if self.commands else []
        return [*_nearest(options, self._option_string_actions), *_nearest(first, self.commands)]

    def _without_option(self) -> list[str]:
        """Words that stand alone where required options are missing: perhaps their values, in this order."""
        needed = [action for action in self._actions if action.required and action.option_strings]
        for action in needed:
            action.required = False  # so that the words can be read once more; what else is wrong ends here again
        if not needed:
            return []
        args, alone = self.parse_known_args(self._words)
        if any(word.startswith("-") for word in alone):  # an unknown option, whose value may be among the others
            return []
        missing = [action.option_strings[0] for action in needed if getattr(args, action.dest) is None]
        meant = " ".join(f"{option} {word}" for option, word in zip(missing, alone, strict=False))
        return [f"(not understood: {' '.join(alone)}; did you mean {meant}?)"] if meant else []

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """The same for words that it does not know."""
        self.error(f"unrecognized arguments: {' '.join(words)}")


def _nearest(words: Iterable[str], known: Collection[str]) -> list[str]:
    """What was perhaps meant by words that are not known. Dashes do not count: all options have them alike."""
    bare = {name.lstrip("-"): name for name in known}
    near = {word: difflib.get_close_matches(word.lstrip("-"), bare, 1) for word in words if word not in known}
    return [f"({word}: did you mean {bare[found[0]]}?)" for word, found in near.items() if found]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 usage, 1 anything else."""
    # torch's threads wait for each other in a busy loop: on two cores shared with other work a training step took 9 s
    # instead of 0.7 s. So few turns cost a tenth when nothing else runs. It must be set before torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        with _stopped_by_sigterm():
            return _run(list(sys.argv[1:] if argv is None else argv))
    except ImportError as error:
        if "shared object file" not in str(error):
            raise
        print(f"s2d: cannot load {error}; {WITHOUT_WINDOWS}", file=sys.stderr)  # noqa: T201
        return 1


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM, as of `kill`, `timeout` or a batch system, ends as Ctrl-C does: nothing half written is left."""

    def stop(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # others are not told of signals
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(arguments: list[str]) -> int:
    parser = _parser(arguments)
    args, unknown = parser.parse_known_args(arguments)
    if unknown and not hasattr(args, "passed_on"):
        args.asked.refuse(unknown)
    args.passed_on = unknown
    if args.command is None:
        parser.print_help()
        return 2
    progress.quiet = getattr(args, "quiet", False) or getattr(args, "json", False)
    try:
        importlib.import_module(f"s2d.cli.{args.command}").run(args)
    except S2DError as error:
        print(f"s2d {args.command}: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print(f"s2d {args.command}: stopped{AFTER_STOP.get(args.command, '')}", file=sys.stderr)  # noqa: T201
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, as in `s2d inspect DIR | head`
        return 1
    return 0


def _parser(arguments: Sequence[str]) -> Parser:
    """All commands by name and help; only the asked one is imported to add its arguments."""
    parser = Parser(prog="s2d", description="Stable face landmarks, and faces animated by them.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"s2d {__version__}")
    parser.set_defaults(asked=parser)
    parser.commands = COMMANDS
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    asked = next((word for word in arguments if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        module = importlib.import_module(f"s2d.cli.{name}") if name == asked else None
        command = commands.add_parser(
            name, help=summary, description=module.__doc__ if module else summary, allow_abbrev=False
        )
        command.set_defaults(asked=command)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        if module:
            module.add_arguments(command)
            command.add_argument("--json", action="store_true", help="print exactly one JSON object")
            command.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser
