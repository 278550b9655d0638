"""One training run: LightningCLI's options in, a folder with logs, sheets, checkpoints and weights out."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from jsonargparse import ArgumentError
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

from s2d.errors import S2DError
from s2d.memory import keep_freed
from s2d.models.checkpoint import BEST, WEIGHTS, People, load_with_origin, save_animator
from s2d.training import packaged_configs
from s2d.training.callbacks import BarCallback, BestWeights, ExamplesCallback, LastCheckpoint, ValidationLines
from s2d.training.checkpoints import CONFIG, FOLDER, LAST, WholeCheckpointIO, read_checkpoint
from s2d.training.datamodule import FaceDataModule
from s2d.training.loggers import check_logger, is_main_process, log_data, log_weights, make_logger
from s2d.training.module import START, AnimatorModule
from s2d.training.precision import usable_precision

FIGURES = ("val_l1", "val_l1_prior", "val_l1_copy", "val_perceptual", "val_perceptual_prior")
KINDS = {"<class 'int'>": "a whole number", "<class 'float'>": "a number", "<class 'str'>": "text"}  # of options
# what an animator may know of those that it was validated on
HELD_OUT, OTHER_FRAMES, PERHAPS = "held-out identities", "people it knows, in frames it does not", "people it may know"


class OptionError(Exception):
    """Options that LightningCLI does not understand."""


@dataclass(frozen=True)
class Run:
    """Where a run is kept and how it begins."""

    out: Path
    """Folder for everything the run leaves."""
    logger: str = "csv"
    """One of `s2d.training.LOGGERS`."""
    resume: Path | None = None
    """Training checkpoint to go on from."""
    announce: Callable[[str], None] | None = field(default=None, compare=False)
    """Told, a line each, the folder as soon as it is this run's own, before any step, and what is done otherwise."""
    why: str = field(default="", compare=False)
    """Said with the folder: why it is this one, where nobody chose it."""


def train(options: Sequence[str], config: str | Path, run: Run) -> dict[str, Any]:
    """Train as the YAML `config` (a packaged name or a path) and LightningCLI `options` say.

    Returns checkpoint, weights (paths), steps, val_l1_start, the FIGURES after training, validation (how the data
    was parted), validated_on (HELD_OUT, OTHER_FRAMES or PERHAPS, by all training that the weights had), held_out (the
    identities that none of it had; empty unless HELD_OUT) and seconds; where it was validated after some steps, also
    best_weights (path), best_step and best_val_l1.
    Raises OptionError for wrong options, S2DError for wrong data, configuration or checkpoint.
    """
    started = time.monotonic()
    try:
        with quiet_lightning():
            result = TrainingCLI(options, config_path(config), run).fit()
    except MisconfigurationException as error:
        raise S2DError("cannot train", _one_line(error), "change the --trainer options") from error
    return {**result, "seconds": round(time.monotonic() - started, 1)}


def config_path(name: str | Path) -> Path:
    """The file of a packaged configuration, or of one of the user's own. Raises S2DError when there is neither."""
    own = Path(str(resources.files("s2d.training") / "configs" / f"{name}.yaml"))
    if own.is_file():
        return own
    if not Path(name).is_file():
        names = ", ".join(packaged_configs())
        raise S2DError(f"cannot use the configuration {name}", "no such file", f"packaged are: {names}")
    return Path(name)


def holds_run(folder: Path) -> bool:
    """Does this folder hold a run to go on from, or its weights? One that died before may begin again."""
    return (folder / FOLDER / LAST).exists() or (folder / WEIGHTS).exists()


def claim(run: Run) -> None:
    """Make the folder of a run. Raises S2DError when it holds another one, or cannot be written."""
    asked = f"cannot train into {run.out}"
    its_own = run.resume is not None and run.out.resolve() in run.resume.resolve().parents
    if holds_run(run.out) and not its_own:
        raise S2DError(asked, "it already holds a run", "go on with --resume, or choose another --out")
    try:
        run.out.mkdir(parents=True, exist_ok=True)
        (run.out / FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise S2DError(asked, error.strerror or str(error), "choose a folder that can be written") from error


class TrainingCLI(LightningCLI):
    """LightningCLI without subcommands, with this project's module, data and files."""

    def __init__(self, options: Sequence[str], config: Path, run: Run) -> None:
        self.run, self.yaml = run, config
        self.resumed = read_checkpoint(run.resume) if run.resume else None
        super().__init__(
            AnimatorModule,
            FaceDataModule,
            save_config_callback=None,
            seed_everything_default=0,
            parser_kwargs={"prog": "s2d train", "exit_on_error": False, "allow_abbrev": False},
            trainer_defaults={"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0},
            args=["--config", str(config), *options],
            run=False,
            auto_configure_optimizers=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """What must agree is said once."""
        parser.add_argument("--checkpoint_every", type=int, default=500, help="steps between two checkpoints")
        parser.add_argument(
            "--clip_frames", type=int, default=50, help="length of the video made at each validation; 0 makes none"
        )
        parser.add_argument(
            "--init_from",
            type=str | None,
            help="weights to begin with: a .safetensors or .ckpt of any image size; the checkpoint's when resuming",
        )
        parser.add_argument(
            "--compile",
            type=bool,
            default=False,
            help="torch.compile the networks, for GPUs: on a processor it took a minute, and steps were no faster",
        )
        parser.link_arguments("data.size", "model.animator.size")
        parser.link_arguments("model.losses.coherence", "data.consecutive", compute_fn=bool)
        parser.link_arguments("seed_everything", "data.seed", compute_fn=_seed)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:  # noqa: ANN401
        """Tell a wrong option from a wrong file."""
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            self._blame_the_file(parser)
            raise OptionError(_one_line(error)) from error
        self.config["trainer"]["precision"], self._note = usable_precision(
            self.config["trainer"]["precision"], self.config["trainer"]["accelerator"]
        )

    def _blame_the_file(self, parser: LightningArgumentParser) -> None:
        try:
            parser.parse_args(["--config", str(self.yaml), "--data.path", "any"])
        except ArgumentError as error:
            remedy = "compare it with `s2d train --print_config`"
            raise S2DError(f"cannot use the configuration {self.yaml}", _one_line(error), remedy) from error

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:  # noqa: ANN401
        """Logger, checkpoints, sheets and bar of the run, beside whatever the user's own options ask for."""
        out, given = self.run.out, self.config_init["trainer"]
        self.best = BestWeights(out / BEST)
        mine = [
            ExamplesCallback(out, clip_frames=self.config["clip_frames"]),
            self.best,
            LastCheckpoint(out / FOLDER / LAST, self.config["checkpoint_every"]),
            BarCallback(),
            ValidationLines(self._announce),
        ]
        self._prepare()
        own_logger = given["logger"] is None and not self.trying
        kwargs |= {"logger": False} if own_logger else {}
        kwargs["callbacks"] = [*_as_list(given["callbacks"]), *mine]
        kwargs["plugins"] = [*_as_list(given["plugins"]), WholeCheckpointIO()]
        try:
            trainer = super().instantiate_trainer(default_root_dir=str(out), **kwargs)
        except (ValueError, TypeError) as error:  # Lightning's answer to some options, e.g. TypeError to devices=abc
            raise MisconfigurationException(str(error)) from error
        if trainer.accumulate_grad_batches < 1:  # which Lightning takes, to divide by it
            raise MisconfigurationException(
                f"accumulate_grad_batches is {trainer.accumulate_grad_batches}, less than 1"
            )
        self.model.check_schedule(trainer.max_steps)
        self._claim()  # last, so that what is refused leaves no folder
        self._announce(self._nothing_left(trainer.max_steps))
        if own_logger:
            step = int(self.resumed["global_step"]) if self.resumed else None
            trainer.logger = make_logger(self.run.logger, out, step)
        return trainer

    def _claim(self) -> None:
        if is_main_process():
            if not self.trying:
                claim(self.run)
                if not self.resumed:  # what a run left that died before its first checkpoint
                    self.best.path.unlink(missing_ok=True)
                self._announce(": ".join(filter(None, [f"training into {self.run.out}", self.run.why])))
            self._announce(self._note)

    def _nothing_left(self, steps: int) -> str:
        """What to say of a run that has had its steps before it is resumed."""
        had = int(self.resumed["global_step"]) if self.resumed else -1
        if steps < 0 or had < steps:
            return ""
        return f"it has had {had} steps: nothing is left to train; go on with --trainer.max_steps above that"

    def _announce(self, line: str) -> None:
        if self.run.announce and line:
            self.run.announce(line)

    def _prepare(self) -> None:
        """Data and weights, which must have been made alike; and what shall log them."""
        check_logger(self.run.logger)
        self.datamodule.setup("fit")
        self.model.people = self.datamodule.split.people  # a resumed run's is in its checkpoint
        if self.resumed:
            self.model.check_resumed(self.resumed)  # first, as it knows of other versions
            self.datamodule.check_resumed(self.resumed.get(type(self.datamodule).__qualname__, {}))
            self.best.go_on(int(self.resumed["global_step"]))
        elif self.config["init_from"]:
            begin_from(Path(self.config["init_from"]), self.model, self.datamodule)
        if self.config["compile"]:
            for part in self.model.animator.children():
                part.compile()

    def fit(self) -> dict[str, Any]:
        """Validate, train, validate; leave configuration, checkpoint and weights. Returns the figures of the run."""
        try:
            return self._fit()
        except SystemExit as error:  # Lightning's answer to Ctrl-C
            if self.trainer.interrupted:
                raise KeyboardInterrupt from error
            raise

    def _fit(self) -> dict[str, Any]:
        keep_freed()
        trainer, model = self.trainer, self.model
        checkpoint = str(self.run.resume) if self.resumed else None
        if trainer.is_global_zero and not self.trying:
            self.parser.save(self.config, self.run.out / CONFIG, overwrite=True, skip_unset=False)
        for logger in trainer.loggers:
            logger.log_hyperparams({key: value for key, value in self.config.as_dict().items() if key != "config"})
        log_data(trainer.loggers, self.datamodule.content_hashes(), self.datamodule.provenance)
        start = self.resumed.get(START, {}) if self.resumed else self._validate()
        model.start = start
        trainer.fit(model, datamodule=self.datamodule, ckpt_path=checkpoint)
        end = self._validate() if model.validated_at != trainer.global_step else trainer.callback_metrics
        figures = {name: float(end.get(name, math.nan)) for name in FIGURES}  # limit_val_batches may be 0
        parted = {"validation": self.datamodule.split.note}
        known = {"steps": trainer.global_step, "val_l1_start": start.get("val_l1"), **figures, **parted}
        kept = self._keep()
        log_weights(trainer.loggers, [Path(path) for path in kept.values() if path], known)
        best = {"best_step": self.best.step, "best_val_l1": self.best.l1} if self.best.step else {}
        return {**kept, **best, **known, **self._known_people()}

    def _known_people(self) -> dict[str, Any]:
        """Whom it was validated on, by what the weights, not only the data of this run, say of it."""
        shown = self.datamodule.split.people
        validated = validated_on(self.model.people, shown, begun=bool(self.config["init_from"]))
        return {"validated_on": validated, "held_out": sorted(shown.held_out) if validated == HELD_OUT else []}

    @property
    def trying(self) -> bool:
        """Is this --trainer.fast_dev_run, which keeps nothing?"""
        return bool(self.config["trainer"]["fast_dev_run"])

    def _validate(self) -> dict[str, float]:
        found = self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)
        return dict(found[0]) if found else {}

    def _keep(self) -> dict[str, str | None]:
        weights, checkpoint = self.run.out / WEIGHTS, self.run.out / FOLDER / LAST
        if self.trainer.is_global_zero and not self.trying:
            save_animator(weights, self.model.average, self.datamodule.provenance, self.model.people)
        kept = {"checkpoint": checkpoint, "weights": weights}
        kept |= {"best_weights": self.best.path} if self.best.step else {}
        return {name: str(path) if path.exists() and not self.trying else None for name, path in kept.items()}


def validated_on(known: People | None, shown: People, begun: bool) -> str:
    """One of HELD_OUT, OTHER_FRAMES and PERHAPS, for an animator whose training had `known`, validated as in `shown`.

    `begun`: it began with other weights, whose training may have had any frame of the people it had.

    >>> ann, bob = frozenset({"ann"}), frozenset({"bob"})
    >>> validated_on(People(ann, bob), People(ann, bob), begun=True)
    'held-out identities'
    >>> validated_on(People(ann | bob, frozenset()), People(ann, bob), begun=True)
    'people it may know'
    """
    if known is None:
        return PERHAPS
    if shown.held_out:
        return PERHAPS if shown.held_out & known.trained else HELD_OUT
    return PERHAPS if begun or known != shown else OTHER_FRAMES


def begin_from(path: Path, module: AnimatorModule, data: FaceDataModule) -> None:
    """Give `module` the weights of an animator of any image size and motion grid.

    Raises S2DError when they are of another architecture, or were trained on landmarks of another make.
    """
    asked = f"cannot begin with the weights of {path}"
    animator, origin = load_with_origin(path)
    data.check_landmarks(origin.data, asked)
    theirs, mine = asdict(animator.config), asdict(module.animator.config)
    fixed = theirs.keys() - {"size", "motion_stride"}  # which no weight depends on
    differ = [
        f"--model.animator.{name}={theirs[name]}" for name in theirs if name in fixed and theirs[name] != mine[name]
    ]
    if differ:
        raise S2DError(asked, "they are of another animator than is to be trained", f"give {' '.join(differ)}")
    for part in (module.animator, module.average):
        part.load_state_dict(animator.state_dict())
    before = origin.people
    module.people = module.people.and_before(before) if module.people and before else None


def _seed(given: int) -> int:
    if not 0 <= given < 2**32:  # what numpy takes, and Lightning asks for later and less politely
        raise ValueError(f"seed_everything is {given}, not from 0 to {2**32 - 1}")
    return int(given)


def _as_list(given: Any) -> list[Any]:  # noqa: ANN401 - callbacks and plugins may be given one by one
    return given if isinstance(given, list) else [] if given is None else [given]


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    for kind, words in KINDS.items():
        text = text.replace(f"Expected a {kind}", f"expected {words}")
    return text if len(text) < 300 else f"{text[:300]} ..."


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Without Lightning's banners, tips and hints; errors are raised all the same."""
    talkers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch")]
    levels = [logger.level for logger in talkers]
    for logger in talkers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
            yield
    finally:
        for logger, level in zip(talkers, levels, strict=True):
            logger.setLevel(level)
