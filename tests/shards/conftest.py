"""A small data set with known content: two shards, three tracks, one failed video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from s2d.shards.schema import Provenance
from s2d.shards.writer import frame_table, write_shard

PROVENANCE = Provenance("mesh", "1.0", {"version": "1", "rounds": 5}, 64, {"jpeg": True, "min_frames": 4})


def track_content(name: str, frames: int, jpeg: bool = True) -> dict[str, object]:
    """Arrays of a track, a different story for each name: points drift at one pixel per frame, the pupils unknown."""
    rng = np.random.default_rng(list(name.encode()))
    drift = np.arange(frames, dtype=np.float32)[:, None, None]
    raw = (rng.uniform(10, 50, (1, 70, 2)) + drift).astype(np.float32)
    valid = np.ones((frames, 70), bool)
    raw[:, 68:], valid[:, 68:] = np.nan, False
    return {
        "frame": np.arange(7, 7 + frames),
        "time": 0.25 + np.arange(frames) / 25,
        "raw": raw,
        "aligned": raw + np.float32(0.5),
        "score": rng.uniform(0.5, 1, frames).astype(np.float32),
        "valid": valid,
        "jpeg": [rng.bytes(50) for _ in range(frames)] if jpeg else None,
    }


def video_row(name: str, tracks: int, frames: int, **facts: object) -> dict[str, object]:
    outcome = "kept" if tracks else "failed"
    row = {"video": name, "path": f"/videos/{name}", "identity": name[0], "sha256": f"{name}-hash", "bytes": 9}
    row |= {"outcome": outcome, "reason": "", "detail": "", "tracks": tracks, "track_frames": frames}
    return row | {"filtered_tracks": []} | facts


def track_row(name: str, video: str, frames: int) -> dict[str, object]:
    return {
        "track_id": name, "video": video, "identity": video[0], "shot": 0, "face": 0, "start_frame": 7,
        "end_frame": 6 + frames, "start_time": 0.25, "end_time": 0.25 + (frames - 1) / 25, "fps": 25.0,
        "frames": frames, "crop_left": -3, "crop_top": 5, "crop_side": 128, "detector": "mesh", "face_px": 80.0,
    }  # fmt: skip


def write_example(folder: Path, provenance: Provenance = PROVENANCE, jpeg: bool = True) -> Path:
    """The example data set in `folder`."""
    folder.mkdir(exist_ok=True)
    scratch = folder / ".staging"
    scratch.mkdir(exist_ok=True)
    for video, names in (("b/one.mp4", ("b-one-0", "b-one-1")), ("a/two.mp4", ("a-two-0",))):
        sizes = [5 + number for number, _ in enumerate(names)]
        tables = (frame_table(name, **track_content(name, size, jpeg)) for name, size in zip(names, sizes, strict=True))
        rows = [track_row(name, video, size) for name, size in zip(names, sizes, strict=True)]
        videos = [video_row(video, len(names), sum(sizes)), video_row(video + ".broken", 0, 0, reason="no video")]
        write_shard(folder, provenance, videos, rows, tables, scratch)
    scratch.rmdir()
    return folder


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return write_example(tmp_path / "data")
