"""Trees and manifests that are not as published, and people on two sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2d.curation.executors import LocalExecutor
from s2d.curation.recipes import Plan, load_recipe, plan_recipe
from s2d.curation.recipes.recipe import read_recipe
from s2d.errors import S2DError
from tests.curation.conftest import contents
from tests.curation.curation_fakes import InProcess, fake_curate, fake_curate_sources
from tests.curation.recipes.trees import TREES, Tree

ROW = "video_id,start,end,bbox,width,height,person_id\nx,1,2,{0},{1},{1},y\n"


def plan(name: str, root: Path, **files: str) -> Plan:
    """The plan for the tree of that name, with some of its files (by their stem) in another state."""
    tree = TREES[name]
    changed = {path: files.get(Path(path).stem.replace("-", "_"), content) for path, content in tree.files.items()}
    Tree(changed, {}).write(root)
    return plan_recipe(load_recipe(name), root, root.parent / "out")


def test_a_missing_root_is_one_line(tmp_path):
    with pytest.raises(
        S2DError, match=r"cannot use the recipe 300vw on .*nowhere: no such folder; give the data set.s as"
    ):
        plan_recipe(load_recipe("300vw"), tmp_path / "nowhere", tmp_path / "out")


def test_the_tree_of_another_data_set_is_named(tmp_path):
    root = TREES["300vw"].write(tmp_path / "root")
    with pytest.raises(S2DError, match=r"its videos are at \{part\}/mp4/.*\.mp4, not as 001/vid\.avi; give the folder"):
        plan_recipe(load_recipe("voxceleb2"), root, tmp_path / "out")


def test_a_root_one_folder_too_low(tmp_path):
    root = TREES["voxceleb2"].write(tmp_path / "root") / "dev"
    with pytest.raises(S2DError, match=r"not as mp4/id00012/21Uxsk56VDQ/00001\.mp4"):
        plan_recipe(load_recipe("voxceleb2"), root, tmp_path / "out")


def test_a_tree_without_videos(tmp_path):
    (tmp_path / "root").mkdir()
    with pytest.raises(S2DError, match="and there is no video at all"):
        plan_recipe(load_recipe("folder"), tmp_path / "root", tmp_path / "out")


def test_a_missing_manifest(tmp_path):
    root = TREES["celebvhq"].write(tmp_path / "root")
    (root / "celebvhq_info.json").unlink()
    with pytest.raises(S2DError, match=r"its manifest celebvhq_info\.json is missing; put it there"):
        plan_recipe(load_recipe("celebvhq"), root, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "files", "says"),
    [
        ("celebvhq", {"celebvhq_info": "{"}, "celebvhq_info.json is not as published: Expecting property name"),
        ("celebvhq", {"celebvhq_info": "{}"}, "it has no rows under 'clips'"),
        (
            "celebvhq",
            {"celebvhq_info": '{"clips": {"a_1": {"ytb_id": "a"}}}'},
            "a row has no field 'duration.start_sec'",
        ),
        ("voxceleb1", {"vox_metadata": "video_id,start\nx,1\n"}, "a row has no field 'end'"),
        ("voxceleb1", {"vox_metadata": "video_id,start,end\nx,5,5\n"}, "a clip from 0.2 to 0.2"),
        ("voxceleb1", {"vox_metadata": ROW.format("1-2-3", 9)}, "a box of 1 2 3 in 9 x 9"),
        ("voxceleb1", {"vox_metadata": ROW.format("1-2-3-4", 0)}, "a box of 1 2 3 4 in 0 x 0"),
        ("hdtf", {"RD_annotion_time": "Radio11.mp4\n"}, "line 1 has 1 columns, not 2"),
        ("hdtf", {"RD_annotion_time": "Radio11.mp4 soon-later\n"}, "could not convert string to float: 'soon'"),
        ("talkinghead1kh", {"val_video_tubes": "x,1,2\n"}, "line 1 has 3 columns, not 9"),
    ],
)
def test_a_broken_manifest_is_one_line(tmp_path, name, files, says):
    with pytest.raises(S2DError) as raised:
        plan(name, tmp_path / "root", **files)
    assert says in str(raised.value)
    assert str(raised.value).endswith("; fetch it again")


def test_a_part_that_the_recipe_does_not_know(tmp_path):
    Tree({"dev2/mp4/id1/v/1.mp4": "x"}, {}).write(tmp_path / "root")
    with pytest.raises(S2DError, match=r"dev2/mp4/id1/v/1\.mp4: its split is called 'dev2'; add that to split\.names"):
        plan_recipe(load_recipe("voxceleb2"), tmp_path / "root", tmp_path / "out")


def test_somebody_in_two_splits_is_refused_by_name(tmp_path):
    tree = TREES["voxceleb2"].files | {"test/mp4/id00012/v/9.mp4": "kept 1"}
    Tree(tree, {}).write(tmp_path / "root")
    with pytest.raises(S2DError, match="the identity id00012 is in train and in test; keep each person in one split"):
        plan_recipe(load_recipe("voxceleb2"), tmp_path / "root", tmp_path / "out")


def test_somebody_of_the_data_sets_test_split_is_not_added_without_one(tmp_path):
    found = plan("voxceleb2", tmp_path / "root")
    fake_curate_sources(found.sources, tmp_path / "out")
    before = contents(tmp_path / "out")
    mine = Tree({"id00017/mine.mp4": "kept 1 mine"}, {}).write(tmp_path / "mine")
    with pytest.raises(S2DError, match=r"cannot add to .*: the identity id00017 is in no split and in test"):
        fake_curate([mine], tmp_path / "out")
    assert contents(tmp_path / "out") == before
    others = Tree({"id00012/mine.mp4": "kept 1 mine"}, {}).write(tmp_path / "others")
    assert fake_curate([others], tmp_path / "out").new == 1


def test_one_clip_on_two_sides_is_refused_whoever_is_said_to_be_in_it(tmp_path):
    """A second row of the same clip is passed over; not so when it would put the clip into another split."""
    manifest = {"files": "list.txt", "format": "text", "columns": ["person", "video", "side"]}
    split = {"of": "side", "names": {"a": "train", "b": "test"}}
    recipe = {"name": "mine", "videos": "{video}.mp4", "identity": "person", "manifest": manifest, "split": split}
    rows = "ann x a\nann x a\nbob y b\n"
    root = Tree({"list.txt": rows, "x.mp4": "kept 1 x", "y.mp4": "kept 1 y"}, {}).write(tmp_path / "root")
    assert len(plan_recipe(read_recipe(recipe, "mine.yaml"), root, tmp_path / "out").sources) == 2
    (root / "list.txt").write_text(rows + "eve x b\n")
    with pytest.raises(S2DError, match=r"mine/x\.mp4 is listed in train and in test; keep each video and clip in one"):
        plan_recipe(read_recipe(recipe, "mine.yaml"), root, tmp_path / "out")


def test_a_list_file_of_the_data_set_makes_the_split(tmp_path):
    split = {"of": "video", "val_file": "lists/val.txt", "test": ["c"], "others": "train"}
    recipe = read_recipe({"name": "mine", "videos": "{video}.mp4", "identity": "video", "split": split}, "mine.yaml")
    Tree({"lists/val.txt": "b\n\n", "a.mp4": "x", "b.mp4": "y", "c.mp4": "z"}, {}).write(tmp_path / "root")
    found = plan_recipe(recipe, tmp_path / "root", tmp_path / "out")
    assert [source.split for source in found.sources] == ["train", "val", "test"]
    (tmp_path / "root" / "lists" / "val.txt").unlink()
    with pytest.raises(S2DError, match=r"lists/val\.txt: .*No such file"):
        plan_recipe(recipe, tmp_path / "root", tmp_path / "out")


def test_an_identity_that_the_expression_does_not_find(tmp_path):
    with pytest.raises(S2DError, match=r"piece is 'odd', which \(\.\+\)_\\d\+\$ does not fit"):
        plan("talkinghead1kh", tmp_path / "root", val_video_tubes="odd,1080,1920,0,100,0,0,1080,1080\n")


def test_clips_of_one_file_are_no_duplicates_and_the_order_of_workers_does_not_matter(tmp_path):
    found = plan("hdtf", tmp_path / "root")
    for name, executor in (("one", InProcess()), ("two", LocalExecutor(2))):
        videos = fake_curate_sources(found.sources, tmp_path / name, executor).videos
        assert list(videos.outcome) == ["kept", "kept", "kept", "kept", "failed"]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    again = fake_curate_sources(found.sources, tmp_path / "one")
    assert again.new == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_was_curated_whole_is_no_duplicate_of_its_clips(tmp_path):
    found = plan("hdtf", tmp_path / "root")
    fake_curate_sources(found.sources, tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "whole.mp4").write_text(TREES["hdtf"].files["videos/Radio11.mp4"])
    assert list(fake_curate([tmp_path / "mine"], tmp_path / "out").videos.outcome) == ["kept"]


def test_a_missing_file_that_has_come_is_worked_on_with_retry(tmp_path):
    fake_curate_sources(plan("hdtf", tmp_path / "root").sources, tmp_path / "out")
    (tmp_path / "root" / "videos" / "Radio12.mp4").write_text("kept 1 c")
    found = plan("hdtf", tmp_path / "root")
    assert found.missing == []
    summary = fake_curate_sources(found.sources, tmp_path / "out", retry_failed=True)
    assert list(summary.videos.outcome) == ["kept"] * 5
    fake_curate_sources(found.sources, tmp_path / "fresh")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_boxes_of_four_columns_may_be_small_or_negative(tmp_path):
    tubes = "1lSejjfNHpw_0075,100,200,0,100,-20,1e-03,100,50\n"
    found = plan("talkinghead1kh", tmp_path / "root", val_video_tubes=tubes)
    assert found.sources[-1].clip.box == pytest.approx((-0.1, 1e-5, 0.5, 0.5))
