"""The demo on short clips and two training steps: one page that needs nothing beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from s2d.demo.run import run_demo
from s2d.errors import S2DError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, run_demo(out, steps=2, frames=36)


def test_the_page_is_whole_and_needs_nothing_else(made: tuple[Path, dict]):
    out, _ = made
    page = (out / "index.html").read_text()
    assert page.count("<video") == 2
    assert page.count("<img") >= 4
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_the_figures_are_those_of_the_run(made: tuple[Path, dict]):
    out, result = made
    assert result["training"]["steps"] == 2
    assert set(result["jitter"]) == {"calm", "fast"}
    for methods in result["jitter"].values():
        assert methods["aligned"]["nmf"] < methods["raw"]["nmf"]
    assert f"{result['training']['val_l1']:.4f}" in (out / "index.html").read_text()


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(S2DError, match="holds something else"):
        run_demo(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("steps", [-1, 0])
def test_training_without_an_end_or_a_step_is_refused_at_once(tmp_path: Path, steps: int):
    with pytest.raises(S2DError, match=f"{steps} training steps: the least is 1"):
        run_demo(tmp_path / "out", steps=steps)
    assert not (tmp_path / "out").exists()
