from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from s2d.curation.executors import Failure, LocalExecutor
from s2d.curation.executors.process import Limits, WorkerError, WorkerProcess, wait_for
from s2d.errors import S2DError
from tests.curation.executors.stories import Counter, answer_then_die, obey, pid_and_threads


def test_every_item_comes_back_once_with_its_own_result():
    items = [f"item {n}" for n in range(9)]
    results = list(LocalExecutor(2).map(obey, items))
    assert sorted(results) == [(item, item.upper()) for item in items]


def test_no_items_no_processes():
    assert list(LocalExecutor(2).map(obey, [])) == []


@pytest.mark.parametrize(("bad", "words"), [("exit", "exit code 3"), ("kill", "SIGKILL")])
def test_a_worker_that_dies_costs_only_its_item(bad, words):
    results = dict(LocalExecutor(2).map(obey, ["a", bad, "b", "c", "d"]))
    failure = results.pop(bad)
    assert isinstance(failure, Failure)
    assert failure.reason == "worker died"
    assert words in failure.detail
    assert results == {"a": "A", "b": "B", "c": "C", "d": "D"}


def test_a_worker_that_hangs_is_ended_at_its_time_limit():
    started = time.monotonic()
    results = dict(LocalExecutor(1, timeout=1.0).map(obey, ["a", "hang", "b"]))
    assert results["hang"] == Failure("timed out", "no result after 1 seconds")
    assert (results["a"], results["b"]) == ("A", "B")
    assert time.monotonic() - started < 20


def test_a_worker_that_takes_too_much_memory_is_ended():
    started = time.monotonic()
    results = dict(LocalExecutor(2, memory_gb=0.3).map(obey, ["a", "hoard", "b", "c"]))
    failure = results.pop("hoard")
    assert failure == Failure("too much memory", "the worker process held more than the limit of 0.3 GB")
    assert results == {"a": "A", "b": "B", "c": "C"}
    assert time.monotonic() - started < 20


def test_an_item_does_not_pay_for_the_memory_that_the_items_before_it_left_behind():
    results = dict(LocalExecutor(1, memory_gb=0.3).map(obey, ["keep", "borrow", "c"]))
    assert results == {"keep": "KEEP", "borrow": "BORROW", "c": "C"}


def test_an_answer_that_comes_just_too_late_is_not_the_next_items(monkeypatch):
    kill = WorkerProcess.kill

    def kill_late(worker):
        time.sleep(1.5)  # the answer arrives between the look at the clock and the end of the process
        kill(worker)

    monkeypatch.setattr(WorkerProcess, "kill", kill_late)
    results = dict(LocalExecutor(1, timeout=0.5).map(obey, ["a", "dawdle", "b", "c"]))
    assert results.pop("dawdle") == Failure("timed out", "no result after 0.5 seconds")
    assert results == {"a": "A", "b": "B", "c": "C"}


def test_an_item_does_not_pay_for_the_death_that_the_item_before_it_caused():
    def slow_source():
        yield "last words"
        time.sleep(0.5)  # asked for when "last words" is answered; by now the worker has died of its after-effects
        yield "innocent"

    results = dict(LocalExecutor(1).map(answer_then_die, slow_source()))
    assert results == {"last words": "LAST WORDS", "innocent": "INNOCENT"}


def answered(worker):
    while not (answers := worker.answers()):
        wait_for([worker])
    return answers


def _wait_for_a_message(worker):
    while not worker._connection.poll():
        time.sleep(0.01)


def test_an_answer_that_nobody_had_time_to_look_at_counts_however_late_it_is_read():
    """While a shard goes to a slow store nobody looks at the workers; that is not their fault."""
    worker = WorkerProcess(obey, Limits(timeout=60))
    worker.give("a")
    while not worker._begun:
        wait_for([worker])
        assert worker.answers() == []
    _wait_for_a_message(worker)
    worker.deadline = time.monotonic() - 1000
    assert worker.answers() == ["A"]
    worker.give("b")
    _wait_for_a_message(worker)
    worker.deadline = time.monotonic() - 1000  # it has begun, and nobody has read that either
    assert answered(worker) == ["B"]
    worker.kill()


def test_a_process_that_is_killed_at_its_start_is_replaced_but_not_for_ever():
    worker = WorkerProcess(obey, Limits())
    worker.give("a")
    assert answered(worker) == ["A"]
    worker.kill()
    worker.give("b")
    worker.process.kill()  # as a machine short of memory does
    assert answered(worker) == ["B"]
    worker.kill()
    worker.give("c")

    def killed_again():
        worker.process.kill()
        worker.process.join()
        return worker.answers()

    assert [killed_again() for _ in range(3)] == [[], [], []]
    with pytest.raises(S2DError, match=r"4 in a row ended before they were ready.*run fewer"):
        killed_again()


def test_an_s2d_error_ends_the_run_as_it_is():
    with pytest.raises(S2DError, match="cannot obey: told to fail"):
        list(LocalExecutor(1).map(obey, ["a", "error", "b"]))


def test_a_surprise_ends_the_run_with_the_workers_traceback():
    with pytest.raises(WorkerError, match="unheard of"):
        list(LocalExecutor(1).map(obey, ["surprise"]))


def test_the_function_stays_alive_in_its_process():
    assert [calls for _, calls in LocalExecutor(1).map(Counter(), ["a", "b", "c"])] == [1, 2, 3]


def test_two_processes_share_the_work_and_compute_with_one_thread_each():
    before = os.environ.get("OMP_NUM_THREADS")
    results = [result for _, result in LocalExecutor(2).map(pid_and_threads, [str(n) for n in range(12)])]
    assert len({pid for pid, _ in results}) == 2
    assert {threads for _, threads in results} == {"1"}
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_items_are_drawn_as_needed():
    drawn = []

    def source():
        for n in range(100):
            drawn.append(n)
            yield str(n)

    results = LocalExecutor(2).map(obey, source())
    next(results)
    assert len(drawn) <= 4
    results.close()


def test_a_consumer_that_stops_leaves_no_process_behind():
    results = LocalExecutor(2).map(pid_and_threads, [str(n) for n in range(100)])
    _, (pid, _) = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


ORPHAN_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.curation.executors.stories import Beacon
from s2d.curation.executors import LocalExecutor
if __name__ == "__main__":
    for _ in LocalExecutor(2).map(Beacon(Path(sys.argv[2])), range(1000)):
        pass
"""


def _started(folder: Path, count: int) -> int:
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    return len(list(folder.iterdir()))


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script, beacons = tmp_path / "run.py", tmp_path / "beacons"
    script.write_text(ORPHAN_SCRIPT)
    beacons.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(Path(__file__).parents[3]), str(beacons)])
    assert _started(beacons, 2) >= 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    workers = {int(path.name.split("-")[1]) for path in beacons.iterdir()}
    deadline = time.monotonic() + 10
    while any(_lives(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in workers)


def _lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    script = tmp_path / "careless.py"
    script.write_text(
        "from s2d.curation.executors import LocalExecutor\nprint(list(LocalExecutor(1).map(len, ['item'])))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert "cannot start a worker process" in done.stderr
    assert "__main__" in done.stderr.splitlines()[-1]
