"""The sample face, and what a person sees in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from s2d.landmarks.detectors.mesh import MeshDetector

# read off the enlarged picture by eye, in pixels: landmark -> (x, y)
SEEN = {
    68: (202.9, 100.8),
    69: (245.9, 103.3),
    36: (194.5, 101.0),
    45: (254.5, 103.5),
    48: (203.2, 139.9),
    54: (243.5, 141.3),
    30: (223.7, 126.5),
    8: (221.6, 177.8),
}
INTEROCULAR = 60.0


def annotation(path: Path) -> npt.NDArray[np.float64]:
    """The 68 landmarks of a .pts file, which counts pixels from 1."""
    return np.array(path.read_text().split("{")[1].split("}")[0].split(), float).reshape(-1, 2) - 1


@pytest.fixture(scope="session")
def astronaut() -> npt.NDArray[np.uint8]:
    return np.asarray(skimage.data.astronaut())


@pytest.fixture(scope="session")
def mesh() -> MeshDetector:
    return MeshDetector()
