"""Which tracks of a data set were filmed by a still camera: how far the background moves; prints JSON.

    python benchmarks/camera.py DATA

An animator is told where the face goes and not where the camera goes, so a picture of a moving camera's background is
wrong whatever the method. Per track the median, over frames spread evenly, of how far the background is from where it
is in the first frame, in percent of the crop's width: dense flow (DIS, Kroeger et al. 2016) at the strongest edges
beside and above the head. Hair and shoulders that reach there count too; cameras that pan or zoom give 5 and more.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from s2d.evaluation.footage import identities
from s2d.geometry import Float32
from s2d.landmarks.layout import CONTOUR_68
from s2d.shards.reader import Dataset, open_dataset

LOOKS = 10  # frames per track
BESIDE, ABOVE = 0.35, 0.9  # of the face's width and height, from the landmarks outwards: hair mostly ends there
EDGES = 0.3  # share of the background's pixels, those with the strongest gradient, at which flow is to be trusted
FEWEST = 500  # pixels of background; with fewer nothing is said

Grey = npt.NDArray[np.uint8]


def background(points: Float32, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Pixels above the chin that are beside or above the head with landmarks (68, 2), all known."""
    low, high = points.min(0), points.max(0)
    width, height = high - low
    left, right = (max(0, int(x)) for x in (low[0] - BESIDE * width, high[0] + BESIDE * width))
    mask = np.ones(shape, bool)
    mask[max(0, int(low[1] - ABOVE * height)) :, left:right] = False
    mask[max(0, int(high[1])) :] = False
    return mask


def moved(first: Grey, other: Grey, where: npt.NDArray[np.bool_]) -> float:
    """How far the picture moved there, percent of its width; NaN where there is too little to see."""
    if where.sum() < FEWEST:
        return float("nan")
    solver: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = solver.calc(first, other, None)
    steep = np.hypot(cv2.Sobel(first, cv2.CV_32F, 1, 0), cv2.Sobel(first, cv2.CV_32F, 0, 1))[where]
    distance = np.linalg.norm(flow[where][steep >= np.quantile(steep, 1 - EDGES)], axis=1)
    return float(100 * np.median(distance) / first.shape[1])


def camera_motion(dataset: Dataset, track_id: str) -> float | None:
    """Percent of the crop's width; None where no background is to be seen, or the track holds no pictures."""
    frames = dataset.frames(track_id)
    points = frames.aligned[:, CONTOUR_68]
    whole = np.flatnonzero(np.isfinite(points).all((1, 2)))
    if frames.jpeg is None or len(whole) < 2:
        return None
    looked = whole[np.unique(np.linspace(0, len(whole) - 1, LOOKS + 1).round().astype(int))]
    grey = [np.asarray(cv2.imdecode(np.frombuffer(frames.jpeg[k], np.uint8), cv2.IMREAD_GRAYSCALE)) for k in looked]
    free = [background(points[k], grey[0].shape) for k in looked]
    found = [moved(grey[0], other, free[0] & own) for other, own in zip(grey[1:], free[1:], strict=True)]
    seen = [value for value in found if not math.isnan(value)]
    return statistics.median(seen) if seen else None


def main() -> None:
    """Measure every track, print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of s2d curate")
    dataset = open_dataset(parser.parse_args().data)
    rows = [
        {"track": track, "identity": who, "moved": camera_motion(dataset, track)}
        for track, who in identities(dataset).items()
    ]
    print(json.dumps(sorted(rows, key=lambda row: str(row["track"])), indent=1))


if __name__ == "__main__":
    main()
