"""Animate a face photo by a video, or by landmarks alone.

examples:
  s2d animate --source face.jpg --driving talking.mp4 --out moving.mp4 --side-by-side
  s2d animate --source family.jpg --face 2 --driving talking.mp4 --paste-back --out moving.mp4
  s2d animate --source face.jpg --driving DATASET --track ID --checkpoint runs/tiny/best.safetensors --out moving.mp4
  s2d animate --source face.jpg --driving mine.npy --fps 30 --out moving.mp4

A .csv or .npy file of landmarks is as for `s2d jitter --landmarks` (see its help), in pixels of any picture. It is not
smoothed: alignment needs the pictures; frames without a face are bridged. Its motion is carried over like a video's.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from s2d.cli.arguments import add_checkpoint, add_detector, add_size, add_source, at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d animate`."""
    add_source(parser)
    parser.add_argument(
        "--face", type=at_least(1), default=1, metavar="N", help="another of its faces: 2 is the second largest"
    )
    parser.add_argument(
        "--driving",
        required=True,
        metavar="VIDEO|DIR|FILE",
        help="video, data set, frames file of one (.parquet), or landmarks (.csv, .npy)",
    )
    parser.add_argument("--out", required=True, metavar="MP4", help="the video to write")
    add_checkpoint(parser)
    parser.add_argument("--runtime", choices=("torch", "onnx"), help="default: onnx for .onnx files of s2d export")
    parser.add_argument("--mode", default="relative", choices=("relative", "absolute"), help="default: relative")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--side-by-side", action="store_true", help="write source | driving | result")
    form.add_argument(
        "--paste-back",
        action="store_true",
        help="write the whole photo with the moving face in it, in the photo's own resolution (up to 4096 pixels a "
        "side and 9.4 megapixels, larger ones are shrunk; an odd side becomes even by repeating its last pixels)",
    )
    add_size(parser, "the face's own in the photo, but no more than 512, or 2048 with --paste-back")
    parser.add_argument(
        "--no-audio",
        dest="audio",
        action="store_false",
        help="leave out the driving video's sound (default: AAC and MP3 are copied, all else becomes AAC)",
    )
    parser.add_argument("--track", metavar="NAME", help="which face drives (default: the longest track)")
    parser.add_argument("--fps", type=float, metavar="F", help="frames a second of a .csv or .npy file (default: 25)")
    add_detector(parser)


def run(args: argparse.Namespace) -> None:
    """Animate and say what was written."""
    from s2d.animation.animate import animate
    from s2d.cli.output import emit, tell

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
        face=args.face,
        paste_back=args.paste_back,
        audio=args.audio,
        fps=args.fps,
        tell=None if args.json else tell,
    )
    how = "trained model" if made.trained else "the analytic prior, untrained"
    frames = "1 frame" if made.frames == 1 else f"{made.frames} frames"
    what = f"{frames} of {made.width} x {made.height} px at {made.fps:.3g} fps"
    sound = "" if made.sound == "none" else f", sound {made.sound}"
    line = f"wrote {made.out}: {what}, driven by {made.track} ({how}){sound}"
    emit(asdict(made), [line], args.json)
