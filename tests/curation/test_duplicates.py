from __future__ import annotations

import os
from dataclasses import replace

import pytest

from s2d.curation import duplicates
from s2d.curation.clip import Clip
from s2d.curation.duplicates import DUPLICATE, Duplicates, under_known_names
from s2d.curation.executors import LocalExecutor
from s2d.curation.plan import find_sources
from s2d.files import file_sha256
from tests.curation.conftest import contents
from tests.curation.curation_fakes import InProcess, fake_curate


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    for name, content in (("a.mp4", "kept 1"), ("b.mp4", "kept 1"), ("c.mp4", "kept 2"), ("d.mp4", "kept 1 alone")):
        (root / name).write_text(content)
    return root


def settled(sources, known=None):
    return list(map(Duplicates(sources, known or {}).settled, sources))


def test_the_later_of_two_equal_files_is_a_duplicate(tree, tmp_path):
    found = {source.video: source.settled for source in settled(find_sources([tree], tmp_path / "out"))}
    assert found.pop("set/b.mp4") == ("filtered", DUPLICATE, "same content as set/a.mp4")
    assert found == {"set/a.mp4": None, "set/c.mp4": None, "set/d.mp4": None}


def test_only_files_of_equal_size_are_hashed(tree, tmp_path):
    hashed = [source.video for source in settled(find_sources([tree], tmp_path / "out")) if source.sha256]
    assert hashed == ["set/a.mp4", "set/b.mp4", "set/c.mp4"]


def test_what_the_data_set_has_already_counts_as_earlier(tree, tmp_path):
    known = {"old.mp4": ((tree / "d.mp4").stat().st_size, file_sha256(tree / "d.mp4"))}
    last = settled(find_sources([tree], tmp_path / "out"), known)[-1]
    assert last.settled == ("filtered", DUPLICATE, "same content as old.mp4")


def test_the_first_is_begun_before_the_others_are_hashed(tree, tmp_path, monkeypatch):
    for number in range(100):
        (tree / f"x{number:03}.mp4").write_text(f"kept {number:03}")
    hashed = []
    monkeypatch.setattr(duplicates, "file_sha256", lambda path: (hashed.append(path), file_sha256(path))[1])
    seen = []

    class OneByOne(InProcess):
        def map(self, function, items):
            for item in items:
                seen.append(len(hashed))
                yield item, function(item)

    fake_curate([tree], tmp_path / "out", OneByOne())
    assert seen[:2] == [1, 3], "b, a duplicate, is passed over"
    assert len(hashed) == 103


def test_duplicates_are_the_same_whatever_the_workers_do(tree, tmp_path):
    for number in range(12):
        (tree / f"x{number:02}.mp4").write_text(f"kept 1 {number % 4}")
    made = []
    for name, executor in (("shuffled", InProcess()), ("one", LocalExecutor(1)), ("two", LocalExecutor(2))):
        summary = fake_curate([tree], tmp_path / name, executor)
        assert list(summary.videos.reason == DUPLICATE) == [False, True, False, False] + [False] * 4 + [True] * 8
        made.append(contents(tmp_path / name))
    assert made[0] == made[1] == made[2]


def test_nothing_but_duplicates_needs_no_worker(tree, tmp_path):
    fake_curate([tree], tmp_path / "out")
    (tree / "copy.mp4").write_text("kept 2")
    summary = fake_curate([tree], tmp_path / "out", LocalExecutor(2))
    assert (summary.new, summary.videos.set_index("video").detail["set/copy.mp4"]) == (1, "same content as set/c.mp4")
    (tree / "copy2.mp4").write_text("kept 2")
    rows = fake_curate([tree], tmp_path / "out").videos.set_index("video")
    assert rows.detail["set/copy2.mp4"] == "same content as set/c.mp4", "the original is named, not the copy"


@pytest.mark.parametrize("spelling", ["by itself", "another path", "through a link", "relative", "its folder", "URL"])
def test_a_file_that_is_there_under_another_name_is_done_already(tree, tmp_path, monkeypatch, spelling):
    sub = tree / "ann"
    sub.mkdir()
    (sub / "e.mp4").write_text("kept 1 ann")
    fake_curate([tree], tmp_path / "out")
    before = contents(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(sub)
    given = {
        "by itself": sub / "e.mp4",
        "another path": f"{tree}/../set//ann/./e.mp4",
        "through a link": tmp_path / "link" / "e.mp4",
        "relative": "set/ann/e.mp4",
        "its folder": sub,
        "URL": f"file://{sub}/e.mp4",
    }
    summary = fake_curate([given[spelling]], tmp_path / "out")
    assert summary.new == 0
    assert list(summary.videos.video) == ["set/ann/e.mp4"]
    assert list(summary.videos.identity) == ["ann"]
    assert contents(tmp_path / "out") == before


def test_the_order_is_kept_where_some_are_there_under_another_name(tree, tmp_path):
    fake_curate([tree / "c.mp4"], tmp_path / "out")
    rows = [{"video": "c.mp4", "path": str(tree / "c.mp4"), "span": None, "split": None, "identity": "c"}]
    found = under_known_names(find_sources([tree], tmp_path / "out"), rows)
    assert [source.video for source in found] == ["set/a.mp4", "set/b.mp4", "c.mp4", "set/d.mp4"]


def test_another_part_or_another_split_of_it_is_something_else(tree, tmp_path):
    (source,) = find_sources([tree / "a.mp4"], tmp_path / "out")
    row = {"video": "old", "path": str(tree / "a.mp4"), "span": None, "split": None, "identity": "old"}
    clip = replace(source, clip=Clip(1, 2))
    others = [source, clip, replace(source, split="test")]
    assert [one.video for one in under_known_names(others[:1], [row])] == ["old"]
    assert [one.video for one in under_known_names(others[1:2], [row])] == ["a.mp4"]
    assert [one.video for one in under_known_names(others[1:2], [row | {"span": "1.0-2.0"}])] == ["old"]
    assert [one.video for one in under_known_names(others[2:], [row])] == ["a.mp4"]


def test_a_failed_file_is_tried_again_under_its_old_name(tree, tmp_path):
    (tree / "bad.mp4").write_text("failed")
    fake_curate([tree], tmp_path / "out")
    (tree / "bad.mp4").write_text("kept 1 now")
    summary = fake_curate([os.path.join(tree, "bad.mp4")], tmp_path / "out", retry_failed=True)
    assert (summary.new, list(summary.videos.video), list(summary.videos.outcome)) == (1, ["set/bad.mp4"], ["kept"])


def test_two_inputs_that_hold_one_file_list_it_once(tree, tmp_path):
    found = find_sources([tree, tree / "a.mp4", f"{tree}/./b.mp4"], tmp_path / "out")
    assert [source.video for source in found] == ["set/a.mp4", "set/b.mp4", "set/c.mp4", "set/d.mp4"]
    found = find_sources([tree / "b.mp4", tree], tmp_path / "out")
    assert [source.video for source in found] == ["b.mp4", "set/a.mp4", "set/c.mp4", "set/d.mp4"]
