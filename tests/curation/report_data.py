"""A small data set of which every figure of a report is known: six tracks of two people, files that were not kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from s2d.images import encode_jpeg
from s2d.shards.schema import Provenance
from s2d.shards.writer import frame_table, write_shard
from tests.shards.conftest import track_content, track_row, video_row

PROVENANCE = Provenance("mesh", "1.0", {"version": "1"}, 64, {"jpeg": True, "min_frames": 4, "min_face_px": 64.0})
FACES = (80.0, 100.0, 120.0, 140.0, 160.0, 180.0)  # face_px of the tracks, in order
FRAMES = 6
HOSTILE = '<script>alert(1)</script> & "more"'


def tracks() -> list[dict[str, object]]:
    """Five tracks of a/, one of b/; jitter halves but in the last; one sharpness is unknown; yaw_min always is."""
    rows = []
    for number, face in enumerate(FACES):
        name = f"{'b' if number == 5 else 'a'}/{number}.mp4"
        row = track_row(f"track-{number}", name, FRAMES) | {"face_px": face, "valid_share": 1.0}
        row |= {"jitter_raw": 1.0 + number, "jitter_aligned": (1.0 + number) / 2 if number < 5 else 7.0}
        rows.append(row | {"sharpness": None if number == 2 else 0.1 * number})
    return rows


def refused(reason: str, value: float, limit: float, frames: int = 9) -> dict[str, object]:
    where = {"shot": 0, "face": 1, "start_frame": 0, "end_frame": frames - 1, "frames": frames}
    return where | {"reason": reason, "value": value, "limit": limit}


def videos() -> list[dict[str, object]]:
    """Six kept, one of them with a face too small beside; one filtered; three failed for two reasons."""
    kept = [video_row(str(row["video"]), 1, FRAMES, fps=25.0, seconds=2.0, height=480) for row in tracks()]
    kept[0]["filtered_tracks"] = [refused("face too small", 40.0, 64.0)]
    small = {"outcome": "filtered", "reason": "face too small", "detail": "face_px is 50, the least is 64"}
    small |= {"value": 50.0, "limit": 64.0, "filtered_tracks": [refused("face too small", 50.0, 64.0, 20)]}
    failed = [video_row(f"c/{n}.mp4", 0, 0, reason="not a video", detail=f"detail {n}") for n in range(2)]
    return [*kept, video_row("c/small.mp4", 0, 0, **small), *failed, video_row("c/x.mp4", 0, 0, reason=HOSTILE)]


def write_data(folder: Path, *, jpeg: bool = True, kept: bool = True, **columns: list[float]) -> Path:
    """The data set in `folder`; `kept=False` leaves out everything but the failed files.

    `columns`: further columns of the six tracks.
    """
    scratch = folder / ".staging"
    scratch.mkdir(parents=True)
    pictures = [encode_jpeg(np.full((64, 64, 3), 40 * n, np.uint8)) for n in range(FRAMES)]
    rows = tracks() if kept else []
    rows = [row | {name: values[number] for name, values in columns.items()} for number, row in enumerate(rows)]
    stored = (
        frame_table(
            str(row["track_id"]),
            **{**track_content(str(row["track_id"]), FRAMES, False), "jpeg": pictures if jpeg else None},
        )
        for row in rows
    )
    found = [row for row in videos() if kept or row["outcome"] == "failed"]
    write_shard(folder, PROVENANCE, found, rows, stored, scratch)
    scratch.rmdir()
    return folder
