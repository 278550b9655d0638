"""What a face's score is worth: right and wrong fits of the mesh, on degraded faces and where there is none. JSON.

    python benchmarks/presence.py --faces FOLDER --without FILE... [--seed 0]

--faces: pictures and videos with a face (of a video, one frame); each is turned, scaled, blurred, darkened, made noisy
or covered, and a fit is right when it lies within 10 % of the inter-ocular distance of that to the picture as it was.
--without: pictures and videos in which nobody is. Every find of BlazeFace is settled on, whatever its score. "kept" are
shares of fits with a score of at least PRESENT; "presence_alone" does the same by the logit, at its own best threshold;
"fitted" are the coefficients that a balanced logistic fit to these finds gives (`s2d/landmarks/detectors/mesh.py`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import minimize

from s2d import progress
from s2d.errors import S2DError
from s2d.geometry import Array, Image, apply
from s2d.images import read_image
from s2d.landmarks.detectors import mesh
from s2d.landmarks.detectors.mesh import LEAST_DISAGREEMENT, PRESENT, MeshDetector
from s2d.video import VideoReader

SIDE = 512  # pixels of a degraded picture
LARGEST = 1400  # pixels of a picture's longer side; larger ones are shrunk
RIGHT = 0.1  # inter-ocular distances
KINDS = ("plain", "blur", "noise", "dark", "covered") * 2
EVERY = 3  # frames of a video without a face


@dataclass(frozen=True)
class Find:
    """One find of BlazeFace, settled on."""

    logit: float
    disagreement: float
    score: float
    right: bool
    somebody: bool
    """Whether it lies in a picture that shows a face."""


def pictures(path: Path, every: int) -> Iterator[Image]:
    """A picture, or every so many frames of a video; the middle one alone for 0."""
    try:
        yield read_image(path)
    except S2DError:
        with VideoReader(path) as reader:
            chosen = range(0, len(reader), every) if every else [len(reader) // 2]
            yield from (reader.frame(number) for number in chosen)


def finds(detector: MeshDetector, image: Image, truth: Array | None) -> Iterator[Find]:
    """Of one picture; `truth` (478, 2) is its one face, None where nobody is."""
    for one in (one for finder in (detector._near, detector._far) for one in finder.find(image, mesh.FOUND)):
        before, last = detector.last_two(image, mesh._region_of_found(one))
        vertices = mesh._mean_vertices(before, last)
        eyes = float(np.linalg.norm(last.vertices[mesh.OUTER_CORNERS[0]] - last.vertices[mesh.OUTER_CORNERS[1]]))
        apart = float(np.linalg.norm(before.vertices - last.vertices, axis=-1).mean()) / eyes
        off = np.inf
        if truth is not None:
            unit = np.linalg.norm(truth[mesh.OUTER_CORNERS[0]] - truth[mesh.OUTER_CORNERS[1]])
            off = float(np.linalg.norm(vertices - truth, axis=-1).mean() / unit)
        logit = (before.logit + last.logit) / 2
        yield Find(logit, apart, mesh._score(before, last), off < RIGHT, truth is not None)


def degraded(image: Image, face: Array, kind: str, random: np.random.Generator) -> tuple[Image, Array]:
    """The picture turned and scaled around its face (478, 2), then spoilt; and the face in it."""
    eyes = float(np.linalg.norm(face[mesh.OUTER_CORNERS[0]] - face[mesh.OUTER_CORNERS[1]]))
    scale = float(np.exp(random.uniform(np.log(12), np.log(200)))) / eyes
    matrix = cv2.getRotationMatrix2D(face.mean(axis=0).tolist(), random.choice([15, 90]) * random.uniform(-1, 1), scale)
    matrix[:, 2] += SIDE / 2 - face.mean(axis=0)
    smooth = cv2.GaussianBlur(image, (0, 0), 0.5 / scale) if scale < 0.7 else image
    made = cv2.warpAffine(smooth, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE).astype(np.float64)
    placed, eyes = apply(matrix, face), eyes * scale
    if kind == "blur":
        made = cv2.GaussianBlur(made, (0, 0), eyes * random.uniform(0.03, 0.25))
    elif kind == "noise":
        made += random.normal(0, random.uniform(10, 90), made.shape)
    elif kind == "dark":
        made = made * random.uniform(0.02, 0.25) + random.normal(0, 4, made.shape)
    elif kind == "covered":
        low = np.maximum(placed[random.integers(len(placed))] - eyes * random.uniform(0.2, 0.9), 0).astype(int)
        high = low + int(eyes * random.uniform(0.4, 1.8))
        made[low[1] : high[1], low[0] : high[0]] = random.uniform(0, 255, 3)
    return np.clip(made, 0, 255).astype(np.uint8), placed


def collect(detector: MeshDetector, faces: Path, without: list[Path], seed: int) -> list[Find]:
    """All finds in all pictures."""
    random = np.random.default_rng(seed)
    made: list[Find] = []
    files = sorted(path for path in faces.rglob("*") if path.is_file())
    for path in progress.track(files, "faces", len(files)):
        for image in pictures(path, 0):
            shrink = min(1.0, LARGEST / max(image.shape))
            image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            fits = detector.search(image)
            if len(fits) == 1:  # of several it would not be known which one is found again
                for kind in KINDS:
                    made += finds(detector, *degraded(image, fits[0].vertices, kind, random))
    for path in progress.track(without, "without a face", len(without)):
        for image in pictures(path, EVERY):
            made += finds(detector, image, None)
    return made


def balanced_fit(features: Array, right: Array) -> Array:
    """Coefficients of a logistic regression, right and wrong of equal weight, and its offset, last."""
    columns = np.column_stack([features, np.ones(len(features))])
    weights = np.where(right, 0.5 / right.mean(), 0.5 / (1 - right.mean()))
    start = np.zeros(columns.shape[1])
    return np.asarray(
        minimize(lambda q: (weights * np.logaddexp(0, np.where(right, -1, 1) * (columns @ q))).sum(), start).x
    )


def shares(kept: Array, right: Array, somebody: Array) -> dict[str, float]:
    """Of right fits the share that is lost; of wrong ones, with somebody in the picture and without, that is kept."""
    groups = {"right_lost": ~kept[right], "wrong_kept": kept[~right & somebody], "nobody_kept": kept[~somebody]}
    return {name: round(float(values.mean()), 3) for name, values in groups.items() if len(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--without", type=Path, nargs="+", required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    made = collect(MeshDetector(), options.faces, options.without, options.seed)
    right, somebody = np.array([find.right for find in made]), np.array([find.somebody for find in made])
    logits = np.array([find.logit for find in made])
    disagreement = np.log(np.array([find.disagreement for find in made]) + LEAST_DISAGREEMENT)
    slope, offset = balanced_fit(logits[:, None], right)
    result = {
        "finds": len(made),
        "right": int(right.sum()),
        "nobody": int((~somebody).sum()),
        "score": shares(np.array([find.score >= PRESENT for find in made]), right, somebody),
        "presence_alone": shares(slope * logits + offset >= 0, right, somebody),
        "fitted": balanced_fit(np.column_stack([logits, disagreement]), right).round(3).tolist(),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
