"""Frames a second of the animator by torch and onnxruntime, of `s2d animate` and of `s2d live`; prints one JSON object.

    python benchmarks/export.py --config tiny --sizes 128 256 --threads 2
    python benchmarks/export.py --config small --sizes 128 --driving some.mp4     # both commands too, on a real clip

The untrained animator has the architecture and so the speed of a trained one: that of a packaged configuration, with
its grid of motion as far as strides go. One frame at a time by torch; by
onnxruntime in as many threads as `s2d animate` takes. Both commands with the exported model and everything that they
do, from loading it to the written video; `animate_landmarks_fps` is driven by the clip's landmarks in a file, so that
nothing is detected but the photo's face.
The models are exported in a temporary folder first, which takes half a minute per size.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
import yaml

from s2d.animation.ahead import ahead
from s2d.animation.animate import animate
from s2d.animation.driver import load_driver
from s2d.animation.export import example
from s2d.animation.live import live
from s2d.animation.source import load_source
from s2d.images import write_image
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.synthetic.clip import astronaut
from s2d.models.animator import Animator, AnimatorConfig
from s2d.models.export import Example, export_onnx
from s2d.models.runtime import OnnxAnimator, Runtime, workers
from s2d.training.run import config_path

CONFIGS = ("tiny", "small")
MOST = 8  # the coarsest stride of motion that an animator can have


def rate(runtime: Runtime, given: Example, runs: int) -> float:
    """Frames a second of `drive` with a source that was encoded once."""
    with torch.inference_mode():
        encoded = runtime.encode_source(given.source, given.points)

    def drive(index: int) -> None:
        with torch.inference_mode():
            runtime.drive(encoded, given.driving[index % 2 : index % 2 + 1])

    threads = workers(runtime)
    list(ahead(drive, range(3 * threads), threads))  # the first ones warm up
    started = time.perf_counter()
    list(ahead(drive, range(runs), threads))
    return runs / (time.perf_counter() - started)


def architecture(name: str, size: int) -> AnimatorConfig:
    """That of a packaged configuration at any size."""
    settings = yaml.safe_load(config_path(name).read_text(encoding="utf-8"))
    own = AnimatorConfig(**settings["model"].get("animator", {}), size=settings["data"]["size"])
    return replace(own, motion_stride=min(own.motion_stride * size // own.size, MOST), size=size)


def measure(name: str, size: int, runs: int, driving: Path | None) -> dict[str, object]:
    """Both runtimes at one size."""
    model = Animator(architecture(name, size)).eval()
    with tempfile.TemporaryDirectory() as folder:
        photo, path = Path(folder) / "astronaut.png", Path(folder) / "model.onnx"
        write_image(photo, astronaut())
        given = example(load_source(photo, make_detector(), size))
        difference = export_onnx(path, model, given, trained=False)
        exported = OnnxAnimator(path)
        result: dict[str, object] = {
            "size": size,
            "config": name,
            "file_mb": path.stat().st_size / 1e6,
            "difference": difference,
            "torch_fps": rate(model, given, runs),
            "onnxruntime_fps": rate(exported, given, runs),
        }
        if driving is not None:
            started = time.perf_counter()
            made = animate(photo, driving, Path(folder) / "moved.mp4", checkpoint=path, size=size)
            result["animate_fps"] = made.frames / (time.perf_counter() - started)
            landmarks = Path(folder) / "landmarks.npy"
            np.save(landmarks, load_driver(driving, make_detector(), size).points)
            started = time.perf_counter()
            made = animate(photo, landmarks, Path(folder) / "moved.mp4", checkpoint=path, size=size)
            result["animate_landmarks_fps"] = made.frames / (time.perf_counter() - started)
            result["live"] = asdict(live(photo, driving=driving, out=Path(folder) / "live.mp4", model=path))
    return result


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--config", choices=CONFIGS, default="tiny")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--driving", type=Path, help="a clip for animate and live")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    results = [measure(args.config, size, args.runs, args.driving) for size in args.sizes]
    print(json.dumps({"threads": args.threads, "results": results}, indent=1))


if __name__ == "__main__":
    main()
