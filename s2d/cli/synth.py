"""Synthetic talking-face clips with exactly known landmarks: a moving still as video, the truth beside it as Parquet;
or, of many photos, a data set to train on.

examples:
  s2d synth --out clips                                     one clip of each variant
  s2d synth --out clips --clips 20 --variants calm fast --still PHOTOS/ --seed 100
  s2d jitter clips/calm-0.mp4                               measured against the truth beside it
  s2d synth --format parquet --out STILLS --still PHOTOS/   a data set for `s2d train`: each photo in two clips

  pandas.read_parquet("clips/calm-0.parquet")               frame, time, points, visible, dropped, yaw, pitch, roll
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from s2d.cli.arguments import at_least
from s2d.errors import S2DError, UsageError

if TYPE_CHECKING:
    from s2d.curation.stills import Made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d synth`."""
    from s2d.landmarks.synthetic import VARIANTS
    from s2d.landmarks.synthetic.folder import FPS, FRAMES, SIZE

    count = len(VARIANTS)
    add = parser.add_argument
    add("--out", required=True, metavar="DIR", help="folder for VARIANT-SEED.mp4 and .parquet, or of the data set")
    add("--format", choices=("video", "parquet"), default="video", help="clips, or a data set of crops (video)")
    add("--clips", type=at_least(1), metavar="N", help=f"how many (default: {count}); of each photo for parquet (2)")
    add(
        "--variants", nargs="+", choices=tuple(VARIANTS), metavar="NAME",
        help=f"in turn; of {', '.join(VARIANTS)} (default: all; for parquet calm and fast)",
    )  # fmt: skip
    add("--still", nargs="+", metavar="IMAGE|DIR", help="faces, or folders of faces, in turn (skimage's astronaut)")
    add("--frames", type=at_least(1), default=FRAMES, metavar="N", help=f"per clip (default: {FRAMES})")
    add("--size", type=at_least(16), default=SIZE, metavar="PX", help=f"side (default: {SIZE})")
    add("--fps", type=float, default=FPS, metavar="F", help=f"frames a second (default: {FPS:g})")
    add("--seed", type=at_least(0), default=0, metavar="S", help="of the first clip; of all for parquet (0)")
    add("--crop-size", type=at_least(16, 2048), metavar="PX", help="side of the stored crops, for parquet (256)")
    add("--workers", type=at_least(1), metavar="N", help="processes, for parquet (default: one per usable core)")


def run(args: argparse.Namespace) -> None:
    """Write the clips, or the data set, and list them."""
    if args.format == "parquet":
        _make_data(args)
        return
    if args.crop_size or args.workers:
        raise UsageError("cannot write clips", "--crop-size and --workers are for a data set", "add --format parquet")
    _write_clips(args)


def _make_data(args: argparse.Namespace) -> None:
    from s2d.cli.output import emit, table
    from s2d.curation.executors import LocalExecutor
    from s2d.curation.stills import Recipe, curate_stills
    from s2d.landmarks.synthetic.folder import find_stills
    from s2d.video.writer import exact_rate

    exact_rate(args.fps)
    given = {"variants": args.variants, "clips": args.clips, "crop_size": args.crop_size}
    chosen = {name: value for name, value in given.items() if value is not None}
    recipe = Recipe(**chosen, frames=args.frames, size=args.size, fps=args.fps, seed=args.seed)
    photos = find_stills(args.still) if args.still else [None]
    made = curate_stills(photos, args.out, recipe, LocalExecutor(args.workers))
    if not any(one.clips for one in made):
        raise S2DError(f"cannot make the data set {args.out}", made[0].problem, "give other photos with --still")
    rows = [[one.photo, one.clips, one.problem or _outcome(one)] for one in made]
    changed = [one.photo for one in made if one.changed]
    title = f"{args.out}: {sum(one.clips for one in made)} clips of {recipe.frames} frames"
    emit(
        {"out": args.out, "photos": [vars(one) for one in made]},
        [table(title, ("photo", "clips", ""), rows), *_remarks(args.out, changed)],
        args.json,
    )


def _outcome(made: Made) -> str:
    return "new" if made.written else "as it was" if made.changed else "was there"


def _remarks(out: str, changed: Sequence[str]) -> list[str]:
    if not changed:
        return []
    photos = "1 photo is" if len(changed) == 1 else f"{len(changed)} photos are"
    why = f"not what {out} has clips of under that name (first: {changed[0]}): another picture, or made by another s2d"
    return [f"{photos} {why}; it keeps what it has; name new photos differently, or make another data set"]


def _write_clips(args: argparse.Namespace) -> None:
    from s2d.cli.output import emit, table
    from s2d.landmarks.synthetic import VARIANTS, write_clips

    made = write_clips(
        args.out,
        args.clips or len(VARIANTS),
        variants=args.variants or tuple(VARIANTS),
        still=args.still,
        frames=args.frames,
        size=args.size,
        fps=args.fps,
        seed=args.seed,
    )
    clips = [
        {
            "video": str(clip.video),
            "truth": str(clip.truth),
            "variant": clip.variant,
            "seed": clip.seed,
            "still": clip.still,
            "written": clip.written,
        }
        for clip in made
    ]
    rows = [[clip.video.name, clip.truth.name, clip.still, "new" if clip.written else "was there"] for clip in made]
    title = f"{args.out}: {len(made)} clips of {args.frames} frames, {args.size} px, {args.fps:g} fps"
    result = {"out": args.out, "frames": args.frames, "size": args.size, "fps": args.fps, "clips": clips}
    emit(result, [table(title, ("video", "truth", "still", ""), rows)], args.json)
