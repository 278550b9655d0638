"""One photo and a sequence of landmarks in, a video of that face out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from s2d import geometry, progress
from s2d.animation import advice
from s2d.animation.driver import Driver, load_driver
from s2d.animation.painter import Painter
from s2d.animation.paste import Paste
from s2d.animation.source import SourceFace, check_size, load_source
from s2d.errors import UsageError
from s2d.files import check_writable
from s2d.geometry import Float32, Image
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.draw import draw_landmarks
from s2d.landmarks.retarget import check_mode, retarget
from s2d.models.runtime import load_runtime
from s2d.video import VideoWriter
from s2d.video.writer import later

DETECTOR_OPTIONS = {"mesh": {"threads": 2}}  # the same landmarks, 1.5 times as fast; others take all cores anyway


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
    """Side in pixels of the square that moves."""
    width: int
    """Width of the video in pixels."""
    height: int
    """Height of the video in pixels."""
    track: str
    """The driving track: name within the video, or track_id of the data set."""
    sound: str
    """What became of the driver's sound: "copied", "encoded anew" or "none"."""
    trained: bool
    """Whether a checkpoint was used; otherwise the analytic prior alone moved the photo."""
    notes: tuple[str, ...] = ()
    """What may be wrong with the result, a line each; empty where nothing is known to be."""


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
    face: int = 1,
    paste_back: bool = False,
    audio: bool = True,
    fps: float | None = None,
    tell: Callable[[str], None] | None = None,
) -> Animation:
    """Animate a face of the photo `source` by the landmarks of `driving`; write an MP4 to `out`.

    `driving` is a video, a data set folder or a frames file of one; `track` chooses among its faces (the longest by
    default). Or it is a .csv or .npy file of landmarks (`s2d.landmarks.landmark_file`), played at `fps`, by default 25.
    Without a `checkpoint` the analytic prior moves the photo; `runtime` is "torch", or "onnx" for a file of
    `s2d export`, by default what the file's ending says. `mode` is "relative" (the driver's motion on the source's
    face shape) or "absolute" (the driver's landmarks as they are). The model runs at its own resolution; its motion is
    applied to the photo at `size` pixels (default: the face's size in the photo, at most 512). `face` 1 is the largest
    of the photo, 2 the next. `side_by_side` writes source | driving | result. `paste_back` writes the whole photo, in
    its own resolution up to 4096 pixels a side and 9.4 megapixels, with the moving face in it; then `size` is by
    default the face's own, at most 2048. A driving video's sound is kept unless `audio` is False. The folder of `out`
    is made if it is missing. What may be wrong with the result is given to `tell` as soon as it is known, a line at a
    time: of the photo before the driver is read, of the driver before anything is painted.

    Raises UsageError for a `size` that is odd or out of range, a `face` below 1, an `out` that does not end in .mp4, an
    unknown `mode`, a `runtime` that does not run the checkpoint, an `fps` or `track` that `driving` has no use for, or
    `side_by_side` and `paste_back` together; S2DError for unreadable input, no such face or track, no checkpoint, or an
    `out` that cannot be written, which is found out before the driver is read.
    """
    _check(size, out, face, mode, side_by_side and paste_back)
    model, trained = load_runtime(checkpoint, runtime)
    finder = make_detector(detector, **DETECTOR_OPTIONS.get(detector, {}))
    moving = load_source(source, finder, size, face=face, whole=paste_back)
    check_writable(out, *(file for file in (source, driving, checkpoint) if file is not None))
    notes = advice.told(advice.of_photo(moving, detector, pasted=paste_back), tell)
    driver = load_driver(driving, finder, moving.size, track, fps)
    points = _driving_points(moving, driver, mode)
    notes += advice.told(advice.of_driver(moving.points, points, mode), tell)
    results = progress.track(Painter(model, moving, hold=paste_back).frames(points), "animating", total=len(points))
    pictures, height, width = _laid_out(moving, driver, results, side_by_side, paste_back)
    sound = driver.sound() if audio else None
    with VideoWriter(out, width, height, driver.fps, synthetic=True, sound=sound) as writer:
        _write(writer, pictures, driver)
    return Animation(
        out=Path(out),
        frames=len(points),
        fps=round(driver.fps, 6),
        size=moving.size,
        width=writer.size[0],
        height=writer.size[1],
        track=driver.name,
        sound="none" if sound is None or not sound.codec else "copied" if sound.copied else "encoded anew",
        trained=trained,
        notes=tuple(notes),
    )


def _write(writer: VideoWriter, pictures: Iterator[Image], driver: Driver) -> None:
    """Each at the driver's time, counted from its first frame."""
    times = accumulate((driver.times - driver.times[0]).tolist(), later)
    for picture, time in zip(pictures, times, strict=True):
        writer.write(picture, time)


def _check(size: int | None, out: str | Path, face: int, mode: str, twice: bool) -> None:
    check_mode(mode)
    if twice:
        raise UsageError("side by side and pasted back", "the panels show the face's square", "ask for one of them")
    if face < 1:
        raise UsageError(f"face {face}", "faces are counted from 1, the largest", "give 1 or more")
    check_size(size)
    if Path(out).suffix.lower() != ".mp4":
        raise UsageError(f"cannot write {out}", "animations are MP4 files", "choose a path that ends in .mp4")


def _driving_points(face: SourceFace, driver: Driver, mode: str) -> Float32:
    """Targets in pixels of the source's crop."""
    scale = face.size / driver.size
    driving = geometry.Crop(0, 0, driver.size).points(driver.points, face.size) if scale != 1 else driver.points
    return retarget(face.points, driving, mode, times=np.asarray(driver.times))


def _laid_out(
    face: SourceFace, driver: Driver, results: Iterator[Image], side_by_side: bool, paste_back: bool
) -> tuple[Iterator[Image], int, int]:
    """The frames of the video with their height and width: the results, alone or with what goes around them."""
    if side_by_side:
        return _side_by_side(face, driver, results), face.size, 3 * face.size
    if paste_back:
        return map(Paste(face.photo, face.crop).frame, results), *face.photo.shape[:2]
    return results, face.size, face.size


def _side_by_side(face: SourceFace, driver: Driver, results: Iterator[Image]) -> Iterator[Image]:
    for driving, result in zip(_driving_panels(driver, face.size), results, strict=True):
        yield np.hstack([face.image, driving, result])


def _driving_panels(driver: Driver, size: int) -> Iterator[Image]:
    """The driver's pictures, or its landmarks on black where the data set holds no pictures."""
    if driver.frames is None:
        points = geometry.Crop(0, 0, driver.size).points(driver.points, size)
        yield from (draw_landmarks(np.zeros((size, size, 3), np.uint8), face) for face in points)
        return
    for picture in driver.frames():
        yield geometry.Crop(0, 0, driver.size).image(picture, size) if driver.size != size else picture
