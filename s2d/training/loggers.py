"""Where a run is logged: a CSV file by default, or Weights & Biases, or TensorBoard."""

from __future__ import annotations

import csv
import importlib.util
import netrc
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.images import write_image
from s2d.training import LOGGERS

METRICS = "metrics.csv"


def is_main_process() -> bool:
    """Is this the one process, of those that train together, that writes files?"""
    return bool(vars(rank_zero_only).get("rank", 0) == 0)


def make_logger(kind: str, out: Path, resumed_step: int | None = None) -> Logger:
    """A logger that writes below `out`. A run resumed at `resumed_step` goes on in the same record.

    Raises S2DError as `check_logger`.
    """
    check_logger(kind)
    if kind == "csv":
        return _csv_logger(out, resumed_step)
    if kind == "wandb":
        return _wandb_logger(out)
    return TensorBoardLogger(out, name="", version="tensorboard")


def check_logger(kind: str) -> None:
    """Raises S2DError for an unknown kind or a package that is not installed."""
    if kind not in LOGGERS:
        raise S2DError(f"cannot log to {kind}", "there is no such logger", f"choose among {', '.join(LOGGERS)}")
    if kind == "tensorboard" and not any(importlib.util.find_spec(name) for name in ("tensorboard", "tensorboardX")):
        raise S2DError("cannot log to tensorboard", "the package is not installed", "pip install 's2d[tensorboard]'")


def _csv_logger(out: Path, resumed_step: int | None) -> CSVLogger:
    """Lightning's own forgets what it finds; rows before the step that is resumed are kept here."""
    kept = _rows(out / METRICS, resumed_step) if resumed_step is not None else []
    logger = CSVLogger(out, name="", version="", flush_logs_every_n_steps=10)
    for row in kept:
        logger.log_metrics({key: value for key, value in row.items() if key != "step"}, int(row["step"]))
    if kept:
        logger.save()
    return logger


def _rows(path: Path, step: int) -> list[dict[str, float]]:
    if not path.is_file():
        return []
    whole = path.read_text(errors="replace").rpartition("\n")[0]  # a killed run may have left the last line unfinished
    rows = [row for given in csv.DictReader(whole.splitlines()) if (row := _numbers(given))]
    return [row for row in rows if row["step"] < step]


def _numbers(row: Mapping[str | None, Any]) -> dict[str, float] | None:
    """A row of numbers; None for what is none, as a crash of the machine leaves it."""
    try:
        found = {str(key): float(text) for key, text in row.items() if text}
    except (TypeError, ValueError):  # cells beyond the last column come as a list
        return None
    return found if "step" in found else None


def _wandb_logger(out: Path) -> WandbLogger:
    """Never asks for an account: offline unless the user has logged in or set WANDB_MODE."""
    import wandb

    online = "WANDB_MODE" in os.environ or _logged_in(os.environ)
    identifier = _run_id(out / "wandb-run-id")
    quiet = wandb.Settings(console="off", silent=not online)
    return WandbLogger(
        name=out.name, save_dir=out, project="s2d", id=identifier, offline=not online, settings=quiet
    )  # fmt: skip


def _run_id(path: Path) -> str:
    """The run's id, made once, so that a resumed run continues the same curves."""
    if is_main_process() and not path.exists():
        path.write_text(secrets.token_hex(4))
    return path.read_text().strip() if path.exists() else "unused"


def _logged_in(environment: Mapping[str, str]) -> bool:
    """Has `wandb login` been done, or a key been set, for the server in use?"""
    if environment.get("WANDB_API_KEY"):
        return True
    server = urlparse(environment.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    path = Path(environment.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(str(path)).authenticators(server) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def picture_path(out: Path, name: str, step: int, suffix: str) -> Path:
    """Where what was made at a step is kept: out/NAME/step-000000SUFFIX; makes the folder."""
    path = out / name / f"step-{step:06d}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def log_picture(loggers: Sequence[Logger], out: Path, name: str, image: Image, step: int) -> None:
    """Keep `image` (H, W, 3) as out/NAME/step-000000.png, and show it in the loggers that can show pictures."""
    path = picture_path(out, name, step, ".png")
    write_image(path, image)
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(name, [str(path)], step)
        elif isinstance(logger, TensorBoardLogger):
            logger.experiment.add_image(name, image, step, dataformats="HWC")


def log_clip(loggers: Sequence[Logger], name: str, path: Path, step: int) -> None:
    """Show the video at `path` in wandb; TensorBoard has no videos, there and with CSV it is the file that is kept."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_video(name, [str(path)], step, format=["mp4"])


def log_examples(
    loggers: Sequence[Logger], out: Path, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]],
    pictures: Sequence[Image], step: int,
) -> None:  # fmt: skip
    """Keep a table as out/NAME/step-000000.csv; show it in wandb with a picture to each row, in TensorBoard as text."""
    with picture_path(out, name, step, ".csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            shown = [[*row, wandb.Image(picture)] for row, picture in zip(rows, pictures, strict=True)]
            logger.log_table(name, [*columns, "picture"], shown, step=step)
        elif isinstance(logger, TensorBoardLogger):
            lines = [" | ".join(map(str, row)) for row in (columns, ["---"] * len(columns), *rows)]
            logger.experiment.add_text(name, "\n".join(lines), step)


def log_data(loggers: Sequence[Logger], hashes: Mapping[str, str], facts: Mapping[str, str]) -> None:
    """Each data set, by path and with its content's hash, as an artifact of wandb; its files stay where they are."""
    for path, content in hashes.items():
        made = {"path": path, "hash": content, **facts}
        references = {} if "://" in path else {"data": Path(path)}
        _log_artifact(loggers, f"data-{content}", "dataset", made, references)


def log_weights(loggers: Sequence[Logger], files: Sequence[Path], facts: Mapping[str, Any]) -> None:
    """The run's checkpoint and weights, last and best, as one artifact of wandb; the files stay where they are."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            _log_artifact([logger], f"model-{logger.version}", "model", facts, {path.name: path for path in files})


def _log_artifact(
    loggers: Sequence[Logger], name: str, kind: str, facts: Mapping[str, Any], references: Mapping[str, Path]
) -> None:
    for logger in loggers:
        if isinstance(logger, WandbLogger) and is_main_process():
            import wandb

            artifact = wandb.Artifact(name, kind, metadata=dict(facts))
            for label, path in references.items():
                # by place alone: wandb would read all files to hash them, and the data set's own hash is in the facts
                artifact.add_reference(path.resolve().as_uri(), name=label, checksum=False)
            logger.experiment.log_artifact(artifact)
