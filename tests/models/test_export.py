"""The comparison that an exported graph has to pass."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from s2d.models.animator import Animator, AnimatorConfig
from s2d.models.export import Example, largest_difference
from s2d.models.runtime import OUTPUTS


class Other(SimpleNamespace):
    """The same animator, but for one value of one output, where this many frames are asked for at once."""

    def encode_source(self, source: Tensor, points: Tensor) -> Any:
        return self.model.encode_source(source, points)

    def drive(self, encoded: Any, driving: Tensor) -> Any:
        output = self.model.drive(encoded, driving)
        changed = getattr(output, self.name).clone()
        if len(driving) == self.frames:
            changed[(-1,) * changed.ndim] += self.by
        return output._replace(**{self.name: changed})


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_difference_anywhere_counts_and_so_does_one_that_is_no_number(face: Tensor, name: str, frames: int):
    model = Animator(AnimatorConfig(size=32, channels=8, motion_channels=8)).eval()
    given = Example(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)), face, face.repeat(2, 1, 1))
    with torch.inference_mode():
        found = [
            largest_difference(model, Other(model=model, name=name, frames=frames, by=by), given)  # type: ignore[arg-type]
            for by in (0.0, -0.25, math.nan)
        ]
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert found[1] == pytest.approx(0.25, abs=1e-5)
    assert math.isnan(found[2])
