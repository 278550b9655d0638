"""`s2d curate --recipe`: what it prints, and how it is given; the videos have a stand-in."""

from __future__ import annotations

import json

import pytest

from s2d.cli import main
from tests.curation.curation_fakes import fake_curate_sources
from tests.curation.recipes.trees import TREES


@pytest.fixture
def seen(monkeypatch):
    """The configuration that the command asked for."""
    asked = {}

    def curate_sources(sources, out, config, executor, retry_failed):
        asked.update(config=config)
        return fake_curate_sources(sources, out)

    monkeypatch.setattr("s2d.curation.pipeline.curate_sources", curate_sources)
    return asked


def test_expected_against_found_in_json(tmp_path, capsys, seen):
    root = TREES["voxceleb1"].write(tmp_path / "root")
    command = ["curate", "--recipe", "voxceleb1", "--root", str(root), "--out", str(tmp_path / "out")]
    assert main([*command, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    said = result["recipe"]
    assert said["expected"]["videos"] == 19764
    assert said["found"] == {"videos": 3, "identities": 2, "hours": 0.0}
    assert said["missing"] == ["voxceleb1/videos/gone.mp4#1.0-2.0@0.250,0.250"]
    assert said["unknown"] == ["videos/other.mp4"]
    assert said["splits"] == [
        {"split": "test", "videos": 2, "identities": 2},
        {"split": "train", "videos": 2, "identities": 1},
    ]
    assert result["outcomes"] == {"kept": 3, "filtered": 0, "failed": 1}


def test_the_tables_name_what_is_missing_and_unknown(tmp_path, capsys, seen):
    root = TREES["voxceleb1"].write(tmp_path / "root")
    main(["curate", "--recipe", "voxceleb1", "--root", str(root), "--out", str(tmp_path / "out")])
    shown = capsys.readouterr().out
    assert "19764" in shown
    assert "not published" not in shown
    assert "1 are listed but have no file: voxceleb1/videos/gone.mp4#" in shown
    assert "1 video files are unknown to the recipe: videos/other.mp4" in shown


def test_filters_of_the_recipe_hold_unless_others_are_given(tmp_path, seen):
    root = TREES["celebvhq"].write(tmp_path / "root")
    command = ["curate", "--recipe", "celebvhq", "--root", str(root), "--out", str(tmp_path / "out"), "--quiet"]
    main(command)
    assert seen["config"].filters.value("min_box_share") == 0.5
    main([*command, "--filter", "min_box_share=0.9"])
    assert seen["config"].filters.value("min_box_share") == 0.9


LAYOUT = "where its videos are at {part}/mp4/{identity}/{video}/{clip}.mp4. To get them: Ask for access on the homepage"
COMMAND = "; then: s2d curate --recipe voxceleb2 --root"


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (["--recipe", "voxceleb2"], [f"it needs its folder as --root, {LAYOUT}", f"{COMMAND} FOLDER --out "]),
        (["My Vox", "--recipe", "voxceleb2"], ["and no other inputs", LAYOUT, f"{COMMAND} 'My Vox' --out "]),
        (["a", "--recipe", "voxceleb2", "--root", "b"], ["and no other inputs", LAYOUT, f"{COMMAND} b --out "]),
        (["--recipe", "hdtf"], ["videos/{file}, listed in HDTF_dataset/{part}_annotion_time.txt. To get"]),
        (["--recipe", "nosuch"], ["it is not built in"]),
        (["--root", "b"], ["cannot use --root: it is the folder of a recipe"]),
        ([], ["cannot tell what to curate: no video or folder is given; s2d curate FOLDER --out "]),
    ],
)
def test_either_inputs_or_a_recipe_with_its_root(tmp_path, capsys, extra, says):
    assert main(["curate", "--out", str(tmp_path / "out"), *extra]) == 2
    told = capsys.readouterr().err
    assert all(words in told for words in says), told
    assert told.count("\n") == 1


def test_a_folder_that_is_not_there_is_answered_with_the_layout(tmp_path, capsys):
    assert main(["curate", "--recipe", "voxceleb2", "--root", "nowhere", "--out", str(tmp_path / "out")]) == 1
    assert "no such folder; give the data set's as --root: its videos are at {part}/mp4/" in capsys.readouterr().err


def test_the_list_of_recipes(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["curate", "--list-recipes"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in TREES)
