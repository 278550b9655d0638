"""Whole files: all or nothing, and one line when the system refuses."""

from __future__ import annotations

import pytest

from s2d.errors import S2DError
from s2d.files import check_writable, whole_file


def test_file_appears_with_its_folder_and_nothing_else(tmp_path):
    with whole_file(tmp_path / "new" / "a.bin") as temporary:
        temporary.write_bytes(b"content")
        assert not (tmp_path / "new" / "a.bin").exists()
    assert [file.read_bytes() for file in (tmp_path / "new").iterdir()] == [b"content"]


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def write() -> None:
        with whole_file(target) as temporary:
            temporary.write_bytes(b"ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_refusal_of_the_system_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    below_a_file = whole_file(tmp_path / "file" / "a.bin")
    with pytest.raises(S2DError, match=r"cannot write .*file/a\.bin: .*exists"):
        below_a_file.__enter__()


def test_a_place_is_tried_and_left_as_it_was(tmp_path):
    check_writable(tmp_path / "new" / "a.png")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "old.png").write_bytes(b"old")
    check_writable(str(tmp_path / "old.png"))
    assert (tmp_path / "old.png").read_bytes() == b"old"
    with pytest.raises(S2DError, match="it is a folder"):
        check_writable(tmp_path)
    with pytest.raises(S2DError, match="choose a folder that can be written to"):
        check_writable(tmp_path / "old.png" / "a.png")
