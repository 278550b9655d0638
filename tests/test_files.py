"""Whole files: all or nothing, and one line when the system refuses."""

from __future__ import annotations

import pytest

from s2d.errors import S2DError
from s2d.files import check_writable, file_sha256, whole_file


def test_file_appears_with_its_folder_and_nothing_else(tmp_path):
    with whole_file(tmp_path / "new" / "a.bin") as temporary:
        temporary.write_bytes(b"content")
        assert not (tmp_path / "new" / "a.bin").exists()
    assert [file.read_bytes() for file in (tmp_path / "new").iterdir()] == [b"content"]


def test_what_is_read_is_not_written_over(tmp_path):
    """Whatever the path is called by; and a new file may stand beside it."""
    read, link = tmp_path / "a.mp4", tmp_path / "link.mp4"
    read.write_bytes(b"old")
    link.symlink_to(read)
    for out in (read, link, tmp_path / "." / "a.mp4"):
        with pytest.raises(S2DError, match="it is what is to be read; name another file"):
            check_writable(out, tmp_path / "none.mp4", read)
    check_writable(tmp_path / "b.mp4", read)
    assert read.read_bytes() == b"old"


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


def test_sha256_is_that_of_fips_180(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(S2DError, match=r"cannot read .*none: No such file"):
        file_sha256(tmp_path / "none")
