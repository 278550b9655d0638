"""Progress bars: every item once and in order; drawn on stderr only, after two seconds, for people only."""

from __future__ import annotations

import io
import sys
import threading
import time

import pytest

from s2d import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def count(label):
    assert list(progress.track(iter(range(5)), label, total=5)) == [0, 1, 2, 3, 4]


def wait(label):
    with progress.during(label):
        time.sleep(0.2)


@pytest.fixture
def run(monkeypatch):
    """Count to five on a terminal; returns what was written to stdout and stderr.

    The streams are set within the test's call: pytest's capture lays its own there after the fixtures have run.
    """

    def counted(out=Terminal, delay=0.0, quiet=False, label="counting", work=count) -> tuple[str, str]:
        streams = out(), Terminal()
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stdout", streams[0])
        monkeypatch.setattr("sys.stderr", streams[1])
        monkeypatch.setattr(progress, "quiet", quiet)
        monkeypatch.setattr(progress, "DELAY_SECONDS", delay)
        work(label)
        return streams[0].getvalue(), streams[1].getvalue()

    return counted


def test_long_work_draws_a_bar_on_stderr(run):
    out, err = run()
    assert out == ""
    assert "counting" in err
    assert "5/5" in err


def test_square_brackets_of_a_label_are_plain_text(run):
    _, err = run(label="reading [x] and [/y].mp4")
    assert "reading [x] and [/y].mp4" in err


def test_one_long_thing_is_timed_on_stderr(run):
    out, err = run(work=wait, label="tracing [x]")
    assert out == ""
    assert "tracing [x]" in err
    assert "0:00:00" in err


@pytest.mark.parametrize("work", [count, wait])
@pytest.mark.parametrize("case", [{"quiet": True}, {"delay": 2.0}, {"out": io.StringIO}])
def test_no_bar_when_quiet_or_quick_or_into_a_pipe(run, case, work):
    assert run(**case, work=work) == ("", "")


def test_nothing_is_left_to_draw_when_one_long_thing_fails(run):
    def fail(label):
        with progress.during(label):
            time.sleep(0.2)
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        run(work=fail)
    assert sys.stderr.getvalue().endswith("\x1b[2K")
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_bar_goes_when_the_work_fails(run):
    def failing():
        yield 1
        yield 2
        raise RuntimeError("broken")

    run()
    with pytest.raises(RuntimeError, match="broken"):
        list(progress.track(failing(), "failing"))
    show_cursor = "\x1b[?25h"
    assert show_cursor in sys.stderr.getvalue().split("failing")[-1]
