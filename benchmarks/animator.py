"""The animator against its baselines and other methods: same data, same crops, same seconds, one run; prints JSON.

    python benchmarks/animator.py DATA --held-out ann bob --sheets sheets
    python benchmarks/animator.py DATA --held-out ann bob --external fomm.py --ablations no-prior --seconds 720

DATA is a folder of `s2d curate`. The animator is trained from scratch for --seconds of processor time on one thread,
without the held-out identities and without the last fifth of every track. `same` is measured on these last fifths,
`held_out_identities` on whole tracks of people never seen; the source is always the first frame of the track.
`cross_identity` moves these people's pictures by one another's tracks, relative to the driver's face at rest. Figures
are means over identities with 95 % bootstrap intervals [mean, low, high]; `ratio` is a method's L1 over another's.
--external takes a Python file of your own: see benchmarks/external.py.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.ablation import FULL, SWITCHES
from benchmarks.budget import LEFT_OUT, Plan, Trained, pairs_for, train
from benchmarks.external import load_external
from s2d.evaluation.cross_identity import Pairing, measure_pair, pairings
from s2d.evaluation.footage import Part, identities, read_clip, tracks_of
from s2d.evaluation.interval import by_identity, summarise
from s2d.evaluation.methods import BASELINES, Method, animator_method
from s2d.evaluation.run import Rows, add_rows, find_instruments
from s2d.evaluation.same_identity import Instruments, measure_clip
from s2d.evaluation.sheet import write_sheet
from s2d.models.animator import Animator
from s2d.shards.reader import Dataset, open_dataset

BATCH_OF_OTHERS = 8  # pairs in a batch of an external method


def trained_animators(plan: Plan, ablations: Sequence[str], folder: Path) -> dict[str, Trained]:
    """The animator and its ablations by name."""
    wanted: Mapping[str, Mapping[str, object]] = {"animator": {}, **{name: SWITCHES[name] for name in ablations}}
    return {name: train(plan, folder / name, overrides) for name, overrides in wanted.items()}


def trained_externals(plan: Plan, files: Sequence[Path]) -> tuple[dict[str, Method], dict[str, object]]:
    """Other people's methods, and how long they were trained."""
    methods: dict[str, Method] = {}
    training: dict[str, object] = {}
    for file in files:
        external = load_external(file)
        steps, began = 0, time.process_time()

        def counted() -> object:
            nonlocal steps
            for batch in pairs_for(plan, BATCH_OF_OTHERS):
                yield batch
                steps += 1

        external.train(counted(), plan.seconds)
        seconds = time.process_time() - began
        methods[external.name] = external.method
        training[external.name] = {"steps": steps, "seconds": seconds, "seconds_per_step": seconds / max(steps, 1)}
    return methods, training


def measure(
    dataset: Dataset, track_ids: Sequence[str], part: Part, size: int, methods: Mapping[str, Method],
    sheets: Path | None, model: Animator, instruments: Instruments,
) -> dict[str, object]:  # fmt: skip
    """All methods on these tracks."""
    rows: dict[str, list[tuple[str, dict[str, float]]]] = {}
    for track_id in track_ids:
        clip = read_clip(dataset, track_id, size, part)
        made, figures = measure_clip(methods, clip, instruments, {})
        for name, found in figures.items():
            rows.setdefault(name, []).append((clip.identity, found))
        if sheets is not None:
            write_sheet(sheets / f"{track_id}-from-{part.start:g}.png", clip, made, model)
    table = {name: summarise(found) for name, found in rows.items()}
    people = {
        name: by_identity((who, row["l1"]) for who, row in found) for name, found in rows.items() if name in methods
    }
    return {"tracks": len(track_ids), "methods": table, "ratio": ratios(table), "l1_by_identity": people}


def measure_cross(
    dataset: Dataset, track_ids: Sequence[str], part: Part, size: int, methods: Mapping[str, Method], most: int
) -> dict[str, object]:
    """All methods on pairs of these tracks, a source and another person who drives it; nothing for a single person."""
    instruments, _ = find_instruments("dlib", 1)
    clips = [read_clip(dataset, track, size, part) for track in track_ids]
    pairs = pairings(clips, most)
    rows: Rows = {}
    for source, driver in pairs:
        add_rows(rows, source.identity, measure_pair(methods, Pairing(source, driver, "relative"), instruments))
    return {"pairs": len(pairs), "methods": {name: summarise(found) for name, found in rows.items()}}


def ratios(table: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> dict[str, dict[str, float]]:
    """L1 of every method over that of the thin-plate spline, and of all others that are no baseline."""
    known = {name: figures["l1"][0] for name, figures in table.items() if "l1" in figures}
    references = ["tps", *(name for name in known if name not in BASELINES and name != "animator")]
    return {f"to_{one}": {name: l1 / known[one] for name, l1 in known.items() if name != one} for one in references}


def run(args: argparse.Namespace) -> dict[str, object]:
    """Train everything, measure everything."""
    plan = Plan(args.data, args.held_out, args.seconds, args.config, args.size)
    dataset = open_dataset(args.data)
    held_out = tracks_of(dataset, args.held_out)
    known = [track for track, who in identities(dataset).items() if who not in args.held_out]
    others, training = trained_externals(plan, args.external)
    with tempfile.TemporaryDirectory() as folder:
        animators = trained_animators(plan, args.ablations, Path(folder) if args.keep is None else args.keep)
    for name, trained in animators.items():
        training[name] = {name: getattr(trained, name) for name in ("steps", "seconds", "seconds_per_step")}
    methods = {**BASELINES, **{n: animator_method(t.model) for n, t in animators.items()}, **others}
    instruments, notes = find_instruments(str(dataset.metadata["detector"]), args.looks)
    rest = plan.size, methods, args.sheets, animators["animator"].model, instruments
    return {
        "data": str(args.data),
        "size": plan.size,
        "seconds": plan.seconds,
        "held_out": list(args.held_out),
        "training": training,
        "same": measure(dataset, known, Part(1 - LEFT_OUT, args.frames), *rest),
        "held_out_identities": measure(dataset, held_out, Part(0, args.frames), *rest),
        "cross_identity": measure_cross(dataset, held_out, Part(0, args.cross_frames), plan.size, methods, args.pairs),
        "notes": notes,
    }


def main() -> None:
    """Read the arguments, print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of s2d curate")
    parser.add_argument("--held-out", nargs="+", required=True, metavar="NAME", help="identities kept from training")
    parser.add_argument("--seconds", type=float, default=720, help="processor seconds of training (default: 720)")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--config", default="tiny", help="of s2d train")
    parser.add_argument("--frames", type=int, default=60, help="driving frames per track, at most")
    parser.add_argument("--pairs", type=int, default=12, help="of held-out people, for cross-identity, at most")
    parser.add_argument("--cross-frames", type=int, default=30, help="driving frames per pair, at most")
    parser.add_argument("--looks", type=int, default=6, help="frames per track that detectors look at (default: 6)")
    switches = [name for name in SWITCHES if name != FULL]
    parser.add_argument("--ablations", nargs="+", default=[], choices=switches, help="train these too")
    parser.add_argument("--external", nargs="+", type=Path, default=[], metavar="FILE", help="methods of your own")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="write contact sheets here")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the trained animators here")
    print(json.dumps(run(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
