"""Spawned processes on this machine, one pipe each.

Not concurrent.futures: there one process that dies breaks the whole pool, and nothing can end a process that hangs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing.connection import Connection, wait
from typing import Any, Generic

from s2d.curation.executors.base import Failure, Item, Result
from s2d.errors import S2DError

TIMEOUT_SECONDS = 3600.0
START_SECONDS = 300.0  # for a process to start, on a busy machine with a slow disk
GRACE_SECONDS = 5.0
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
BEGUN, DONE, RAISED = "begun", "done", "raised"  # the kinds of message that a worker sends


class WorkerError(RuntimeError):
    """What a worker raised, when it is no S2DError; the text is the worker's traceback."""


class LocalExecutor:
    """Runs items in `workers` processes (default: one per usable processor core), each at most `timeout` seconds."""

    def __init__(self, workers: int | None = None, timeout: float = TIMEOUT_SECONDS) -> None:
        self.workers = workers or usable_cores()
        self.timeout = timeout

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result | Failure]]:
        """See `Executor.map`. Raises S2DError when no process can be started."""
        source = iter(items)
        crew = [_Worker(function, item, self.timeout) for item in islice(source, self.workers)]
        try:
            while crew:
                _wait(crew)
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


class _Worker(Generic[Item, Result]):
    """One process and the item that it has in hand."""

    def __init__(self, function: Callable[[Item], Result], item: Item, timeout: float) -> None:
        self._function, self._timeout = function, timeout
        self._start()
        self.give(item)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._proven = False  # has begun an item, so it can start at all
        self._connection, far_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(far_end, self._function), daemon=True)
        with _one_thread_each():
            self.process.start()
        far_end.close()

    def give(self, item: Item) -> None:
        """Hand over an item; a process that has ended, by itself or killed, is replaced for it."""
        if not self.process.is_alive():
            self._start()
        self.item = item
        self._begun = False
        self.deadline = time.monotonic() + START_SECONDS
        with suppress(BrokenPipeError):
            self._connection.send((item,))

    def handles(self) -> list[Any]:
        """What `wait` can wait for: a message, or the end of the process."""
        return [self._connection, self.process.sentinel]

    def answers(self) -> list[Result | Failure]:
        """The result for the item in hand, or why there will be none; empty while it is still at work."""
        alive = self.process.is_alive()  # asked before the pipe is looked at: the last word of a dying worker counts
        if self._connection.poll():
            return self._message()
        if not alive:
            return self._death()
        if time.monotonic() < self.deadline:
            return []
        self.kill()
        if not self._begun:
            raise S2DError("cannot start a worker process", f"not ready after {START_SECONDS:g} seconds", "run fewer")
        return [Failure("timed out", f"no result after {self._timeout:g} seconds")]

    def _message(self) -> list[Result | Failure]:
        try:
            kind, value = self._connection.recv()
        except (EOFError, OSError):
            return self._death()
        if kind == RAISED:
            raise value
        if kind == DONE:
            return [value]
        self._begun = self._proven = True
        self.deadline = time.monotonic() + self._timeout
        return []

    def _death(self) -> list[Result | Failure]:
        self.process.join()
        code = self.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if not self._proven:
            remedy = "in a script of your own, put the call under `if __name__ == '__main__':`"
            raise S2DError("cannot start a worker process", f"it {how} before it was ready", remedy)
        if not self._begun:  # it died of what it did last, and that is answered: this item is innocent
            self._start()
            self.give(self.item)
            return []
        hint = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
        return [Failure("worker died", f"the worker process {how}{hint}")]

    def dismiss(self) -> None:
        """Let the process end by itself; it is idle."""
        self._connection.close()
        self.process.join(GRACE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the process, and close the pipe: an answer that came too late must not be taken for the next item's."""
        self._connection.close()
        self.process.kill()
        self.process.join()


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _wait(crew: list[_Worker[Item, Result]]) -> None:
    """Sleep until some worker has sent something, has died, or has run out of time."""
    remaining = min(worker.deadline for worker in crew) - time.monotonic()
    wait([handle for worker in crew for handle in worker.handles()], timeout=max(0.0, remaining) + 0.01)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started inside compute with one thread: the numeric libraries read this when they are loaded."""
    before = {name: os.environ.get(name) for name in THREAD_LIMITS}
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(connection: Connection, function: Callable[[Any], Any]) -> None:
    """The worker's life: items in, results out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            (item,) = connection.recv()
        except EOFError:
            return
        connection.send((BEGUN, None))
        connection.send(_call(function, item))


def _call(function: Callable[[Any], Any], item: object) -> tuple[str, Any]:
    try:
        return DONE, function(item)
    except S2DError as error:
        return RAISED, error
    except Exception:  # noqa: BLE001 - the boundary between processes: it is raised again in the parent
        return RAISED, WorkerError(traceback.format_exc())


def _end_with_parent() -> None:
    """End at once when the parent has gone, even by kill -9 and in the middle of a video."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
