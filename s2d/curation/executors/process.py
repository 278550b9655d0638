"""One spawned process, one pipe, one item at a time: what the local executor has many of, and a Ray actor has one.

Not concurrent.futures: there one process that dies breaks the whole pool, and nothing can end a process that hangs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic

from s2d.curation.executors.base import Failure, Item, Result
from s2d.errors import S2DError

TIMEOUT_SECONDS = 3600.0
MEMORY_GB = 8.0  # several times what a video of the largest size that is read needs
START_SECONDS = 300.0  # for a process to start, on a busy machine with a slow disk
GRACE_SECONDS = 5.0
MOST_STILLBORN = 3  # one that a machine short of memory kills at its start is replaced; more are no accident
LOOK_SECONDS = 0.1  # between two looks at the memory of the workers
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
BEGUN, DONE, RAISED = "begun", "done", "raised"  # the kinds of message that a worker sends


class WorkerError(RuntimeError):
    """What a worker raised, when it is no S2DError; the text is the worker's traceback."""


@dataclass(frozen=True)
class Limits:
    """What one item may take of a worker, before the worker is ended and the item has failed."""

    timeout: float = TIMEOUT_SECONDS
    """Seconds."""
    memory_gb: float | None = MEMORY_GB
    """Resident memory of the process, in units of 1e9 bytes, looked at ten times a second; None for any amount.

    Not the address space, which RLIMIT_AS would bound: numeric libraries reserve far more of it than they use.
    """


class WorkerProcess(Generic[Item, Result]):
    """One process and the item that it has in hand; `give` it one, `wait_for` it, and ask for `answers`."""

    def __init__(self, function: Callable[[Item], Result], limits: Limits) -> None:
        self._function, self._limits = function, limits
        self._proven = False  # some process of it has begun an item, so it can be started at all
        self._stillborn = 0  # processes in a row that ended before they began an item
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._fresh = True  # has answered nothing yet, so nothing is left in it of other items
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
        if self._limits.memory_gb is not None and self._resident_gb() > self._limits.memory_gb:
            return self._too_much(self._limits.memory_gb)
        if time.monotonic() < self.deadline:
            return []
        self.kill()
        if not self._begun:
            raise S2DError("cannot start a worker process", f"not ready after {START_SECONDS:g} seconds", "run fewer")
        return [Failure("timed out", f"no result after {self._limits.timeout:g} seconds")]

    def seconds_to_look(self) -> float:
        """After so many seconds there may be an answer even if no handle has stirred."""
        left = self.deadline - time.monotonic()
        return left if self._limits.memory_gb is None else min(left, LOOK_SECONDS)

    def _message(self) -> list[Result | Failure]:
        try:
            kind, value = self._connection.recv()
        except (EOFError, OSError):
            return self._death()
        if kind == RAISED:
            raise value
        if kind == DONE:
            self._fresh = False
            return [value]
        self._begun = self._proven = True
        self._stillborn = 0
        self.deadline = time.monotonic() + self._limits.timeout
        return []

    def _resident_gb(self) -> float:
        try:
            pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        except OSError:  # it has just ended; or a system without /proc, where memory has no limit
            return 0.0
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e9

    def _too_much(self, limit: float) -> list[Result | Failure]:
        """The detail names the limit, not what was measured: the same video shall give the same bytes."""
        self.kill()
        if self._fresh:
            return [Failure("too much memory", f"the worker process held more than the limit of {limit:g} GB")]
        self.give(self.item)  # items before it may have left that behind: it is tried again in a process of its own
        return []

    def _death(self) -> list[Result | Failure]:
        self.process.join()
        code = self.process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._stillborn += not self._begun
        if not self._proven:
            remedy = "in a script of your own, put the call under `if __name__ == '__main__':`"
            raise S2DError("cannot start a worker process", f"it {how} before it was ready", remedy)
        if self._stillborn > MOST_STILLBORN:
            why = f"{self._stillborn} in a row ended before they were ready, the last one {how}"
            raise S2DError("cannot start a worker process", why, "run fewer: memory may be short")
        if not self._begun:  # it died of what it did last, and that is answered, or of somebody else's need of memory
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


def wait_for(crew: Sequence[WorkerProcess[Item, Result]]) -> None:
    """Sleep until some worker has sent something, has died, has run out of time, or should be looked at again."""
    seconds = min(worker.seconds_to_look() for worker in crew)
    wait([handle for worker in crew for handle in worker.handles()], timeout=max(0.0, seconds) + 0.01)


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
