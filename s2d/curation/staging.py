"""DIR/.staging: results of single videos, kept until their shard is whole, and the lock against a second run."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import platformdirs
import pyarrow as pa

from s2d.curation.plan import Source
from s2d.errors import S2DError
from s2d.files import whole_file
from s2d.shards.reader import open_parquet
from s2d.shards.schema import Provenance
from s2d.shards.writer import Row, writing
from s2d.storage import Location, fetch, location

FOLDER, LOCK = ".staging", ".lock"


def staging_folder(out: Location) -> Path:
    """Where results wait for their shard: in the data set's folder, or, of a remote one, in this machine's cache."""
    if isinstance(out, Path):
        return out / FOLDER
    return (
        platformdirs.user_cache_path("s2d") / "curation" / hashlib.sha256(str(out).encode()).hexdigest()[:16] / FOLDER
    )


@contextmanager
def claimed(out: Location) -> Iterator[None]:
    """Make the folder `out` and hold it alone; the operating system lets go of it when the process ends, however.

    A remote folder is held against other runs on this machine only: object stores know no locks that end with their
    process. Two machines at once do no harm to shards, which are whole and named by their content, but a video that
    both have worked on is then in two shards, unless they worked on the same files; readers say so.
    Raises S2DError when it cannot be made or written, or another run holds it.
    """
    held = staging_folder(out).parent
    with writing(held):
        held.mkdir(parents=True, exist_ok=True)
        lock = open(held / LOCK, "w")  # noqa: SIM115 - held open, not read
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise S2DError(
                f"cannot curate into {out}", "another run is writing there", "wait for it, or choose another --out"
            ) from error
        yield


@dataclass(frozen=True)
class Staged:
    """The result of one video: its row, its tracks' rows, and their frames in a file."""

    video: Row
    tracks: Sequence[Row]
    frames: Location
    groups: Sequence[int] | None = None
    """Row groups of `frames` that belong to the tracks; None where all of them do."""

    def frame_tables(self) -> Iterator[pa.Table]:
        """The frames, one table per track, read one at a time."""
        if not self.tracks:
            return
        with open_parquet(self.frames) as file:
            for number in range(file.num_row_groups) if self.groups is None else self.groups:
                yield file.read_row_group(number)


@dataclass(frozen=True)
class Staging:
    """The staging folder of a data set, for results made by `provenance`; may be pickled to other processes."""

    folder: Path
    provenance: Provenance
    remote: Location | None = None
    """The data set, if it is not the folder above `folder`."""

    @property
    def out(self) -> Location:
        """The data set that the results are for."""
        return self.remote or self.folder.parent

    def make(self) -> None:
        """Make the folder if it is missing."""
        with writing(self.folder):
            self.folder.mkdir(exist_ok=True)

    def frames_path(self, source: Source) -> Path:
        """Where the frames of this video go while they are being made, and stay."""
        return self.folder / f"{self._key(source)}.frames"

    def at_hand(self, source: Source) -> Path:
        """The video as a file of this machine: itself, or a copy of what its URL names.

        A copy stands in the staging folder until `forget_copy`, for all clips of that video: it is fetched by the first
        that is worked on while others wait, and anew if its worker is killed on the way. Raises S2DError when the
        video cannot be read, WriteError when there is no room for it.
        """
        place = location(source.path)
        if isinstance(place, Path):
            return place
        copy, partial, lock = self._copies(source)
        with writing(copy), lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not copy.exists():
                fetch(place, partial)
                partial.replace(copy)
        return copy

    def forget_copy(self, source: Source) -> None:
        """Remove the copy of a video behind a URL: its last clip has been worked on."""
        for path in self._copies(source):
            path.unlink(missing_ok=True)

    def store(self, source: Source, video: Row, tracks: Sequence[Row]) -> None:
        """Declare a video finished; its frames stand in `frames_path` by now. Raises WriteError."""
        frames = self.frames_path(source)
        entry = {"video": video, "tracks": tracks, "frames_bytes": frames.stat().st_size if tracks else 0}
        path = self._entry(source)
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps(entry))

    def load(self, source: Source) -> Staged | None:
        """The result of a video if it is there and whole; else None."""
        try:
            entry = json.loads(self._entry(source).read_text())
            frames = self.frames_path(source)
            if entry["tracks"] and frames.stat().st_size != entry["frames_bytes"]:
                return None
            return Staged(entry["video"], entry["tracks"], frames)
        except (OSError, ValueError, KeyError):
            return None

    def discard(self, sources: Iterable[Source]) -> None:
        """Forget the results of these videos."""
        for source in sources:
            self._entry(source).unlink(missing_ok=True)
            self.frames_path(source).unlink(missing_ok=True)

    def keep_only(self, sources: Iterable[Source]) -> None:
        """Remove whatever a killed run has left that belongs to none of these videos."""
        left = list(self.folder.iterdir())
        if not left:  # as always but after a kill: a hundred thousand names would cost a second
            return
        wanted = {path.name for source in sources for path in (self._entry(source), self.frames_path(source))}
        for path in left:
            if path.name not in wanted:
                path.unlink()

    def remove(self) -> None:
        """Remove the folder: every result is in a shard."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _entry(self, source: Source) -> Path:
        return self.folder / f"{self._key(source)}.json"

    def _copies(self, source: Source) -> tuple[Path, Path, Path]:
        """The copy, the copy in the making, and the lock of who makes it."""
        key = _digest([source.path, source.bytes, source.modified_ns])
        copy, partial, lock = (self.folder / f"{key}.{kind}" for kind in ("copy", "partial", "lock"))
        return copy.with_name(copy.name + PurePosixPath(source.path).suffix), partial, lock

    def _key(self, source: Source) -> str:
        file = [source.video, source.path, source.bytes, source.modified_ns]
        said = [source.identity, source.split, astuple(source.clip) if source.clip else None]  # recipes are mended, too
        what: list[Any] = [self.provenance.config_hash, *file, *said]
        return _digest(what)


def _digest(what: list[Any]) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:32]
