"""What each part of the animator is worth: the same training without it, tested on the same landmarks; prints JSON.

    python benchmarks/ablation.py DATA --held-out ann bob --seconds 300
    python benchmarks/ablation.py DATA --held-out ann bob --variants full raw-landmarks        # the paper's claim 5
    python benchmarks/ablation.py DATA --held-out ann bob --variants full --with wide model.animator.channels=64

Every variant is trained from scratch for --seconds of processor time on one thread, as benchmarks/animator.py does, and
tested on whole tracks of the held-out identities with the aligned landmarks, whatever it was trained on: pictures by
`s2d evaluate --protocol same`, coherence by `--protocol temporal` (neighbouring frames). `table` has a row per variant
with the means over identities, `intervals` the 95 % bootstrap intervals.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.budget import Plan, Trained, train
from s2d.evaluation import same_identity, temporal
from s2d.evaluation.footage import Part, read_clip, tracks_of
from s2d.evaluation.interval import Estimate, summarise
from s2d.evaluation.methods import BASELINES, Method, animator_method
from s2d.evaluation.run import Rows, add_rows, find_instruments
from s2d.shards.reader import Dataset, open_dataset

FULL = "full"
SWITCHES: dict[str, dict[str, object]] = {
    FULL: {},
    "no-prior": {"model.animator.prior": False, "model.animator.residual_reach": 1.0},  # it must reach everywhere
    "no-pupils": {"model.animator.pupils": False},
    "no-residual": {"model.animator.residual": False},
    "no-masks": {"model.animator.masks": False},
    "raw-landmarks": {"data.landmarks": "raw"},
}
"""Options of s2d train, by the name of the variant."""


def measure(
    dataset: Dataset, held_out: Sequence[str], size: int, frames: int, looks: int, methods: Mapping[str, Method]
) -> dict[str, dict[str, Estimate]]:
    """Figures of both protocols by method."""
    instruments, _ = find_instruments(str(dataset.metadata["detector"]), looks)
    rows: Rows = {}
    for track in tracks_of(dataset, held_out):
        clip = read_clip(dataset, track, size, Part(0, frames))
        add_rows(rows, clip.identity, same_identity.measure_clip(methods, clip, instruments, {})[1])
        clip = read_clip(dataset, track, size, Part(0, frames, consecutive=True))
        add_rows(rows, clip.identity, temporal.measure_clip(methods, clip, instruments.witness))
    return {name: summarise(found) for name, found in rows.items()}


def run(args: argparse.Namespace) -> dict[str, object]:
    """Train the variants, measure them beside the untrained prior."""
    plan = Plan(args.data, args.held_out, args.seconds, args.config, args.size)
    own = {name: dict(word.split("=", 1) for word in words) for name, *words in args.with_}
    wanted: dict[str, Mapping[str, object]] = {**{name: SWITCHES[name] for name in args.variants}, **own}
    trained: dict[str, Trained] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, overrides in wanted.items():
            trained[name] = train(plan, Path(folder) / name, overrides)
    methods = {"prior": BASELINES["prior"], **{name: animator_method(one.model) for name, one in trained.items()}}
    measured = measure(open_dataset(args.data), args.held_out, args.size, args.frames, args.looks, methods)
    return {
        "data": str(args.data),
        "held_out": list(args.held_out),
        "seconds": args.seconds,
        "variants": {name: {"options": wanted[name], "steps": one.steps} for name, one in trained.items()},
        "table": {name: {key: value.mean for key, value in found.items()} for name, found in measured.items()},
        "intervals": measured,
    }


def main() -> None:
    """Read the arguments, print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of s2d curate")
    parser.add_argument("--held-out", nargs="+", required=True, metavar="NAME", help="identities kept from training")
    parser.add_argument("--variants", nargs="+", default=list(SWITCHES), choices=tuple(SWITCHES), metavar="NAME")
    parser.add_argument(
        "--with", dest="with_", nargs="+", action="append", default=[], metavar=("NAME", "OPTION=VALUE"),
        help="a variant of your own, by options of s2d train; may be repeated",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=300, help="processor seconds per variant (default: 300)")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--config", default="tiny", help="of s2d train")
    parser.add_argument("--frames", type=int, default=40, help="driving frames per track and protocol, at most")
    parser.add_argument("--looks", type=int, default=6, help="frames per track that detectors look at (default: 6)")
    print(json.dumps(run(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
