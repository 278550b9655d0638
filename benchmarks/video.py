"""Reading a long video: peak memory and frames a second, in a process of its own; prints one JSON object.

    python benchmarks/video.py --minutes 20
    python benchmarks/video.py --clip some.mp4     # decord and PyAV on a real clip

The long video, 512 x 512 at 30 fps, is made in a temporary folder first (about a quarter of its length on two cores).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

READ = """
import json, resource, sys, time
from s2d.video import VideoReader
def megabytes(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
imported = megabytes()
started = time.perf_counter()
reader = VideoReader(sys.argv[1])
opened = time.perf_counter()
for frame in reader.frames(0, 300):  # a slow reader, as a detector is: what is decoded ahead must not pile up
    time.sleep(.01)
after_slow = megabytes()
began = time.perf_counter()
count = sum(1 for _ in reader.frames())
seconds = time.perf_counter() - began
middle = time.perf_counter()
reader.frame(len(reader) // 2)
print(json.dumps({
    "frames": count, "open_ms": 1e3 * (opened - started), "fps": count / seconds,
    "middle_frame_ms": 1e3 * (time.perf_counter() - middle),
    "rss_mb_imported": imported, "rss_mb_slow_reader": after_slow, "rss_mb_peak": megabytes(),
}))
"""


def make_video(path: Path, minutes: float, size: int = 512, fps: int = 30) -> None:
    """A textured plane that wanders; fast encoding, since it is the reading that is measured."""
    import av

    noise = np.random.default_rng(0).integers(0, 255, (size // 4, size // 4, 3), dtype=np.uint8)
    plane = cv2.resize(noise, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        for number in range(int(minutes * 60 * fps)):
            x = int((size - 1) * (0.5 + 0.4 * np.sin(number / 40)))
            y = int((size - 1) * (0.5 + 0.4 * np.cos(number / 66)))
            view = np.ascontiguousarray(plane[y : y + size, x : x + size])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        container.mux(stream.encode(None))


def read_long(minutes: float) -> dict[str, float]:
    """Make the video and read it in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        make_video(path, minutes)
        done = subprocess.run([sys.executable, "-c", READ, str(path)], check=True, capture_output=True, text=True)
    return {"minutes": minutes} | json.loads(done.stdout)


def compare_decoders(clip: Path) -> dict[str, float]:
    """Frames a second of decord with 1, 2 and all threads and of `VideoReader`, reading a clip to its end."""
    import decord

    from s2d.video import VideoReader

    rates = {}
    for threads in (1, 2, 0):
        started = time.perf_counter()
        reader = decord.VideoReader(str(clip), num_threads=threads)
        for _ in range(len(reader)):
            reader.next().asnumpy()
        rates[f"decord_{threads or 'all'}_threads_fps"] = len(reader) / (time.perf_counter() - started)
        del reader
    started = time.perf_counter()
    count = sum(1 for _ in VideoReader(clip).frames())
    return rates | {"s2d_fps": count / (time.perf_counter() - started)}


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--clip", type=Path)
    args = parser.parse_args()
    print(json.dumps(compare_decoders(args.clip) if args.clip else read_long(args.minutes)))


if __name__ == "__main__":
    main()
