"""What a large data set costs to curate, from what a small one costs here; prints one JSON object.

    python benchmarks/at_scale.py --hours 2442 --machines 8 --cores 32 [--core-hour 0.04 --terabyte-month 20]

Made clips of the data set's own size and rate are curated with one worker per core of this machine: "measured" is
what that took and what it left on the disk. "derived" is nothing but that, multiplied: it takes for granted that
videos do not depend on each other (they do not), that the other machines' cores are as fast as these, that the
shared disk keeps up, and that everything is kept, which makes time and storage upper bounds. Prices are yours to give.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from curate import make_clips

from s2d import progress
from s2d.curation.config import CurationConfig
from s2d.curation.executors import LocalExecutor
from s2d.curation.executors.local import usable_cores
from s2d.curation.pipeline import curate

HOUR, TERA = 3600, 1e12


def measure(clips: int, frames: int, size: int, fps: int) -> dict[str, Any]:
    """Frames a second and core, and bytes a frame by table, of a curation that keeps all."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = make_clips(Path(folder) / "clips", clips, frames, size, fps)
        out, workers = Path(folder) / "out", usable_cores()
        started = time.perf_counter()
        videos = curate(inputs, out, CurationConfig(crop_size=size), LocalExecutor(workers)).videos
        seconds = time.perf_counter() - started
        count = int(videos["track_frames"].sum())
        stored = {table: _bytes(out / table) / count for table in ("videos", "tracks", "frames")}
        return {
            "workers": workers,
            "frames": count,
            "frames_per_core_second": round(count / seconds / workers, 2),
            "bytes_per_frame": round(stored["frames"]),
            "source_bytes_per_frame": round(sum(path.stat().st_size for path in inputs) / count),
        }


def derive(measured: dict[str, Any], args: argparse.Namespace) -> dict[str, Any]:
    """The whole data set."""
    frames = args.hours * HOUR * args.fps
    core_hours = frames / measured["frames_per_core_second"] / HOUR
    terabytes = frames * measured["bytes_per_frame"] / TERA
    prices = {
        "compute": core_hours * args.core_hour if args.core_hour else None,
        "storage_per_month": terabytes * args.terabyte_month if args.terabyte_month else None,
    }
    return {
        "frames_millions": round(frames / 1e6, 1),
        "core_hours": round(core_hours),
        "wall_hours": round(core_hours / (args.machines * args.cores), 1),
        "terabytes": round(terabytes, 2),
        **{name: None if price is None else round(price) for name, price in prices.items()},
    }


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2442, help="of video (default: VoxCeleb2)")
    parser.add_argument("--fps", type=int, default=25, help="its frame rate")
    parser.add_argument("--size", type=int, default=224, help="its side in pixels, which is also that of the crop")
    parser.add_argument("--machines", type=int, default=8)
    parser.add_argument("--cores", type=int, default=32, help="of each machine")
    parser.add_argument("--core-hour", type=float, help="price of a core for an hour")
    parser.add_argument("--terabyte-month", type=float, help="price of a terabyte for a month")
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=200, help="of each clip; VoxCeleb2's last 8 seconds")
    args = parser.parse_args()
    progress.quiet = True
    measured = measure(args.clips, args.frames, args.size, args.fps)
    print(json.dumps({"measured": measured, "derived": derive(measured, args)}, indent=1))


if __name__ == "__main__":
    main()
