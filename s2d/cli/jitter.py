"""How much landmarks flicker: the detector's raw landmarks against the temporally aligned ones.

examples:
  s2d jitter talking.mp4
  s2d jitter talking.mp4 --plot jitter.png --json
  s2d jitter --synthetic --variants calm fast      clips with exactly known landmarks: errors, lag and gain as well
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2d.landmarks.comparison import ComparedTrack, Comparison
    from s2d.landmarks.detectors.base import Detector

CLIPS, FRAMES = 4, 90


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d jitter`."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("video", nargs="?", metavar="VIDEO", help="a video with at least one face")
    what.add_argument("--synthetic", action="store_true", help="clips of a moving still with exactly known landmarks")
    parser.add_argument("--detector", default="mesh", help="landmark detector (default: mesh)")
    parser.add_argument("--plot", metavar="PNG", help="write trajectories, spectra and errors of the longest track")
    parser.add_argument(
        "--clips", type=_positive, default=CLIPS, metavar="N", help=f"with --synthetic (default: {CLIPS})"
    )
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="with --synthetic, taken in turn (default: all)")
    parser.add_argument("--still", metavar="IMAGE", help="with --synthetic: the face (default: skimage's astronaut)")
    parser.add_argument("--seed", type=int, default=0, help="with --synthetic (default: 0)")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def run(args: argparse.Namespace) -> None:
    """Measure and print."""
    from s2d.cli.output import emit
    from s2d.errors import S2DError
    from s2d.landmarks.comparison import compare_video
    from s2d.landmarks.detectors.factory import make_detector
    from s2d.landmarks.jitter_plot import plot

    detector = make_detector(args.detector)
    comparison = _synthetic(args, detector) if args.synthetic else compare_video(args.video, detector)
    if not comparison.tracks:
        raise S2DError(f"cannot measure {args.video or 'the clips'}", "no face was found", "give a video with a face")
    if args.plot:
        plot(comparison, args.plot)
    video = f"synthetic x {args.clips}" if args.synthetic else args.video
    result: dict[str, Any] = {
        "video": video,
        "detector": args.detector,
        "tracks": len(comparison.tracks),
        "frames": sum(len(track.times) for track in comparison.tracks),
        "methods": comparison.methods,
        "units": _units(),
        "plot": args.plot,
    }
    emit(result, [_table(result), *([f"wrote {args.plot}"] if args.plot else [])], args.json)


def _synthetic(args: argparse.Namespace, detector: Detector) -> Comparison:
    """All tracks of the clips; variants and seeds taken in turn."""
    from s2d import progress
    from s2d.images import read_image
    from s2d.landmarks.comparison import Comparison, compare_clip
    from s2d.landmarks.synthetic import VARIANTS, make_clip

    still = read_image(args.still) if args.still else None
    variants = args.variants or list(VARIANTS)
    tracks: list[ComparedTrack] = []
    for number in progress.track(range(args.clips), "synthetic clips", args.clips):
        variant = variants[number % len(variants)]
        clip = make_clip(still, frames=FRAMES, seed=args.seed + number, variant=variant)
        tracks += compare_clip(clip, detector).tracks
    return Comparison(tracks)


def _units() -> dict[str, str]:
    from s2d.landmarks.jitter import METRICS

    return {name: metric.unit for name, metric in METRICS.items()}


def _table(result: dict[str, Any]) -> Any:  # noqa: ANN401 - rich is imported only here
    """One row per figure that is known for any method, one column per method."""
    from s2d.cli.output import table
    from s2d.landmarks.jitter import METRICS, PERCENT

    methods = result["methods"]
    known = {name: metric for name, metric in METRICS.items() if any(f[name] is not None for f in methods.values())}
    rows = [
        [name, *(f[name] for f in methods.values()), metric.unit.replace(PERCENT, "% iod"), metric.says]
        for name, metric in known.items()
    ]
    title = f"{result['video']}: {result['tracks']} tracks, {result['frames']} frames, detector {result['detector']}"
    return table(f"{title}\n% iod: percent of the inter-ocular distance", ["figure", *methods, "unit", "meaning"], rows)
