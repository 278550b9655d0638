"""Train the animator on data sets made by `s2d curate`, or by `s2d synth --format parquet` of photos.

Any further option goes to LightningCLI: --trainer.max_steps 300, --model.lr 5e-4, --data.batch_size 32, ...;
`s2d train --data DIR --print_config` shows all of them with their values.

examples:
  s2d train --data DATA --config tiny                       minutes on two cores
  s2d train --data REAL STILLS --data.weights '[3, 1]'      three pairs of the one to one of the other
  s2d train --data DATA --init_from small.safetensors --data.size 128    fine-tune weights at another image size
  s2d train --out runs/tiny --resume --trainer.max_steps 9000            go on where it stopped, to the very batch

Several GPUs of one machine: --trainer.devices 8 --trainer.strategy ddp; data.batch_size is that of each process.
Several machines: the same command on each, with --trainer.num_nodes 2 besides, as a launcher starts it:
  torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 -m s2d train ...
  srun --nodes 2 --ntasks-per-node 8 s2d train ...          under SLURM, with #SBATCH lines that say the same
Lightning reads ranks and addresses from what torchrun and SLURM set; --out must be a folder that all of them see.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2d.cli.output import emit, table
from s2d.errors import UsageError
from s2d.training import LOGGERS, packaged_configs

RUNS = Path("runs")
DEFAULT_CONFIG = "tiny"
BEATEN_BELOW = 0.9995  # of a rival's error: from here on the table shows a change of 0.0 %
CLEARLY_BELOW = 0.98  # of a rival's error: less of a gain comes and goes from one validation to the next


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Shorthands; what is unknown here is kept for LightningCLI."""
    names = ", ".join(packaged_configs())
    parser.add_argument("--data", nargs="+", metavar="DIR", help="the data set, or several (--data.path)")
    parser.add_argument(
        "--config",
        metavar="NAME|FILE",
        help=f"packaged configuration, of {names}, or a YAML file (default: {DEFAULT_CONFIG})",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        help="folder for logs, checkpoints, weights (runs/NAME, or runs/NAME-2 where that holds a run)",
    )
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="CKPT", help="go on from the run's last checkpoint, or from this one"
    )
    parser.add_argument("--init_from", metavar="FILE", help="weights to begin with, of any image size")
    parser.add_argument("--logger", choices=LOGGERS, default="csv", help="where curves go (csv)")
    parser.add_argument("--fast_dev_run", action="store_true", help="one batch of everything, nothing kept")
    parser.set_defaults(passed_on=[], usage_error=parser.error)


def run(args: argparse.Namespace) -> None:
    """Train, then say by how much the validation error fell."""
    _check(args)
    from s2d.training import run as training
    from s2d.training.loggers import is_main_process

    config, where = _plan(args)
    try:
        result = training.train(_options(args), config, where)
    except training.OptionError as error:
        args.usage_error(str(error))
    if is_main_process():
        result = {"out": where.out if result["weights"] else None, **result, "verdict": verdict(result)}
        emit(result, _report(result), args.json)


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before anything heavy is imported. Raises UsageError."""
    if args.json and _prints_config(args):
        raise UsageError("cannot print the configuration as JSON", "it is YAML", "leave out --json")
    if args.resume == "" and args.out is None:
        found = sorted(str(file.parents[1]) for file in RUNS.glob("*/checkpoints/last.ckpt"))
        runs = f"; there are {', '.join(found)}" if found else ""
        raise UsageError("cannot resume", "it is not said which run", f"give its folder as --out{runs}")


def _prints_config(args: argparse.Namespace) -> bool:
    return any(option.startswith("--print_config") for option in args.passed_on)


def _options(args: argparse.Namespace) -> list[str]:
    data = args.data or []
    shorthands = [f"--data.path={json.dumps(data) if len(data) > 1 else data[0]}"] if data else []
    shorthands += [f"--init_from={args.init_from}"] if args.init_from else []
    shorthands += ["--trainer.fast_dev_run=true"] if args.fast_dev_run else []
    return [*shorthands, *args.passed_on]


def _plan(args: argparse.Namespace) -> tuple[str | Path, Any]:
    """The configuration, and where the run is kept: a resumed run goes on with its own."""
    from s2d.training.checkpoints import CONFIG, find_checkpoint
    from s2d.training.run import Run

    config = args.config or DEFAULT_CONFIG
    announce = None if args.quiet else _say
    usual = RUNS / Path(config).stem
    out = args.out or _free_folder(usual)
    if args.resume is None:
        other = out not in (args.out, usual)
        why = f"{usual} holds another run (--out chooses, --resume goes on)" if other else ""
        return config, Run(out, args.logger, announce=announce, why=why)
    checkpoint = find_checkpoint(out, args.resume)
    own = checkpoint.parent.parent / CONFIG
    return args.config or (own if own.is_file() else config), Run(out, args.logger, checkpoint, announce)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _free_folder(wanted: Path) -> Path:
    """`wanted`, or with the first number that makes it new."""
    number = 2
    found = wanted
    while found.exists():
        found = wanted.with_name(f"{wanted.name}-{number}")
        number += 1
    return found


def _report(result: dict[str, Any]) -> list[Any]:
    """Each thing to beat, with its validation error, that of the trained model, and the change from one to other."""
    end = result["val_l1"]
    rows = [
        (label, result[key], end, _change(result[key], end))
        for label, key in (
            ("source as it is", "val_l1_copy"),
            ("prior, untrained", "val_l1_prior"),
            ("this run's start", "val_l1_start"),
        )
    ]
    title = f"Validation L1 after {result['steps']} steps" + (f", {result['out']}" if result["out"] else "")
    shown = table(title, ["compared with", "before training", "now", "change"], rows)
    kept = f"weights {result['weights']}" if result["weights"] else "nothing kept (fast_dev_run)"
    summary = f"{result['validation']}; {result['seconds']:.0f} s; {kept}"
    return [shown, *filter(None, [result["verdict"]]), summary, *_better_before(result)]


def _better_before(result: Mapping[str, Any]) -> list[str]:
    """Where training went past its best, or never came to be better than it began."""
    best, start = result.get("best_val_l1", math.inf), result["val_l1_start"]
    if start and start <= best < math.inf:
        held = f"{result['best_weights']} holds the best after it ({best:.4f})"
        return [f"no validation was better than before training ({start:.4f}); {held}"]
    if not best < CLEARLY_BELOW * result["val_l1"]:
        return []
    return [f"best validation L1 {result['best_val_l1']:.4f} at step {result['best_step']}: {result['best_weights']}"]


def verdict(result: Mapping[str, Any]) -> str | None:
    """Whether the animator is better than what needs no training, and what to do if not.

    None where nothing was validated or kept.
    """
    end, rivals = result["val_l1"], {"the prior": result["val_l1_prior"], "the source as it is": result["val_l1_copy"]}
    if not result["weights"] or not all(math.isfinite(value) for value in (end, *rivals.values())):
        return None
    where = _where(result)
    lost = [name for name, value in rivals.items() if not end < BEATEN_BELOW * value]
    close = [name for name, value in rivals.items() if not end < CLEARLY_BELOW * value]
    remedy = "train longer (--resume, a larger --trainer.max_steps) or on more people"
    meanwhile = "; until then animate without --checkpoint, by the prior" if "the prior" in lost else ""
    if lost:
        return f"On {where} the animator does not beat {' nor '.join(lost)}: {remedy}{meanwhile}."
    if close:
        rival = min(close, key=rivals.__getitem__)
        gain = 1 - end / rivals[rival]
        return f"On {where} the animator is {gain:.1%} better than {rival}, which may be chance: {remedy}."
    return f"On {where} the animator beats the prior and the source as it is."


def _where(result: Mapping[str, Any]) -> str:
    """On whom was validated, in words."""
    held_out = result["held_out"]
    if len(held_out) == 1:
        return f"one held-out identity ({held_out[0]})"
    on: str = result["validated_on"]
    return f"{on}," if "," in on else on


def _change(before: float | None, now: float) -> str | None:
    """In percent; None where either is not known, as after no steps or without validation."""
    return f"{100 * (now / before - 1):+.1f} %" if before and math.isfinite(now / before) else None
