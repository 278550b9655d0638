"""Find, track and align the faces of videos, and store them as a data set of Parquet files.

Every file below the inputs gets one outcome: kept, filtered or failed, with a reason; no file stops the run. A run that
was stopped is finished by the same command, and new files are added by it. A video that takes too long, or too much
memory, or that ends its worker process, has failed; the others go on.

Of equal files, and of copies in another encoding, size, frame rate or letterbox, or mirrored, the first is kept. A
video that is a part of another one, or is cropped, is not recognised as a copy.

--executor ray runs the workers on a Ray cluster (pip install "s2d[ray]") and gives the same data set. All machines
of the cluster must share the inputs and DIR, under the same paths: workers write to DIR/.staging.

examples:
  s2d curate videos/ --out DATASET
  s2d curate a.mp4 b.mp4 --out DATASET --min-face-px 128 --workers 4
  s2d curate videos/ --out DATASET --filter min_sharpness=0.1 --filter max_abs_yaw=45
  s2d curate videos/ --out DATASET --config settings.yaml
  s2d curate --recipe voxceleb2 --root VoxCeleb2/ --out DATASET
  s2d curate videos/ --out DATASET --executor ray --address auto --detector fan --gpus-per-worker 0.25

settings.yaml may hold any of:
  detector: mesh
  crop_size: 256
  jpeg: true
  filters: {min_face_px: 128, max_abs_yaw: 45, min_frames: null}     null switches a default off
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from s2d.cli.arguments import add_detector, at_least
from s2d.cli.filters import add_filter_arguments
from s2d.cli.recipes import add_recipe_arguments, check_inputs, described, recipe_tables
from s2d.curation.config import MAX_CROP, MIN_CROP, CurationConfig, layered, read_settings
from s2d.errors import S2DError, UsageError

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from s2d.curation.executors import Executor
    from s2d.curation.pipeline import Summary

EXECUTORS = ("local", "ray")
SHOWN = 40  # rows of the table of files that were not kept
COLUMNS = ["video", "identity", "outcome", "reason", "detail", "value", "limit", "tracks", "track_frames", "seconds"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d curate`."""
    add = parser.add_argument
    add("inputs", nargs="*", metavar="INPUT", help="video, or folder to search; INPUT/NAME/... gives the identity NAME")
    add("--out", required=True, metavar="DIR", help="folder of the data set, made or added to")
    add("--config", metavar="FILE", help="settings as YAML or JSON, see above; options given here go before them")
    add_detector(parser, default=None)
    add("--workers", type=at_least(1), metavar="N", help="processes (default: one per usable processor core)")
    add("--timeout", type=at_least(1), default=3600, metavar="S", help="whole seconds for a video (default: 3600)")
    add("--memory-limit", type=at_least(1), default=8, metavar="GB", help="memory for a video, on Linux (default: 8)")
    add("--retry", choices=("failed",), help="work again on videos that failed in an earlier run")
    add("--executor", choices=EXECUTORS, default="local", help="where the workers are (default: local)")
    add("--address", help="Ray cluster, such as HOST:6379 or auto (default: $RAY_ADDRESS, else Ray on this machine)")
    add("--gpus-per-worker", type=_share, default=0.0, metavar="G", help="GPUs for a Ray worker, such as 0.25")
    crop_size = at_least(MIN_CROP, MAX_CROP)
    add("--crop-size", type=crop_size, metavar="PX", help="side of the stored crop (default: 256)")
    add("--no-jpeg", action="store_true", help="store landmarks only; such a data set cannot train an animator")
    add_recipe_arguments(parser)
    add_filter_arguments(parser)


def run(args: argparse.Namespace) -> None:
    """Curate and say what became of each input."""
    from s2d.cli.output import emit
    from s2d.curation.pipeline import curate, curate_sources
    from s2d.curation.recipes import load_recipe, plan_recipe

    check_inputs(args)
    executor, retry = _executor(args), args.retry == "failed"
    settings = [read_settings(args.config) if args.config else {}, _given(args)]
    result: dict[str, Any]
    if args.recipe:
        recipe = load_recipe(args.recipe)
        config = CurationConfig.from_settings(layered({"filters": recipe.filters}, *settings))
        plan = plan_recipe(recipe, args.root, args.out)
        summary = curate_sources(plan.sources, args.out, config, executor, retry_failed=retry)
        about = described(plan, summary)
        result, tables = {"recipe": about}, recipe_tables(about)
    else:
        config = CurationConfig.from_settings(layered(*settings))
        summary = curate(args.inputs, args.out, config, executor, retry_failed=retry)
        result, tables = {}, []
    emit({**_result(args.out, summary), **result}, [*tables, *_tables(args.out, summary)], args.json)
    outcomes = set(summary.videos.outcome)
    if "kept" not in outcomes:
        where = f"see `s2d inspect {args.out}`" if args.json else f"see the reasons above, or `s2d inspect {args.out}`"
        if outcomes == {"failed"}:
            raise S2DError("no file could be curated", where, "mend them, then --retry failed, or give others")
        sys.stderr.write(f"s2d curate: nothing was kept: {where}\n")


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """Settings of the command line."""
    jpeg = False if args.no_jpeg else None
    given = {"detector": args.detector, "crop_size": args.crop_size, "jpeg": jpeg, "filters": dict(args.filters or [])}
    return {name: value for name, value in given.items() if value is not None}


def _share(text: str) -> float:
    """An argparse type: Ray's rule for GPUs, a part of one or a whole number of them."""
    value = float(text)
    if value < 0 or (value > 1 and not value.is_integer()):
        raise argparse.ArgumentTypeError(f"{text} is neither a part of a GPU, 0 to 1, nor a whole number of them")
    return value


def _executor(args: argparse.Namespace) -> Executor:
    if args.executor == "ray":
        from s2d.curation.executors.ray import RayExecutor
        from s2d.curation.staging import staging_folder
        from s2d.storage import location

        shared, gpus = staging_folder(location(args.out)), args.gpus_per_worker
        limits = args.workers, args.timeout, args.memory_limit
        return RayExecutor(
            args.address, *limits, gpus_per_worker=gpus, shared=shared, inputs=args.inputs or [args.root]
        )
    if args.address or args.gpus_per_worker:
        raise UsageError("cannot use --address or --gpus-per-worker", "they are Ray's", "add --executor ray")
    from s2d.curation.executors import LocalExecutor

    return LocalExecutor(args.workers, args.timeout, args.memory_limit)


def _result(out: str, summary: Summary) -> dict[str, Any]:
    from s2d.shards.schema import OUTCOMES

    videos = summary.videos
    return {
        "out": out,
        "new": summary.new,
        "already": len(videos) - summary.new,
        "changed": summary.changed,
        "outcomes": {name: int((videos.outcome == name).sum()) for name in OUTCOMES},
        "tracks": int(videos.tracks.sum()),
        "frames": int(videos.track_frames.sum()),
        "videos": videos[COLUMNS].to_dict("records"),
    }


def _tables(out: str, summary: Summary) -> list[Table | str]:
    from s2d.cli.output import table
    from s2d.shards.schema import OUTCOMES

    videos = summary.videos
    rows = [(name, *_figures(videos[videos.outcome == name])) for name in OUTCOMES]
    shown: list[Table | str] = [table("Outcomes", ("outcome", "files", "tracks", "frames"), rows)]
    others = videos[videos.outcome != "kept"]
    if len(others):
        reasons = [(row.video, row.outcome, row.detail or row.reason) for row in others.head(SHOWN).itertuples()]
        shown.append(table("Not kept", ("file", "outcome", "why"), reasons))
    if len(others) > SHOWN:
        shown.append(f"... and {len(others) - SHOWN} more not kept: `s2d inspect {out}` counts them by reason")
    return [*shown, *_remarks(out, summary)]


def _figures(videos: pd.DataFrame) -> tuple[int, int, int]:
    return len(videos), int(videos.tracks.sum()), int(videos.track_frames.sum())


def _remarks(out: str, summary: Summary) -> list[str]:
    videos, remarks = summary.videos, []
    failed = set(videos.video[videos.outcome == "failed"])
    again = [name for name in summary.changed if name in failed]
    kept = [name for name in summary.changed if name not in failed]
    if again:
        has = f"{_files(len(again))} that failed earlier {'has' if len(again) == 1 else 'have'} changed"
        remarks.append(f"{has} since (first: {again[0]}): --retry failed works on what failed again")
    if kept:
        has = f"{_files(len(kept))} {'has' if len(kept) == 1 else 'have'} changed since curated (first: {kept[0]})"
        remarks.append(f"{has}: {out} keeps what it has of them, curate them into another folder")
    if summary.new == 0:
        remarks.append(f"nothing to do: {out} has an outcome for {_files(len(videos))} already")
    else:
        old = len(videos) - summary.new
        remarks.append(f"{out}: {_files(summary.new)} done now, {old} had been done before")
    return remarks


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
