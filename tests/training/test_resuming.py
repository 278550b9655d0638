"""Runs that go on, and those that must not be written over."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from s2d.errors import S2DError
from s2d.models.checkpoint import PEOPLE, VERSION, People, load_animator, load_with_origin, read_origin, save_animator
from s2d.training.checkpoints import LAST, find_checkpoint, read_checkpoint
from s2d.training.run import HELD_OUT, PERHAPS, Run, train
from tests.training.conftest import DatasetMaker, curve


def test_resuming_goes_on_in_the_same_folder(data: Path, config: Path, tmp_path: Path):
    """Stopped at 3, then on to 5, by the run's own configuration; the curve has every step once."""
    straight, halved = Run(tmp_path / "straight"), Run(tmp_path / "halved")
    train([f"--data.path={data}", "--trainer.max_steps=5"], config, straight)
    first = train([f"--data.path={data}"], config, halved)
    again = Run(halved.out, resume=find_checkpoint(halved.out, ""))
    result = train(["--trainer.max_steps=5"], halved.out / "config.yaml", again)
    assert curve(halved.out, "train_loss") == curve(straight.out, "train_loss")
    assert result["val_l1_start"] == first["val_l1_start"]
    one, other = (read_checkpoint(run.out / "checkpoints" / "last.ckpt") for run in (straight, halved))
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())


def test_a_finished_run_is_not_overwritten(data: Path, config: Path, tmp_path: Path):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(S2DError, match="already holds a run; go on with --resume"):
        train([f"--data.path={data}"], config, Run(tmp_path))


def test_a_run_that_died_before_its_first_checkpoint_may_begin_again(data: Path, config: Path, tmp_path: Path):
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.limit_val_batches=0"]
    with pytest.raises(S2DError, match="not finite"):
        train([*options, "--model.lr=1e30", "--trainer.max_steps=2"], config, Run(tmp_path))
    assert (tmp_path / "config.yaml").exists()
    with pytest.raises(S2DError, match=r"ended before its first checkpoint; start it again, without --resume"):
        read_checkpoint(find_checkpoint(tmp_path, ""))
    assert train(options, config, Run(tmp_path))["steps"] == 1


def test_resuming_one_run_does_not_overwrite_another(data: Path, config: Path, tmp_path: Path):
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.limit_val_batches=0"]
    kept = [train(options, config, Run(tmp_path / name))["weights"] for name in ("one", "two")]
    before = Path(kept[1]).stat().st_mtime_ns
    last = find_checkpoint(tmp_path / "one", "")
    with pytest.raises(S2DError, match=r"two: it already holds a run; .*choose another --out"):
        train([*options, "--trainer.max_steps=2"], config, Run(tmp_path / "two", resume=last))
    assert Path(kept[1]).stat().st_mtime_ns == before
    assert train([*options, "--trainer.max_steps=2"], config, Run(tmp_path / "new", resume=last))["steps"] == 2


def test_resuming_another_animator_leaves_no_folder(data: Path, config: Path, trained: Path, tmp_path: Path):
    run = Run(tmp_path / "run", resume=trained / "checkpoints" / "last.ckpt")
    for option, why in (("animator.channels=16", "animator differs in channels"), ("losses.adversarial=1", "without")):
        with pytest.raises(S2DError, match=why):
            train([f"--data.path={data}", f"--model.{option}"], config, run)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("make", "why"), [({"detector": "other"}, "detector is other"), ({"crop": 96}, "crop_size is 96")]
)
def test_resuming_on_other_data_is_refused_before_a_folder_is_made(
    make_dataset: DatasetMaker, config: Path, trained: Path, tmp_path: Path, make: dict, why: str
):
    run = Run(tmp_path / "run", resume=trained / "checkpoints" / "last.ckpt")
    with pytest.raises(S2DError, match=f"cannot resume on .*{why}, but .* in the checkpoint"):
        train([f"--data.path={make_dataset(**make)}"], config, run)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("said", [True, False])
def test_a_resumed_run_knows_whom_it_had_before(
    make_dataset: DatasetMaker, config: Path, trained: Path, tmp_path: Path, said: bool
):
    """Those of the weights that it began with; nobody, not those of its data alone, where its checkpoint is silent."""
    data = make_dataset(people=("bob", "dora", "emil"))
    first = [f"--data.path={data}", "--data.val_identities=[dora]", f"--init_from={trained / 'checkpoints' / LAST}"]
    options = ["--trainer.limit_val_batches=0"]
    train([*first, *options, "--trainer.max_steps=1"], config, Run(tmp_path))
    last = find_checkpoint(tmp_path, "")
    before = People(frozenset({"bob", "cleo", "emil"}), frozenset({"ann", "dora"}))
    assert read_origin(last).people == before
    if not said:  # as files of before
        content = read_checkpoint(last)
        del content[PEOPLE]
        torch.save(content, last)
    result = train([*options, "--trainer.max_steps=2"], tmp_path / "config.yaml", Run(tmp_path, resume=last))
    assert [read_origin(result[name]).people for name in ("weights", "checkpoint")] == [before if said else None] * 2
    assert result["validated_on"] == (HELD_OUT if said else PERHAPS)
    assert load_with_origin(last)[1].data["detector"] == "made"


def test_a_resumed_run_does_not_begin_again_with_other_weights(data: Path, config: Path, trained: Path, tmp_path: Path):
    first = [f"--data.path={data}", "--trainer.limit_val_batches=0", f"--init_from={trained / 'model.safetensors'}"]
    train([*first, "--trainer.max_steps=2"], config, Run(tmp_path))
    before = read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["state_dict"]
    again = Run(tmp_path, resume=find_checkpoint(tmp_path, ""))
    result = train(["--trainer.max_steps=2"], tmp_path / "config.yaml", again)
    after = load_animator(result["weights"]).state_dict()
    assert all(torch.equal(before[f"average.{name}"], value) for name, value in after.items())


def test_the_best_validation_is_kept_and_a_resumed_run_has_to_beat_it(data: Path, config: Path, tmp_path: Path):
    """One step after the restart, at a rate that only does harm: what was best stays."""
    options = [f"--data.path={data}", "--trainer.val_check_interval=1"]
    first = train(options, config, Run(tmp_path))
    validated = curve(tmp_path, "val_l1")
    best = tmp_path / "best.safetensors"
    assert first["best_weights"] == str(best)
    assert first["best_val_l1"] == pytest.approx(min(validated[1:]))
    assert first["best_step"] == 1 + validated[1:].index(min(validated[1:]))
    before = best.read_bytes()
    again = Run(tmp_path, resume=find_checkpoint(tmp_path, ""))
    finished = train([], tmp_path / "config.yaml", again)  # nothing left to do
    assert (finished["best_step"], finished["best_val_l1"]) == (first["best_step"], first["best_val_l1"])
    assert best.read_bytes() == before
    worse = train(["--trainer.max_steps=4", "--model.lr=100"], tmp_path / "config.yaml", again)
    assert worse["val_l1"] > first["best_val_l1"]
    assert (worse["best_step"], worse["best_val_l1"]) == (first["best_step"], first["best_val_l1"])
    assert best.read_bytes() == before
    assert load_with_origin(best)[1].people == People(frozenset({"bob", "cleo"}), frozenset({"ann"}))


def test_a_run_that_begins_again_has_no_best_of_the_one_before(data: Path, config: Path, trained: Path, tmp_path: Path):
    (tmp_path / "best.safetensors").write_bytes((trained / "model.safetensors").read_bytes())
    options = [f"--data.path={data}", "--trainer.max_steps=1", "--trainer.limit_val_batches=0"]
    assert "best_step" not in train(options, config, Run(tmp_path))
    assert not (tmp_path / "best.safetensors").exists()


@pytest.mark.parametrize(("step", "best"), [(1, 1), (2, 3)])
def test_the_best_of_a_future_that_is_gone_is_forgotten(data: Path, config: Path, tmp_path: Path, step: int, best: int):
    """Killed after a validation that no checkpoint has: the run goes on from before it, and counts what comes."""
    first = train([f"--data.path={data}", "--trainer.max_steps=1"], config, Run(tmp_path))
    model, origin = load_with_origin(first["best_weights"])
    save_animator(first["best_weights"], model, {**origin.data, "step": str(step), "val_l1": "0.0"}, origin.people)
    again = Run(tmp_path, resume=find_checkpoint(tmp_path, ""))
    result = train(["--trainer.max_steps=3", "--trainer.val_check_interval=3"], tmp_path / "config.yaml", again)
    assert result["best_step"] == best
    assert result["best_val_l1"] == (0 if best == step else result["val_l1"])


def test_a_checkpoint_of_another_version_is_not_resumed(data: Path, config: Path, trained: Path, tmp_path: Path):
    content = read_checkpoint(trained / "checkpoints" / LAST)
    content[VERSION] -= 1
    torch.save(content, tmp_path / "old.ckpt")
    with pytest.raises(S2DError, match="cannot resume from the checkpoint: it was written by another version of s2d"):
        train([f"--data.path={data}"], config, Run(tmp_path / "run", resume=tmp_path / "old.ckpt"))
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_does_not_resume_is_told_before_its_best_weights_are_read(
    data: Path, config: Path, trained: Path, tmp_path: Path
):
    """Whatever lies beside it: that may be of the same other version, or nothing to do with it."""
    (tmp_path / "best.safetensors").write_bytes(b"foreign")
    run = Run(tmp_path, resume=trained / "checkpoints" / LAST)
    with pytest.raises(S2DError, match="cannot resume: its animator differs in channels"):
        train([f"--data.path={data}", "--model.animator.channels=16"], config, run)
    with pytest.raises(S2DError, match=r"cannot load an animator from .*best.safetensors: it is damaged"):
        train([f"--data.path={data}"], config, run)


def test_a_name_without_a_folder_is_no_checkpoint_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(S2DError, match=r"cannot resume from last.ckpt: no such file"):
        read_checkpoint(Path("last.ckpt"))


def test_a_run_that_has_had_its_steps_says_so(data: Path, config: Path, tmp_path: Path):
    said: list[str] = []
    train([f"--data.path={data}", "--trainer.max_steps=2"], config, Run(tmp_path))
    again = Run(tmp_path, resume=find_checkpoint(tmp_path, ""), announce=said.append)
    for steps, told in ((2, True), (1, True), (3, False)):
        said.clear()
        train([f"--trainer.max_steps={steps}"], tmp_path / "config.yaml", again)
        assert any("it has had 2 steps: nothing is left to train" in line for line in said) == told
