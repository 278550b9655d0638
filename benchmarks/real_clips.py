"""Raw against aligned landmarks on real videos, where no truth is known. Prints JSON by track.

    python benchmarks/real_clips.py VIDEO... [--detector mesh]

"slip_1" and "slip_6": how far the landmarks slip over the skin in 1 and 6 frames, percent of the inter-ocular distance,
by phase correlation of patches (`s2d/landmarks/residuals.py`), which the aligner does not use. "lip_kept", "lid_kept"
and "pupil_kept": slope of the aligned opening or offset against the raw one, 1 where all motion is kept; the trembling
of the raw one makes it too small. "drift": how far aligned landmarks stay from raw ones for more than a second
(`anchor_drift`), "openings" how far lids and lips are from raw ones at worst (`opening_drift`), and "worst" the largest
mean distance of the two over the face in any frame, both in percent of the inter-ocular distance. Under "all" the means
over tracks, weighted by frames.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np

from s2d.landmarks import expression
from s2d.landmarks.comparison import METHODS, ComparedTrack, compare_video
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.jitter import gain, nme_per_frame

COMPARED = {name: METHODS[name] for name in ("raw", "aligned")}
MOTIONS = {
    "lip_kept": expression.lip_aperture,
    "lid_kept": expression.lid_apertures,
    "pupil_kept": expression.pupil_offsets,
}

Row = dict[str, float]


def row(track: ComparedTrack) -> Row:
    """The figures of one track."""
    raw, aligned = (np.asarray(track.points[name], np.float64) for name in ("raw", "aligned"))
    figures: Row = {"frames": len(track.times)}
    for step in (1, 6):
        for name in COMPARED:
            slip = track.figures[name][f"phase_residual_{step}"]
            figures[f"slip_{step}_{name}"] = float("nan") if slip is None else slip
    figures["drift"] = track.figures["aligned"]["anchor_drift"] or 0.0
    figures["openings"] = track.figures["aligned"]["opening_drift"] or 0.0
    figures["worst"] = float(np.nanmax(nme_per_frame(aligned, raw)))
    return figures | {name: gain(motion(aligned), motion(raw)) for name, motion in MOTIONS.items()}


def pooled(rows: Iterable[Row]) -> Row:
    """Means weighted by frames, and the ratios of the slips."""
    rows = list(rows)
    weights = np.array([each["frames"] for each in rows])
    means: Row = {"frames": float(weights.sum())}
    for name in list(rows[0])[1:]:
        values = np.array([each[name] for each in rows])
        known = np.isfinite(values)
        means[name] = float(np.average(values[known], weights=weights[known])) if known.any() else float("nan")
    for step in (1, 6):
        means[f"slip_{step}_ratio"] = means[f"slip_{step}_aligned"] / means[f"slip_{step}_raw"]
    return means


def rounded(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: round(value, 3) if np.isfinite(value) else None for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    parser.add_argument("--detector", default="mesh")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    detector = make_detector(options.detector)
    tracks = [track for video in options.videos for track in compare_video(video, detector, methods=COMPARED).tracks]
    rows = {f"{number} {track.name}": row(track) for number, track in enumerate(tracks)}
    result = {name: rounded(figures) for name, figures in rows.items()}
    print(json.dumps(result | ({"all": rounded(pooled(rows.values()))} if rows else {}), indent=1))


if __name__ == "__main__":
    main()
