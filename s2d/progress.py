"""Progress bars: shown on a terminal for what takes longer than two seconds, silent everywhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")

DELAY_SECONDS = 2.0
quiet = False  # set once by the command line for --quiet and --json


def track(items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items`; after two seconds draw a bar on stderr, if stdout and stderr are terminals.

    >>> list(track([1, 2, 3], "counting"))
    [1, 2, 3]
    """
    if not watched():
        yield from items
        return
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    yield from _with_bar(items, label, total)


@contextmanager
def during(label: str) -> Iterator[None]:
    """While one long thing is done, as `track` draws a bar, but one without an end: that it goes on, and how long.

    `track` must not run inside: two bars would draw over each other.
    """
    if not watched():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    progress.add_task(label, total=None)
    timer = threading.Timer(DELAY_SECONDS, progress.start)  # the caller cannot say when two seconds are over
    timer.daemon = True
    try:
        timer.start()
        yield
    finally:
        timer.cancel()
        if timer.is_alive():  # not where it could not be started
            timer.join()
        if progress.live.is_started:
            progress.stop()


def watched() -> bool:
    """Whether there is somebody to draw for."""
    return not quiet and sys.stdout.isatty() and sys.stderr.isatty()


def _with_bar(items: Iterable[Item], label: str, total: int | None) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    progress = Progress(*columns, console=Console(stderr=True), transient=True)
    task = progress.add_task(label, total=total)
    started, shown = time.monotonic(), False
    try:
        for item in items:
            yield item
            progress.advance(task)
            if not shown and time.monotonic() - started > DELAY_SECONDS:
                progress.start()
                shown = True
    finally:
        if shown:
            progress.stop()
