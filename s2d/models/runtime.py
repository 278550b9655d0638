"""What runs an animator: torch, or onnxruntime with a file of `s2d export`; both by the methods of Runtime."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from s2d.errors import S2DError, UsageError
from s2d.geometry import Floats as Array
from s2d.landmarks import layout
from s2d.models.animator import UNTRAINED, Animator, AnimatorConfig
from s2d.models.checkpoint import fits, load_animator, no_file
from s2d.models.stages import split

KEY = "s2d"  # the one key of the graph's metadata
FORMAT = 6  # of inputs, outputs and header, and of what landmarks mean
INPUTS = ["source", "source_points", "driving_points"]
RUNTIMES = ("torch", "onnx")
WORKERS = 2  # frames animated at a time: that costs less than sharing each frame among as many threads
DAMAGED = "it is damaged or no ONNX file"
_REMEDY = "give a file of s2d export"


class GraphOutput(NamedTuple):
    """The part of AnimatorOutput that makes a picture, of the animator's size or (render.py) of any."""

    image: Tensor
    """(B, 3, S, S)."""
    painted: Tensor
    """(B, 3, S, S)."""
    smooth: Tensor
    """(B, S, S, 2)."""
    head: Tensor
    """(B, S, S, 2)."""
    sheets: Tensor
    """(B, 1, S, S)."""
    gaze: Tensor
    """(B, 2, S, S)."""


OUTPUTS = list(GraphOutput._fields)


class Runtime(Protocol):
    """The methods of Animator that animation needs."""

    config: AnimatorConfig

    def encode_source(self, source: Tensor, points: Tensor) -> Any:  # noqa: ANN401 - each runtime's own
        """Source (1, 3, S, S) in [0, 1] and its points (1, 70, 2), made ready for `drive`."""
        ...

    def drive(self, encoded: Any, driving_points: Tensor) -> Any:  # noqa: ANN401 - each runtime's own
        """What a Renderer needs (a MovedFace of render.py) for landmarks (B, 70, 2)."""
        ...


class OnnxAnimator:
    """A file of `s2d export`, run by onnxruntime on the CPU; threads may share it.

    The one graph is cut in two as it is loaded (stages.py), so that a source is encoded once and not with every frame.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises S2DError when onnx or onnxruntime is missing, or the file is, or it is damaged or no animator."""
        path = Path(path)
        asked = f"cannot load an animator from {path}"
        if not path.is_file():
            raise S2DError(asked, *no_file(path, ["*.onnx"]))
        model = _parsed(path.read_bytes(), asked)
        content = _header(asked, {entry.key: entry.value for entry in model.metadata_props})
        threads = torch.get_num_threads()
        self.workers = min(WORKERS, threads)
        try:
            stages = split(model, set(INPUTS[2:]))
            self._kept = stages.kept
            self._source, self._driving = (
                _session(part, threads // self.workers, asked) for part in (stages.source, stages.driving)
            )
        except (KeyError, ValueError) as error:
            raise S2DError(asked, DAMAGED, _REMEDY) from error
        self.config = AnimatorConfig(**content["config"])
        self.trained = bool(content.get("trained"))

    def encode_source(self, source: Tensor, points: Tensor) -> dict[str, Array]:
        """Values of the graph that do not depend on the driving landmarks, by name."""
        given = dict(zip(INPUTS, (np.ascontiguousarray(tensor.numpy()) for tensor in (source, points)), strict=False))
        return dict(zip(self._kept, self._source.run(self._kept, given), strict=True))

    def drive(self, encoded: dict[str, Array], driving_points: Tensor) -> GraphOutput:
        """The rest of the graph for landmarks (B, 70, 2)."""
        values = {**encoded, INPUTS[2]: np.ascontiguousarray(driving_points.numpy())}
        return GraphOutput(*map(torch.from_numpy, self._driving.run(OUTPUTS, values)))


def workers(runtime: Runtime) -> int:
    """Threads in which frames are best made at the same time with this runtime."""
    return runtime.workers if isinstance(runtime, OnnxAnimator) else 1  # torch itself shares a frame among its threads


def load_runtime(path: str | Path | None, name: str | None = None) -> tuple[Runtime, bool]:
    """The animator in `path`, or the analytic prior for None; and whether it was trained.

    `name` is "torch", "onnx", or None for what the file's ending says. Raises UsageError for any other name, and for a
    file of the other runtime; S2DError for a file that is missing, damaged or no animator.
    """
    _check_name(path, name)
    chosen = name or ("onnx" if Path(path or "").suffix == ".onnx" else "torch")
    if chosen == "onnx":
        if path is None:
            raise UsageError("cannot animate with onnx", "no exported model is given", "name a file of s2d export")
        exported = OnnxAnimator(path)
        return exported, exported.trained
    return (Animator(UNTRAINED).eval(), False) if path is None else (load_animator(path), True)


def _check_name(path: str | Path | None, name: str | None) -> None:
    """A sound file of the one runtime would look damaged to the other."""
    if name is None:
        return
    ending, asked = Path(path or "").suffix, f"runtime {name} with {path}"
    if name not in RUNTIMES:
        raise UsageError(f"runtime {name!r}", "there is no such runtime", f"choose one of {', '.join(RUNTIMES)}")
    if name == "torch" and ending == ".onnx":
        raise UsageError(asked, "torch does not run models of s2d export", "leave out --runtime torch")
    if name == "onnx" and ending in (".safetensors", ".ckpt"):
        remedy = "leave out --runtime onnx, or make an .onnx file of it with s2d export and give that"
        raise UsageError(asked, "it is a checkpoint, which torch runs", remedy)


def require(name: str, asked: str) -> ModuleType:
    """An optional package; raises S2DError, opening with `asked`, when it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise S2DError(asked, f"{name} is not installed", "pip install 's2d[onnx]'") from error


def _parsed(content: bytes, asked: str) -> Any:  # noqa: ANN401 - a protobuf message
    onnx = require("onnx", asked)
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's errors have no base class but this, nor have onnxruntime's
        raise S2DError(asked, DAMAGED, _REMEDY) from error


def _session(model: Any, threads: int, asked: str) -> Any:  # noqa: ANN401 - protobuf in, a compiled class out
    onnxruntime = require("onnxruntime", asked)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:
        raise S2DError(asked, DAMAGED, _REMEDY) from error


def _header(asked: str, metadata: dict[str, str]) -> dict[str, Any]:
    if KEY not in metadata:
        raise S2DError(asked, "it holds another model", _REMEDY)
    try:
        content = json.loads(metadata[KEY])
    except ValueError as error:
        raise S2DError(asked, "its header is damaged", _REMEDY) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise S2DError(asked, "it was written by another version of s2d", "export it again")
    if content.get("layout") != layout.NAME:
        raise S2DError(asked, f"its landmark layout is {content.get('layout')!r}, not {layout.NAME}", _REMEDY)
    if not isinstance(content.get("config"), dict) or not fits(content["config"]):
        raise S2DError(asked, "its header does not describe an animator", _REMEDY)
    return content
