"""What runs a function over many items: here on this machine, or on a cluster, with the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failure:
    """An item that took its worker with it: the process died, or did not answer in time."""

    reason: str
    """In words that repeat, to count by."""
    detail: str
    """What exactly happened to this item."""


class Executor(Protocol):
    """Runs `function` once per item, in processes that die without harm to anything but their item.

    To add one: write `executors/NAME.py` with a class that has this method, and hold on to three things. Each process
    gets `function` once, pickled, and keeps that copy for all its items, so a model that it loads stays loaded. A
    process that dies or overruns its time costs its item only. Workers compute with one thread, or sums would depend
    on the number of processor cores.
    """

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result | Failure]]:
        """Yield (item, result or Failure) as they complete, in any order; `items` is drawn from as workers fall free.

        What `function` raises is raised here and ends the run: trouble with one item belongs in its result.
        """
        ...
