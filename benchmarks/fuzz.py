"""Hostile files: curate hundreds of broken and odd videos, and say what became of them; prints one JSON object.

    python benchmarks/fuzz.py --files 320 --clips FOLDER_OF_VIDEOS

The odd ones are made here (`odd_files`): one frame, one pixel, odd sizes, turned, uneven times, 10 bits, alpha, sound
only, absurd sizes in the header. The broken ones are these, and a short piece of each given clip, with bytes changed by
a seeded generator (`mutated`). All go through the real pipeline, detector and local executor, with a short time limit
and a memory limit. Exit code 1 when a file has no outcome, or the data set does not read.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import skimage.data

from s2d.curation.config import CurationConfig
from s2d.curation.executors import Failure, LocalExecutor
from s2d.curation.limits import parse_filters
from s2d.curation.pipeline import Summary, curate
from s2d.geometry import Image
from s2d.shards.reader import open_dataset
from s2d.video import VideoReader, VideoWriter

FRAMES, SIDE = 20, 192
KEEP_COPIES = {"min_nearest_distance": None}
HEAD = 4096  # bytes in which most of a header is


def face_frames(count: int = FRAMES, side: int = SIDE) -> list[Image]:
    """A view that moves over the astronaut's face, (side, side, 3) RGB."""
    photo = np.asarray(skimage.data.astronaut())
    views = [photo[20 : 20 + 200, 120 + 2 * n : 320 + 2 * n] for n in range(count)]
    return [cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA) for view in views]


def encode(
    path: Path,
    frames: Sequence[Image],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    stamps: Iterable[int] | None = None,
) -> Path:
    """Write frames with PyAV; the container is that of the file's ending; `stamps` are in 1/25 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        for image, stamp in zip(frames, stamps or range(len(frames)), strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def odd_files(folder: Path) -> list[Path]:
    """Valid but odd videos, and files whose header lies; the same bytes from the same machine."""
    face = face_frames()
    make = lambda name, frames=face, **options: encode(folder / name, frames, **options)  # noqa: E731
    made = [
        make("plain.mp4"),
        make("plain.mkv"),
        make("plain.ts"),
        make("mpeg4.avi", codec="mpeg4"),
        make("motion.mov", codec="mjpeg", pixels="yuvj420p"),
        make("vp9.webm", codec="libvpx-vp9"),
        make("one_frame.mp4", face[:1]),
        make("two_frames.mkv", face[:2]),
        make("odd_size.mp4", [view[:191, :187] for view in face], pixels="yuv444p"),
        make("narrow.mkv", [view[:, 90:93] for view in face], codec="ffv1", pixels="yuv444p"),
        make("one_pixel.mkv", [view[:1, :1] for view in face], codec="ffv1", pixels="yuv444p"),
        make("one_row.avi", [view[:1] for view in face], codec="ffv1", pixels="yuv444p"),
        make("uneven_times.mkv", stamps=np.cumsum(np.random.default_rng(4).integers(1, 30, len(face))).tolist()),
        make("long_pause.mp4", stamps=[*range(10), *range(100_000, 100_010)]),
        make("ten_bits.mp4", pixels="yuv420p10le"),
        make("grey.mkv", codec="ffv1", pixels="gray"),
        make("alpha.mov", codec="qtrle", pixels="argb"),
        make("alpha.webm", codec="libvpx-vp9", pixels="yuva420p"),
        make("palette.gif", codec="gif", pixels="rgb8"),
        make("black.mp4", [np.zeros_like(view) for view in face]),
    ]
    made += [_turned(made[0], folder / "turned.mp4"), _sound(folder / "sound.mp4"), _sound(folder / "sound.mkv")]
    made += _lying_headers(made[0], folder)
    for name, content in (
        ("empty.mp4", b""),
        ("text.mp4", b"no video"),
        ("zeros.mkv", bytes(5000)),
        ("a.tar.mp4", b"PK"),
    ):
        (folder / name).write_bytes(content)
        made.append(folder / name)
    return made


def huge_files(folder: Path) -> list[Path]:
    """Frames of nearly the largest size that is read, and of twice that; a few MB each, and slow to make."""
    made = []
    for name, width, height in (("large.mkv", 8000, 8000), ("too_large.mkv", 16000, 8400)):
        frames = [np.full((height, width, 3), 99, np.uint8)] * 2
        made.append(encode(folder / name, frames, codec="mjpeg", pixels="yuvj420p"))
    return made


def _turned(plain: Path, path: Path) -> Path:
    """With the display matrix of a telephone held upright."""
    data = bytearray(plain.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def _sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _lying_headers(plain: Path, folder: Path) -> list[Path]:
    """Absurd sizes where a container or a codec declares them; no frames where some are declared."""
    data = plain.read_bytes()
    sample = data.index(b"avc1") + 4 + 24  # width and height of the sample entry, ISO 14496-12, 12.1.3
    moov = data.index(b"moov") - 4
    lies = {
        "sample_entry.mp4": data[:sample] + struct.pack(">HH", 65535, 65535) + data[sample + 4 :],
        "no_pixels.mp4": data[:sample] + bytes(4) + data[sample + 4 :],
        "only_index.mp4": data[:32] + data[moov : moov + int.from_bytes(data[moov : moov + 4], "big")],
        "raw_absurd.y4m": b"YUV4MPEG2 W60000 H60000 F25:1 Ip A1:1 C420\nFRAME\n" + bytes(10_000),
        "raw_zero.y4m": b"YUV4MPEG2 W0 H0 F25:1 Ip A1:1 C420\nFRAME\n" + bytes(100),
        "raw_no_frames.y4m": b"YUV4MPEG2 W64 H64 F25:1 Ip A1:1 C420\n",
    }
    motion = bytearray((folder / "motion.mov").read_bytes())
    start = 0
    while (start := motion.find(b"\xff\xc0\x00\x11\x08", start + 1)) > 0:  # the frame header of each JPEG
        motion[start + 5 : start + 9] = struct.pack(">HH", 16000, 16000)
    lies["every_jpeg_absurd.mov"] = bytes(motion)
    for name, content in lies.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in lies]


Change = Callable[[bytearray, np.random.Generator], bytearray]


def _flip(data: bytearray, rng: np.random.Generator, stop: int | None = None) -> bytearray:
    for _ in range(int(rng.integers(1, 60))):
        data[int(rng.integers(0, min(len(data), stop or len(data))))] ^= 1 << int(rng.integers(0, 8))
    return data


def _flip_head(data: bytearray, rng: np.random.Generator) -> bytearray:
    return _flip(data, rng, HEAD)


def _truncate(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(0, len(data)))]


def _cut_out(data: bytearray, rng: np.random.Generator) -> bytearray:
    start = int(rng.integers(0, len(data)))
    del data[start : start + int(rng.integers(1, 3000))]
    return data


def _repeat(data: bytearray, rng: np.random.Generator) -> bytearray:
    start = int(rng.integers(0, len(data)))
    return data[:start] + data[max(0, start - int(rng.integers(1, 3000))) :]


def _noise(data: bytearray, rng: np.random.Generator) -> bytearray:
    start, count = int(rng.integers(0, len(data))), int(rng.integers(1, 2000))
    data[start : start + count] = rng.bytes(min(count, len(data) - start))
    return data


def _extreme_number(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A 32-bit number of the header at its limit: sizes, counts, offsets, times."""
    start = int(rng.integers(0, max(1, min(len(data), HEAD) - 4)))
    data[start : start + 4] = [b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), b"\x80\0\0\0"][int(rng.integers(0, 4))]
    return data


def _same(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data + rng.bytes(3)  # for the wrong extension, and so that it is no duplicate


CHANGES: tuple[Change, ...] = (_flip, _flip_head, _truncate, _cut_out, _repeat, _noise, _extreme_number, _same)


def mutated(originals: Sequence[Path], folder: Path, count: int, seed: int = 1) -> list[Path]:
    """`count` files, each an original with one kind of change, or two; in turn over originals and kinds."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        original = originals[int(rng.integers(0, len(originals)))]
        change = CHANGES[number % len(CHANGES)]
        data = change(bytearray(original.read_bytes() or b"\0"), rng)
        if rng.random() < 0.25 and data:
            data = _flip(data, rng)
        ending = [".mp4", ".mkv", ".avi", ".gif", ".y4m"][number % 5] if change is _same else original.suffix
        path = folder / f"{number:04}{change.__name__}_{original.stem}{ending}"
        path.write_bytes(data)
        made.append(path)
    return made


def short_pieces(clips: Iterable[Path], folder: Path, frames: int = FRAMES) -> list[Path]:
    """The first frames of each clip, at most 320 pixels high, as H.264 in MP4."""
    made = []
    for clip in clips:
        reader = VideoReader(clip)
        scale = min(1.0, 320 / reader.height)
        size = round(reader.width * scale), round(reader.height * scale)
        with VideoWriter(folder / f"{clip.stem}.mp4", *size, reader.fps) as writer:
            for frame in reader.frames(0, frames):
                writer.write(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
        made.append(folder / f"{clip.stem}.mp4")
    return made


class Measured:
    """A local executor that notes the time of each item, and the peak of its process's memory meanwhile."""

    def __init__(self, executor: LocalExecutor) -> None:
        self.executor = executor
        self.seconds: dict[str, float] = {}
        self.peak_mb: dict[str, float] = {}

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """See `s2d.curation.executors.Executor`."""
        for item, answer in self.executor.map(_Timed(function), items):
            if isinstance(answer, Failure):
                yield item, answer
            else:
                result, self.seconds[item.video], self.peak_mb[item.video] = answer
                yield item, result


class _Timed:
    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __call__(self, item: object) -> tuple[Any, float, float]:
        forget_peak()
        started = time.perf_counter()
        return self.function(item), time.perf_counter() - started, peak_mb()


def forget_peak() -> None:
    """From here on, `peak_mb` counts anew."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """Largest resident memory of this process."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1000


def report(summary: Summary, out: Path, measured: Measured, seconds: float) -> dict[str, Any]:
    """Counts, worst cases, and whether the data set can be read to its last frame."""
    dataset = open_dataset(out)
    frames = sum(len(dataset.frames(track).frame) for track in dataset.tracks().track_id)
    videos = summary.videos
    slowest = sorted(measured.seconds, key=lambda name: -measured.seconds[name])[:3]
    largest = sorted(measured.peak_mb, key=lambda name: -measured.peak_mb[name])[:3]
    return {
        "files": len(videos),
        "outcomes": dict(Counter(videos.outcome)),
        "reasons": dict(Counter(videos.reason[videos.reason != ""]).most_common()),
        "surprises": sorted(set(videos.detail[videos.detail.str.contains(r"\.py, line", regex=True)])),
        "ended_by_executor": {
            row.video: row.reason for row in videos.itertuples() if row.video not in measured.seconds and _ended(row)
        },
        "slowest_s": {name: round(measured.seconds[name], 2) for name in slowest},
        "largest_mb": {name: round(measured.peak_mb[name]) for name in largest},
        "parent_peak_mb": round(peak_mb()),
        "limits": {"timeout_s": measured.executor.limits.timeout, "memory_gb": measured.executor.limits.memory_gb},
        "seconds": round(seconds, 1),
        "frames_read_back": frames == int(videos.track_frames.sum()),
    }


def _ended(row: Any) -> bool:  # noqa: ANN401
    return row.reason in ("timed out", "worker died", "too much memory")


def fuzz(
    folder: Path, clips: Sequence[Path], files: int, seed: int, executor: LocalExecutor, huge: bool = True
) -> tuple[dict[str, Any], Summary]:
    """Make the files below `folder`, with or without the huge ones, curate them and report.

    Near copies, which most of them are, are kept: the more is written, the more there is to read back.
    """
    inputs, pieces = folder / "in", folder / "pieces"
    inputs.mkdir()
    pieces.mkdir()
    odd = odd_files(inputs)
    originals = [*odd, *short_pieces(clips, pieces)]
    odd += huge_files(inputs) if huge else []
    mutated(originals, inputs, max(0, files - len(odd)), seed)
    forget_peak()
    measured, started = Measured(executor), time.perf_counter()
    summary = curate([inputs], folder / "out", CurationConfig(filters=parse_filters(KEEP_COPIES)), measured)
    return report(summary, folder / "out", measured, time.perf_counter() - started), summary


def main() -> int:
    """Print what became of the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=320)
    parser.add_argument("--clips", type=Path, help="folder of real clips")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=20.0)
    parser.add_argument("--memory-limit", type=float, default=2.5, metavar="GB")
    args = parser.parse_args()
    clips = list(islice(sorted(args.clips.iterdir()), 20)) if args.clips else []
    with tempfile.TemporaryDirectory() as folder:
        result, summary = fuzz(
            Path(folder), clips, args.files, args.seed, LocalExecutor(2, args.timeout, args.memory_limit)
        )
    print(json.dumps(result | {"seed": args.seed, "clips": len(clips)}, indent=2))
    return 0 if len(summary.videos) == result["files"] and result["frames_read_back"] else 1


if __name__ == "__main__":
    sys.exit(main())
