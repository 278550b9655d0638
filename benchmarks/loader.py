"""Frames a second of the training loader beside what the JPEG library alone decodes; prints one JSON object.

    python benchmarks/loader.py                    # 256 px and 64 px, one and two threads: about a minute
    python benchmarks/loader.py --data DATA        # the same on a data set of your own
    python benchmarks/loader.py --tracks 100000    # how soon an index of so many tracks gives its first batch

The limit is `cv2.imdecode` of the same pictures, by as many threads as load; a pair takes two decodings, and frames are
counted. Where other work shares the cores, look at the share by processor time. What the device does with a batch
(`s2d.training.pairs.finished`: move, recolour, make floats) is timed apart, on one thread of this processor; and, for
comparison, torch's DataLoader with two processes on the same pairs. Without --data, a data set is made in a temporary
folder: a textured picture that moves, crops of 256 px. For --tracks, one part stands for all parts of frames.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from s2d.images import encode_jpeg
from s2d.landmarks.layout import COUNT
from s2d.shards.schema import TRACKS, Provenance
from s2d.shards.writer import frame_table, part_path, write_shard
from s2d.training.datamodule import FaceDataModule
from s2d.training.pairs import finished

CROP, FPS, BATCH = 256, 25.0, 16
PROVENANCE = Provenance("made", "1", {}, CROP, {})
PER_PART = 100  # tracks; the index of 100,000 tracks has 1,000 parts


def make_data(folder: Path, tracks: int = 12, frames: int = 40, crop: int = CROP) -> None:
    """A data set of `tracks` people: pictures with the detail and noise of a real one, so that JPEGs are as large."""
    rng = np.random.default_rng(0)
    names = [f"track-{number:06d}" for number in range(tracks)]
    tables = [_table(name, rng, frames, crop) for name in names]
    write_shard(
        folder, PROVENANCE, [_video("all", tracks, frames)], [_row(n, "all", frames) for n in names], tables, folder
    )


def _table(name: str, rng: np.random.Generator, frames: int, crop: int) -> object:
    layers = [cv2.resize(rng.integers(0, 255, (n, n, 3), np.uint8), (2 * crop, 2 * crop)) for n in (6, 24, 96)]
    ground = np.average(layers, axis=0, weights=[4, 2, 1])
    pictures = []
    for number in range(frames):
        x, y = (int(crop / 2 * (1 + np.sin(number / turn))) for turn in (9, 13))
        noisy = ground[y : y + crop, x : x + crop] + rng.normal(0, 2, (crop, crop, 3))
        pictures.append(encode_jpeg(np.clip(noisy, 0, 255).astype(np.uint8)))
    points = rng.uniform(0.3, 0.7, (1, COUNT, 2)).repeat(frames, 0).astype(np.float32) * crop
    valid, times = np.ones((frames, COUNT), bool), np.arange(frames) / FPS
    return frame_table(name, np.arange(frames), times, points, points, np.ones(frames, np.float32), valid, pictures)


def _video(name: str, tracks: int, frames: int) -> dict[str, object]:
    row = {"video": name, "path": name, "identity": name, "sha256": name, "bytes": 1, "outcome": "kept", "reason": ""}
    return {**row, "detail": "", "tracks": tracks, "track_frames": tracks * frames, "filtered_tracks": []}


def _row(name: str, video: str, frames: int) -> dict[str, object]:
    row: dict[str, object] = {field.name: None if field.nullable else 0 for field in TRACKS}
    row |= {"track_id": name, "video": video, "identity": name, "frames": frames, "detector": "made", "fps": FPS}
    return row | {"end_frame": frames - 1, "valid_share": 1.0}


def module(path: str, size: int, workers: int) -> FaceDataModule:
    """The loader as training has it."""
    made = FaceDataModule(path, size=size, batch_size=BATCH, workers=workers, val_share=0.1)
    made.setup()
    return made


def decode_rate(path: str, size: int, seconds: float, threads: int) -> tuple[float, float]:
    """Pictures that `threads` decode in a second, and in a second of processor time."""
    data = module(path, size, 0)
    store = data.training_pairs.store
    pictures = [jpeg for span in data.training_pairs.spans[0][:8] for jpeg in store.clip(span).jpeg]
    flag = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}[store.stored // size]

    def decode(_: int) -> int:
        for picture in pictures[: 2 * BATCH]:
            cv2.imdecode(np.frombuffer(picture, np.uint8), flag)
        return len(pictures[: 2 * BATCH])

    with ThreadPoolExecutor(threads) as pool:
        return timed((sum(pool.map(decode, range(threads))) for _ in count()), seconds)


def loader_rate(path: str, size: int, seconds: float, threads: int) -> tuple[float, float]:
    """Frames that come out of the loader, likewise; one thread is that which trains."""
    return timed(frames_of(module(path, size, threads * (threads > 1)).train_dataloader()), seconds)


def process_rate(path: str, size: int, seconds: float, processes: int) -> float:
    """Frames a second by the processes of torch's DataLoader, for comparison."""
    pairs = module(path, size, 0).training_pairs
    return timed(frames_of(DataLoader(pairs, BATCH, sampler=range(10**7), num_workers=processes)), seconds)[0]


def frames_of(loader: Iterable[dict[str, torch.Tensor]]) -> Iterator[int]:
    """Frames in each batch, after the first ones, which read the tracks."""
    return (batch["frames"].shape[:2].numel() for batch in islice(loader, 8, None))


def timed(counts: Iterator[int], seconds: float) -> tuple[float, float]:
    """What is counted in a second of the clock and of this process's processor time."""
    next(counts)
    total, began, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        total += next(counts)
    return total / (time.perf_counter() - began), total / (time.process_time() - used)


def device_microseconds(path: str, size: int, seconds: float) -> float:
    """Time for each frame of what is left to the device, on one thread of this processor."""
    batch = next(iter(module(path, size, 0).train_dataloader()))

    def step() -> int:
        finished(batch)
        return int(batch["frames"].shape[:2].numel())

    return 1e6 / timed((step() for _ in count()), seconds)[0]


def rates(path: str, seconds: float) -> dict[str, object]:
    """Both sizes, one and two threads; limit and loader in turn, the best of three each."""
    found: dict[str, object] = {}
    for size in (256, 64):
        for threads in (1, 2):
            turns = [
                (*decode_rate(path, size, seconds, threads), *loader_rate(path, size, seconds, threads))
                for _ in range(3)
            ]
            limit, limit_cpu, loader, loader_cpu = (max(column) for column in zip(*turns, strict=True))
            shown = {"decode_limit_fps": round(limit), "loader_fps": round(loader), "share": round(loader / limit, 3)}
            found[f"{size}px_{threads}_thread"] = shown | {"share_by_processor_time": round(loader_cpu / limit_cpu, 3)}
        found[f"{size}px_2_torch_processes_fps"] = round(process_rate(path, size, seconds, 2))
        found[f"{size}px_device_us_per_frame"] = round(device_microseconds(path, size, seconds), 1)
    return found


def make_index(folder: Path, tracks: int) -> None:
    """An index of many parts, one video and PER_PART tracks each; the frames of all are one file under many names."""
    few, crop = 8, 64
    provenance = Provenance("made", "1", {}, crop, {})
    rng = np.random.default_rng(0)
    for part in range(0, tracks, PER_PART):
        names, video = [f"track-{part + n:06d}" for n in range(PER_PART)], f"video-{part:06d}"
        tables = [_table(name, rng, few, crop) for name in names] if part == 0 else []
        rows = [_row(name, video, few) for name in names]
        shard = write_shard(folder, provenance, [_video(video, PER_PART, few)], rows, tables, folder)
        if part == 0:
            original = part_path(folder, "frames", shard)
        else:
            path = part_path(folder, "frames", shard)
            path.unlink()
            os.link(original, path)


def start(path: str) -> dict[str, object]:
    """Seconds to open and part the index, and from then to the first batch by two threads."""
    began = time.perf_counter()
    data = module(path, 64, workers=2)
    opened = time.perf_counter()
    next(iter(data.train_dataloader()))
    return {
        "tracks": len(data.tracks),
        "setup_seconds": round(opened - began, 2),
        "first_batch_seconds": round(time.perf_counter() - opened, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="DIR", help="a data set with crops of 256 px")
    parser.add_argument("--tracks", type=int, help="measure the start on an index of so many tracks instead")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement (2)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        if args.tracks:
            make_index(Path(folder), args.tracks)
            print(json.dumps(start(folder)))
            return
        if not args.data:
            make_data(Path(folder))
        print(json.dumps(rates(args.data or folder, args.seconds)))


if __name__ == "__main__":
    main()
