"""Where an animator's error lies, and what is left of it if every pixel were moved where it belongs; prints JSON.

    python benchmarks/limit.py DATA --identities ann bob --checkpoint model.safetensors

By method and part of the picture, means over identities: `share` of the pixels; `l1`, the part's own mean error;
`part`, what it adds to the error of the whole picture; `moved`, the same sum after the result has been moved onto the
true frame by dense flow between the two (DIS, Kroeger et al. 2016). No method sees the true frame: `moved` bounds what
better motion could win, and flow that matches noise to noise makes the bound too low. `between` is hair, ears and neck;
`background` what lies further from the face, shoulders and long hair too, of which landmarks say nothing.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from s2d.evaluation.footage import Clip, Part, read_clip, tracks_of
from s2d.evaluation.interval import summarise
from s2d.evaluation.methods import BASELINES, Method, Scene, animator_method
from s2d.evaluation.regions import regions
from s2d.evaluation.temporal import pull
from s2d.geometry import Image
from s2d.models.checkpoint import load_animator
from s2d.shards.reader import open_dataset

METHODS = ("copy", "tps", "prior")  # of the baselines, those that stand for the others
FINE = 256  # pixels at which flow is measured
PARTS = ("face", "between", "background")


def move_onto(made: Tensor, truth: Tensor) -> Tensor:
    """A picture (3, S, S) in [0, 1] moved onto another one of the same moment."""
    pictures = [(255 * image.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy() for image in (made, truth)]
    solver: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey_made, grey_truth = (_fine_grey(picture) for picture in pictures)
    size, scale = made.shape[-1], made.shape[-1] / FINE
    flow = cv2.resize(solver.calc(grey_truth, grey_made, None), (size, size), interpolation=cv2.INTER_AREA) * scale
    moved = pull(np.ascontiguousarray(made.permute(1, 2, 0).numpy()), flow)
    return torch.from_numpy(moved).permute(2, 0, 1)


def _fine_grey(picture: Image) -> Image:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (FINE, FINE), interpolation=cv2.INTER_CUBIC))


def parts_of(clip: Clip) -> dict[str, Tensor]:
    """Weights (N, 1, S, S) by the names of PARTS; they sum to 1."""
    size = clip.images.shape[-1]
    found = regions(clip.points, size, size)
    face, background = found["face"], found["background"]
    return {"face": face, "between": 1 - face - background, "background": background}


def measure(clip: Clip, method: Method) -> dict[str, float]:
    """The figures of one method on one clip."""
    made = method(Scene.of_clip(clip))
    moved = torch.stack([move_onto(one, true) for one, true in zip(made, clip.images, strict=True)])
    errors = {"part": (made - clip.images).abs(), "moved": (moved - clip.images).abs()}
    row = {f"{name}_all": float(error.mean()) for name, error in errors.items()}
    for part, weights in parts_of(clip).items():
        row |= {f"{name}_{part}": float((error * weights).mean()) for name, error in errors.items()}
        row[f"share_{part}"] = float(weights.mean())
    return row


def table(rows: Mapping[str, list[tuple[str, dict[str, float]]]]) -> dict[str, dict[str, dict[str, float]]]:
    """By method and part, means over identities."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for method, measured in rows.items():
        mean = {name: estimate.mean for name, estimate in summarise(measured).items()}
        found[method] = {"all": {"part": mean["part_all"], "moved": mean["moved_all"]}}
        for part in PARTS:
            share, error = mean[f"share_{part}"], mean[f"part_{part}"]
            own = error / share if share else math.nan
            found[method][part] = {"share": share, "l1": own, "part": error, "moved": mean[f"moved_{part}"]}
    return found


def main() -> None:
    """Read the arguments, print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of s2d curate")
    parser.add_argument("--identities", nargs="+", metavar="NAME", help="only these people (default: all)")
    parser.add_argument("--checkpoint", type=Path, help="model.safetensors of s2d train, to measure it too")
    parser.add_argument("--size", type=int, default=64, help="pixels, where no checkpoint says (64)")
    parser.add_argument("--start", type=float, default=0.0, help="share of each track that is left out (0)")
    parser.add_argument("--frames", type=int, default=12, help="per track, at most (12)")
    args = parser.parse_args()
    methods = {name: BASELINES[name] for name in METHODS}
    size = args.size
    if args.checkpoint is not None:
        model = load_animator(args.checkpoint)
        methods["animator"], size = animator_method(model), model.config.size
    dataset = open_dataset(args.data)
    rows: dict[str, list[tuple[str, dict[str, float]]]] = {}
    for track in tracks_of(dataset, args.identities):
        clip = read_clip(dataset, track, size, Part(args.start, args.frames))
        for name, method in methods.items():
            rows.setdefault(name, []).append((clip.identity, measure(clip, method)))
    print(json.dumps(table(rows), indent=1))


if __name__ == "__main__":
    main()
