"""What steadiness costs: the aligner with its trust in the detector scaled, on clips with known landmarks. Prints JSON.

    python benchmarks/tradeoff.py [--clips 14] [--plot tradeoff.png]

The standard deviation of the detections (`s2d/landmarks/weights.py`) is multiplied by each of SCALES for all parts:
above 1 the trajectories follow the flow more, below 1 the detector. The clips are those of `benchmarks/alignment.py`.
"share_of_flicker" says which parts the aligned landmarks' remaining flicker (mean square change of error) belongs to,
lids and the rest apart where the true lids move.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from alignment import clips

from s2d.geometry import Array, Float32, Image
from s2d.landmarks import expression, layout
from s2d.landmarks.alignment import AlignmentParameters, align
from s2d.landmarks.comparison import Comparison, Method, compare_clip
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.synthetic import VARIANTS
from s2d.landmarks.tracking import Track
from s2d.landmarks.weights import LIDS, MOUTH, PUPILS

SCALES = (0.25, 0.5, 1.0, 2.0, 4.0)
SHOWN = ("nmf", "nmf_static", "nme_unbiased", "gain_lid", "gain_lip", "gain_pupil")
MOVING = 0.002  # change of the true opening of the eyes, in inter-ocular distances per frame, from which it is a blink


def scaled(scale: float) -> Method:
    """The aligner with its detections' deviations times `scale`."""
    usual = AlignmentParameters()
    parts = tuple(replace(part, detection=part.detection * scale) for part in usual.parts)

    def follow(track: Track, frames: Iterable[Image]) -> Float32:
        return align(track, frames, replace(usual, parts=parts)).points

    return follow


def flicker_by_part(points: Float32, truth: Float32) -> dict[str, float]:
    """Sums of squared changes of error of points (T, 70, 2), in inter-ocular distances, by part."""
    error = (points - truth) / layout.interocular(truth)[:, None, None]
    squared = np.nan_to_num(np.square(np.diff(error, axis=0)).sum(axis=-1))
    lids, mouth, pupils = list(LIDS), list(MOUTH), list(PUPILS)
    blink = np.abs(np.diff(expression.lid_apertures(truth).mean(axis=-1))) > MOVING
    rest = np.setdiff1d(np.arange(layout.COUNT), [*lids, *mouth, *pupils])
    sums: dict[str, Array] = {
        "lips": squared[:, mouth],
        "lids in blinks": squared[blink][:, lids],
        "lids at rest": squared[~blink][:, lids],
        "pupils": squared[:, pupils],
        "jaw, brows, nose, eye corners": squared[:, rest],
    }
    return {name: float(values.sum()) for name, values in sums.items()}


def plot(rows: dict[str, dict[str, float | None]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4.5), layout="constrained")
    for name in ("gain_lip", "gain_lid", "gain_pupil"):
        curve = [rows[f"x{scale:g}"] for scale in SCALES]
        axes.plot([row["nmf"] for row in curve], [row[name] for row in curve], "o-", label=f"{name}, aligned")
        axes.plot(rows["raw"]["nmf"], rows["raw"][name], "x", color=axes.lines[-1].get_color(), label=f"{name}, raw")
    axes.set(xlabel="flicker NMF, percent of the inter-ocular distance", ylabel="gain (1 is all of the motion)")
    axes.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=14)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    methods: dict[str, Method] = {"raw": lambda track, frames: track.raw}
    methods |= {f"x{scale:g}": scaled(scale) for scale in SCALES}
    detector = make_detector("mesh")
    made = clips(options.clips, list(VARIANTS), [None])
    tracks = [track for _, clip in made for track in compare_clip(clip, detector, methods).tracks]
    figures = Comparison(tracks).methods
    rows = {name: {key: figures[name][key] for key in SHOWN} for name in methods}
    shares = [flicker_by_part(track.points["x1"], track.truth) for track in tracks if track.truth is not None]
    total = sum(sum(share.values()) for share in shares)
    by_part = {name: round(sum(share[name] for share in shares) / total, 3) for name in shares[0]}
    if options.plot:
        plot(rows, options.plot)
    print(json.dumps({"detections_scaled": rounded(rows), "share_of_flicker": by_part}, indent=1))


def rounded(rows: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    return {
        name: {key: None if value is None else round(value, 3) for key, value in row.items()}
        for name, row in rows.items()
    }


if __name__ == "__main__":
    main()
