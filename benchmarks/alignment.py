"""Temporal alignment against filters on clips with exactly known landmarks. Prints JSON, and with --markdown a table.

    python benchmarks/alignment.py [--detectors mesh dlib] [--variants calm ...] [--clips 14] [--stills DIR]

With --markdown it prints a table for people. Clips are taken in turn from the variants, 90 frames through real H.264,
with seeds from 101 on: no parameter was tuned on them. Figures are those of `s2d/landmarks/jitter.py`, means over
tracks weighted by frames, of each variant and of all; "hidden_nme" is the error on landmarks that something covers. The
online aligner is in the table beside the methods of `s2d jitter`. The face is scikit-image's astronaut, or in turn
those of a folder of stills.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np

from s2d import progress
from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.images import read_image
from s2d.landmarks import layout
from s2d.landmarks.comparison import ALL_METHODS, ComparedTrack, Comparison, compare_clip
from s2d.landmarks.detectors.base import Detector
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.synthetic import VARIANTS, SyntheticClip, make_clip

FIRST_SEED, FRAMES = 101, 90
SHOWN = ("nme_unbiased", "nmf", "nmf_static", "accel_error", "lag_frames", "gain_lid", "gain_lip", "gain_pupil")
SHOWN_TOO = ("phase_residual_1", "phase_residual_6", "hidden_nme", "ms_per_frame")

Figures = dict[str, float | None]


def stills(folder: Path | None) -> list[Image | None]:
    """Pictures to make clips of."""
    if folder is None:
        return [None]
    return [read_image(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in (".jpg", ".png")]


def clips(count: int, variants: list[str], faces: list[Image | None]) -> Iterable[tuple[str, SyntheticClip]]:
    """Variants and clips in turn; a still that no clip can be made of is passed over."""
    for number in progress.track(range(count), "clips", count):
        variant = variants[number % len(variants)]
        for face in faces[number % len(faces) :] + faces:
            try:
                yield variant, make_clip(face, frames=FRAMES, seed=FIRST_SEED + number, variant=variant)
            except S2DError:
                continue
            break


def hidden_errors(track: ComparedTrack, clip: SyntheticClip, method: str) -> np.ndarray:
    """Errors where the truth is covered, pupils apart, percent of the inter-ocular distance, in a row."""
    frames = np.searchsorted(clip.times, track.times - 1e-4)
    truth, covered = clip.truth[frames], ~clip.visible[frames]
    covered[:, layout.RIGHT_PUPIL :] = False
    error = np.linalg.norm(track.points[method] - truth, axis=-1) / layout.interocular(truth)[:, None]
    return np.asarray(100 * error[covered & np.isfinite(error)])


def measure(detector: Detector, made: Iterable[tuple[str, SyntheticClip]]) -> dict[str, dict[str, Figures]]:
    """By variant, and under "all": the figures of every method."""
    tracks: dict[str, list[ComparedTrack]] = {}
    hidden: dict[tuple[str, str], list[np.ndarray]] = {}
    for variant, clip in made:
        for track in compare_clip(clip, detector, ALL_METHODS).tracks:
            for group in (variant, "all"):
                tracks.setdefault(group, []).append(track)
                for method in ALL_METHODS:
                    hidden.setdefault((group, method), []).append(hidden_errors(track, clip, method))
    result: dict[str, dict[str, Figures]] = {}
    for group, members in tracks.items():
        result[group] = Comparison(members).methods
        for method, figures in result[group].items():
            errors = np.concatenate(hidden[group, method])
            figures["hidden_nme"] = float(errors.mean()) if len(errors) else None
            result[group][method] = {key: None if v is None else round(v, 3) for key, v in figures.items()}
    return result


def markdown(table: Mapping[str, Figures]) -> str:
    """A table in the form of the README."""
    names = [*SHOWN, *SHOWN_TOO]
    lines = ["| | " + " | ".join(f"`{name}`" for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for method, figures in table.items():
        cells = ["-" if figures[name] is None else f"{figures[name]:.2f}" for name in names]
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", nargs="+", default=["mesh"])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--clips", type=int, default=14)
    parser.add_argument("--stills", type=Path)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    results = {}
    for name in options.detectors:
        made = clips(options.clips, options.variants, stills(options.stills))
        results[name] = measure(make_detector(name), made)
    if options.markdown:
        print("\n\n".join(f"{name}\n\n{markdown(result['all'])}" for name, result in results.items()))
    else:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
