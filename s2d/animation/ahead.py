"""Work done ahead in threads, in order and in bounded memory.

Detectors, onnxruntime, torch and OpenCV all let go of Python's lock while they compute, so threads do share the cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from s2d.geometry import Image
from s2d.landmarks.detectors.base import Detector, Face

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(function: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`function` of each item, in the order of the items, by so many threads while the caller does other things.

    A result is handed out as soon as it is there and an item has been asked for; the caller waits for it only when one
    item more than there are threads is under way. An error of the function is raised where its result would come; then,
    and when the caller stops early, no further item is begun.

    >>> list(ahead(lambda x: x * x, [1, 2, 3], workers=2))
    [1, 4, 9]
    """
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            while len(waiting) > workers or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class SharedDetector:
    """Several instances of a detector, each with a share of the frames, at the same time; gives what one would give."""

    def __init__(self, make: Callable[[], Detector], count: int) -> None:
        self._detectors = [make() for _ in range(count)]
        self.name, self.version = self._detectors[0].name, self._detectors[0].version

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        """As Detector's."""
        count = len(self._detectors)
        size = max(1, -(-len(frames) // count))
        shares = [frames[start : start + size] for start in range(0, len(frames), size)]
        pairs = zip(self._detectors, shares, strict=False)
        return [faces for share in ahead(lambda pair: pair[0].detect(pair[1]), pairs, count) for faces in share]
