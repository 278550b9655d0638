"""Memory that large pictures free is at hand for the next ones, where the C library is glibc."""

from __future__ import annotations

import subprocess
import sys

import pytest

from s2d import memory

PROGRAM = """
import resource, sys
import numpy as np
from s2d.memory import keep_freed
if sys.argv[1] == "kept":
    keep_freed()
def picture():
    return [np.ones(6_000_000, np.float32) for _ in range(6)]
for _ in range(3):
    picture()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    picture()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages that the system gave while five batches of pictures came and went."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_what_is_freed_is_kept():
    if not memory.keep_freed():
        pytest.skip("the C library is not glibc")
    assert faults("kept") < 0.1 * faults("given back")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.keep_freed() is False
