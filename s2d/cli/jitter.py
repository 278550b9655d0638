"""How much landmarks flicker: the detector's raw landmarks against the temporally aligned ones, and against filters.

examples:
  s2d jitter talking.mp4
  s2d jitter talking.mp4 --overlay overlay.mp4 --report report.html --json
  s2d jitter DATA --track ID --methods raw aligned      a data set by `s2d curate`: stored landmarks, stored crops
  s2d jitter talking.mp4 --landmarks mine.npy           your own detector's landmarks in the detector's place
  s2d jitter clips/calm-0.mp4                           a clip by `s2d synth`: measured against the truth beside it
  s2d jitter clips                                      all clips of such a folder, means over them
  s2d jitter --synthetic --variants calm fast           the same without keeping the clips

FILE of --landmarks has a row per frame of the video: .npy (T, 68 or 70, 2), or .csv with 136 or 140 numbers x0, y0, x1,
y1, ... in a row (first a column `frame`, first a header: as you like). Pixels of the video, (0, 0) the centre of the
top-left one; NaN or nothing where the face was missed. The order is iBUG's 68 and two pupils:
help(s2d.landmarks.layout).
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2d.cli.arguments import at_least

if TYPE_CHECKING:
    from rich.table import Table

    from s2d.landmarks.comparison import ComparedTrack, Comparison, Method
    from s2d.landmarks.jitter import Figures

CLIPS, FRAMES, DETECTOR = 4, 90, "mesh"
SYNTHETIC = "the clips' own motion"  # what the truth is where no file holds it
OVERLAID = ("raw", "aligned")  # unless --methods says otherwise
MOST_BESIDE = 3  # methods in a table that has room for meanings
OUTPUTS = ("plot", "overlay", "report")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d jitter`."""
    from s2d.evaluation.stored import MOST_TRACKS
    from s2d.landmarks.comparison import ALL_METHODS, METHODS

    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "input", nargs="?", metavar="VIDEO|DIR", help="video, data set or frames file of one, or folder by `s2d synth`"
    )
    what.add_argument("--synthetic", action="store_true", help="clips of a moving still with exactly known landmarks")
    parser.add_argument(
        "--methods",
        nargs="+",
        choices=tuple(ALL_METHODS),
        metavar="NAME",
        help=f"of {', '.join(ALL_METHODS)} (default: all but {' and '.join(list(ALL_METHODS)[len(METHODS) :])}, the "
        "aligner for live use that looks 0 or 2 frames ahead)",
    )
    parser.add_argument(
        "--landmarks", metavar="FILE", help=".npy or .csv in the place of a video's detector; see above"
    )
    parser.add_argument("--detector", metavar="NAME", help=f"landmark detector of a video (default: {DETECTOR})")
    parser.add_argument(
        "--track", metavar="ID", help=f"one track of a data set (default: all, or {MOST_TRACKS} evenly spread)"
    )
    parser.add_argument("--plot", metavar="PNG", help="write trajectories, spectra and errors of the longest track")
    parser.add_argument(
        "--overlay",
        metavar="MP4",
        help="write the longest track with the points of raw and aligned, or of --methods; the trail behind a point is "
        "where it was in the last 8 frames without the head's own motion: lids, lips, gaze, and else jitter",
    )
    parser.add_argument("--report", metavar="HTML", help="write figures, plots and the hardest frames as one page")
    _add_synthetic(parser)
    parser.set_defaults(usage_error=parser.error)


def _add_synthetic(parser: argparse.ArgumentParser) -> None:
    """What says which clips --synthetic makes."""
    from s2d.landmarks.synthetic import VARIANTS

    parser.add_argument("--clips", type=at_least(1), metavar="N", help=f"with --synthetic (default: {CLIPS})")
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=tuple(VARIANTS),
        metavar="NAME",
        help=f"with --synthetic, in turn; of {', '.join(VARIANTS)} (default: all)",
    )
    parser.add_argument(
        "--still", metavar="IMAGE|DIR", help="with --synthetic: the face, or faces in turn (skimage's astronaut)"
    )
    parser.add_argument("--seed", type=at_least(0), metavar="S", help="with --synthetic (default: 0)")


@dataclass(frozen=True)
class Measured:
    """A comparison and where it comes from."""

    comparison: Comparison
    name: str
    detector: str
    """Its name."""
    truth: str | None = None
    """What the truth is: a file, or SYNTHETIC."""
    of: int | None = None
    """Tracks in the data set, of which those compared are a part."""


def run(args: argparse.Namespace) -> None:
    """Measure, write what is asked for, and print."""
    from s2d.cli.output import emit
    from s2d.errors import S2DError
    from s2d.landmarks.extract import MIN_FRAMES
    from s2d.landmarks.verdict import find_apart, verdict, warnings

    _check(args)
    measured = _measure(args)
    comparison = measured.comparison
    if not comparison.tracks:
        why = f"no face was found in {MIN_FRAMES} frames or more" + (" where its truth says" if measured.truth else "")
        raise S2DError(f"cannot measure {measured.name}", why, "give a video with a face")
    _write(args, measured)
    apart = find_apart(comparison)
    result: dict[str, Any] = {
        "video": measured.name,
        "detector": measured.detector,
        "truth": measured.truth,
        "tracks": len(comparison.tracks),
        "tracks_in_all": measured.of or len(comparison.tracks),
        "frames": sum(len(track.times) for track in comparison.tracks),
        "methods": comparison.methods,
        "verdict": verdict(comparison),
        "apart": [span.as_dict() for span in apart],
        "units": _units(),
        **{name: getattr(args, name) for name in OUTPUTS},
    }
    written = [f"wrote {getattr(args, name)}" for name in OUTPUTS if getattr(args, name)]
    emit(result, [*_tables(result), *result["verdict"], *warnings(apart), *written], args.json)


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is measured."""
    from s2d.evaluation.stored import is_dataset
    from s2d.files import check_writable
    from s2d.landmarks.jitter_plot import check_format
    from s2d.landmarks.overlay import check_overlay

    if args.track and (args.synthetic or not is_dataset(args.input)):
        args.usage_error("--track chooses in a data set; give its folder")
    clips = (args.clips, args.variants, args.still, args.seed)
    if not args.synthetic and any(option is not None for option in clips):
        args.usage_error("--clips, --variants, --still and --seed say which clips --synthetic makes")
    if args.landmarks and (args.synthetic or args.detector or Path(args.input).is_dir() or is_dataset(args.input)):
        args.usage_error("--landmarks takes the place of --detector, for one video")
    if args.methods and len(set(args.methods)) < len(args.methods):
        args.usage_error("--methods names a method twice")
    if args.detector is not None and not args.synthetic and not _clips(args.input) and is_dataset(args.input):
        args.usage_error("--detector looks at a video; a data set has the landmarks of the one it was made with")
    if args.overlay and len(_overlaid(args)) < 2:
        args.usage_error("--overlay puts methods side by side; name two or more --methods")
    named = [
        Path(name).resolve()
        for name in (args.input, args.landmarks, *(getattr(args, name) for name in OUTPUTS))
        if name
    ]
    if len(set(named)) < len(named):
        args.usage_error("--plot, --overlay and --report would replace the input, or one another; name other files")
    if args.plot:
        check_format(args.plot)
    if args.overlay:
        check_overlay(args.overlay)
    for name in OUTPUTS:
        if getattr(args, name):
            check_writable(getattr(args, name))


def _overlaid(args: argparse.Namespace) -> tuple[str, ...]:
    return tuple(dict.fromkeys(args.methods or OVERLAID))


def _measure(args: argparse.Namespace) -> Measured:
    from s2d.evaluation.stored import MOST_TRACKS, choose_tracks, compare_stored, is_dataset
    from s2d.landmarks.comparison import ALL_METHODS, METHODS
    from s2d.shards.reader import open_dataset

    methods = {name: ALL_METHODS[name] for name in args.methods or METHODS}
    if args.synthetic:
        count = args.clips or CLIPS
        return Measured(_synthetic(args, count, methods), f"synthetic x {count}", args.detector or DETECTOR, SYNTHETIC)
    if clips := _clips(args.input):
        return _folder(args, clips, methods)
    if not is_dataset(args.input):
        return _video(args, methods)
    _refuse_videos(args.input)
    dataset = open_dataset(args.input)
    chosen = choose_tracks(dataset, args.track, MOST_TRACKS)
    compared = compare_stored(dataset, chosen, methods)
    return Measured(compared, args.input, str(dataset.metadata["detector"]), of=len(dataset))


def _video(args: argparse.Namespace, methods: Mapping[str, Method]) -> Measured:
    """A video, by a detector or the landmarks of a file; against the truth of `s2d synth` if that is beside it."""
    from s2d.landmarks.comparison import compare_given, compare_video
    from s2d.landmarks.detectors.factory import make_detector
    from s2d.landmarks.landmark_file import read_landmarks
    from s2d.landmarks.synthetic import is_truth, read_truth, truth_path

    beside = truth_path(args.input)
    truth = read_truth(beside) if is_truth(beside) else None
    if args.landmarks:
        detector = Path(args.landmarks).name
        compared = compare_given(args.input, read_landmarks(args.landmarks), truth, methods)
    else:
        detector = args.detector or DETECTOR
        compared = compare_video(args.input, make_detector(detector), truth, methods)
    return Measured(compared, args.input, detector, str(beside) if truth else None)


def _clips(folder: str) -> list[Path]:
    """Videos in a folder with the truth of `s2d synth` beside them."""
    from s2d.landmarks.synthetic import is_truth, truth_path
    from s2d.storage import plain_videos

    videos = [path for path in plain_videos(Path(folder)) if path.suffix == ".mp4"]
    return [path for path in videos if is_truth(truth_path(path))]


def _folder(args: argparse.Namespace, clips: Sequence[Path], methods: Mapping[str, Method]) -> Measured:
    """Clips by `s2d synth`, one after the other, each against its truth."""
    from s2d.landmarks.comparison import Comparison, compare_video
    from s2d.landmarks.detectors.factory import make_detector
    from s2d.landmarks.synthetic import read_truth, truth_path

    detector = args.detector or DETECTOR
    made = make_detector(detector)
    tracks = [t for clip in clips for t in compare_video(clip, made, read_truth(truth_path(clip)), methods).tracks]
    return Measured(Comparison(tracks), args.input, detector, f"the truth beside {len(clips)} clips")


def _refuse_videos(folder: str) -> None:
    """A folder of plain videos is no data set; say what is possible."""
    from s2d.errors import S2DError
    from s2d.storage import plain_videos

    if plain_videos(Path(folder)):
        remedy = "give one of the videos, or make a data set of them with `s2d curate` and give that"
        raise S2DError(f"cannot measure the folder {folder}", "it holds videos, and no data set", remedy)


def _synthetic(args: argparse.Namespace, clips: int, methods: Mapping[str, Method]) -> Comparison:
    """All tracks of the clips; variants, stills and seeds taken in turn."""
    from s2d import progress
    from s2d.landmarks.comparison import Comparison, compare_clip
    from s2d.landmarks.detectors.factory import make_detector
    from s2d.landmarks.synthetic import VARIANTS
    from s2d.landmarks.synthetic.folder import clip_of_still, find_stills

    detector = make_detector(args.detector or DETECTOR)
    stills = find_stills(args.still) if args.still else [None]
    variants = args.variants or list(VARIANTS)
    tracks: list[ComparedTrack] = []
    for number in progress.track(range(clips), "synthetic clips", clips):
        variant, still = variants[number % len(variants)], stills[number % len(stills)]
        clip = clip_of_still(still, variant, (args.seed or 0) + number, frames=FRAMES)
        tracks += compare_clip(clip, detector, methods).tracks
    return Comparison(tracks)


def _write(args: argparse.Namespace, measured: Measured) -> None:
    from s2d.landmarks.jitter_plot import longest, plot
    from s2d.landmarks.jitter_report import write_report
    from s2d.landmarks.overlay import write_overlay

    comparison = measured.comparison
    if args.plot:
        plot(comparison, args.plot)
    if args.overlay:
        track = longest(comparison)
        write_overlay(track, [name for name in _overlaid(args) if name in track.points], args.overlay)
    if args.report:
        lead = "Methods of landmark tracking compared on the same detections and the same frames."
        write_report(
            comparison,
            args.report,
            title=f"Landmark jitter: {Path(measured.name).name}",
            lead=f"{lead} {_subject(measured)}",
            command=shlex.join(["s2d", *sys.argv[1:]]) if sys.argv[1:2] == ["jitter"] else "",
        )


def _subject(measured: Measured) -> str:
    """What was measured, in one sentence."""
    tracks = measured.comparison.tracks
    frames = sum(len(track.times) for track in tracks)
    of = f" of {measured.of}" if measured.of and measured.of > len(tracks) else ""
    counted = f"{len(tracks)}{of} track{'s' * (len(tracks) > 1)}, {frames} frames, detector {measured.detector}"
    return f"{counted}; {'truth: ' + measured.truth if measured.truth else 'without truth'}."


def _units() -> dict[str, str]:
    from s2d.landmarks.jitter import METRICS

    return {name: metric.unit for name, metric in METRICS.items()}


def _tables(result: Mapping[str, Any]) -> list[Table | str]:
    """One row per figure that is known for any method, one column per method, the best value of a row starred."""
    from s2d.cli.output import table
    from s2d.landmarks.jitter import METRICS

    methods: Mapping[str, Figures] = result["methods"]
    known = [name for name in METRICS if any(figures[name] is not None for figures in methods.values())]
    meanings = {name: METRICS[name].meaning for name in known}
    rows = [[name, *_row(name, methods)] for name in known]
    title = _title(result)
    if len(methods) <= MOST_BESIDE:
        rows = [[*row, meanings[row[0]]] for row in rows]
        return [table(title, ["figure", *methods, "meaning"], rows, figures=range(1, len(methods) + 1))]
    headings = [name.replace("_", "_\n") for name in methods]
    figures = table(title, ["figure", *headings], rows, figures=range(1, len(methods) + 1))
    return [figures, table("", ["figure", "meaning"], list(meanings.items()))]


def _row(name: str, methods: Mapping[str, Figures]) -> list[str]:
    from s2d.landmarks.comparison import best

    values = {method: figures[name] for method, figures in methods.items()}
    winners = best(name, values)
    return ["-" if value is None else f"{'*' * (method in winners)}{value:.3g}" for method, value in values.items()]


def _title(result: Mapping[str, Any]) -> str:
    tracks = str(result["tracks"])
    if result["tracks"] < result["tracks_in_all"]:
        tracks += f" of {result['tracks_in_all']} (evenly spread; --track chooses one)"
    truth = "against " + Path(result["truth"]).name if result["truth"] else "without truth"
    return (
        f"{result['video']}: tracks {tracks}, frames {result['frames']}, detector {result['detector']}\n"
        f"{truth}; % of the inter-ocular distance unless said otherwise; * best"
    )
