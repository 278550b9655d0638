"""A recipe that is wrong is one line that names the key."""

from __future__ import annotations

import pytest

from s2d.curation.recipes import load_recipe
from s2d.curation.recipes.recipe import read_recipe
from s2d.errors import S2DError, UsageError

GOOD = {"name": "x", "videos": "{part}/{identity}/*.mp4", "identity": "identity"}
MANIFEST = {"files": "list.txt", "columns": ["file", "who"]}


def test_the_least_that_a_recipe_needs():
    recipe = read_recipe(GOOD, "x.yaml")
    assert recipe.videos[0].match("a/b/c.mp4") == {"part": "a", "identity": "b"}
    assert (recipe.expected, recipe.filters, recipe.split.all) == ({}, {}, None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": None}, "name: missing"),
        ({"name": 7}, "name: 7 is no text; write it in quotes"),
        ({"vidoes": "x"}, "vidoes: no such key"),
        ({"videos": [3]}, "videos: 3 is no text"),
        ({"identity": "person"}, "identity: there is no field 'person'; the fields are part, identity"),
        ({"identity": {"of": "part", "match": "("}}, "identity.match: no regular expression"),
        ({"identity": {"of": "part", "match": "a"}}, "identity.match: 'a' has 0 groups"),
        ({"identity": {"of": "part", "match": "(.)", "x": 1}}, "identity.x: no such key"),
        ({"expected": {"videos": "many", "source": "-"}}, "expected.videos: 'many' is no number"),
        ({"expected": {"videos": 7}}, "expected.source: missing"),
        ({"split": "test"}, "split: 'test' is no mapping"),
        ({"split": {"all": "tset"}}, "split.all: 'tset' is not possible; choose among train, val, test"),
        ({"split": {"names": {"dev": "training"}}}, "split.names.dev: 'training' is not possible"),
        ({"split": {"of": "half", "names": {"dev": "train"}}}, "split.of: there is no field 'half'"),
        ({"split": {"shares": {"tset": 0.1}}}, "split.shares.tset: no such key"),
        ({"split": {"shares": {"test": -1}}}, "split.shares.test: -1 is no number of 0 or more"),
        ({"split": {"test": [114]}}, "split.test: 114 is no text; write it in quotes"),
        ({"manifest": {"format": "csv", **MANIFEST}}, "videos: a manifest needs one pattern without"),
        ({"videos": "{file}", "manifest": {"format": "xml", **MANIFEST}}, "manifest.format: 'xml' is not possible"),
        ({"videos": "{file}", "manifest": {"files": "a"}}, "manifest.columns: missing"),
        ({"videos": "{file}", "manifest": {"columns": ["a"]}}, "manifest.files: missing"),
        (
            {"videos": "{file}", "manifest": MANIFEST},
            "identity: there is no field 'identity'; the fields are file, who",
        ),
        ({"videos": "{clip}", "identity": "who", "manifest": MANIFEST}, "videos clip: there is no field 'clip'"),
        ({"videos": "{file}", "manifest": {**MANIFEST, "end_included": "x"}}, "manifest.end_included: 'x' is neither"),
        ({"videos": "{file}", "manifest": {**MANIFEST, "box_size": "x"}}, "manifest.box_size: "),
    ],
)
def test_a_wrong_key_is_named(change, says):
    with pytest.raises(S2DError) as raised:
        read_recipe(GOOD | change, "my.yaml")
    told = str(raised.value)
    assert told.startswith(f"cannot use the recipe my.yaml: {says}")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("text", "says"), [("a: [", "it is no YAML"), ("- a", "it is no mapping of keys"), ("", "it is no mapping of keys")]
)
def test_what_is_no_recipe(tmp_path, text, says):
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(S2DError, match=rf"cannot use the recipe .*my\.yaml: {says}") as raised:
        load_recipe(tmp_path / "my.yaml")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(S2DError, match="No such file or directory; check the path"):
        load_recipe(tmp_path / "my.yaml")


def test_a_name_that_is_not_built_in():
    with pytest.raises(UsageError, match=r"it is not built in; give a \.yaml file, or one of 300vw, celebvhq"):
        load_recipe("voxceleb3")


def test_yaml_makes_no_objects(tmp_path):
    (tmp_path / "my.yaml").write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(S2DError, match="it is no YAML"):
        load_recipe(tmp_path / "my.yaml")
