"""Videos in, a data set out: plan, work, merge.

The unit of work is one video. Workers stage each result by itself (`worker.py`, `staging.py`), in whatever order they
finish; here the results are joined, in the order of the inputs, into shards of a fixed number of videos. So the bytes
of a shard depend neither on the number of workers nor on where an earlier run was killed: finished shards are whole
groups of that order, and a later run carries on with the next.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2d import progress
from s2d.curation.config import CurationConfig, difference
from s2d.curation.copies import Copies
from s2d.curation.duplicates import DUPLICATE, Duplicates, under_known_names
from s2d.curation.executors import Executor, Failure, LocalExecutor
from s2d.curation.limits import Filters, parse_filters
from s2d.curation.plan import Source, find_sources
from s2d.curation.retry import Reopened, finish_exchange, reopen
from s2d.curation.staging import Staged, Staging, claimed, staging_folder
from s2d.errors import S2DError
from s2d.shards.reader import finished_shards, open_dataset, read_part
from s2d.shards.schema import Provenance, read_metadata
from s2d.shards.splits import check_apart
from s2d.shards.writer import make_shard, part_path, publish_shard, writing
from s2d.storage import Location, location, reaching

if TYPE_CHECKING:
    import pandas as pd

VIDEOS_PER_SHARD = 64  # share a file
KNOWN = ["video", "path", "bytes", "sha256", "reason", "identity", "split", "span"]  # an older s2d lacks the last two

Work = Callable[[Source], str]


@dataclass(frozen=True)
class Summary:
    """What became of the inputs of one run."""

    videos: pd.DataFrame
    """A row per input file, from this run or an earlier one: columns as in `s2d.shards.schema.VIDEOS`."""
    new: int
    """Files whose outcome this run has found; not those found by an earlier run that was stopped before it ended."""
    changed: list[str]
    """Videos whose file has another size than when it was curated; the data set keeps what it has of them."""


def curate(
    inputs: Sequence[str | Path],
    out: str | Path,
    config: CurationConfig | None = None,
    executor: Executor | None = None,
    *,
    retry_failed: bool = False,
) -> Summary:
    """Curate all files of `inputs` (videos, or folders to search through) into the data set folder `out`.

    All of them are paths or fsspec URLs. Videos behind a URL are copied to the staging folder while they are worked on;
    that of a remote `out` is in this machine's cache. Give the same call again to finish a run that was stopped, or to
    add new files. Each file gets one outcome: kept, filtered or failed; no file stops the run. With `retry_failed`,
    those that failed in an earlier run are worked on again. Raises S2DError when an input does not exist, `out` cannot
    be written, is in use by another run or holds a data set of other settings, or the detector cannot be loaded.
    """
    return curate_sources(find_sources(inputs, location(out)), out, config, executor, retry_failed=retry_failed)


def curate_sources(
    sources: Sequence[Source],
    out: str | Path,
    config: CurationConfig | None = None,
    executor: Executor | None = None,
    *,
    retry_failed: bool = False,
) -> Summary:
    """`curate` for videos that are found already, such as those of a recipe (`s2d.curation.recipes.plan_recipe`).

    Raises S2DError besides when somebody would be in two splits of the data set.
    """
    from s2d.curation.worker import VideoWorker  # late, because it brings in all of the decoding
    from s2d.landmarks.detectors.factory import make_detector

    config, place = config or CurationConfig(), location(out)
    with reaching(place):
        if place.exists() and not place.is_dir():
            raise S2DError(f"cannot curate into {out}", "it is a file", "give a folder, new or of a data set")
    # The detector is loaded here as well: to know its version, and to fail once and early, not once per video.
    staging = Staging(staging_folder(place), config.provenance(make_detector(config.detector)), place)
    with claimed(place):
        work, engine = VideoWorker(config, staging), executor or LocalExecutor()
        return run(sources, staging, work, engine, VIDEOS_PER_SHARD, retry_failed, config.filters)


def run(
    sources: Sequence[Source],
    staging: Staging,
    work: Work,
    executor: Executor,
    per_shard: int,
    retry_failed: bool = False,
    filters: Filters | None = None,
) -> Summary:
    """Deal with those of `sources` that the data set does not have yet, or that failed and are to be tried again.

    `work` stages the result of one video. `filters` are asked here about what only the other videos can tell: whether a
    video is a near copy of one of them.

    The caller has `claimed` the data set's folder. Raises S2DError when it holds a data set of other settings.
    """
    out = staging.out
    finish_exchange(out, staging.folder)
    rows = _known_videos(out, staging.provenance)
    sources = under_known_names(sources, rows)
    sides = [(row["identity"], row.get("split")) for row in rows]
    check_apart([*sides, *((source.identity, source.split) for source in sources)], f"cannot add to {out}")
    known = {row["video"]: (row["bytes"], _own_hash(row)) for row in rows}
    _remove_orphans(out)
    reopened = reopen(out, sources) if retry_failed else []
    again = {video for shard in reopened for video in shard.again}
    known = {video: facts for video, facts in known.items() if video not in again}
    todo = [source for source in sources if source.video not in known]
    todo.sort(key=lambda source: source.video not in again)  # what the data set has had goes before what is new
    staging.make()
    staging.keep_only(todo)
    copies = Copies(filters or parse_filters())
    copies.add_published(out)
    queue = _Queue(todo, _groups(todo, reopened, per_shard), Duplicates(todo, known), staging, copies)
    queue.work_through(work, executor)
    staging.remove()
    changed = [source.video for source in sources if known.get(source.video, (source.bytes, ""))[0] != source.bytes]
    names = [source.video for source in sources]
    videos = open_dataset(out).videos().set_index("video").loc[names].reset_index()
    return Summary(videos, len(todo) - queue.taken_over, changed)


def _known_videos(out: Location, provenance: Provenance) -> list[dict[str, Any]]:
    """Rows of the videos in finished shards, with the columns of KNOWN; raises S2DError where settings differ."""
    known: list[dict[str, Any]] = []
    for shard in finished_shards(out):
        part = read_part(part_path(out, "videos", shard), KNOWN)
        metadata = read_metadata(part.schema)
        if metadata.get("config_hash") != provenance.config_hash:
            why = difference(metadata.get("config", {}), provenance.settings())
            raise S2DError(
                f"cannot add to {out}", why, f"give the same (`s2d inspect {out}` shows them), or another --out"
            )
        known += part.to_pylist()
    return known


def _own_hash(row: Mapping[str, Any]) -> str | None:
    """Of a whole file that is no copy of another one."""
    return None if row.get("span") or row["reason"] == DUPLICATE else row["sha256"]


def _remove_orphans(out: Location) -> None:
    """Remove parts without their videos part: a run was killed between the renames."""
    finished = set(finished_shards(out))
    with reaching(out), writing(out):
        for table in ("frames", "tracks"):
            for part in (out / table).glob("part-*.parquet"):
                if part.stem.removeprefix("part-") not in finished:
                    part.unlink()


@dataclass(frozen=True)
class _Group:
    """Videos that share a shard, in their order."""

    sources: Sequence[Source]
    replaces: Reopened | None = None
    """The shard that holds them already, and others with them."""


def _groups(todo: Sequence[Source], reopened: Sequence[Reopened], per_shard: int) -> deque[_Group]:
    """Videos that are tried again keep their shard; the others are dealt out in their order."""
    home = {video: number for number, shard in enumerate(reopened) for video in shard.again}
    again: list[list[Source]] = [[] for _ in reopened]
    for source in todo:
        if source.video in home:
            again[home[source.video]].append(source)
    new = [source for source in todo if source.video not in home]
    parts = (new[start : start + per_shard] for start in range(0, len(new), per_shard))
    return deque([*map(_Group, again, reopened), *map(_Group, parts)])


class _Queue:
    """Videos on their way to the workers, and groups of them on their way to shards."""

    def __init__(
        self,
        todo: Sequence[Source],
        groups: deque[_Group],
        duplicates: Duplicates,
        staging: Staging,
        copies: Copies,
    ) -> None:
        self._todo, self._groups, self._staging, self._copies = todo, groups, staging, copies
        self._duplicates = duplicates
        self._settled: dict[str, Source] = {}  # videos that needed no worker
        self._unfinished = {source.video for source in todo}
        self._clips = Counter(source.path for source in todo)  # that are left, by video
        self.taken_over = 0
        """Videos whose result a stopped run has left in the staging folder."""

    def work_through(self, work: Work, executor: Executor) -> None:
        """Work on all videos and publish group after group, each as soon as it and those before it are complete."""
        for source in progress.track(self._finished(work, executor), "curating", len(self._todo)):
            self._unfinished.remove(source.video)
            self._clips[source.path] -= 1
            if not self._clips[source.path]:
                self._staging.forget_copy(source)
            while self._groups and not any(one.video in self._unfinished for one in self._groups[0].sources):
                self._publish(self._groups.popleft())

    def _finished(self, work: Work, executor: Executor) -> Iterator[Source]:
        """The videos as their outcomes are known. Those that need no worker are told as the workers draw the next."""
        at_once: deque[Source] = deque()

        def drawn() -> Iterator[Source]:
            for source in map(self._duplicates.settled, self._todo):
                if source.settled:
                    self._settled[source.video] = source
                elif self._staging.load(source) is not None:
                    self.taken_over += 1
                else:
                    yield source
                    continue
                at_once.append(source)

        for source, result in executor.map(work, drawn()):
            if isinstance(result, Failure):
                self._staging.store(source, source.row("failed", result.reason, result.detail), [])
            yield source
            while at_once:
                yield at_once.popleft()
        yield from at_once

    def _publish(self, group: _Group) -> None:
        """Join the staged results of a group into one shard. Memory: the frames of one track."""
        results = [self._copies.settle(self._result(source)) for source in group.sources]
        if group.replaces:
            results = group.replaces.joined({str(result.video["video"]): result for result in results})
        tracks = [row for result in results for row in result.tracks]
        frames = (table for result in results for table in result.frame_tables())
        videos = [result.video for result in results]
        shard = make_shard(self._staging.provenance, videos, tracks, frames, self._staging.folder)
        if group.replaces:
            group.replaces.exchange(shard, self._staging.folder)
        else:
            publish_shard(self._staging.out, shard, self._staging.folder)
        self._staging.discard(group.sources)

    def _result(self, source: Source) -> Staged:
        settled = self._settled.get(source.video)
        if settled and settled.settled:
            return Staged(settled.row(*settled.settled), [], self._staging.frames_path(settled))
        staged = self._staging.load(source)
        if staged is None:
            where = self._staging.folder
            raise S2DError(f"cannot find the result of {source.video}", f"it was removed from {where}", "run again")
        return staged
