"""Speed of `s2d curate` on 512-pixel, 30-fps clips of one face: by stage, end to end, in one process and in two.

    python benchmarks/curate.py [--clips 4] [--frames 600] [--size 512] [--detector mesh] [--input VIDEO ...]

Prints one JSON object. The clips are made first, of scikit-image's astronaut, each played forwards and back. Stage
times come from the code that curates, run in this very process with its functions wrapped from outside; time in a
nested stage counts for that stage alone. "decode" is what the reader is waited for, in both passes over a video: decord
decodes ahead in a thread of its own. End to end is the whole run with its spawned processes; "start_seconds" of it pass
before all of them have their modules and models, measured in a run of its own with nothing to do. "fps",
"times_real_time" and "speedup" count the start, those of "running_" do not. Beside every time stands that of the
processor alone ("cpu"), which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from s2d import progress
from s2d.curation.config import CurationConfig
from s2d.curation.executors import LocalExecutor
from s2d.curation.executors.base import Item, Result
from s2d.curation.pipeline import curate
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.synthetic import make_clip
from s2d.video import VideoWriter

FIRST_SEED = 101
STAGES = {  # functions and methods, by the module through which the product calls them
    "open": ("s2d.curation.worker:file_sha256", "s2d.video.reader:index_video"),
    "shots": ("s2d.video.cuts:ShotDetector.update", "s2d.video.cuts:ShotDetector.cuts"),
    "detect": ("s2d.landmarks.detectors.mesh:MeshDetector.detect", "s2d.landmarks.detectors.mesh:MeshFollower.detect"),
    "track": ("s2d.landmarks.extract:build_tracks",),
    "flow": ("s2d.landmarks.flow:FlowEngine.view", "s2d.landmarks.flow:FlowEngine.link"),
    "solve": ("s2d.curation.worker:align",),
    "quality": (
        "s2d.curation.quality:PictureMeter.update", "s2d.curation.quality:of_detections",
        "s2d.curation.quality:of_frames", "s2d.curation.quality:of_track",
    ),
    "survey": (
        "s2d.curation.worker:Survey.update", "s2d.curation.worker:Survey.measures",
        "s2d.curation.pipeline:Copies.settle",
    ),
    "crop": ("s2d.geometry:Crop.image",),
    "encode": ("s2d.curation.worker:encode_jpeg",),
    "write": (
        "s2d.curation.worker:_table", "s2d.shards.writer:FramesWriter.write", "s2d.shards.writer:FramesWriter.__exit__",
        "s2d.curation.staging:Staging.store", "s2d.curation.pipeline:_Queue._publish",
    ),
}  # fmt: skip
DECODE = "s2d.video.reader:decode"
REST = "rest"


class Stopwatch:
    """Seconds by stage: what is called inside a stage and is one itself counts for itself only."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()
        """Of this thread alone."""
        self._running = [REST]
        self._since = time.perf_counter(), time.thread_time()

    def switch(self, stage: str | None) -> None:
        """Enter a stage, or leave the innermost one with None."""
        now = time.perf_counter(), time.thread_time()
        self.seconds[self._running[-1]] += now[0] - self._since[0]
        self.cpu[self._running[-1]] += now[1] - self._since[1]
        self._since = now
        if stage is None:
            self._running.pop()
        else:
            self._running.append(stage)

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **options: Any) -> Any:  # noqa: ANN401
            self.switch(stage)
            try:
                return function(*args, **options)
            finally:
                self.switch(None)

        return run

    def stream(self, stage: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """For a generator: the time until each item, not what is done with it."""

        @functools.wraps(function)
        def run(*args: Any, **options: Any) -> Iterator[Any]:  # noqa: ANN401
            items = function(*args, **options)
            step = self.timed(stage, lambda: next(items, None))
            while (item := step()) is not None:
                yield item

        return run


def wrap(place: str, by: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace `module:name` or `module:Class.method`; fails loudly when the product no longer has it."""
    module, names = place.split(":")
    *path, last = names.split(".")
    owner = functools.reduce(getattr, path, importlib.import_module(module))
    setattr(owner, last, by(getattr(owner, last)))


class InProcess:
    """Runs everything here, where it can be watched."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        for item in items:
            yield item, function(item)


def measure_stages(inputs: list[Path], out: Path, config: CurationConfig) -> dict[str, Any]:
    """Frames a second and milliseconds a frame of each stage; the first clip is curated once before, to warm up."""
    curate(inputs[:1], out / "warm", config, InProcess())
    watch = Stopwatch()
    wrap(DECODE, functools.partial(watch.stream, "decode"))
    for stage, places in STAGES.items():
        for place in places:
            wrap(place, functools.partial(watch.timed, stage))
    watch.switch(REST)
    started = time.perf_counter()
    frames = frames_of(curate(inputs, out / "stages", config, InProcess()).videos)
    seconds = time.perf_counter() - started
    watch.switch(None)
    per_stage = {
        stage: {
            "ms_per_frame": round(1e3 * spent / frames, 2),
            "cpu_ms_per_frame": round(1e3 * watch.cpu[stage] / frames, 2),
            "fps": round(frames / spent, 1),
        }
        for stage, spent in sorted(watch.seconds.items(), key=lambda pair: -pair[1])
    }
    return {"frames": frames, "fps": round(frames / seconds, 1), "stages": per_stage}


def frames_of(videos: Any) -> int:  # noqa: ANN401 - a pandas table
    return int(videos["frames"].sum())


class Start:
    """All that a worker does before its first video."""

    def __init__(self, detector: str) -> None:
        self._detector = detector

    def __call__(self, _item: int) -> str:
        importlib.import_module("s2d.curation.worker")
        return make_detector(self._detector).name


def start_seconds(workers: int, detector: str) -> float:
    started = time.perf_counter()
    for _ in LocalExecutor(workers).map(Start(detector), range(workers)):
        pass
    return time.perf_counter() - started


def measure_runs(inputs: list[Path], out: Path, config: CurationConfig) -> dict[str, Any]:
    """Whole runs in one process and in two."""
    rates: dict[str, Any] = {}
    for workers in (1, 2):
        start = start_seconds(workers, config.detector)
        started, cpu_before = time.perf_counter(), _cpu_of_children()
        videos = curate(inputs, out / f"run-{workers}", config, LocalExecutor(workers)).videos
        seconds, cpu = time.perf_counter() - started, _cpu_of_children() - cpu_before
        footage = float(videos["seconds"].sum())
        rates[f"processes_{workers}"] = {
            "seconds": round(seconds, 2),
            "start_seconds": round(start, 2),
            "cpu_seconds": round(cpu, 2),
            "fps": round(frames_of(videos) / seconds, 1),
            "times_real_time": round(footage / seconds, 2),
            "running_fps": round(frames_of(videos) / (seconds - start), 1),
            "running_times_real_time": round(footage / (seconds - start), 2),
            "kept": int((videos.outcome == "kept").sum()),
        }
    for name, figure in {"speedup": "fps", "running_speedup": "running_fps"}.items():
        rates[name] = round(rates["processes_2"][figure] / rates["processes_1"][figure], 2)
    return rates


def _cpu_of_children() -> float:
    """Seconds of processor time of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def make_clips(folder: Path, count: int, frames: int, size: int, fps: float = 30.0) -> list[Path]:
    """Clips of different content, two for the time of one: as it is, and mirrored."""
    folder.mkdir()
    paths = [folder / f"{number}.mp4" for number in range(count)]
    for first in range(0, count, 2):
        clip = make_clip(frames=(frames + 1) // 2, size=size, fps=fps, seed=FIRST_SEED + first)
        with ExitStack() as stack:
            writers = [
                stack.enter_context(VideoWriter(path, size, size, clip.fps, synthetic=True))
                for path in paths[first : first + 2]
            ]
            there = list(clip.frames())
            for frame in [*there, *there[::-1]][:frames]:
                for writer, seen in zip(writers, (frame, frame[:, ::-1]), strict=False):
                    writer.write(np.ascontiguousarray(seen))
    return paths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--detector", default="mesh")
    parser.add_argument("--input", type=Path, nargs="+", help="these videos instead of clips")
    parser.add_argument("--stages-only", action="store_true", help="no whole runs in processes of their own")
    args = parser.parse_args()
    progress.quiet = True
    config = CurationConfig(detector=args.detector)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        inputs = args.input or make_clips(out / "clips", args.clips, args.frames, args.size)
        result: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)), "load_before": round(os.getloadavg()[0], 2)}
        result["end_to_end"] = {} if args.stages_only else measure_runs(inputs, out, config)
        result["in_one_process"] = measure_stages(inputs, out, config)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
