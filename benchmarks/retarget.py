"""How much of a driver's motion reaches another person's landmarks, and how little of its face; prints one JSON object.

    python benchmarks/retarget.py CLIPS/*.mp4

Landmarks only, no pictures. Every clip drives every other one's face, once as it is in the first frame, once with its
eyes least open and once with its mouth most open. Medians over the pairs, and the worst pair:

lids, mouth, pupils, yaw   correlation over time between the driver and the result; pupils along the eye, where it is
                           open; a pair counts where the driver moves: its standard deviation is above LEAST
closed                     opening of the eyes where the driver's are closed, over that of the source's, both beyond
                           what detectors leave closed lids
mouth_closed               opening of the lips where the driver's are closed, over the mouth's width; the source's own
                           where that is open
leak                       change of jaw width over inter-ocular distance, towards the driver's: 0 none, 1 all of it
jitter_neutral             how far landmarks that tremble by NOISE move the result, over NOISE: the neutral face's share

`shape` says what `s2d.landmarks.neutral.shape_distance` of frames to a neutral face is, of one person and of two: its
5th, 50th and 95th percentile, and the share of frames beyond what s2d.animation.advice takes for another face.
"""

from __future__ import annotations

import argparse
import json
from itertools import permutations
from pathlib import Path

import numpy as np

from s2d.animation.advice import OTHER_FACE
from s2d.animation.driver import load_driver
from s2d.geometry import Array, Floats
from s2d.landmarks import layout
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.expression import head_pose, lid_apertures, lip_aperture, pupil_offsets
from s2d.landmarks.neutral import neutral_face, shape_distance
from s2d.landmarks.retarget import LIDS_CLOSED, retarget

LEAST = {"lids": 0.02, "mouth": 0.03, "pupils": 0.01, "yaw": 3.0}  # inter-ocular units, degrees
LEAST_DIFFERENCE = 0.15  # of two faces' shape, for leakage to be seen beside expression and pose
CLOSED, OPEN = 0.09, 0.2  # lid opening over eye width of closed and of open eyes
EVERY = 5  # frames of a clip from one whose shape is measured to the next
NOISE = 0.002  # inter-ocular units: what alignment leaves


def main() -> None:
    """Detect, retarget every ordered pair, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+")
    detector = make_detector()
    clips = {path.stem: load_driver(path, detector, 512).points for path in parser.parse_args().clips}
    print(json.dumps(measure(clips), indent=1))


def measure(clips: dict[str, Floats]) -> dict[str, dict[str, object]]:
    """Figures of all ordered pairs of clips (T, 70, 2), by the kind of source."""
    chosen = {"first": lambda _: 0, "eyes closed": lambda p: int(_lids(p).argmin()), "mouth open": _widest_mouth}
    figures = {
        kind: _summary({(a, b): _pair(clips[a][choose(clips[a])], clips[b]) for a, b in permutations(clips, 2)})
        for kind, choose in chosen.items()
    }
    neutral = {name: neutral_face(points) for name, points in clips.items()}
    return {**figures, "shape": {"own": _shapes(clips, neutral, True), "others": _shapes(clips, neutral, False)}}


def _shapes(clips: dict[str, Floats], neutral: dict[str, Floats], own: bool) -> dict[str, object]:
    """How far frames are in shape from the neutral face of their own clip, or of the other clips."""
    found = [
        shape_distance(face, neutral[other])
        for name, points in clips.items()
        for other in clips
        if (name == other) == own
        for face in points[::EVERY]
    ]
    known = np.array([value for value in found if np.isfinite(value)])
    low, middle, high = np.percentile(known, (5, 50, 95)).round(4).tolist()
    beyond = round(float((known > OTHER_FACE).mean()), 3)
    return {"p5": low, "p50": middle, "p95": high, "beyond": beyond, "count": len(known)}


def _pair(source: Floats, driving: Floats) -> dict[str, float]:
    result = retarget(source, driving)
    before, after = _signals(driving), _signals(result)
    figures = {
        name: float(np.corrcoef(before[name], after[name])[0, 1])
        for name, least in LEAST.items()
        if np.nanstd(before[name]) > least and name != "pupils"
    }
    looking = (lid_openings(driving) > OPEN).all(axis=-1)
    if looking.sum() > 10 and before["pupils"][looking].std() > LEAST["pupils"]:
        figures["pupils"] = float(np.corrcoef(before["pupils"][looking], after["pupils"][looking])[0, 1])
    asleep = (lid_openings(driving) < CLOSED).all(axis=-1)
    awake = float(lid_openings(source[None]).mean())
    if asleep.any() and awake > 2 * LIDS_CLOSED:
        closed = float(lid_openings(result)[asleep].mean(axis=-1).max())
        figures["closed"] = (closed - LIDS_CLOSED) / (awake - LIDS_CLOSED)
    shut = _mouth(driving) < 0.03
    if shut.any():
        figures["mouth_closed"] = float(_mouth(result)[shut].max())
    own, other = (float(np.median(_shape(points))) for points in (source[None], driving))
    if abs(other - own) > LEAST_DIFFERENCE:
        figures["leak"] = (float(np.median(_shape(result))) - own) / (other - own)
    figures["jitter_neutral"] = _jitter(source, driving, result)
    return figures


def _signals(points: Floats) -> dict[str, Array]:
    return {
        "lids": _lids(points),
        "mouth": lip_aperture(points),
        "pupils": pupil_offsets(points)[..., 0].mean(axis=-1),
        "yaw": head_pose(points)[:, 0],
    }


def _lids(points: Floats) -> Array:
    return np.asarray(lid_apertures(points).mean(axis=-1))


def lid_openings(points: Floats) -> Array:
    """Lid openings over the widths of the eyes, (T, 2)."""
    pairs = ((layout.RIGHT_LIDS, 36, 39), (layout.LEFT_LIDS, 42, 45))
    widths = [np.linalg.norm(points[:, a] - points[:, b], axis=-1) for _, a, b in pairs]
    return np.stack(
        [layout.aperture(points, lids) / width for (lids, _, _), width in zip(pairs, widths, strict=True)], -1
    )


def _mouth(points: Floats) -> Array:
    """Opening of the lips over the width of the mouth."""
    width = np.linalg.norm(points[:, 48] - points[:, 54], axis=-1)
    return np.asarray(layout.aperture(points, layout.INNER_LIP_PAIRS) / width)


def _widest_mouth(points: Floats) -> int:
    return int(_mouth(points).argmax())


def _shape(points: Floats) -> Array:
    """Width of the jaw over the inter-ocular distance."""
    return np.asarray(np.linalg.norm(points[:, 3] - points[:, 13], axis=-1) / layout.interocular(points))


def _jitter(source: Floats, driving: Floats, result: Floats) -> float:
    """Root mean square over landmarks of how the mean result moves when the driving landmarks tremble."""
    scales = [float(np.median(layout.interocular(points))) for points in (driving, result)]
    noise = np.random.default_rng(0).normal(0, NOISE * scales[0], driving.shape)
    moved = (retarget(source, driving + noise) - result).mean(axis=0)
    return float(np.sqrt(np.nanmean((moved**2).sum(axis=-1)) / 2) / (NOISE * scales[1]))


def _summary(pairs: dict[tuple[str, str], dict[str, float]]) -> dict[str, object]:
    names = sorted({name for figures in pairs.values() for name in figures})
    summary: dict[str, object] = {"pairs": len(pairs)}
    for name in names:
        values = {pair: figures[name] for pair, figures in pairs.items() if name in figures}
        worst = (
            min(values, key=values.__getitem__) if name in LEAST else max(values, key=lambda pair: abs(values[pair]))
        )
        summary[name] = {
            "median": round(float(np.median(list(values.values()))), 3),
            "worst": round(values[worst], 3),
            "of": f"{worst[0]} by {worst[1]}",
            "count": len(values),
        }
    return summary


if __name__ == "__main__":
    main()
