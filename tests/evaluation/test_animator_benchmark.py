"""Moments of benchmarks/animator.py and benchmarks/ablation.py on a made data set, an external method beside."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks import ablation, animator
from benchmarks.budget import Plan, pairs_for
from benchmarks.external import load_external
from s2d.errors import S2DError
from tests.training.conftest import DatasetMaker

MEAN = """
name = "mean"
seen = []

def train(pairs, seconds):
    seen.extend(batch["driving"].mean((0, 2, 3)) for batch in pairs)

def animate(source, source_points, driving, driving_points, first_driving):
    return (sum(seen) / len(seen))[None, :, None, None].expand_as(driving)
"""


@pytest.fixture
def external(tmp_path: Path) -> Path:
    path = tmp_path / "mean.py"
    path.write_text(MEAN)
    return path


def test_everything_is_trained_and_measured(make_dataset: DatasetMaker, external: Path, tmp_path: Path) -> None:
    args = Namespace(
        data=make_dataset(frames=20), held_out=["bob", "cleo"], seconds=0.5, size=32, config="tiny", frames=3, looks=0,
        ablations=["raw-landmarks"], external=[external], sheets=tmp_path / "sheets", keep=tmp_path / "kept",
        pairs=2, cross_frames=3,
    )  # fmt: skip
    result = animator.run(args)
    names = {"copy", "similarity", "tps", "mls", "prior", "animator", "raw-landmarks", "mean"}
    assert set(result["training"]) == {"animator", "raw-landmarks", "mean"}
    assert all(one["steps"] >= 1 and one["seconds_per_step"] > 0 for one in result["training"].values())
    for part, people in (("same", {"ann"}), ("held_out_identities", {"bob", "cleo"})):
        found = result[part]
        assert set(found["methods"]) == names
        assert set(found["l1_by_identity"]["tps"]) == people
        assert found["ratio"]["to_mean"]["animator"] < 1
        l1 = {name: figures["l1"].mean for name, figures in found["methods"].items()}
        assert found["ratio"]["to_tps"]["mls"] == pytest.approx(l1["mls"] / l1["tps"])
    assert result["cross_identity"]["pairs"] == 2
    assert set(result["cross_identity"]["methods"]) == names | {"truth"}
    assert len(list((tmp_path / "sheets").iterdir())) == 3
    assert (tmp_path / "kept" / "animator" / "model.safetensors").is_file()


def test_a_variant_of_one_s_own(make_dataset: DatasetMaker) -> None:
    args = Namespace(
        data=make_dataset(frames=20), held_out=["cleo"], seconds=0.3, size=32, config="tiny", frames=4, looks=0,
        variants=["full"], with_=[["small", "model.animator.channels=8", "model.animator.motion_channels=8"]],
    )  # fmt: skip
    result = ablation.run(args)
    assert list(result["variants"]) == ["full", "small"]
    assert set(result["table"]) == {"prior", "full", "small", "truth"}
    assert result["table"]["small"]["l1"] != result["table"]["full"]["l1"]
    assert result["table"]["truth"]["flicker"] == 0


def test_pairs_end_with_the_time_and_hold_images(make_dataset: DatasetMaker) -> None:
    batches = list(pairs_for(Plan(make_dataset(), ["cleo"], seconds=0.0, size=32), 4))
    (batch,) = batches  # looked at after each batch
    assert batch["source"].shape == batch["driving"].shape == (4, 3, 32, 32)
    assert batch["driving_points"].shape == (4, 70, 2)


def test_an_external_method_that_lacks_something(tmp_path: Path) -> None:
    path = tmp_path / "half.py"
    path.write_text("name = 'half'\ndef train(pairs, seconds): pass\n")
    with pytest.raises(S2DError, match="it defines no animate"):
        load_external(path)
    with pytest.raises(S2DError, match="it is no Python file"):
        load_external(tmp_path / "none.py")
