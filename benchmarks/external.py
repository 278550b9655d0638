"""Methods of other people, in a Python file that the benchmark is given by name.

The file defines
    name = "fomm"
    def train(pairs, seconds): ...    # returns nothing; what it learns it keeps
    def animate(source, source_points, driving, driving_points, first_driving): ...    # returns (N, 3, S, S) in [0, 1]
`pairs` yields batches of torch tensors, `source` and `driving` (B, 3, S, S) in [0, 1], `source_points` and
`driving_points` (B, 70, 2) normalised; the same pairs, crops and augmentation as the animator's. It ends when
`seconds` of processor time are used up. `animate` is given one source (3, S, S), (70, 2), N driving frames
(N, 3, S, S), (N, 70, 2) and the driver's first frame (3, S, S), which is the source itself where a person drives
their own picture; where another person drives, driving_points are already on the source's face.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from s2d.errors import S2DError
from s2d.evaluation.methods import Method, Scene


@dataclass(frozen=True)
class External:
    """The content of such a file."""

    name: str
    train: Callable[[Iterator[dict[str, Tensor]], float], None]
    method: Method


def load_external(path: Path) -> External:
    """Run the file and take what it defines. Raises S2DError when something is missing in it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    asked = f"cannot use the method in {path}"
    if not path.is_file() or spec is None or spec.loader is None:
        raise S2DError(asked, "it is no Python file", "see benchmarks/external.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    missing = [word for word in ("name", "train", "animate") if not hasattr(module, word)]
    if missing:
        raise S2DError(asked, f"it defines no {missing[0]}", "see benchmarks/external.py")

    def method(scene: Scene) -> Tensor:
        with torch.inference_mode():
            made: Tensor = module.animate(
                scene.source, scene.source_points, scene.driving, scene.driving_points, scene.first_driving
            )
        if made.shape != scene.driving.shape:
            why = f"animate gave {tuple(made.shape)}, not {tuple(scene.driving.shape)}"
            raise S2DError(asked, why, "see benchmarks/external.py")
        return made.float().clamp(0, 1)

    return External(module.name, module.train, method)
