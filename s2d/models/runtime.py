"""What runs an animator: torch, or onnxruntime with a file of `s2d export`; both in the same four words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from s2d.errors import S2DError
from s2d.landmarks import layout
from s2d.models.animator import Animator, AnimatorConfig, render
from s2d.models.checkpoint import fits, load_animator

KEY = "s2d"  # the one key of the graph's metadata
FORMAT = 1  # of inputs, outputs and header
INPUTS = ["source", "source_points", "driving_points"]
OUTPUTS = ["image", "warped", "grid"]
NAMES = ("torch", "onnx")
_REMEDY = "give a file of s2d export"


class Motion(NamedTuple):
    """The part of AnimatorOutput that makes a picture."""

    image: Tensor
    """(B, 3, S, S)."""
    warped: Tensor
    """(B, 3, S, S)."""
    grid: Tensor
    """(B, S, S, 2)."""


class Runtime(Protocol):
    """The methods of Animator that animation needs."""

    config: AnimatorConfig

    def encode_source(self, source: Tensor, points: Tensor) -> Any:  # noqa: ANN401 - each runtime's own
        """Source (1, 3, S, S) in [0, 1] and its points (1, 70, 2), made ready for `drive`."""
        ...

    def drive(self, encoded: Any, driving_points: Tensor) -> Any:  # noqa: ANN401 - each runtime's own
        """What `render` needs for landmarks (B, 70, 2)."""
        ...

    def render(self, source: Tensor, output: Any) -> Tensor:  # noqa: ANN401 - each runtime's own
        """Pictures (B, 3, H, W) in [0, 1] from the source at any size."""
        ...


class OnnxAnimator:
    """A file of `s2d export`, run by onnxruntime on the CPU."""

    def __init__(self, path: str | Path) -> None:
        """Raises S2DError when onnxruntime is missing, or the file is missing, damaged or no animator of s2d."""
        path = Path(path)
        asked = f"cannot load an animator from {path}"
        if not path.is_file():
            raise S2DError(asked, "no such file", "check the path")
        try:
            import onnxruntime
        except ImportError as error:
            raise S2DError(asked, "onnxruntime is not installed", "pip install 's2d[onnx]'") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, ["CPUExecutionProvider"])
        except Exception as error:  # its errors have no base class but this
            raise S2DError(asked, "it is damaged or no ONNX file", _REMEDY) from error
        content = _header(asked, self._session.get_modelmeta().custom_metadata_map)
        self.config = AnimatorConfig(**content["config"])
        self.trained = bool(content.get("trained"))

    def encode_source(self, source: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """The graph encodes the source itself."""
        return source, points

    def drive(self, encoded: tuple[Tensor, Tensor], driving_points: Tensor) -> Motion:
        """One run of the graph for landmarks (B, 70, 2)."""
        values = (np.ascontiguousarray(tensor.numpy()) for tensor in (*encoded, driving_points))
        made = self._session.run(OUTPUTS, dict(zip(INPUTS, values, strict=True)))
        return Motion(*map(torch.from_numpy, made))

    def render(self, source: Tensor, output: Motion) -> Tensor:
        """As Animator's."""
        return render(source, *output)


def load_runtime(path: str | Path | None, name: str | None = None) -> tuple[Runtime, bool]:
    """The animator in `path`, or the analytic prior for None; and whether it was trained.

    `name` is "torch", "onnx", or None for what the file's ending says. Raises S2DError for a file of the other one.
    """
    chosen = name or ("onnx" if Path(path or "").suffix == ".onnx" else "torch")
    if chosen == "onnx":
        if path is None:
            raise S2DError("cannot animate with onnx", "no exported model is given", "name a file of s2d export")
        exported = OnnxAnimator(path)
        return exported, exported.trained
    return (Animator().eval(), False) if path is None else (load_animator(path), True)


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
