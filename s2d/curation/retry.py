"""Videos of finished shards that are worked on again, and the shard that takes the place of theirs.

A shard with such a video is made anew as a whole: the same videos in the same order, those that are not worked on again
copied over. It has the bytes that a fresh run over the same files would have given it, but for near copies: of a video
that is now good and a copy behind it, a fresh run keeps the first, this one what is there. While the work goes on, the
old shard stays; then the new one takes its place in a moment. A run that is killed in that moment leaves a data set
without that shard, and a note from which the next run finishes the exchange.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from s2d.curation.duplicates import DUPLICATE
from s2d.curation.plan import Source
from s2d.curation.staging import Staged
from s2d.files import sync, whole_file
from s2d.shards.reader import finished_shards, read_part
from s2d.shards.schema import TABLES
from s2d.shards.writer import part_path, publish_shard, scratch_path, writing
from s2d.storage import Location

NOTE = "exchange.json"


@dataclass(frozen=True)
class Reopened:
    """A finished shard, some of whose videos are worked on again."""

    folder: Location
    """The data set's folder."""
    shard: str
    again: frozenset[str]
    """Names of the videos to work on."""

    def joined(self, results: Mapping[str, Staged]) -> list[Staged]:
        """All results of the shard in its order: the new ones where there are some, else what it holds."""
        return [results.get(staged.video["video"], staged) for staged in self._stored()]

    def _stored(self) -> Iterator[Staged]:
        videos, tracks = (read_part(part_path(self.folder, name, self.shard)).to_pylist() for name in TABLES[:2])
        frames = part_path(self.folder, "frames", self.shard)
        groups: dict[str, list[int]] = {row["video"]: [] for row in videos}
        for number, track in enumerate(tracks):
            groups[track["video"]].append(number)
        for row in videos:
            of = groups[row["video"]]
            yield Staged(row, [tracks[number] for number in of], frames, of)

    def exchange(self, new: str, scratch: Path) -> None:
        """Put the shard `new`, whose parts have been made in `scratch`, in the place of this one. Raises WriteError."""
        with whole_file(scratch / NOTE) as path:
            path.write_text(json.dumps({"old": self.shard, "new": new}))
        finish_exchange(self.folder, scratch)


def reopen(out: Location, sources: Iterable[Source]) -> list[Reopened]:
    """The shards that hold videos of `sources` that have failed and may be tried again, or copies of such videos."""
    tried = {source.video for source in sources if not source.settled}
    columns = ["video", "outcome", "reason", "sha256"]
    shards = {shard: read_part(part_path(out, "videos", shard), columns).to_pylist() for shard in finished_shards(out)}
    rows = [row for part in shards.values() for row in part if row["video"] in tried]
    failed = {row["video"]: row["sha256"] for row in rows if row["outcome"] == "failed"}
    content = set(failed.values()) - {None}
    copies = {row["video"] for row in rows if row["reason"] == DUPLICATE and row["sha256"] in content}
    again = {shard: copies.union(failed).intersection(row["video"] for row in part) for shard, part in shards.items()}
    return [Reopened(out, shard, frozenset(videos)) for shard, videos in again.items() if videos]


def finish_exchange(out: Location, scratch: Path) -> None:
    """Do the exchange that is noted in `scratch`, or what a killed run has left of it. Raises WriteError."""
    note = scratch / NOTE
    if not note.exists():
        return
    shards = json.loads(note.read_text())
    if scratch_path(scratch, "videos", shards["new"]).exists():  # else it was all done, but for the note
        with writing(out):
            part_path(out, "videos", shards["old"]).unlink(missing_ok=True)  # first: without it the shard is none
            if isinstance(out, Path):
                sync(out / "videos")
            if shards["old"] != shards["new"]:  # else the renames below replace them
                part_path(out, "tracks", shards["old"]).unlink(missing_ok=True)
                part_path(out, "frames", shards["old"]).unlink(missing_ok=True)
        publish_shard(out, shards["new"], scratch)
    note.unlink()
