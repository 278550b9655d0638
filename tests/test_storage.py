"""Files behind URLs: fsspec's memory, and what its backends raise."""

from __future__ import annotations

import pickle
from pathlib import Path

import fsspec
import pytest

from s2d.errors import S2DError
from s2d.storage import Remote, fetch, location, reaching


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    for path in ("/set/a/1.mp4", "/set/b.mp4", "/set/.hidden/2.mp4", "/set/a/.3.mp4"):
        system.pipe_file(path, path.encode())
    yield Remote("memory://set")
    system.store.clear()


def test_paths_stay_paths(tmp_path):
    assert location(str(tmp_path)) == tmp_path
    assert location(f"file://{tmp_path}") == tmp_path
    assert location(tmp_path) == tmp_path


def test_the_parts_of_a_url():
    part = Remote("memory://set") / "part-1.parquet"
    assert (part.name, part.stem, part.suffix) == ("part-1.parquet", "part-1", ".parquet")
    assert location("memory://set/") == Remote("memory://set")
    assert (Remote("memory://set") / "a").parent == Remote("memory://set")
    assert pickle.loads(pickle.dumps(part)) == part


def test_what_is_there(memory):
    assert (memory.exists(), memory.is_dir(), memory.is_file()) == (True, True, False)
    assert ((memory / "b.mp4").is_file(), (memory / "c.mp4").exists()) == (True, False)
    assert [str(found) for found in memory.glob("*.mp4")] == ["memory://set/b.mp4"]
    assert list((memory / "nowhere").glob("*")) == []
    files = memory.files()
    assert {name: size for name, (size, _) in files.items()} == {"a/1.mp4": 12, "b.mp4": 10}
    assert files["b.mp4"] == (memory / "b.mp4").facts()
    assert files["b.mp4"][1] > 0


def test_in_and_out(memory, tmp_path):
    made = tmp_path / "made"
    made.write_bytes(b"content")
    (memory / "new" / "file.mp4").take_in(made)
    assert not made.exists()
    fetch(memory / "new" / "file.mp4", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"
    (memory / "new" / "file.mp4").unlink()
    (memory / "new" / "file.mp4").unlink(missing_ok=True)
    assert not (memory / "new" / "file.mp4").exists()


def test_no_room_for_a_copy_is_not_the_fault_of_the_store(memory, tmp_path):
    with pytest.raises(IsADirectoryError):
        fetch(memory / "b.mp4", tmp_path)


def test_a_file_that_is_not_there_is_one_line(memory, tmp_path):
    with pytest.raises(S2DError, match=r"cannot reach memory://set/gone: FileNotFoundError"):
        fetch(memory / "gone", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_an_unknown_protocol_and_one_that_is_not_installed(monkeypatch):
    with pytest.raises(S2DError, match="cannot reach s4://x: s4 is no protocol of fsspec; give a path"):
        location("s4://x")

    def missing(protocol):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(S2DError, match=r'cannot reach s3://x: Install s3fs to access S3; pip install "s2d\[s3\]"'):
        location("s3://x")


def test_local_trouble_keeps_its_own_error():
    with pytest.raises(KeyError), reaching(Path("x")):
        raise KeyError("x")
    with pytest.raises(S2DError, match="cannot reach memory://x: KeyError: 'x'"), reaching(Remote("memory://x")):
        raise KeyError("x")
