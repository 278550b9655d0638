"""Animate a face photo by a webcam, or by a video file in its place, and say how fast that really was.

examples:
  s2d live --source face.jpg --checkpoint model.onnx
  s2d live --source face.jpg --driving talking.mp4 --out moving.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from s2d.cli.arguments import add_checkpoint, add_detector, add_size, add_source, at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d live`."""
    add_source(parser)
    driver = parser.add_mutually_exclusive_group()
    driver.add_argument("--camera", type=at_least(0), default=0, metavar="N", help="number of the webcam (default: 0)")
    driver.add_argument("--driving", metavar="VIDEO", help="a file in place of the webcam")
    parser.add_argument("--out", metavar="MP4", help="write a video instead of showing a window")
    add_checkpoint(parser)
    parser.add_argument("--model", dest="checkpoint", help=argparse.SUPPRESS)  # its name before
    add_size(parser, "the face's own in the photo, but no more than 512; smaller ones are faster")
    add_detector(parser)


def run(args: argparse.Namespace) -> None:
    """Run until q, Ctrl-C or the end of the file, then print the frame rate."""
    from s2d.animation.live import live
    from s2d.cli.output import emit, tell

    with _silent_opencv():
        done = live(
            args.source,
            camera=args.camera,
            driving=args.driving,
            out=args.out,
            model=args.checkpoint,
            detector=args.detector,
            size=args.size,
            tell=None if args.json else tell,
        )
    stages = ", ".join(f"{name} {spent:.3g}" for name, spent in done.milliseconds.items())
    line = f"{done.fps:.1f} frames a second ({done.animated} of {done.frames} frames with a face; ms a frame: {stages})"
    wrote = f"wrote {args.out} ({done.animated} frames of {done.size}x{done.size} pixels)"
    emit(asdict(done), [*([wrote] if args.out else []), line], args.json)


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """OpenCV prints every way by which it failed to open a camera; that none did is said by s2d."""
    import cv2

    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)
