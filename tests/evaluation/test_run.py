"""Whole evaluations of a made data set."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from s2d.errors import S2DError
from s2d.evaluation import run
from s2d.evaluation.run import Options, choose, evaluate
from s2d.images import read_image
from s2d.models.animator import Animator, AnimatorConfig
from s2d.models.checkpoint import People, save_animator
from s2d.shards.reader import open_dataset
from tests.training.conftest import DatasetMaker


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An animator that was not trained: exactly the prior."""
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    save_animator(path, Animator(AnimatorConfig(size=32)).eval(), {})
    return path


def test_same(make_dataset: DatasetMaker, checkpoint: Path, tmp_path: Path) -> None:
    options = Options(frames=4, looks=0, sheets=tmp_path / "sheets")
    result = evaluate(make_dataset(), checkpoint, "same", options)
    table = result["methods"]
    assert list(table) == ["copy", "similarity", "tps", "mls", "prior", "animator"]
    assert result["identities"] == ["ann", "bob", "cleo"]
    assert result["size"] == 32
    assert table["animator"]["l1"].mean == pytest.approx(table["prior"]["l1"].mean, abs=1e-5)
    assert table["prior"]["l1_face"].mean < 0.7 * table["copy"]["l1_face"].mean
    assert table["prior"]["l1"].low <= table["prior"]["l1"].mean <= table["prior"]["l1"].high
    assert "akd" not in table["prior"]
    assert sorted(path.stem for path in options.sheets.iterdir()) == ["ann-0", "bob-1", "cleo-2"]
    columns = 2 + 6 + 2
    assert read_image(options.sheets / "ann-0.png").shape[1] == columns * (2 * 32 + 2)


def test_temporal(make_dataset: DatasetMaker) -> None:
    table = evaluate(make_dataset(), None, "temporal", Options(frames=4))["methods"]
    assert list(table) == ["truth", "copy", "similarity", "tps", "mls", "prior"]
    assert table["truth"]["flicker"].mean == 0
    assert table["similarity"]["warping_error"].mean > 0
    assert math.isnan(table["prior"]["acceleration_ratio"].mean)  # there is no face in these pictures


def test_cross(make_dataset: DatasetMaker) -> None:
    result = evaluate(make_dataset(), None, "cross", Options(frames=3, most=2))
    assert list(result["modes"]) == ["relative", "absolute"]
    assert result["pairs"] == 2
    prior = result["modes"]["absolute"]["prior"]
    assert prior["missed"].mean == 1
    assert prior["cycle_l1"].mean > 0
    assert result["modes"]["absolute"]["copy"]["cycle_l1"].mean == 0


def test_people_and_tracks_are_chosen(make_dataset: DatasetMaker) -> None:
    dataset = open_dataset(make_dataset(("ann", "bob", "cleo", "dan", "eve")))
    assert choose(dataset, Options(most=3)) == ["ann-0", "cleo-2", "eve-4"]
    assert choose(dataset, Options(people=["bob", "eve"])) == ["bob-1", "eve-4"]


@pytest.mark.parametrize(
    ("split", "options", "noted"),
    [(None, {}, True), ("val", {}, False), (None, {"people": ["ann"]}, False), (None, {"start": 0.5}, False)],
)
def test_people_that_were_perhaps_trained_on_are_noted(
    make_dataset: DatasetMaker, checkpoint: Path, split: str | None, options: dict, noted: bool
) -> None:
    given = Options(frames=2, looks=0, most=1, **options)
    data = make_dataset(split=split)
    assert ("checkpoint" in evaluate(data, checkpoint, "same", given)["notes"]) == noted
    assert "checkpoint" not in evaluate(data, None, "same", given)["notes"]


def trained_on(folder: Path, trained: str, held_out: str) -> Path:
    """An animator whose file says that it was trained on these people and not on those."""
    path = folder / "told.safetensors"
    people = People(frozenset(trained.split()), frozenset(held_out.split()))
    save_animator(path, Animator(AnimatorConfig(size=32)).eval(), {}, people)
    return path


def test_known_and_held_out_people_are_apart(make_dataset: DatasetMaker, tmp_path: Path) -> None:
    """As if each group had been evaluated by itself."""
    checkpoint, data = trained_on(tmp_path, "ann bob", "cleo"), make_dataset(("ann", "bob", "cleo", "dora"))
    result = evaluate(data, checkpoint, "same", Options(frames=2, looks=0))
    assert {name: group["identities"] for name, group in result["groups"].items()} == {
        "held out": ["cleo"], "known": ["ann", "bob"], "new": ["dora"],
    }  # fmt: skip
    assert "checkpoint" not in result["notes"]
    alone = evaluate(data, checkpoint, "same", Options(frames=2, looks=0, people=["ann", "bob"]))
    assert "groups" not in alone
    assert alone["methods"] == result["groups"]["known"]["methods"]
    held_out, known, new = (group["methods"]["tps"]["l1"].mean for group in result["groups"].values())
    assert held_out != pytest.approx(known)
    assert result["methods"]["tps"]["l1"].mean == pytest.approx((held_out + 2 * known + new) / 4)


@pytest.mark.parametrize(
    ("trained", "held_out", "protocol", "said"),
    [
        ("ann bob cleo", "dan", "same", "trained on 3 of these 3 identities; give others' data"),
        ("zoe", "ann bob cleo", "same", "trained on none of these 3 identities"),
        ("ann bob", "cleo", "temporal", "trained on 2 of these 3 identities; give --identities of the others: cleo"),
    ],
)
def test_whom_a_checkpoint_knows_is_noted(
    make_dataset: DatasetMaker, tmp_path: Path, trained: str, held_out: str, protocol: str, said: str
) -> None:
    result = evaluate(make_dataset(), trained_on(tmp_path, trained, held_out), protocol, Options(frames=2, looks=0))
    assert result["notes"]["checkpoint"] == f"the animator was {said}"
    assert "groups" not in result


@pytest.mark.parametrize(
    ("trained", "held_out", "options", "said"),
    [
        ("ann bob", "cleo", {"people": ["ann"]}, "trained on 1 of these 1 identities; give others' data"),
        ("ann", "cleo", {"people": ["ann"], "start": 0.5}, "trained on 1 of these 1 identities; give others' data"),
        ("ann bob", "cleo", {"people": ["cleo"]}, "trained on none of these 1 identities"),
        ("ann", "", {"people": ["ann"]}, "trained on 1 of these 1 identities; give others' data, or --start for later "
         "frames than it saw"),
        ("ann", "", {"people": ["ann"], "start": 0.5}, "trained on 1 of these 1 identities; what is left out by "
         "--start may be less than it saw"),
    ],
)  # fmt: skip
def test_known_people_among_the_chosen_are_noted(
    make_dataset: DatasetMaker, tmp_path: Path, trained: str, held_out: str, options: dict, said: str
) -> None:
    """--start is advised only where training held out the ends of tracks: with one person."""
    given = Options(frames=2, looks=0, **options)
    result = evaluate(make_dataset(), trained_on(tmp_path, trained, held_out), "same", given)
    assert result["notes"]["checkpoint"] == f"the animator was {said}"


def test_few_tracks_are_shared_out_to_known_and_held_out_people(make_dataset: DatasetMaker) -> None:
    dataset = open_dataset(make_dataset(("ann", "bob", "cleo", "dan", "eve")))
    people = People(frozenset({"ann", "bob", "cleo", "dan"}), frozenset({"eve"}))
    assert choose(dataset, Options(most=4), people) == ["eve-4", "ann-0", "cleo-2", "dan-3"]
    assert choose(dataset, Options(most=3), people) == ["eve-4", "ann-0", "dan-3"]
    assert choose(dataset, Options(most=1), people) == ["eve-4"]
    assert len(choose(dataset, Options(most=2), People(frozenset({"ann"}), frozenset({"eve"})))) == 2


def test_only_where_groups_are_shown_are_tracks_shared_out_to_them(make_dataset: DatasetMaker, tmp_path: Path) -> None:
    data, checkpoint = (
        make_dataset(("ann", "bob", "cleo", "dan", "eve")),
        trained_on(tmp_path, "ann bob cleo dan", "eve"),
    )
    shown = {
        protocol: evaluate(data, checkpoint, protocol, Options(frames=2, looks=0, most=3))["identities"]
        for protocol in ("same", "temporal")
    }
    assert shown == {"same": ["ann", "dan", "eve"], "temporal": ["ann", "cleo", "eve"]}


def test_a_missing_embedder_is_noted_by_its_figure(make_dataset: DatasetMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise S2DError("cannot compare people", "no embedder", "install it")

    monkeypatch.setattr(run, "FaceEmbedder", missing)
    result = evaluate(make_dataset(), None, "cross", Options(frames=2, most=2))
    assert result["notes"] == {"id_source": "cannot compare people: no embedder; install it"}


def test_mistakes(make_dataset: DatasetMaker, tmp_path: Path) -> None:
    data = make_dataset()
    with pytest.raises(S2DError, match="no such protocol"):
        evaluate(data, None, "other")
    with pytest.raises(S2DError, match="only one identity"):
        evaluate(data, None, "cross", Options(people=["ann"]))
    with pytest.raises(S2DError, match="no such file"):
        evaluate(data, tmp_path / "none.safetensors")
    (tmp_path / "file").write_text("here")
    with pytest.raises(S2DError, match="choose another folder"):
        evaluate(data, None, "same", Options(frames=2, looks=0, most=1, sheets=tmp_path / "file"))
