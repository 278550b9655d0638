"""Pictures of the page: drawn without touching what the user has set up in matplotlib."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest

from s2d.demo import figures
from s2d.images import read_image


@pytest.fixture
def svg_backend():
    """A user's own choice of backend, undone afterwards."""
    with matplotlib.rc_context():
        matplotlib.use("svg")
        yield


@pytest.mark.usefixtures("svg_backend")
def test_the_users_backend_stays(tmp_path: Path):
    points = np.random.default_rng(0).uniform(0, 90, (12, 70, 2))
    figures.trajectories(tmp_path / "tracks.png", {"raw": points, "aligned": points + 1}, np.arange(12) / 25)
    (tmp_path / "metrics.csv").write_text("step,val_l1\n0,0.05\n10,0.04\n")
    figures.curve(tmp_path / "curve.png", tmp_path / "metrics.csv", 0.05)
    assert matplotlib.get_backend().lower() == "svg"
    for name, size in (("tracks.png", (682, 990, 3)), ("curve.png", (308, 770, 3))):
        picture = read_image(tmp_path / name)
        assert picture.shape == size
        assert picture.std() > 10
