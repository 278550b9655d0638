"""Engines that run a function over many items; `base.py` says what they promise and how to add one.

`ray.py` is imported by those who ask for it.
"""

from s2d.curation.executors.base import Executor, Failure
from s2d.curation.executors.local import LocalExecutor

__all__ = ["Executor", "Failure", "LocalExecutor"]
