"""A Ray cluster, or a Ray started on this machine: an actor per worker, with its share of a GPU if one is asked for.

Decision: an actor does not run the function itself. It owns one `WorkerProcess`, the same that the local executor has,
and the model is loaded there. So the time limit, the memory limit and the words for a death are those of a local run,
and so are the bytes of the data set. Ray itself could only kill the whole actor, and gives reasons of its own.
What Ray adds is the loss of an actor or of its machine: that, too, costs only the item in hand.

Workers stage their results in the data set's folder: on a cluster it must be on a file system that all machines share,
under one path, and so must the inputs be. An actor checks that before it takes its first item.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from s2d.curation.executors.base import Failure, Item, Result
from s2d.curation.executors.process import MEMORY_GB, TIMEOUT_SECONDS, Limits, WorkerProcess, wait_for
from s2d.errors import S2DError
from s2d.shards.writer import writing
from s2d.storage import location

ANSWER_SECONDS = 30.0  # for a cluster to answer; ray.init alone waits for minutes, and then ends its process
LOCAL = "local"
# No web page, no output of workers on the terminal, no reports to the makers of Ray.
OPTIONS = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
TRIAL = f"import sys, ray; ray.init(address=sys.argv[1], **{OPTIONS!r})"
SILENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}  # the second ends a warning


class RayExecutor:
    """Runs items in Ray actors, each within the limits given; see `__init__`."""

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        timeout: float = TIMEOUT_SECONDS,
        memory_gb: float | None = MEMORY_GB,
        *,
        gpus_per_worker: float = 0.0,
        shared: str | Path | None = None,
        inputs: Sequence[str | Path] = (),
    ) -> None:
        """Nothing is connected yet; raises S2DError when ray is not installed.

        `address` is that of a running cluster, such as "10.0.0.1:6379", or "auto"; by default the one that RAY_ADDRESS
        names, else a Ray started on this machine for this run. `workers` are actors, by default as many as the cluster
        has room for by its processor cores and GPUs; each gets `gpus_per_worker` of a GPU, such as .25. `timeout` and
        `memory_gb` are as in `process.Limits`. Every worker must see the folder `shared`, and those of `inputs`
        that are no URLs.
        """
        _ray()
        self.address = address or os.environ.get("RAY_ADDRESS") or LOCAL
        self.workers, self.gpus_per_worker, self.limits = workers, gpus_per_worker, Limits(timeout, memory_gb)
        self.shared, self.inputs = shared, inputs

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result | Failure]]:
        """See `Executor.map`. Raises S2DError when no cluster answers, or a worker cannot work there."""
        source = iter(items)
        first = list(islice(source, 1))
        if not first:
            return
        with self._connected(), _probed(self.shared) as probe:
            host = _ray().remote(num_cpus=1, num_gpus=self.gpus_per_worker)(_Host)
            inputs = (str(place) for place in map(location, self.inputs) if isinstance(place, Path))
            needs = _Needs(os.getcwd(), (*probe, *inputs))
            crew = _Crew(lambda: host.remote(function, self.limits, needs))
            yield from crew.work(chain(first, source), self._room())

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Inside it Ray is ready; a connection that the caller has made is used, and left open."""
        ray = _ray()
        if ray.is_initialized():
            yield
            return
        if self.address != LOCAL:
            _check(self.address)
        os.environ.update(SILENT | os.environ)
        ray.init(address=self.address, **OPTIONS)
        try:
            yield
        finally:
            ray.shutdown()

    def _room(self) -> int:
        """How many actors to ask for: those wanted, or those that the cluster could hold if it were idle."""
        has = _ray().cluster_resources()
        room = int(has.get("CPU", 0))
        if self.gpus_per_worker:
            gpus = has.get("GPU", 0.0)
            if gpus < self.gpus_per_worker:
                why = f"a worker is to have {self.gpus_per_worker:g} GPUs, the cluster has {gpus:g}"
                raise S2DError("cannot start a worker on the cluster", why, "lower --gpus-per-worker")
            room = min(room, int(gpus / self.gpus_per_worker + 1e-6))
        return self.workers or max(1, room)


@dataclass(frozen=True)
class _Needs:
    """What a worker must find on its machine."""

    folder: str
    """Where the caller is: gone to, so that relative paths mean the same."""
    paths: tuple[str, ...]

    def missing(self) -> S2DError | None:
        """Go to the folder; the first thing that is not there, as an error, or None."""
        if os.path.isdir(self.folder):
            os.chdir(self.folder)
        for path in (self.folder, *self.paths):
            if not os.path.lexists(path):
                what = Path(path).parent if Path(path).name.startswith(PROBE) else path
                why = f"a worker on {os.uname().nodename} does not see {what}, or sees another one there"
                return S2DError("cannot work on the cluster", why, "use folders that all its machines share")
        return None


class _Host:
    """The actor: one worker process, on whatever machine Ray has chosen."""

    def __init__(self, function: Callable[[Any], Any], limits: Limits, needs: _Needs) -> None:
        self._trouble = needs.missing()
        if self._trouble is None:
            self._worker: WorkerProcess[Any, Any] = WorkerProcess(function, limits)

    def started(self) -> bool:
        """True: to ask is enough."""
        return True

    def run(self, item: object) -> tuple[Any, Exception | None]:
        """What the item came to, or what ends the run; not raised, because Ray would wrap it."""
        if self._trouble is not None:
            return None, self._trouble
        try:
            self._worker.give(item)
            while True:
                wait_for([self._worker])
                for answer in self._worker.answers():
                    return answer, None
        except Exception as error:  # noqa: BLE001 - the boundary between processes: it is raised again in the parent
            return None, error


class _Crew:
    """Actors and what each has in hand. One that finds no room yet has its item wait until another has ended."""

    def __init__(self, new_host: Callable[[], Any]) -> None:
        self._ray, self._new_host = _ray(), new_host
        self._hands: dict[Any, tuple[_Hand, Any]] = {}  # by Ray's promise of an answer: who, and which item

    def work(self, items: Iterator[Any], size: int) -> Iterator[tuple[Any, Any]]:
        """Yield (item, result or Failure), with `size` actors at most, until the items are used up."""
        try:
            for item in islice(items, size):
                self._give(self._hire(), item)
            while self._hands:
                done, _ = self._ray.wait(list(self._hands))
                for promise in done:
                    hand, item = self._hands.pop(promise)
                    answer, lost = self._answer(promise, hand)
                    following = list(islice(items, 1))
                    if lost or not following:
                        self._ray.kill(hand.host)
                    if following:
                        self._give(self._hire() if lost else hand, following[0])
                    yield item, answer
        finally:
            for hand, _ in self._hands.values():
                self._ray.kill(hand.host)

    def _hire(self) -> _Hand:
        host = self._new_host()
        return _Hand(host, host.started.remote())

    def _give(self, hand: _Hand, item: object) -> None:
        self._hands[hand.host.run.remote(item)] = hand, item

    def _answer(self, promise: object, hand: _Hand) -> tuple[Any, bool]:
        """The answer, and whether the actor has been lost; an actor that never started ends the run."""
        try:
            answer, error = self._ray.get(promise)
        except self._ray.exceptions.RayError:
            try:
                self._ray.get(hand.started)
            except self._ray.exceptions.RayError as never:
                why = f"Ray says: {_last_line(str(never))}"
                remedy = "the machines of the cluster need the same s2d and Python"
                raise S2DError("cannot start a worker on the cluster", why, remedy) from never
            return Failure("worker died", "the Ray actor, or the machine it was on, has ended"), True
        if error is not None:
            raise error
        return answer, False


@dataclass(frozen=True)
class _Hand:
    host: Any
    started: Any
    """Ray's promise that the actor has come to life."""


PROBE = ".probe-"


@contextmanager
def _probed(shared: str | Path | None) -> Iterator[tuple[str, ...]]:
    """A file of a name that cannot be known elsewhere: who sees it sees this very folder."""
    if shared is None:
        yield ()
        return
    probe = Path(shared) / f"{PROBE}{secrets.token_hex(8)}"
    with writing(probe):
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
    try:
        yield (str(probe),)
    finally:
        probe.unlink(missing_ok=True)


def _check(address: str) -> None:
    """Try the address in a process of its own, which can be ended. Raises S2DError."""
    asked, remedy = f"cannot use the Ray cluster at {address}", "start one with `ray start --head`, or give its address"
    try:
        done = subprocess.run(
            [sys.executable, "-c", TRIAL, address],
            env=SILENT | os.environ,
            timeout=ANSWER_SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise S2DError(asked, f"no answer within {ANSWER_SECONDS:g} seconds", remedy) from error
    if done.returncode:
        raise S2DError(asked, _last_line(done.stderr), remedy)


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1].strip() if text.strip() else "nothing"


def _ray() -> Any:  # noqa: ANN401 (ray is not required)
    """The ray package; raises S2DError where there is none."""
    try:
        import ray
    except ImportError as error:
        raise S2DError("cannot use Ray", "it is not installed", 'pip install "s2d[ray]"') from error
    return ray
