"""Peak memory and speed of `s2d animate` by the length of its driver, and for the largest photo that is pasted back.

python benchmarks/animate.py [--minutes 2 6] [--fps 10]

The driver is a made clip played forth and back, 256 x 256 pixels; each run is a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from s2d.animation.paste import LONGEST, MOST_PIXELS
from s2d.images import write_image
from s2d.landmarks.synthetic import make_clip
from s2d.landmarks.synthetic.clip import astronaut
from s2d.video import VideoWriter

ROW = "{:28} {:>7} {:>11} {:>9} {:>9}"


def main() -> None:
    """Make photo and drivers, animate each, print a row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 6])
    parser.add_argument("--fps", type=int, default=10)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_image(place / "photo.png", astronaut())
        large = np.asarray(cv2.resize(astronaut(), (LONGEST, LONGEST), interpolation=cv2.INTER_CUBIC))
        write_image(place / "large.jpg", large)
        print(ROW.format("run", "frames", "pixels", "peak MiB", "seconds"))
        for minutes in args.minutes:
            count = round(minutes * 60 * args.fps)
            driver = _driver(place / "driver.mp4", count, args.fps)
            _row(f"{minutes:g} min at {args.fps} fps", place / "photo.png", driver, ["--size", "128"])
        driver = _driver(place / "driver.mp4", 90, 30)
        _row(f"pasted back, {MOST_PIXELS / 1e6:.1f} megapixels", place / "large.jpg", driver, ["--paste-back"])


def _driver(path: Path, count: int, fps: int) -> Path:
    frames = list(make_clip(frames=120, size=256, variant="calm").frames())
    with VideoWriter(path, 256, 256, fps) as writer:
        for frame in itertools.islice(itertools.cycle(frames + frames[-2:0:-1]), count):
            writer.write(frame)
    return path


def _row(name: str, photo: Path, driver: Path, options: list[str]) -> None:
    """Animate in a child process, which tells its own peak."""
    words = ["animate", "--source", str(photo), "--driving", str(driver), "--out", str(driver.with_name("out.mp4"))]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--child", *words, *options, "--json"], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - started
    made, peak = (json.loads(line) for line in done.stdout.splitlines())
    print(ROW.format(name, made["frames"], f"{made['width']}x{made['height']}", round(peak / 1024), round(seconds)))


def _child(words: list[str]) -> None:
    from s2d.cli import main as command

    code = command(words)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    sys.exit(code)


if __name__ == "__main__":
    _child(sys.argv[2:]) if sys.argv[1:2] == ["--child"] else main()
