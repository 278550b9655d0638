"""Clips whose every number is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s2d.evaluation.footage import Clip
from tests.models.conftest import draw_face, turned
from tests.training.conftest import make_dataset  # noqa: F401 - a fixture

SIZE = 64


@pytest.fixture
def moving_clip() -> Clip:
    """A soft random picture that shifts to the right by one pixel a frame, its face with it; six driving frames."""
    rng = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, 12, 14, generator=rng)
    wide = torch.nn.functional.interpolate(coarse, (SIZE, SIZE + 6), mode="bicubic").clamp(0, 1)[0]
    images = torch.stack([wide[:, :, 6 - t : 6 - t + SIZE] for t in range(7)])
    step = 2 / (SIZE - 1)
    points = torch.cat([turned(draw_face(), 0, 1.0, (t * step, 0.0)) for t in range(7)])
    return Clip("ann-0", "ann", 25.0, np.arange(1, 7) / 25, images[0], points[0], images[1:], points[1:])
