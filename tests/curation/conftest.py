"""A folder of fake videos, see curation_fakes.py."""

from __future__ import annotations

from pathlib import Path

import pytest

ORDERS = ["kept 2", "failed", "kept 1 a", "filtered", "kept 1 b", "die", "kept 3", "kept 1 c", "filtered b", "kept 1 d"]


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Ten fake videos; with three videos to a shard they make four shards."""
    folder = tmp_path / "films"
    folder.mkdir()
    for number, order in enumerate(ORDERS):
        (folder / f"{number:02}.mp4").write_text(order)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
