"""An animator as one ONNX graph, checked against torch on a real face before the file appears.

Inputs: `source` (1, 3, S, S) in [0, 1], `source_points` (1, 70, 2) and `driving_points` (B, 70, 2), both normalised,
NaN where not known. Outputs: `image` (B, 3, S, S), and what render.py makes pictures of any size from, as in
AnimatorOutput: `painted` (B, 3, S, S), `smooth` and `head` (B, S, S, 2), `sheets` (B, 1, S, S), `gaze` (B, 2, S, S).
`image` has one sample a pixel, as of `Animator.drive`. B is free. One graph holds everything, so that a single file is
enough; s2d cuts it in two when it loads it (stages.py), so that the source is encoded once.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from s2d import __version__, progress
from s2d.errors import S2DError
from s2d.files import whole_file
from s2d.landmarks import layout, tracking
from s2d.models.animator import Animator
from s2d.models.runtime import FORMAT, INPUTS, KEY, OUTPUTS, GraphOutput, OnnxAnimator, require

OPSET = 20
TOLERANCE = 1e-3  # largest difference from torch, in picture values of 0 to 1 and in normalised units
LICENCE = "s2d's code is MIT; weights are bound by the terms of the footage they were trained on"
TRACED_BATCH = 3  # neither 0 nor 1, which the tracer would take for constants


@dataclass(frozen=True)
class Example:
    """A face to trace and check the graph with."""

    source: Tensor
    """(1, 3, S, S) in [0, 1]."""
    points: Tensor
    """(1, 70, 2) normalised."""
    driving: Tensor
    """(B, 70, 2) normalised."""


def export_program(model: Animator, example: Example) -> torch.export.ExportedProgram:
    """The animator as a program of `torch.export`, with a free number of driving frames."""
    frames = example.driving[:1].expand(TRACED_BATCH, -1, -1).contiguous()
    shapes = {"source": None, "source_points": None, "driving_points": {0: torch.export.Dim("batch")}}
    return torch.export.export(
        _Outputs(model).eval(), (example.source, example.points, frames), dynamic_shapes=shapes, strict=False
    )


def export_onnx(path: str | Path, model: Animator, example: Example, *, trained: bool) -> float:
    """Write the graph and its header to `path`, whole or not at all; returns the largest difference from torch.

    Raises S2DError when onnx is not installed, `path` does not end in .onnx or cannot be written, or a result on
    `example` differs by more than TOLERANCE.
    """
    path = Path(path)
    asked = f"cannot export to {path}"
    if path.suffix != ".onnx":
        raise S2DError(asked, "ONNX files end in .onnx", "choose a path that ends in .onnx")
    onnx, onnxruntime, _ = (require(name, asked) for name in ("onnx", "onnxruntime", "onnxscript"))
    from s2d.models.operators import translations

    with _quiet(), progress.during("tracing the animator"):
        program = torch.onnx.export(
            export_program(model, example),
            input_names=INPUTS,
            output_names=OUTPUTS,
            opset_version=OPSET,
            dynamo=True,
            custom_translation_table=translations(),
            optimize=False,  # onnxruntime does it far faster, see _simplified
            verbose=False,
        )
    if program is None:
        raise S2DError(asked, "torch made no graph", "install the versions of constraints.txt")
    with progress.during("simplifying the graph"):
        graph = _simplified(_bare(program.model_proto), onnx, onnxruntime)
    onnx.helper.set_model_props(graph, {KEY: json.dumps(header(model, trained), sort_keys=True)})
    with whole_file(path) as temporary:
        temporary.write_bytes(graph.SerializeToString(deterministic=True))
        with progress.during("comparing with torch"):
            difference = largest_difference(model, OnnxAnimator(temporary), example)
        if not difference <= TOLERANCE:
            why = f"the graph differs from torch by {difference:.2g}, more than {TOLERANCE}"
            raise S2DError(asked, why, "install the versions of constraints.txt")
    return difference


def header(model: Animator, trained: bool) -> dict[str, Any]:
    """What a reader must know of the graph; the crop is that of `crop_for`, in shares of face and square."""
    crop = {"headroom": tracking.HEADROOM, "margin": tracking.MARGIN}
    made = {"format": FORMAT, "s2d": __version__, "licence": LICENCE, "trained": trained}
    return {**made, "layout": layout.NAME, "crop": crop, "size": model.config.size, "config": asdict(model.config)}


def largest_difference(model: Animator, other: OnnxAnimator, example: Example) -> float:
    """Over all outputs, for the whole batch and for each frame alone; NaN where any of them holds one."""
    batches = (example.driving, *example.driving[:, None])
    # by torch: Python's max passes over a NaN that does not come first
    return float(torch.stack([_difference(model, other, example, driving) for driving in batches]).max())


def _difference(model: Animator, other: OnnxAnimator, example: Example, driving: Tensor) -> Tensor:
    with torch.inference_mode():
        right = model.drive(model.encode_source(example.source, example.points), driving)
    made = other.drive(other.encode_source(example.source, example.points), driving)
    return torch.stack([(getattr(right, name) - getattr(made, name)).abs().max() for name in OUTPUTS]).max()


class _Outputs(nn.Module):
    """The animator with the outputs of the graph alone."""

    def __init__(self, model: Animator) -> None:
        super().__init__()
        self.model = model

    def forward(self, source: Tensor, source_points: Tensor, driving_points: Tensor) -> GraphOutput:
        output = self.model.drive(self.model.encode_source(source, source_points), driving_points)
        return GraphOutput(*(getattr(output, name) for name in OUTPUTS))


def _bare(graph: Any) -> Any:  # noqa: ANN401 - a protobuf message
    """Without the tracer's notes: they name files of the machine where the export was made."""
    for node in (*graph.graph.node, *(node for function in graph.functions for node in function.node)):
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info, *graph.graph.initializer):
        del value.metadata_props[:]
    del graph.graph.metadata_props[:]
    return graph


def _simplified(graph: Any, onnx: Any, onnxruntime: Any) -> Any:  # noqa: ANN401 - a protobuf message, and modules
    """The graph as onnxruntime simplifies it for any machine: a fifth of the nodes, loaded in a third of the time."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "simplified.onnx")
        onnxruntime.InferenceSession(graph.SerializeToString(), options, ["CPUExecutionProvider"])
        simplified = onnx.load(options.optimized_model_filepath)
    made = {name for node in simplified.graph.node for name in node.output}
    types = [value for value in simplified.graph.value_info if value.name in made]
    sets = [entry for entry in simplified.opset_import if not entry.domain]  # it names all that it knows
    for field, kept in ((simplified.graph.value_info, types), (simplified.opset_import, sets)):
        del field[:]
        field.extend(kept)
    return simplified


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's notices about its own progress and its own deprecations from the user."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
