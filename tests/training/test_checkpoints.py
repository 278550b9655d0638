"""Checkpoint files: whole or absent, never unpickled, told apart from everything else."""

from __future__ import annotations

import pickle
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from s2d.errors import S2DError
from s2d.training.checkpoints import WholeCheckpointIO, find_checkpoint, read_checkpoint

CONTENT = {"state_dict": {}, "optimizer_states": [], "loops": {}, "hyper_parameters": {}, "x": torch.arange(3)}


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_there_and_back(tmp_path: Path):
    path = tmp_path / "new" / "last.ckpt"
    WholeCheckpointIO().save_checkpoint(CONTENT, path)
    assert torch.equal(read_checkpoint(path)["x"], CONTENT["x"])
    assert [item.name for item in path.parent.iterdir()] == ["last.ckpt"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As a full disk does, the operating system refuses to write more than `size` bytes to any one file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint(CONTENT, path)
    before = path.read_bytes()
    with largest_file(4096), pytest.raises(S2DError, match=r"cannot write .*: File too large"):
        WholeCheckpointIO().save_checkpoint({**CONTENT, "y": torch.zeros(10_000)}, path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["last.ckpt"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path):
    for name in ("one.ckpt", "two.ckpt"):
        WholeCheckpointIO().save_checkpoint(CONTENT, tmp_path / name)
    assert (tmp_path / "one.ckpt").read_bytes() == (tmp_path / "two.ckpt").read_bytes()


def test_nothing_is_unpickled(tmp_path: Path):
    hit = tmp_path / "hit"
    bomb = tmp_path / "bomb.ckpt"
    torch.save({**CONTENT, "bomb": Bomb(hit)}, bomb)
    for load in (read_checkpoint, lambda path: WholeCheckpointIO().load_checkpoint(path, weights_only=False)):
        with pytest.raises(S2DError, match="no training checkpoint"):
            load(bomb)
    assert not hit.exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x80\x04K\x01.", pickle.dumps([1, 2]), b"PK\x03\x04zip"])
def test_other_files_are_refused(tmp_path: Path, content: bytes):
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    with pytest.raises(S2DError, match="cannot resume from"):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path):
    path = tmp_path / "x.ckpt"
    torch.save(CONTENT, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(S2DError, match="damaged"):
        read_checkpoint(path)


def test_weights_alone_do_not_resume(tmp_path: Path):
    path = tmp_path / "x.ckpt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(S2DError, match="no training state"):
        read_checkpoint(path)


def test_what_resume_means(tmp_path: Path):
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert find_checkpoint(tmp_path, "") == last
    assert find_checkpoint(Path("other"), str(tmp_path)) == last
    assert find_checkpoint(tmp_path, "a.ckpt") == Path("a.ckpt")
