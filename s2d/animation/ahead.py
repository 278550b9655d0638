"""Work done ahead in threads, in order and in bounded memory.

Detectors, onnxruntime, torch and OpenCV all let go of Python's lock while they compute, so threads do share the cores.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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
