"""Animators on disk: safetensors with a JSON header for use; Lightning's training checkpoints are read too.

Nothing here can run code out of a file: safetensors holds only tensors, and `.ckpt` files are read with
`torch.load(weights_only=True)`.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from s2d.errors import S2DError
from s2d.files import whole_file
from s2d.landmarks import layout
from s2d.models.animator import Animator, AnimatorConfig

WEIGHTS, BEST = "model.safetensors", "best.safetensors"  # of the last step of a run, and of its best validation
FORMAT = 6  # of the header and the names of the weights
HEADER = "s2d"  # the one key of the safetensors metadata: more would be written in random order
CONFIG = "animator"  # where the training's hyperparameters keep AnimatorConfig as a plain dict
DATA = "FaceDataModule"  # where a training checkpoint keeps what the data were like, among other things
VERSION = "s2d_format"  # where a training checkpoint keeps FORMAT; "format" in the header of safetensors
PEOPLE = "s2d_people"  # where a training checkpoint keeps People as plain lists; "people" in the header of safetensors
PREFIXES = ("average.", "animator.")  # in a training checkpoint; the averaged weights are the better ones
_REMEDY = "give a .safetensors or .ckpt file of s2d train (s2d animate also takes an .onnx of s2d export)"
_Content = tuple[AnimatorConfig, dict[str, Tensor], "Origin"]
_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool}


@dataclass(frozen=True)
class People:
    """Identities, by their names in the data sets, that an animator's training had."""

    trained: frozenset[str]
    """It was trained on them, if only on a part of their frames."""
    held_out: frozenset[str]
    """They were held out for validation."""

    def and_before(self, before: People) -> People:
        """Of a training that began with weights of another one: what was known there is not held out any more."""
        return People(self.trained | before.trained, (self.held_out | before.held_out) - self.trained - before.trained)

    def plain(self) -> dict[str, list[str]]:
        """For JSON, sorted."""
        return {name: sorted(names) for name, names in (("trained", self.trained), ("held_out", self.held_out))}

    @staticmethod
    def of_plain(given: Any) -> People | None:  # noqa: ANN401 - from a file
        """What `plain` gave; None for anything else, as in files of before."""
        if not isinstance(given, Mapping):
            return None
        trained, held_out = given.get("trained"), given.get("held_out")
        if not isinstance(trained, list) or not isinstance(held_out, list):
            return None
        return People(frozenset(map(str, trained)), frozenset(map(str, held_out)))


@dataclass(frozen=True)
class Origin:
    """What a file of weights says of their training."""

    data: dict[str, str]
    """What the data were like, by names of `s2d.shards.schema.Provenance`: those that are known."""
    people: People | None
    """Whom it had; None where the file does not say."""


def save_animator(
    path: str | Path, model: Animator, data: Mapping[str, str] | None = None, people: People | None = None
) -> None:
    """Write weights and header to `path`, whole or not at all; the same model gives the same bytes.

    `data` says what it was trained on, e.g. {"crop_size": "256", "detector": "mesh"}, and `people` on whom.
    Raises S2DError when `path` does not end in .safetensors or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise S2DError(
            f"cannot write {path}", "animators are safetensors files", "choose a path that ends in .safetensors"
        )
    header = {"format": FORMAT, "layout": layout.NAME, "config": asdict(model.config), "data": dict(data or {})}
    header |= {"people": people.plain()} if people else {}
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with whole_file(path) as temporary:
        temporary.write_bytes(save(weights, {HEADER: json.dumps(header, sort_keys=True)}))


def load_animator(path: str | Path) -> Animator:
    """The animator in a .safetensors file, or in a Lightning .ckpt of its training, on the CPU in evaluation mode.

    Raises S2DError for a missing or damaged file, another model's weights, or anything that is no checkpoint.
    """
    return load_with_origin(path)[0]


def load_with_origin(path: str | Path) -> tuple[Animator, Origin]:
    """As `load_animator`, and what the file says of the training. Raises S2DError as it does."""
    path = _existing(path)
    config, weights, origin = (_read_safetensors if path.suffix == ".safetensors" else _read_lightning)(path)
    model = Animator(config)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise _refusal(path, "its weights do not fit the animator its header describes") from error
    return model.eval(), origin


def read_origin(path: str | Path) -> Origin:
    """What the file of an animator says of its training; no weights are read, and no network is built.

    Raises S2DError as `load_animator`, but for weights that do not fit.
    """
    path = _existing(path)
    return _read_header(path)[1] if path.suffix == ".safetensors" else _read_lightning(path)[2]


def read_torch_file(path: Path, refusal: S2DError, *, mmap: bool = False) -> Any:  # noqa: ANN401 - whatever it holds
    """Tensors and plain values of a file of torch.save, on the CPU. Raises `refusal` for any other file.

    With `mmap` tensors are read only when they are looked at; until then the file must stay.
    """
    if not zipfile.is_zipfile(path):  # torch.load would try to read it as a bare pickle
        raise refusal
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, LookupError, TypeError) as error:
        raise refusal from error


def no_file(path: Path, wanted: Sequence[str] = (BEST, WEIGHTS)) -> tuple[str, str]:
    """Why a path that is no file cannot be loaded, and what to do: give the first of the files `wanted` of a folder."""
    if path.is_dir():
        best = next((name for pattern in wanted for name in sorted(path.glob(pattern))), None)
        return "it is a folder", f"name a file in it{f', as {best}' if best else ''}"
    return "no such file", "check the path"


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise S2DError(f"cannot load an animator from {path}", *no_file(path))
    if path.suffix == ".onnx":
        why = "it is a graph of s2d export, for s2d animate and s2d live"
        raise S2DError(f"cannot load an animator from {path}", why, "give the weights that it was made of")
    if path.suffix not in (".safetensors", ".ckpt"):
        raise _refusal(path, "it is no checkpoint")
    return path


def _read_safetensors(path: Path) -> _Content:
    config, origin = _read_header(path)
    with _undamaged(path):
        return config, load_file(path), origin


@contextmanager
def _undamaged(path: Path) -> Iterator[None]:
    try:
        yield
    except (safetensors.SafetensorError, OSError) as error:
        raise _refusal(path, "it is damaged or no safetensors file") from error


def _read_header(path: Path) -> tuple[AnimatorConfig, Origin]:
    with _undamaged(path), safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    if HEADER not in metadata:
        raise _refusal(path, "it holds another model's weights")
    try:
        content = json.loads(metadata[HEADER])
    except ValueError as error:
        raise _refusal(path, "its header is damaged") from error
    config = _config(path, content)
    return config, Origin(_plain(content["data"]), People.of_plain(content.get("people")))


def _read_lightning(path: Path) -> _Content:
    damaged = _refusal(path, "it is damaged, no checkpoint, or holds more than tensors and plain values")
    content = read_torch_file(path, damaged, mmap=True)
    state = content.get("state_dict") if isinstance(content, dict) else None
    settings = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not isinstance(settings, dict) or CONFIG not in settings:
        raise _refusal(path, "it is not a checkpoint of an animator's training")
    check_format(content.get(VERSION), f"cannot load an animator from {path}")
    for prefix in PREFIXES:
        weights = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        if weights:
            header = {"format": FORMAT, "layout": layout.NAME, "config": settings[CONFIG], "data": {}}
            return (
                _config(path, header),
                weights,
                Origin(_plain(content.get(DATA)), People.of_plain(content.get(PEOPLE))),
            )
    raise _refusal(path, "it holds no animator's weights")


def _plain(given: Any) -> dict[str, str]:  # noqa: ANN401 - from a file
    return {str(name): str(value) for name, value in given.items()} if isinstance(given, Mapping) else {}


def _config(path: Path, content: Any) -> AnimatorConfig:  # noqa: ANN401 - JSON, checked here
    """The architecture in a header as read from a file; raises S2DError when this version does not understand it."""
    if not isinstance(content, dict):
        raise _refusal(path, "its header does not describe an animator")
    check_format(content.get("format"), f"cannot load an animator from {path}")
    if content.get("layout") != layout.NAME:
        raise _refusal(path, f"it was trained on the landmark layout {content.get('layout')!r}, not {layout.NAME}")
    config, data = content.get("config"), content.get("data")
    if not isinstance(config, dict) or not isinstance(data, dict) or not fits(config):
        raise _refusal(path, "its header does not describe an animator")
    return AnimatorConfig(**config)


def check_format(found: object, asked: str) -> None:
    """Raises S2DError, opening with `asked`, when weights or a checkpoint are of another FORMAT than this one."""
    if found != FORMAT:
        raise S2DError(asked, "it was written by another version of s2d", "train again, or use that version")


def fits(config: dict[str, Any]) -> bool:
    """Whether these are exactly the fields of AnimatorConfig with values of their types."""
    known = {item.name: _TYPES[str(item.type)] for item in fields(AnimatorConfig)}
    return config.keys() == known.keys() and all(type(config[name]) is kind for name, kind in known.items())


def _refusal(path: Path, why: str) -> S2DError:
    return S2DError(f"cannot load an animator from {path}", why, _REMEDY)
