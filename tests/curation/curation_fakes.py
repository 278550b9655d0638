"""Stand-ins that worker processes can import by name."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem

from s2d.curation.executors import Executor, Failure, LocalExecutor
from s2d.curation.pipeline import Summary, run
from s2d.curation.plan import Source, find_sources
from s2d.curation.staging import Staging, claimed, staging_folder
from s2d.files import file_sha256, whole_file
from s2d.shards.schema import Provenance
from s2d.shards.writer import FramesWriter, WriteError, frame_table
from s2d.storage import location


class Shelf(LocalFileSystem):
    """shelf:///PATH: files of this machine as a store behind a URL, that every process sees."""

    protocol = ("shelf",)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("shelf://"))


class SlowShelf(Shelf):
    """slow-shelf:///PATH/FOLDER/NAME: the same, half a second to open; PATH/opened gets an x each time."""

    protocol = ("slow-shelf",)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(path.removeprefix("slow-shelf://"))

    def open(self, path: str, *arguments: object, **options: object) -> object:
        """Slowly."""
        with (Path(path).parents[1] / "opened").open("a") as log:
            log.write("x")
        time.sleep(0.5)
        return super().open(path, *arguments, **options)


for shelf in (Shelf, SlowShelf):
    fsspec.register_implementation(shelf.protocol[0], shelf, clobber=True)


class FakeWork:
    """Stands in for `VideoWorker`: a file's first word says what becomes of it, its content decides every number.

    `kept 2`: two tracks. `filtered`, `failed`: that. `die`: the worker goes with it. `disk`: the output is full.
    """

    def __init__(self, staging: Staging, pause: float = 0.0) -> None:
        self.staging, self.pause = staging, pause

    def __call__(self, source: Source) -> str:
        film = self.staging.at_hand(source)
        content, digest = film.read_text(), file_sha256(film)
        order, *rest = content.split() or ["failed"]
        time.sleep(self.pause)
        if order == "die":
            os._exit(1)
        if order == "disk":
            raise WriteError("cannot write there", "No space left on device", "make some")
        count = int(rest[0]) if order == "kept" else 0
        frames = self.staging.frames_path(source)
        with whole_file(frames) as path, FramesWriter(path, self.staging.provenance) as writer:
            tracks = [self._track(source, number, content, writer) for number in range(count)]
        reason = "" if count else f"said {order}"
        row = source.row(order, reason, reason, tracks=count, track_frames=5 * count)
        self.staging.store(source, row | {"sha256": digest}, tracks)
        return order

    def _track(self, source: Source, number: int, content: str, writer: FramesWriter) -> dict[str, object]:
        track_id, frames = f"{Path(source.video).stem}-{number}", 5
        rng = np.random.default_rng([number, *content.encode()])
        points = rng.normal(size=(frames, 70, 2)).astype(np.float32)
        pictures = [rng.bytes(100) for _ in range(frames)]
        valid, score = np.ones((frames, 70), bool), np.ones(frames, np.float32)
        writer.write(
            frame_table(track_id, np.arange(frames), np.arange(frames) / 25, points, points, score, valid, pictures)
        )
        row = {"track_id": track_id, "video": source.video, "identity": source.identity, "shot": 0, "face": number}
        row["split"] = source.split
        row |= {"start_frame": 0, "end_frame": frames - 1, "start_time": 0.0, "end_time": 0.16, "fps": 25.0}
        row |= {"frames": frames, "crop_left": 0, "crop_top": 0, "crop_side": 64, "detector": "fake"}
        return row | {"sharpness": float(rng.random())}


PROVENANCE = Provenance("fake", "1", {"version": "1"}, 64, {"min_frames": 1})


class InProcess:
    """An executor without processes, for speed: completes in a shuffled order and pretends that `die` was a death."""

    def map(self, function: FakeWork, items: list[Source]) -> Iterator[tuple[Source, str | Failure]]:
        order = list(items)
        random.Random(3).shuffle(order)
        order.sort(key=lambda item: _content(item) == b"disk")  # the disk fills up late
        for item in order:
            yield item, DEATH if _content(item).startswith(b"die") else function(item)


def _content(source: Source) -> bytes:
    with location(source.path).open("rb") as film:
        return film.read()


DEATH = Failure("worker died", "the worker process ended with exit code 1")


def fake_curate(
    inputs: list[Path],
    out: str | Path,
    executor: Executor | None = None,
    per_shard: int = 3,
    provenance: Provenance = PROVENANCE,
    pause: float = 0.0,
    retry_failed: bool = False,
) -> Summary:
    """`curate` with FakeWork in the place of decoding, detecting and aligning."""
    return fake_curate_sources(
        find_sources(inputs, location(out)), out, executor, per_shard, provenance, pause, retry_failed
    )


def fake_curate_sources(
    sources: list[Source],
    out: str | Path,
    executor: Executor | None = None,
    per_shard: int = 3,
    provenance: Provenance = PROVENANCE,
    pause: float = 0.0,
    retry_failed: bool = False,
) -> Summary:
    """`curate_sources`, likewise."""
    place = location(out)
    with claimed(place):
        staging = Staging(staging_folder(place), provenance, place)
        return run(sources, staging, FakeWork(staging, pause), executor or InProcess(), per_shard, retry_failed)


if __name__ == "__main__":
    films, folder, seconds, *more = sys.argv[1:]
    fake_curate([Path(films)], folder, LocalExecutor(2), pause=float(seconds), retry_failed=bool(more))
