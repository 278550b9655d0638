"""What may happen to a worker; functions and callables that worker processes can import by name, and quickly."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

from s2d.errors import S2DError

hoard: list[bytes] = []  # what a worker never gives back


def obey(item: str) -> str:
    """Do what the item says: the stories of a worker's life."""
    if item == "exit":
        os._exit(3)
    if item == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "hang":
        time.sleep(600)
    if item == "dawdle":
        time.sleep(1.0)
    if item == "hoard":
        hoard.append(b"x" * 400_000_000)
        time.sleep(600)
    if item == "keep":
        hoard.append(b"x" * 200_000_000)
    if item == "borrow":
        more = b"x" * 150_000_000
        time.sleep(0.5)
        del more
    if item == "error":
        raise S2DError("cannot obey", "told to fail")
    if item == "surprise":
        raise KeyError("unheard of")
    return item.upper()


def kill_the_actor_at(item: str) -> str:
    """Kill the process that this one belongs to; in a Ray worker that is the actor."""
    if item == "kill":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(600)
    return item.upper()


def answer_then_die(item: str) -> str:
    """Answer, and crash just afterwards, as a native library may in its clean-up."""
    if item == "last words":
        threading.Timer(0.05, os._exit, args=(9,)).start()
    return item.upper()


def pid_and_threads(item: str) -> tuple[int, str | None]:
    time.sleep(0.05)  # so that one process cannot take all the items
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


class NotThere:
    """Cannot be made anew in another process, as where the machines of a cluster have another s2d."""

    def __call__(self, item: str) -> str:
        return item

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return __import__, ("a_module_that_is_not_there",)


class Counter:
    """Counts its own calls: the copy in a process lives as long as the process."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, item: str) -> int:
        self.calls += 1
        return self.calls


class Beacon:
    """Writes a file per item and takes its time; what is still written after the parent's death is an orphan's work."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, item: int) -> int:
        (self.folder / f"{item}-{os.getpid()}").touch()
        time.sleep(0.3)
        return item
