"""Ten thousand tiny videos: how soon the first is begun, and what the run's memory does; prints one JSON object.

    python benchmarks/scale.py --videos 10000
    python benchmarks/scale.py --videos 100000 --begin-only

The path is that of `s2d curate` with two workers, but for the detector: the workers have one that finds the same face
in every frame and costs nothing, since it is the rest that is measured. One video in ten is long enough to be kept. The
videos are copies of two files with a box of their own at the end, so that none is a duplicate; but so many have the
same size that each must be hashed to know that, which is the worst case. They all look alike, so near copies are looked
for, as always, but kept.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from s2d.curation import pipeline, worker
from s2d.curation.config import CurationConfig
from s2d.curation.executors import LocalExecutor
from s2d.curation.limits import parse_filters
from s2d.geometry import Image
from s2d.landmarks.detectors.base import Face
from s2d.video import VideoWriter

SIDE, SHORT, LONG = 96, 3, 16


class OneFace:
    """A detector that finds the same face everywhere."""

    name, version = "one-face", "1"

    def __init__(self) -> None:
        points = np.random.default_rng(1).uniform(12, 84, (70, 2)).astype(np.float32)
        points[[36, 45]] = (30, 40), (66, 40)
        self.face = Face(np.array([12, 12, 84, 84], np.float32), points, 0.9, np.ones(70, bool))

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        """The face, once a frame."""
        return [[self.face] for _ in frames]


class CheapWorker(worker.VideoWorker):
    """The real worker with that detector."""

    @cached_property
    def detector(self) -> OneFace:
        """See `VideoWorker.detector`."""
        return OneFace()


class Watched:
    """A local executor that notes when its first item is drawn, and this process's memory as results come in."""

    def __init__(self, workers: int, every: int) -> None:
        self.executor, self.every = LocalExecutor(workers), every
        self.first_given = self.first_done = 0.0
        self.memory_mb: list[float] = []

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """See `s2d.curation.executors.Executor`."""
        for number, answer in enumerate(self.executor.map(function, self._noted(items)), 1):
            self.first_done = self.first_done or time.perf_counter()
            if number % self.every == 0:
                self.memory_mb.append(resident_mb())
            yield answer

    def _noted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self.first_given = self.first_given or time.perf_counter()
            yield item


def resident_mb() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def make_videos(folder: Path, count: int) -> None:
    """`count` MP4 files in folders of a hundred; file n is a piece of texture and a `free` box that holds n."""
    contents = [_texture(folder / "made.mp4", frames) for frames in (SHORT, LONG)]
    for number in range(count):
        path = folder / f"{number // 100:04}" / f"{number:06}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(contents[number % 10 == 0] + struct.pack(">I4sQ", 16, b"free", number))


def _texture(path: Path, frames: int) -> bytes:
    noise = np.random.default_rng(frames).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    plane = cv2.resize(noise, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_CUBIC)
    with VideoWriter(path, SIDE, SIDE, 25) as writer:
        for n in range(frames):
            writer.write(plane[n : n + SIDE, n : n + SIDE])
    content = path.read_bytes()
    path.unlink()
    return content


def measure(folder: Path, count: int, workers: int) -> dict[str, Any]:
    """Make the videos below `folder`, curate them, and curate them again."""
    (folder / "in").mkdir()
    make_videos(folder / "in", count)
    watched, started = Watched(workers, max(1, count // 20)), time.perf_counter()
    config = CurationConfig(filters=parse_filters({"min_nearest_distance": None}))
    summary = pipeline.curate([folder / "in"], folder / "out", config, watched)
    ended = time.perf_counter()
    again = pipeline.curate([folder / "in"], folder / "out", config, LocalExecutor(workers))
    memory = watched.memory_mb
    return {
        "videos": count,
        "outcomes": dict(Counter(summary.videos.outcome)),
        "first_given_s": round(watched.first_given - started, 2),
        "first_done_s": round(watched.first_done - started, 2),
        "videos_per_s": round(count / (ended - started), 1),
        "end_s": round(ended - watched.first_given, 1),
        "memory_mb": memory,
        "growth_mb": round(memory[-1] - memory[len(memory) // 10], 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "nothing_to_do_s": round(time.perf_counter() - ended, 2),
        "nothing_to_do": again.new == 0,
    }


class BegunError(Exception):
    """The first video would have been given to a worker."""


class Stopping:
    """An executor that draws the first item, and ends the run there."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """See `s2d.curation.executors.Executor`."""
        for item in items:
            raise BegunError(item)
        yield from ()


def begin(folder: Path, count: int) -> dict[str, Any]:
    """How soon the first of the videos is begun, without working on any."""
    (folder / "in").mkdir()
    make_videos(folder / "in", count)
    started = time.perf_counter()
    with suppress(BegunError):
        pipeline.curate([folder / "in"], folder / "out", executor=Stopping())
    return {"videos": count, "first_given_s": round(time.perf_counter() - started, 2)}


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--begin-only", action="store_true", help="stop when the first video is begun")
    args = parser.parse_args()
    worker.VideoWorker = CheapWorker  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        print(json.dumps(begin(made, args.videos) if args.begin_only else measure(made, args.videos, args.workers)))


if __name__ == "__main__":
    main()
