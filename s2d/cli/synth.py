"""Synthetic talking-face clips with exactly known landmarks: a moving still as video, the truth beside it as Parquet.

examples:
  s2d synth --out clips                                     one clip of each variant
  s2d synth --out clips --clips 20 --variants calm fast --still PHOTOS/ --seed 100
  s2d jitter clips/calm-0.mp4                               measured against the truth beside it

  pandas.read_parquet("clips/calm-0.parquet")               frame, time, points, visible, dropped, yaw, pitch, roll
"""

from __future__ import annotations

import argparse

from s2d.cli.arguments import at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d synth`."""
    from s2d.landmarks.synthetic import VARIANTS
    from s2d.landmarks.synthetic.folder import FPS, FRAMES, SIZE

    count = len(VARIANTS)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for VARIANT-SEED.mp4 and .parquet")
    parser.add_argument("--clips", type=at_least(1), default=count, metavar="N", help=f"how many (default: {count})")
    parser.add_argument(
        "--variants", nargs="+", choices=tuple(VARIANTS), metavar="NAME", help=f"in turn; of {', '.join(VARIANTS)}"
    )
    parser.add_argument(
        "--still", metavar="IMAGE|DIR", help="the face, or a folder of faces taken in turn (skimage's astronaut)"
    )
    parser.add_argument("--frames", type=at_least(1), default=FRAMES, metavar="N", help=f"per clip (default: {FRAMES})")
    parser.add_argument("--size", type=at_least(16), default=SIZE, metavar="PX", help=f"side (default: {SIZE})")
    parser.add_argument("--fps", type=float, default=FPS, metavar="F", help=f"frames a second (default: {FPS:g})")
    parser.add_argument("--seed", type=at_least(0), default=0, metavar="S", help="of the first clip (default: 0)")


def run(args: argparse.Namespace) -> None:
    """Write the clips and list them."""
    from s2d.cli.output import emit, table
    from s2d.landmarks.synthetic import VARIANTS, write_clips

    made = write_clips(
        args.out,
        args.clips,
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
