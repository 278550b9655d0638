"""Large turns of the head: only frames turned far from the source, every method; prints JSON.

    python benchmarks/turned.py DATA --checkpoint model.safetensors --identities ann bob

As `s2d evaluate --protocol same` with the frames whose yaw is more than --degrees from the source's, either way. The
source is the track's first frame. `sheets` shows what the figures do not: whether a cheek is squashed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.blinks import at
from s2d.evaluation.footage import Clip, Part, read_clip, tracks_of
from s2d.evaluation.interval import summarise
from s2d.evaluation.methods import BASELINES, animator_method
from s2d.evaluation.run import Rows, add_rows, find_instruments
from s2d.evaluation.same_identity import measure_clip
from s2d.evaluation.sheet import write_sheet
from s2d.landmarks.expression import head_pose
from s2d.models.checkpoint import load_animator
from s2d.shards.reader import Dataset, open_dataset

EVERY = 10**6  # frames of a track that are looked through: all
FIGURES = ("l1", "l1_face", "l1_background", "pd", "akd", "aed")


def turned(clip: Clip, degrees: float, most: int) -> Clip | None:
    """The frames that are turned so far from the source, `most` of them evenly spread; None where there are none."""
    yaw = head_pose(clip.points.numpy())[:, 0] - head_pose(clip.source_points.numpy())[0]
    places = np.flatnonzero(np.abs(yaw) > degrees)
    if not len(places):
        return None
    chosen = places[np.unique(np.linspace(0, len(places) - 1, most).round().astype(int))]
    return at(clip, chosen)


def clips(dataset: Dataset, identities: Sequence[str] | None, size: int, degrees: float, most: int) -> list[Clip]:
    """Such frames of every track that has some."""
    found = (
        turned(read_clip(dataset, track, size, Part(0, EVERY)), degrees, most)
        for track in tracks_of(dataset, identities)
    )
    return [clip for clip in found if clip is not None]


def main() -> None:
    """Read the arguments, print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of s2d curate")
    parser.add_argument("--checkpoint", type=Path, required=True, help="model.safetensors of s2d train")
    parser.add_argument("--identities", nargs="+", metavar="NAME", help="only these people (default: all)")
    parser.add_argument("--degrees", type=float, default=25.0)
    parser.add_argument("--frames", type=int, default=16, help="per track, at most (default: 16)")
    parser.add_argument("--looks", type=int, default=4, help="frames per track that detectors look at (default: 4)")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="write contact sheets here")
    args = parser.parse_args()
    dataset, model = open_dataset(args.data), load_animator(args.checkpoint)
    methods = {**BASELINES, "animator": animator_method(model)}
    instruments, _ = find_instruments(str(dataset.metadata["detector"]), args.looks)
    rows: Rows = {}
    found = clips(dataset, args.identities, model.config.size, args.degrees, args.frames)
    for clip in found:
        made, figures = measure_clip(methods, clip, instruments, {})
        add_rows(rows, clip.identity, figures)
        if args.sheets is not None:
            write_sheet(args.sheets / f"{clip.track_id}.png", clip, made, model)
    tables = {name: summarise(who) for name, who in rows.items()}
    result = {
        "degrees": args.degrees,
        "identities": sorted({clip.identity for clip in found}),
        "frames": sum(len(clip) for clip in found),
        "methods": {name: {key: row[key] for key in FIGURES if key in row} for name, row in tables.items()},
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
