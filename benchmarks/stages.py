"""The 128-pixel animator in two stages on two threads, 64 pixels first; the same command goes on where it was stopped.

    python benchmarks/stages.py DATA --held-out ann bob --out runs/stages          # about 45 minutes on two cores
    s2d evaluate --data DATA --checkpoint runs/stages/second/model.safetensors --identities ann bob
    s2d evaluate --data DATA --checkpoint runs/stages/second/model.safetensors --identities cleo dora --start 0.8

As the two commands of docs/guide/train.md, but longer: the second stage begins with the last weights of the first, its
rate falls over the last half, with a discriminator for the last quarter. The last fifth of every training track is left
out, so that the same people can be measured on frames that no training saw. Each
stage leaves its curve (metrics.csv), sheets of held-out pairs and weights, the last and the best; prints where.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import torch

from benchmarks.budget import leave_ends_out
from s2d.training.checkpoints import FOLDER, LAST
from s2d.training.run import WEIGHTS, Run, TrainingCLI, config_path, quiet_lightning

EVERY = 500  # steps between two validations


def train_stage(out: Path, options: Mapping[str, object]) -> dict[str, object]:
    """One stage, from its last checkpoint where it has one; nothing where it is finished."""
    last = out / FOLDER / LAST
    if (out / WEIGHTS).exists():
        return {"weights": str(out / WEIGHTS)}
    resume = last if last.exists() else None
    given = {name: value for name, value in options.items() if not (resume and name == "init_from")}
    with quiet_lightning():
        arguments = [f"--{name}={value}" for name, value in given.items()]
        cli = TrainingCLI(arguments, config_path("small"), Run(out, resume=resume))
        leave_ends_out(cli.datamodule)
        return dict(cli.fit())


def main() -> None:
    """Read the arguments, train, print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of s2d curate")
    parser.add_argument("--held-out", nargs="+", required=True, metavar="NAME", help="identities kept from training")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for both stages")
    parser.add_argument("--steps", type=int, nargs=2, default=(4000, 8000), metavar="N", help="of each stage")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    first, second = args.steps
    common = {
        "data.path": args.data, "data.val_identities": list(args.held_out), "trainer.accelerator": "cpu",
        "trainer.val_check_interval": EVERY, "clip_frames": 0,
    }  # fmt: skip
    small = {"data.size": 64, "model.animator.motion_stride": 2, "model.decay": 0, "model.losses.adversarial": 0}
    results = [train_stage(args.out / "first", {**common, **small, "trainer.max_steps": first})]
    large = {
        "init_from": args.out / "first" / WEIGHTS, "model.lr": 5e-4, "model.decay": 0.5, "model.losses.mask_prior": 0,
        "model.losses.adversarial_start": 3 * second // 4, "trainer.max_steps": second,
    }  # fmt: skip
    results.append(train_stage(args.out / "second", {**common, **large}))
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
