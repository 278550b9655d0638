"""One photo and a sequence of landmarks in, a video of that face out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from s2d import geometry, progress
from s2d.animation.driver import Driver, load_driver
from s2d.animation.source import SourceFace, load_source
from s2d.errors import S2DError, UsageError
from s2d.files import check_writable
from s2d.geometry import Float32, Image
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.draw import draw_landmarks
from s2d.landmarks.retarget import retarget
from s2d.models.runtime import Runtime, load_runtime
from s2d.video import VideoWriter
from s2d.video.writer import CLOCK

BATCH = 8
MIN_SIZE, MAX_SIZE = 64, 2048


@dataclass(frozen=True)
class Animation:
    """What was made."""

    out: Path
    """The MP4."""
    frames: int
    """Number of frames written."""
    fps: float
    """Average frames per second, as in the driver."""
    size: int
    """Height of the video in pixels; also its width, unless side by side."""
    track: str
    """The driving track: name within the video, or track_id of the data set."""
    trained: bool
    """Whether a checkpoint was used; otherwise the analytic prior alone moved the photo."""


def animate(
    source: str | Path,
    driving: str | Path,
    out: str | Path,
    *,
    checkpoint: str | Path | None = None,
    runtime: str | None = None,
    detector: str = "mesh",
    mode: str = "relative",
    side_by_side: bool = False,
    size: int | None = None,
    track: str | None = None,
) -> Animation:
    """Animate the largest face of the photo `source` by the landmarks of `driving`; write an MP4 to `out`.

    `driving` is a video, a data set folder or a frames file of one; `track` chooses among its faces (the longest by
    default). Without a `checkpoint` the analytic prior moves the photo; `runtime` is "torch", or "onnx" for a file of
    `s2d export`, by default what the file's ending says. `mode` is "relative" (the driver's motion on
    the source's face shape) or "absolute" (the driver's landmarks as they are). The model runs at its own resolution;
    its motion is applied to the photo at `size` pixels (default: the face's size in the photo, at most 512).
    `side_by_side` writes source | driving | result. The folder of `out` is made if it is missing.

    Raises UsageError for a `size` that is odd or out of range, S2DError for unreadable input, no face, no such track,
    no checkpoint, or an `out` that cannot be written; that is found out before the driver is read.
    """
    _check(size, out)
    model, trained = load_runtime(checkpoint, runtime)
    finder = make_detector(detector)
    face = load_source(source, finder, size)
    check_writable(out)
    driver = load_driver(driving, finder, face.size, track)
    points = _driving_points(face, driver, mode)
    panels = 3 if side_by_side else 1
    with VideoWriter(out, panels * face.size, face.size, driver.fps, synthetic=True) as writer:
        results = progress.track(render(model, face, points), "animating", total=len(points))
        beside = _driving_panels(driver, face.size) if side_by_side else None
        for result, time in zip(results, _ticking(driver.times), strict=True):
            writer.write(result if beside is None else np.hstack([face.image, next(beside), result]), time)
    return Animation(Path(out), len(points), driver.fps, face.size, driver.name, trained)


def render(model: Runtime, face: SourceFace, points: Float32) -> Iterator[Image]:
    """Frames (size, size, 3) of the source moved to landmarks `points` (T, 70, 2), both in pixels of its crop."""
    whole, side = geometry.Crop(0, 0, face.size), model.config.size
    full = picture_tensor(face.image)
    small = full if face.size == side else picture_tensor(whole.image(face.image, side))
    targets = normalised(whole.points(points, side), side)
    with torch.inference_mode():
        encoded = model.encode_source(small, normalised(whole.points(face.points, side), side)[None])
    for start in range(0, len(points), BATCH):
        with torch.inference_mode():
            images = model.render(full, model.drive(encoded, targets[start : start + BATCH]))
        yield from (images * 255).round().byte().permute(0, 2, 3, 1).numpy()


def _check(size: int | None, out: str | Path) -> None:
    if size is not None and not (MIN_SIZE <= size <= MAX_SIZE and size % 2 == 0):
        raise UsageError(f"size {size}", "it does not suit a video", f"give an even number, {MIN_SIZE} to {MAX_SIZE}")
    if Path(out).suffix.lower() != ".mp4":
        raise S2DError(f"cannot write {out}", "animations are MP4 files", "choose a path that ends in .mp4")


def _ticking(times: npt.NDArray[np.float64]) -> list[float]:
    """Ascending seconds, counted from the first, on the writer's clock: what falls on one tick goes on to the next.

    >>> [round(second * CLOCK) for second in _ticking(np.array([2.0, 2.0, 2.000001, 2.5]))]
    [0, 1, 2, 45000]
    """
    count = np.arange(len(times))
    ticks = np.rint((times - times[0]) * CLOCK).astype(np.int64)
    ascending = np.maximum.accumulate(ticks - count) + count
    return [tick / CLOCK for tick in ascending.tolist()]


def _driving_points(face: SourceFace, driver: Driver, mode: str) -> Float32:
    """Targets in pixels of the source's crop."""
    scale = face.size / driver.size
    driving = geometry.Crop(0, 0, driver.size).points(driver.points, face.size) if scale != 1 else driver.points
    return retarget(face.points, driving, mode)


def _driving_panels(driver: Driver, size: int) -> Iterator[Image]:
    """The driver's pictures, or its landmarks on black where the data set holds no pictures."""
    if driver.frames is None:
        points = geometry.Crop(0, 0, driver.size).points(driver.points, size)
        yield from (draw_landmarks(np.zeros((size, size, 3), np.uint8), face) for face in points)
        return
    for picture in driver.frames():
        yield geometry.Crop(0, 0, driver.size).image(picture, size) if driver.size != size else picture


def picture_tensor(image: Image) -> torch.Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255


def normalised(points: Float32, size: int) -> torch.Tensor:
    """Points (..., 2) in pixels of a square picture, as the models take them."""
    return torch.from_numpy(geometry.to_normalized(points, size, size).astype(np.float32))
