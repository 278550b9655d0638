"""Landmark detectors: error on annotated stills, steadiness, faces found and invented, time per frame. Prints JSON.

    python benchmarks/detectors.py --media FOLDER [--detectors mesh dlib] [--every 10]

FOLDER holds annotated/*.pts beside their pictures, stills/ and clips/. Errors are in percent of the distance between
the outer eye corners. Times are medians of the processor's time (one thread) for one face in 512 x 512 pixels:
"total" searched for in the frame, "followed" from the frame before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data

from s2d.geometry import Array, Floats, Image
from s2d.images import read_image
from s2d.landmarks import layout
from s2d.landmarks.detectors.base import Detector, Face, for_shot
from s2d.landmarks.detectors.factory import NAMES, make_detector
from s2d.landmarks.detectors.mesh import FOUND, MeshDetector
from s2d.video import VideoReader

PARTS = {"all": range(68), "inner": layout.INNER_FACE, "jaw": range(17), "eyes": range(36, 48), "mouth": range(48, 68)}
SHIFTS = np.random.default_rng(0).uniform(-4, 4, (24, 2))


def annotation(path: Path) -> Array:
    """Landmarks (68, 2) of a .pts file, which counts pixels from 1."""
    return np.array(path.read_text().split("{")[1].split("}")[0].split(), float).reshape(-1, 2) - 1


def errors(detector: Detector, folder: Path) -> dict[str, dict[str, float]]:
    """Mean error of each part on each annotated still, of the face nearest to the annotation."""
    table = {}
    for path in sorted(folder.glob("*.pts")):
        truth = annotation(path)
        picture = next(other for other in folder.glob(f"{path.stem}.*") if other.suffix != ".pts")
        faces = detector.detect([read_image(picture)])[0]
        apart = min((percent(face.points[:68], truth) for face in faces), key=lambda each: float(each.mean()))
        table[path.stem] = {part: round(float(apart[list(indices)].mean()), 2) for part, indices in PARTS.items()}
    return table


def percent(points: Floats, truth: Floats) -> Array:
    return np.asarray(100 * np.linalg.norm(points - truth, axis=-1) / layout.interocular(truth))


def steadiness(detector: Detector, image: Image) -> dict[str, Any]:
    """Sub-pixel shifts of a still: flicker that is left when the true shift is taken off, and gain (1 is right)."""
    frames = [shifted(image, *shift) for shift in SHIFTS]
    points = np.stack([faces[0].points for faces in detector.detect(frames)])
    stayed = points - SHIFTS[:, None]
    flicker = np.linalg.norm(stayed - stayed.mean(axis=0), axis=-1).mean(axis=0)
    scale = 100 / float(layout.interocular(points.mean(axis=0)))
    pupils = flicker[68:].mean() * scale if np.isfinite(flicker[68:]).all() else None
    gain = [np.polyfit(SHIFTS[:, axis], points[:, :68, axis].mean(axis=1), 1)[0] for axis in (0, 1)]
    parts = {part: round(float(flicker[list(indices)].mean() * scale), 3) for part, indices in PARTS.items()}
    return {"flicker_percent": parts | {"pupils": pupils}, "gain": [round(float(value), 3) for value in gain]}


def shifted(image: Image, x: float, y: float) -> Image:
    """The picture moved by a sub-pixel shift without any blur (a phase in the Fourier transform)."""
    down, across = np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1])[None]
    phase = np.exp(-2j * np.pi * (across * x + down * y))[..., None]
    moved = np.fft.ifft2(np.fft.fft2(image, axes=(0, 1)) * phase, axes=(0, 1)).real
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)


def found(detector: Detector, media: Path, every: int) -> dict[str, Any]:
    """Per still the scores; per clip frames looked at, frames with a face, the lowest score."""
    stills = {
        path.name: scores(detector.detect([read_image(path)])[0]) for path in sorted((media / "stills").iterdir())
    }
    clips = {}
    for path in sorted((media / "clips").iterdir()):
        with VideoReader(path) as reader:
            best = [detector.detect([frame])[0] for index, frame in enumerate(reader.frames()) if index % every == 0]
        lowest = min((scores(faces)[0] for faces in best if faces), default=None)
        clips[path.name] = {"frames": len(best), "with_a_face": sum(map(bool, best)), "lowest_score": lowest}
    return {"stills": stills, "clips": clips}


def scores(faces: list[Face]) -> list[float]:
    return [round(face.score, 3) for face in faces]


def milliseconds(call: Callable[[], object], repeat: int = 40) -> float:
    call()
    taken = []
    for _ in range(repeat):
        started = time.process_time()
        call()
        taken.append(1000 * (time.process_time() - started))
    return round(statistics.median(taken), 2)


def times(detector: Detector, image: Image) -> dict[str, float]:
    """Milliseconds per frame; for the mesh detector also of its stages."""
    following = for_shot(detector)
    taken = {
        "total": milliseconds(lambda: detector.detect([image])),
        "followed": milliseconds(lambda: following.detect([image])),
    }
    if isinstance(detector, MeshDetector):
        from s2d.landmarks.detectors.mesh import _region_of_found

        region = _region_of_found(detector._near.find(image, FOUND)[0])
        taken["find_near"] = milliseconds(lambda: detector._near.find(image, FOUND))
        taken["find_far"] = milliseconds(lambda: detector._far.find(image, FOUND))
        taken["mesh_pass"] = milliseconds(lambda: detector.look(image, region))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--detectors", nargs="+", choices=NAMES, default=["mesh", "dlib"])
    parser.add_argument("--every", type=int, default=10, help="look at every so many frames of the clips")
    args = parser.parse_args()
    astronaut = skimage.data.astronaut()
    cv2.setNumThreads(1)
    result = {}
    for name in args.detectors:
        detector = make_detector(name)
        result[name] = {
            "version": detector.version,
            "error_percent": errors(detector, args.media / "annotated"),
            "steadiness": steadiness(detector, astronaut),
            "milliseconds": times(detector, astronaut),
            "found": found(detector, args.media, args.every),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
