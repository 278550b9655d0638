"""Animate a face photo by a video, or by the landmarks of a data set.

examples:
  s2d animate --source face.jpg --driving talking.mp4 --out moving.mp4 --side-by-side
  s2d animate --source face.jpg --driving DATASET --track ID --checkpoint runs/tiny/model.safetensors --out moving.mp4
"""

from __future__ import annotations

import argparse
from dataclasses import asdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d animate`."""
    parser.add_argument("--source", required=True, metavar="IMAGE", help="photo or painting; its largest face moves")
    parser.add_argument("--driving", required=True, metavar="VIDEO|DIR", help="video, data set or frames file of one")
    parser.add_argument("--out", required=True, metavar="MP4", help="the video to write")
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="trained weights (.safetensors or .ckpt); without: the prior"
    )
    parser.add_argument("--runtime", choices=("torch", "onnx"), help="default: onnx for .onnx files of s2d export")
    parser.add_argument("--mode", default="relative", choices=("relative", "absolute"), help="default: relative")
    parser.add_argument("--side-by-side", action="store_true", help="write source | driving | result")
    parser.add_argument("--size", type=int, metavar="PX", help="side of the result (default: the face's, at most 512)")
    parser.add_argument("--track", metavar="NAME", help="which face drives (default: the longest track)")
    parser.add_argument("--detector", default="mesh", help="landmark detector (default: mesh)")


def run(args: argparse.Namespace) -> None:
    """Animate and say what was written."""
    from s2d.animation.animate import animate
    from s2d.cli.output import emit

    made = animate(
        args.source,
        args.driving,
        args.out,
        checkpoint=args.checkpoint,
        runtime=args.runtime,
        detector=args.detector,
        mode=args.mode,
        side_by_side=args.side_by_side,
        size=args.size,
        track=args.track,
    )
    how = "trained model" if made.trained else "analytic prior, no checkpoint"
    what = f"{made.frames} frames of {made.size} px at {made.fps:.3g} fps"
    line = f"wrote {made.out}: {what}, driven by {made.track} ({how})"
    emit(asdict(made), [line], args.json)
