"""`s2d report` on a large made-up data set: seconds, peak memory, size of the page; prints one JSON object.

    python benchmarks/report.py --tracks 100000

The data set, one short track a video and 64 videos a shard as `s2d curate` writes them, is made in a temporary folder
first, which takes longer than the report. A fifth of the files is filtered or failed, for one of forty reasons.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from s2d.images import encode_jpeg
from s2d.landmarks.synthetic.clip import astronaut
from s2d.shards.schema import TRACKS, Provenance
from s2d.shards.writer import frame_table, write_shard

PER_SHARD, FRAMES, CROP = 64, 8, 128
REPORT = """
import json, resource, sys, time
from s2d.curation.report import write_report
from s2d.shards.reader import open_dataset
def megabytes(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
imported, started = megabytes(), time.perf_counter()
dataset = open_dataset(sys.argv[1])
opened = time.perf_counter()
write_report(dataset, sys.argv[2], name="large")
print(json.dumps({
    "open_s": round(opened - started, 2), "report_s": round(time.perf_counter() - opened, 2),
    "rss_mb_imported": round(imported), "rss_mb_peak": round(megabytes()),
}))
"""


def make_dataset(folder: Path, tracks: int) -> None:
    """Log-normal sizes of identities and log-normal quality, so that there are tails."""
    provenance = Provenance("mesh", "1", {}, CROP, {"min_frames": 15, "min_face_px": 64.0, "jpeg": True})
    rng = np.random.default_rng(0)
    jpeg = [encode_jpeg(cv2.resize(astronaut(), (CROP, CROP)))] * FRAMES
    identities = np.sort(rng.lognormal(0, 1.5, max(1, tracks // 20)).cumsum())
    scratch = folder / ".scratch"
    scratch.mkdir(parents=True)
    for start in range(0, tracks, PER_SHARD):
        numbers = range(start, min(start + PER_SHARD, tracks))
        rows = [
            _track(rng, number, int(np.searchsorted(identities, rng.random() * identities[-1]))) for number in numbers
        ]
        videos = [video for row in rows for video in _videos(rng, row)]
        write_shard(folder, provenance, videos, rows, _frames(rng, rows, jpeg), scratch)
    scratch.rmdir()


def _track(rng: np.random.Generator, number: int, identity: int) -> dict[str, object]:
    name, frames = f"{number:07}", int(rng.lognormal(5, 0.8)) + 15
    row: dict[str, object] = {
        "track_id": f"{name}-0", "video": f"{identity:05}/{name}.mp4", "identity": f"{identity:05}",
        "shot": 0, "face": 0, "start_frame": 0, "end_frame": frames - 1, "start_time": 0.0, "end_time": frames / 25,
        "fps": 25.0, "frames": frames, "crop_left": 0, "crop_top": 0, "crop_side": 300, "detector": "mesh",
    }  # fmt: skip
    measures = [field.name for field in TRACKS if pa.types.is_floating(field.type) and field.name not in row]
    return row | {
        name: float(value) for name, value in zip(measures, rng.lognormal(0, 0.6, len(measures)), strict=True)
    }


def _videos(rng: np.random.Generator, row: dict[str, object]) -> Iterator[dict[str, object]]:
    """The kept video of a track, now and then with one that was not kept."""
    video = {"video": row["video"], "path": f"/videos/{row['video']}", "identity": row["identity"], "sha256": "0" * 64}
    facts = {"bytes": 1, "outcome": "kept", "reason": "", "detail": "", "fps": 25.0, "seconds": 9.0, "height": 512}
    yield video | facts | {"tracks": 1, "track_frames": row["frames"], "filtered_tracks": []}
    if rng.random() < 0.25:
        outcome, value = ("failed", None) if rng.random() < 0.5 else ("filtered", float(rng.uniform(20, 64)))
        reason = "face too small" if value else f"reason {int(40 * rng.random() ** 2)}"
        refused = {"shot": 0, "face": 0, "start_frame": 0, "end_frame": 9, "frames": 10, "reason": reason}
        listed = [refused | {"value": value, "limit": 64.0}] if value else []
        facts |= {"outcome": outcome, "reason": reason, "detail": f"{reason} in {row['video']}"}
        yield video | facts | {"video": f"{row['video']}.2", "tracks": 0, "track_frames": 0, "filtered_tracks": listed}


def _frames(rng: np.random.Generator, rows: list[dict[str, object]], jpeg: list[bytes]) -> Iterator[pa.Table]:
    for row in rows:
        points = rng.uniform(30, 100, (FRAMES, 70, 2)).astype(np.float32)
        valid, score = np.ones((FRAMES, 70), bool), np.ones(FRAMES, np.float32)
        yield frame_table(
            str(row["track_id"]), np.arange(FRAMES), np.arange(FRAMES) / 25, points, points, score, valid, jpeg
        )


def main() -> None:
    """Make the data set, report on it in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="write the page here as well")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, page = Path(folder) / "data", Path(folder) / "report.html"
        make_dataset(data, args.tracks)
        command = [sys.executable, "-c", REPORT, str(data), str(page)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures = {"tracks": args.tracks, **json.loads(done.stdout), "page_mb": round(page.stat().st_size / 1e6, 2)}
        if args.keep:
            args.keep.write_bytes(page.read_bytes())
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
