"""Work in threads gives what work in turn gives, in its order, and no more of it than was asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from s2d.animation.ahead import ahead


def test_results_come_in_the_order_of_the_items_however_long_each_takes():
    def slow(item: int) -> int:
        time.sleep(0.02 if item % 3 == 0 else 0.0)
        return -item

    assert list(ahead(slow, range(20), workers=3)) == [-item for item in range(20)]


def test_work_is_done_at_the_same_time():
    """Each of two items waits for the other: in turn they would wait for ever."""
    meeting = threading.Barrier(2, timeout=5)
    assert sorted(ahead(lambda _: meeting.wait(), [1, 2], workers=2)) == [0, 1]


def test_no_more_is_asked_for_than_workers_and_one():
    asked: list[int] = []

    def items() -> Iterator[int]:
        for item in range(100):
            asked.append(item)
            yield item

    results = ahead(lambda item: item, items(), workers=2)
    for count in range(5):
        assert next(results) == count
        assert len(asked) <= count + 3
    results.close()  # type: ignore[attr-defined]
    assert len(asked) <= 8


def test_an_error_comes_where_its_result_would_have_come():
    results = ahead(lambda item: 1 // item, [1, 1, 0, 1], workers=2)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
