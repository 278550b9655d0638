from __future__ import annotations

import os

import pytest

from s2d.curation.plan import NOT_A_VIDEO, UNREADABLE, find_sources
from s2d.errors import S2DError
from s2d.files import file_sha256


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "set"
    for name in ("b/x/2.mp4", "b/x/1.MP4", "a/clip.mov", "top.mkv", "notes.txt", ".hidden.mp4", "b/.git/3.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def names(sources):
    return [source.video for source in sources]


def test_folders_are_searched_and_sorted_by_name(tree, tmp_path):
    found = find_sources([tree], tmp_path / "out")
    assert names(found) == ["set/a/clip.mov", "set/b/x/1.MP4", "set/b/x/2.mp4", "set/notes.txt", "set/top.mkv"]


def test_the_identity_is_the_first_folder_or_the_files_name(tree, tmp_path):
    found = {source.video: source.identity for source in find_sources([tree], tmp_path / "out")}
    assert found["set/b/x/1.MP4"] == "b"
    assert found["set/a/clip.mov"] == "a"
    assert found["set/top.mkv"] == "top"


def test_the_order_of_inputs_is_kept(tree, tmp_path):
    found = find_sources([tree / "top.mkv", tree / "b", tree / "a"], tmp_path / "out")
    assert names(found) == ["top.mkv", "b/x/1.MP4", "b/x/2.mp4", "a/clip.mov"]


def test_what_is_no_video_is_settled_and_says_so(tree, tmp_path):
    settled = {source.video: source.settled for source in find_sources([tree], tmp_path / "out") if source.settled}
    assert list(settled) == ["set/notes.txt"]
    assert settled["set/notes.txt"][:2] == ("failed", NOT_A_VIDEO)


def test_the_output_is_no_input(tree):
    (tree / "out" / "frames").mkdir(parents=True)
    (tree / "out" / "frames" / "part.mp4").write_text("x")
    assert "set/out/frames/part.mp4" not in names(find_sources([tree], tree / "out"))


def test_one_input_twice_counts_once(tree, tmp_path):
    assert len(find_sources([tree, tree, tree / ".." / "set"], tmp_path / "out")) == 5


def test_two_files_of_one_name_are_refused(tree, tmp_path):
    other = tmp_path / "elsewhere" / "set"
    other.mkdir(parents=True)
    (other / "top.mkv").write_text("another")
    with pytest.raises(S2DError, match=r"would both be called set/top\.mkv; give the folder that holds both"):
        find_sources([tree, other], tmp_path / "out")


def test_a_dot_is_named_after_its_folder(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tree)
    assert names(find_sources(["."], tmp_path / "out"))[0] == "set/a/clip.mov"


@pytest.mark.parametrize(("name", "words"), [("nowhere", "no such file or folder"), ("empty", "holds no files")])
def test_an_input_without_files_is_refused(tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(S2DError, match=words):
        find_sources([tmp_path / name], tmp_path / "out")


def test_links_are_followed_but_never_in_a_circle(tree, tmp_path):
    (tree / "a" / "loop").symlink_to(tree)
    (tree / "a" / "broken.mp4").symlink_to(tmp_path / "gone.mp4")
    os.mkfifo(tree / "a" / "pipe.mp4")
    found = {source.video: source for source in find_sources([tree], tmp_path / "out")}
    assert len(found) == 6
    assert found["set/a/broken.mp4"].settled[:2] == ("failed", UNREADABLE)


def _refuse(monkeypatch, *folders):
    """Folders that may not be listed; by permissions alone root, who may run these tests, would not be refused."""
    real = os.scandir

    def scandir(path="."):
        if os.fspath(path) in map(str, folders):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_read_has_failed_and_the_rest_goes_on(tree, tmp_path, monkeypatch):
    _refuse(monkeypatch, tree / "b", tree / "b" / ".git")
    found = {source.video: source for source in find_sources([tree], tmp_path / "out")}
    assert list(found) == ["set/a/clip.mov", "set/b", "set/notes.txt", "set/top.mkv"]
    outcome, reason, detail = found["set/b"].settled
    assert (outcome, reason) == ("failed", UNREADABLE)
    assert detail == f"cannot read the folder {tree / 'b'}: check its permissions"
    assert found["set/b"].bytes == 0


def test_an_input_that_cannot_be_read_is_refused(tree, tmp_path, monkeypatch):
    _refuse(monkeypatch, tree)
    with pytest.raises(S2DError, match=r"cannot curate .*set: Permission denied; check its permissions"):
        find_sources([tree], tmp_path / "out")


def test_a_name_that_is_no_utf8_can_still_be_written(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/\xff.mp4", "w") as file:
        file.write("x")
    source = find_sources([folder], tmp_path / "out")[0]
    assert source.video == r"set/\udcff.mp4"
    assert file_sha256(source.path)
    str(source.row("kept")["path"]).encode()
