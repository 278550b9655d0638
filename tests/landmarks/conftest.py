"""A real face whose landmarks need no detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s2d.geometry import Float32


@pytest.fixture(scope="session")
def astronaut_points() -> Float32:
    """Landmarks (70, 2) of skimage.data.astronaut() in its pixels; read-only."""
    points = np.loadtxt(Path(__file__).with_name("astronaut.csv"), delimiter=",", dtype=np.float32)
    points.setflags(write=False)
    return points
