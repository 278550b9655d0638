"""Spawned processes on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from s2d.curation.executors.base import Failure, Item, Result
from s2d.curation.executors.process import MEMORY_GB, TIMEOUT_SECONDS, Limits, WorkerProcess, wait_for


class LocalExecutor:
    """Runs items in `workers` processes (default: one per usable processor core), each within the limits given.

    An item has at most `timeout` seconds and `memory_gb` of resident memory (see `process.Limits`).
    """

    def __init__(
        self, workers: int | None = None, timeout: float = TIMEOUT_SECONDS, memory_gb: float | None = MEMORY_GB
    ) -> None:
        self.workers = workers or usable_cores()
        self.limits = Limits(timeout, memory_gb)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result | Failure]]:
        """See `Executor.map`. Raises S2DError when no process can be started."""
        source = iter(items)
        crew: list[WorkerProcess[Item, Result]] = []
        try:
            for item in islice(source, self.workers):
                crew.append(WorkerProcess(function, self.limits))
                crew[-1].give(item)
            while crew:
                wait_for(crew)
                for worker in list(crew):
                    for answer in worker.answers():
                        item, following = worker.item, list(islice(source, 1))
                        if following:
                            worker.give(following[0])
                        else:
                            crew.remove(worker)
                            worker.dismiss()
                        yield item, answer
        finally:
            for worker in crew:
                worker.kill()


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
