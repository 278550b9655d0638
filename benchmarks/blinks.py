"""Blinks: an eye that closes, every method, from the last frame before in which it was open; prints JSON.

    python benchmarks/blinks.py DATA --size 256
    python benchmarks/blinks.py DATA --checkpoint model.safetensors --identities ann bob

Errors by how far the driver's lids have come from where they rest to where they meet: `open` up to a quarter of it,
`half`, `shut` from three quarters on. `l1_eyes` is the error around the eyes, `lid_error` how far the openings that the
detector finds in the result are from those it finds in the true frame, percent of the inter-ocular distance. A source
so near in time leaves hardly anything else to move, so what is measured is the lids.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from benchmarks.retarget import lid_openings
from s2d.evaluation import keypoints, pictures
from s2d.evaluation.footage import Clip, Part, read_clip, tracks_of
from s2d.evaluation.interval import summarise
from s2d.evaluation.methods import BASELINES, Scene, animator_method
from s2d.evaluation.regions import regions
from s2d.evaluation.run import Rows, add_rows
from s2d.evaluation.sheet import write_sheet
from s2d.geometry import Array
from s2d.landmarks.retarget import LIDS_CLOSED
from s2d.models.checkpoint import load_animator
from s2d.shards.reader import open_dataset

EVERY = 10**6  # frames of a track that are looked through: all
STAGES = {"open": (-np.inf, 0.25), "half": (0.25, 0.75), "shut": (0.75, np.inf)}  # shares of the way of the lids
OPEN = 0.15  # of that way, up to which a frame can be the source
NEAR = 0.5  # seconds from the first shut frame to the source and to the last frame, at most


def closedness(points: Array) -> Array:
    """How far lids have come from their median opening to where they meet, both eyes' mean: (T, 70, 2) -> (T,)."""
    opening = lid_openings(points).mean(axis=-1)
    rest = float(np.nanmedian(opening))
    return np.asarray((rest - opening) / max(rest - LIDS_CLOSED, 1e-6))


def blinks(clip: Clip) -> list[tuple[Clip, Array]]:
    """Every blink of a track as a clip of its own, driven from its last open frame, and how closed each frame is."""
    closed = closedness(clip.points.numpy().astype(np.float64))
    shut = closed > STAGES["shut"][0]
    found = []
    for first in np.flatnonzero(shut[1:] & ~shut[:-1]) + 1:
        near = np.flatnonzero(np.abs(clip.times - clip.times[first]) <= NEAR)
        sources = [place for place in near if place < first and closed[place] < OPEN]
        if sources:
            source, driving = sources[-1], np.arange(sources[-1] + 1, near[-1] + 1)
            start = replace(clip, source=clip.images[source], source_points=clip.points[source])
            found.append((at(start, driving), closed[driving]))
    return found


def at(clip: Clip, places: npt.NDArray[np.intp]) -> Clip:
    """Only these of its driving frames."""
    return replace(clip, times=clip.times[places], images=clip.images[places], points=clip.points[places])


def stages(blink: Clip, closed: Array) -> dict[str, Clip]:
    """The frames of each stage that the blink has any of."""
    places = {name: np.flatnonzero((closed > low) & (closed <= high)) for name, (low, high) in STAGES.items()}
    return {name: at(blink, found) for name, found in places.items() if len(found)}


def measured(made: Tensor, clip: Clip, witness: keypoints.Witness) -> dict[str, float]:
    """The figures of pictures (N, 3, S, S) made for the driving frames of a clip."""
    parts = {"eyes": regions(clip.points, *clip.images.shape[-2:])["eyes"]}
    found, true = (witness.look_quickly(images) for images in (made, clip.images))
    error = pictures.mean_of(pictures.l1_sums(made, clip.images, parts))["eyes"]
    return {"l1_eyes": error, "lid_error": keypoints.lid_error(found, true)}


def main() -> None:
    """Read the arguments, print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of s2d curate")
    parser.add_argument("--checkpoint", type=Path, help="model.safetensors of s2d train (default: none)")
    parser.add_argument("--size", type=int, default=256, help="pixels, without a checkpoint (default: 256)")
    parser.add_argument("--identities", nargs="+", metavar="NAME", help="only these people (default: all)")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="write a contact sheet of every blink here")
    args = parser.parse_args()
    dataset = open_dataset(args.data)
    model = load_animator(args.checkpoint) if args.checkpoint else None
    methods = {**BASELINES, **({"animator": animator_method(model)} if model else {})}
    witness = keypoints.Witness("dlib")  # beside which mesh alone looks
    rows: dict[str, Rows] = {stage: {} for stage in STAGES}
    frames, count = dict.fromkeys(STAGES, 0), 0
    for track in tracks_of(dataset, args.identities):
        clip = read_clip(dataset, track, model.config.size if model else args.size, Part(0, EVERY))
        for blink, closed in blinks(clip):
            count += 1
            for stage, part in stages(blink, closed).items():
                made = {name: method(Scene.of_clip(part)) for name, method in methods.items()}
                figures = {name: measured(images, part, witness) for name, images in made.items()}
                add_rows(rows[stage], clip.identity, figures)
                frames[stage] += len(part)
                if args.sheets is not None and stage == "shut":
                    write_sheet(args.sheets / f"{track}-{count}.png", part, made, model)
    tables = {stage: {name: summarise(who) for name, who in found.items()} for stage, found in rows.items()}
    print(json.dumps({"blinks": count, "frames": frames, "stages": tables}, indent=1))


if __name__ == "__main__":
    main()
