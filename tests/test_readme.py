"""The Python of the README about landmarks runs as it stands there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import skimage.data

import s2d
from s2d.geometry import Image
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.synthetic import make_clip, write_clip

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SNIPPETS = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "s2d.landmarks" in code]
COUNT = 8


class Knowing:
    """Gives the same face in each frame but the first."""

    def __init__(self, points: np.ndarray) -> None:
        self.points, self.seen = points, 0

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        self.seen += 1
        return [[Face.of_points(self.points, 0.9)] if self.seen > 1 else []]


def test_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    points = np.loadtxt(Path(__file__).parent / "landmarks" / "astronaut.csv", delimiter=",", dtype=np.float32)
    clip = make_clip(skimage.data.astronaut(), points, frames=COUNT, size=160)
    write_clip(clip, tmp_path / "clip.mp4")
    np.save(tmp_path / "own.npy", clip.truth[:, :68])
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"s2d": s2d, "detector": Knowing(clip.truth[0])}
    own, live = SNIPPETS
    exec(own, names)
    assert "phase_residual_1" in capsys.readouterr().out
    exec(live, names)
    assert names["answer"].number == COUNT - 1  # type: ignore[attr-defined]
