"""Train the animator on a data set made by `s2d curate`.

Any further option goes to LightningCLI: --trainer.max_steps 300, --model.lr 5e-4, --data.batch_size 32, ...;
`s2d train --data DIR --print_config` shows all of them with their values.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from s2d.cli.output import emit, table
from s2d.errors import S2DError
from s2d.training import LOGGERS

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
    from s2d.training.loggers import is_main_process
    from s2d.training.run import UsageError, train

    try:
        result = train(_options(args), *_plan(args))
    except UsageError as error:
        args.usage_error(str(error))
    if is_main_process():
        emit(result, _report(result), args.json)


def _options(args: argparse.Namespace) -> list[str]:
    shorthands = [f"--data.path={args.data}"] if args.data else []
    shorthands += ["--trainer.fast_dev_run=true"] if args.fast_dev_run else []
    return [*shorthands, *args.passed_on]


def _plan(args: argparse.Namespace) -> tuple[str | Path, Any]:
    """The configuration, and where the run is kept: a resumed run goes on with its own."""
    from s2d.training.checkpoints import find_checkpoint
    from s2d.training.run import CONFIG, Run

    if args.resume == "" and args.out is None:
        raise S2DError("cannot resume", "it is not said which run", "give its folder as --out")
    config = args.config or DEFAULT_CONFIG
    out = args.out or _free_folder(Path("runs") / Path(config).stem)
    if args.resume is None:
        return config, Run(out, args.logger)
    checkpoint = find_checkpoint(out, args.resume)
    own = checkpoint.parent.parent / CONFIG
    return args.config or (own if own.is_file() else config), Run(out, args.logger, checkpoint)


def _free_folder(wanted: Path) -> Path:
    """`wanted`, or with the first number that makes it new."""
    number = 2
    found = wanted
    while found.exists():
        found = wanted.with_name(f"{wanted.name}-{number}")
        number += 1
    return found


def _report(result: dict[str, Any]) -> list[Any]:
    end = result["val_l1"]
    rows = [
        (label, result[key], f"{100 * (end / result[key] - 1):+.1f} %" if result[key] else None)
        for label, key in (
            ("source as it is", "val_l1_copy"),
            ("prior, untrained", "val_l1_prior"),
            ("at the start", "val_l1_start"),
        )
    ]
    shown = table(f"Validation L1 after {result['steps']} steps", ["", "L1", "now"], [*rows, ("trained", end, None)])
    kept = f"weights {result['weights']}" if result["weights"] else "nothing kept (fast_dev_run)"
    return [shown, f"{result['validation']}; {result['seconds']:.0f} s; {kept}"]
