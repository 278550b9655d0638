"""Train the animator on a data set made by `s2d curate`.

Any further option goes to LightningCLI: --trainer.max_steps 300, --model.lr 5e-4, --data.batch_size 32, ...;
`s2d train --data DIR --print_config` shows all of them with their values.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

from s2d.cli.output import emit, table
from s2d.errors import UsageError
from s2d.training import LOGGERS

RUNS = Path("runs")
DEFAULT_CONFIG = "tiny"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Shorthands; what is unknown here is kept for LightningCLI."""
    parser.add_argument("--data", metavar="DIR", help="the data set (--data.path)")
    parser.add_argument("--config", metavar="NAME|FILE", help="packaged configuration or a YAML file (tiny)")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder for logs, checkpoints, weights (runs/NAME)")
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="CKPT", help="go on from the run's last checkpoint, or from this one"
    )
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
        result = {"out": where.out if result["weights"] else None, **result}
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
    shorthands = [f"--data.path={args.data}"] if args.data else []
    shorthands += ["--trainer.fast_dev_run=true"] if args.fast_dev_run else []
    return [*shorthands, *args.passed_on]


def _plan(args: argparse.Namespace) -> tuple[str | Path, Any]:
    """The configuration, and where the run is kept: a resumed run goes on with its own."""
    from s2d.training.checkpoints import find_checkpoint
    from s2d.training.run import CONFIG, Run

    config = args.config or DEFAULT_CONFIG
    announce = None if args.quiet else _say_where
    out = args.out or _free_folder(RUNS / Path(config).stem)
    if args.resume is None:
        return config, Run(out, args.logger, announce=announce)
    checkpoint = find_checkpoint(out, args.resume)
    own = checkpoint.parent.parent / CONFIG
    return args.config or (own if own.is_file() else config), Run(out, args.logger, checkpoint, announce)


def _say_where(out: Path) -> None:
    sys.stderr.write(f"training into {out}\n")


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
    return [shown, f"{result['validation']}; {result['seconds']:.0f} s; {kept}"]


def _change(before: float | None, now: float) -> str | None:
    """In percent; None where either is not known, as after no steps or without validation."""
    return f"{100 * (now / before - 1):+.1f} %" if before and math.isfinite(now / before) else None
