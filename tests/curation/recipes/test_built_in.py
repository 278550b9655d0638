"""Every recipe that comes with s2d, on a small tree of the same shape: who is in it, and on which side."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from s2d.curation.recipes import Recipe, built_in, load_recipe, plan_recipe
from s2d.curation.recipes.recipe import COUNTS
from s2d.shards.reader import open_dataset
from tests.curation.curation_fakes import fake_curate_sources
from tests.curation.recipes.trees import TREES

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=sorted(TREES))
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return load_recipe(request.param)


def test_every_recipe_has_a_tree_here():
    assert set(built_in()) == set(TREES)
    assert {path.parent for path in built_in().values()} == {ROOT / "datasets"}


def test_a_recipe_says_what_people_must_know(recipe):
    assert recipe.name in built_in()
    for key in ("title", "licence", "how_to_get", "notes"):
        assert recipe.about[key], key
    assert set(recipe.expected) <= set(COUNTS)
    if recipe.name != "folder":
        assert recipe.expected["videos"] > 0
        assert recipe.about["source"], "a count without a source"
        assert recipe.about["homepage"].startswith("https://")


def test_identities_splits_and_clips_are_as_published(recipe, tmp_path):
    tree = TREES[recipe.name]
    plan = plan_recipe(recipe, tree.write(tmp_path / "root"), tmp_path / "out")
    planned = {source.video.removeprefix(f"{recipe.name}/"): (source.identity, source.split) for source in plan.sources}
    assert planned == tree.videos
    assert plan.missing == [f"{recipe.name}/{name}" for name in tree.missing]
    assert plan.unknown == tree.unknown
    there = [who for name, (who, _) in tree.videos.items() if name not in tree.missing]
    assert plan.found == {"videos": len(there), "identities": len(set(there))}


def test_the_split_is_in_the_data_set(recipe, tmp_path):
    tree = TREES[recipe.name]
    plan = plan_recipe(recipe, tree.write(tmp_path / "root"), tmp_path / "out")
    fake_curate_sources(plan.sources, tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    videos = dataset.videos().set_index("video")
    found = {name: _none(split) for name, split in videos.split.items()}
    assert found == {f"{recipe.name}/{name}": split for name, (_, split) in tree.videos.items()}
    for track in dataset.tracks().itertuples():
        assert (track.identity, _none(track.split)) == (videos.identity[track.video], found[track.video])
    assert list(videos.index[videos.reason == "missing"]) == plan.missing
    assert (videos.outcome[videos.reason == "missing"] == "failed").all()


def _none(value: object) -> object:
    return value if isinstance(value, str) else None


def test_the_published_test_people():
    voxceleb1 = load_recipe("voxceleb1").split
    assert list(voxceleb1.listed) == [f"id{number}" for number in range(10270, 10310)]
    assert Counter(voxceleb1.listed.values()) == {"test": 40}
    assert len(load_recipe("300vw").split.listed) == 31 + 19 + 14


def test_shares_by_hash_come_near_what_they_say_and_never_move():
    side = load_recipe("hdtf").split.reader(lambda path: [])
    people = [f"person{number}" for number in range(4000)]
    sides = {name: side({"identity": name}) for name in people}
    counts = Counter(sides.values())
    assert counts["val"] == pytest.approx(200, abs=40)
    assert counts["test"] == pytest.approx(200, abs=40)
