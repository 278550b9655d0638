"""Runs that begin with the weights of another one (--init_from)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s2d.errors import S2DError
from s2d.models.animator import Animator
from s2d.models.checkpoint import People, load_animator, read_origin, save_animator
from s2d.training.run import HELD_OUT, OTHER_FRAMES, PERHAPS, Run, train
from tests.training.conftest import DatasetMaker, animator_of


def test_weights_of_vox256_begin_vox512():
    first, later = map(animator_of, ("vox256", "vox512"))
    with torch.device("meta"):
        small, large = (Animator(config).state_dict() for config in (first, later))
    assert {name: value.shape for name, value in small.items()} == {name: v.shape for name, v in large.items()}
    assert first.size // first.motion_stride == later.size // later.motion_stride
    assert replace(later, size=first.size, motion_stride=first.motion_stride) == first


@pytest.mark.parametrize("weights", ["model.safetensors", "checkpoints/last.ckpt"])
def test_weights_to_begin_with_may_be_of_another_size(
    data: Path, config: Path, trained: Path, tmp_path: Path, weights: str
):
    given = [f"--data.path={data}", "--data.size=64", "--trainer.max_steps=0", f"--init_from={trained / weights}"]
    result = train(given, config, Run(tmp_path / "run"))
    begun, before = (load_animator(path) for path in (result["weights"], trained / weights))
    assert (begun.config.size, before.config.size) == (64, 32)
    for one, other in zip(begun.parameters(), before.parameters(), strict=True):
        assert torch.equal(one, other)
    assert result["val_l1_start"] != result["val_l1_prior"]


@pytest.mark.parametrize("said", [True, False])
def test_people_known_to_the_weights_to_begin_with_are_known(
    make_dataset: DatasetMaker, config: Path, trained: Path, tmp_path: Path, said: bool
):
    """Bob, trained on before, is held out now; of weights that do not say whom they know, nothing is said after."""
    first, weights = trained / "model.safetensors", tmp_path / "first.safetensors"
    save_animator(weights, load_animator(first), {}, read_origin(first).people if said else None)
    data = make_dataset(people=("bob", "dora", "emil"))
    given = [f"--data.path={data}", "--data.val_identities=[bob, dora]", f"--init_from={weights}"]
    result = train([*given, "--trainer.limit_val_batches=0"], config, Run(tmp_path / "run"))
    assert (result["validated_on"], result["held_out"]) == (PERHAPS, [])
    people = People(frozenset({"bob", "cleo", "emil"}), frozenset({"ann", "dora"}))
    assert [read_origin(result[name]).people for name in ("weights", "checkpoint")] == [people if said else None] * 2


@pytest.mark.parametrize(
    ("people", "begun", "validated_on"),
    [
        (("dora", "bob"), True, HELD_OUT),
        (("bob",), True, PERHAPS),
        (("bob",), False, OTHER_FRAMES),
    ],
)
def test_what_the_animator_knows_of_whom_it_is_validated_on(
    make_dataset: DatasetMaker,
    config: Path,
    trained: Path,
    tmp_path: Path,
    people: tuple,
    begun: bool,
    validated_on: str,
):
    """Dora is new to the weights; bob, alone in the data, is not: ends of his tracks may have been trained on."""
    given = [f"--data.path={make_dataset(people=people)}", "--trainer.limit_val_batches=0", "--trainer.max_steps=0"]
    given += ["--data.val_identities=[dora]"] if "dora" in people else []
    given += [f"--init_from={trained / 'model.safetensors'}"] if begun else []
    result = train(given, config, Run(tmp_path / "run"))
    held_out = ["dora"] if validated_on == HELD_OUT else []
    assert (result["validated_on"], result["held_out"]) == (validated_on, held_out)


@pytest.mark.parametrize(
    ("make", "options", "why"),
    [
        ({"detector": "other"}, [], "detector was made there, but is other in"),
        (
            {},
            ["--model.animator.channels=16"],
            "another animator than is to be trained; give --model.animator.channels=8",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused_before_a_folder_is_made(
    make_dataset: DatasetMaker, config: Path, trained: Path, tmp_path: Path, make: dict, options: list[str], why: str
):
    given = [f"--data.path={make_dataset(**make)}", f"--init_from={trained / 'model.safetensors'}", *options]
    with pytest.raises(S2DError, match=why):
        train(given, config, Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
