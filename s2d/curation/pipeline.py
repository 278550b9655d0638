"""Videos in, a data set out: plan, work, merge.

The unit of work is one video. Workers stage each result by itself (`worker.py`, `staging.py`), in whatever order they
finish; here the results are joined, in the order of the inputs, into shards of a fixed number of videos. So the bytes
of a shard depend neither on the number of workers nor on where an earlier run was killed: finished shards are whole
groups of that order, and a later run carries on with the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2d import progress
from s2d.curation.config import CurationConfig, difference
from s2d.curation.copies import Copies
from s2d.curation.executors import Executor, Failure, LocalExecutor
from s2d.curation.limits import Filters, parse_filters
from s2d.curation.plan import Source, find_sources, settle_duplicates
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
KNOWN = ["video", "bytes", "sha256", "identity", "split", "span"]  # an older s2d has not written the last two

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
    sides = [(row["identity"], row.get("split")) for row in rows]
    check_apart([*sides, *((source.identity, source.split) for source in sources)], f"cannot add to {out}")
    known = {row["video"]: (row["bytes"], None if row.get("span") else row["sha256"]) for row in rows}
    _remove_orphans(out)
    reopened = reopen(out, sources) if retry_failed else []
    again = {video for shard in reopened for video in shard.again}
    known = {video: facts for video, facts in known.items() if video not in again}
    todo = settle_duplicates([source for source in sources if source.video not in known], known)
    staging.make()
    staging.keep_only(todo)
    copies = Copies(filters or parse_filters())
    copies.add_published(out)
    new = _work_through(_groups(todo, reopened, per_shard), staging, copies, work, executor)
    staging.remove()
    changed = [source.video for source in sources if known.get(source.video, (source.bytes, ""))[0] != source.bytes]
    names = [source.video for source in sources]
    videos = open_dataset(out).videos().set_index("video").loc[names].reset_index()
    return Summary(videos, new, changed)


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


def _work_through(groups: deque[_Group], staging: Staging, copies: Copies, work: Work, executor: Executor) -> int:
    """Work on all videos and publish group after group, each as soon as it and those before it are complete.

    What a stopped run has left in the staging folder is taken over. Returns the number of files that were left to do.
    """
    todo = [source for group in groups for source in group.sources]
    taken_over = {source.video for source in todo if not source.settled and staging.load(source) is not None}
    open_items = [source for source in todo if not source.settled and source.video not in taken_over]
    unfinished = {source.video for source in open_items}
    _publish_complete(groups, unfinished, staging, copies)
    for source, result in progress.track(executor.map(work, open_items), "curating", len(open_items)):
        if isinstance(result, Failure):
            staging.store(source, source.row("failed", result.reason, result.detail), [])
        unfinished.remove(source.video)
        _publish_complete(groups, unfinished, staging, copies)
    return len(todo) - len(taken_over)


def _publish_complete(groups: deque[_Group], unfinished: set[str], staging: Staging, copies: Copies) -> None:
    while groups and not any(source.video in unfinished for source in groups[0].sources):
        _publish(groups.popleft(), staging, copies)


def _publish(group: _Group, staging: Staging, copies: Copies) -> None:
    """Join the staged results of a group into one shard. Memory: the frames of one track."""
    results = [copies.settle(_result(source, staging)) for source in group.sources]
    if group.replaces:
        results = group.replaces.joined({str(result.video["video"]): result for result in results})
    tracks = [row for result in results for row in result.tracks]
    frames = (table for result in results for table in result.frame_tables())
    videos = [result.video for result in results]
    shard = make_shard(staging.provenance, videos, tracks, frames, staging.folder)
    if group.replaces:
        group.replaces.exchange(shard, staging.folder)
    else:
        publish_shard(staging.out, shard, staging.folder)
    staging.discard(group.sources)


def _result(source: Source, staging: Staging) -> Staged:
    if source.settled:
        return Staged(source.row(*source.settled), [], staging.frames_path(source))
    staged = staging.load(source)
    if staged is None:
        raise S2DError(
            f"cannot find the result of {source.video}", f"it was removed from {staging.folder}", "run again"
        )
    return staged
