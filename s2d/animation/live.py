"""A live preview: every frame of a camera, or of a file in its place, detected, aligned, animated and shown at once.

While threads paint a frame, the next is already detected. For the first second the driver's face at rest is learnt and
the photo stays as it is; then the motion is blended in. So it is again with a face that comes after the first was lost.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from s2d.animation import advice
from s2d.animation.ahead import ahead
from s2d.animation.driver import LANDMARK_FILES
from s2d.animation.painter import Painter
from s2d.animation.source import check_size, load_source
from s2d.errors import S2DError, UsageError
from s2d.files import check_writable
from s2d.geometry import Array, Float32, Image
from s2d.landmarks.detectors.base import Detector, for_shot
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.neutral import neutral_face
from s2d.landmarks.online import OnlineAligner
from s2d.landmarks.retarget import retarget
from s2d.models.runtime import load_runtime, workers
from s2d.video import VideoReader, VideoWriter
from s2d.video.writer import later

NEUTRAL_SECONDS = 1.0  # the driver's face at rest is looked for in so much: a blink in it does no harm
BLEND_SECONDS = 0.4  # from the photo as it is to the driver's motion
LOST_SECONDS = 0.5  # a face missed for longer is another one, or elsewhere
WINDOW = "s2d live (q ends)"
FPS = 25.0  # declared for a camera's recording; the frames carry their own times


@dataclass(frozen=True)
class LiveResult:
    """What a live preview did, at its real speed."""

    frames: int
    """Frames read."""
    animated: int
    """Frames with a face, which were shown or written."""
    size: int
    """Side of these in pixels."""
    seconds: float
    """From the first frame asked for to the last one shown, everything included."""
    fps: float
    """Frames read per second of these."""
    milliseconds: dict[str, float]
    """Per frame read, by stage: read, detect, align, animate, show; stages run at the same time, so they add up to more
    than the time of a frame."""


def live(
    source: str | Path,
    *,
    camera: int = 0,
    driving: str | Path | None = None,
    out: str | Path | None = None,
    model: str | Path | None = None,
    detector: str = "mesh",
    size: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> LiveResult:
    """Move the largest face of the photo `source` as the largest face before the camera moves, until q or Ctrl-C.

    `driving` is a video file in place of the `camera`, taken as fast as it can be. `out` is an MP4 to write instead of
    showing a window. `model` is a file of s2d export or a checkpoint; without it the analytic prior moves the photo.
    `size` is the side of the moving square in pixels, as in `animate`: smaller ones are faster. What may be wrong with
    the photo is given to `tell`, a line at a time.

    Raises UsageError for a negative camera, a `size` that is odd or out of range, or landmarks in place of a video;
    S2DError for unreadable input, no camera, no window to show in, or a driver without a face.
    """
    if camera < 0:  # OpenCV would end the whole process
        raise UsageError(f"camera {camera}", "cameras are counted from 0", "give 0 or more")
    if Path(driving or "").suffix.lower() in LANDMARK_FILES:
        why = "it is a landmark file, and live takes a video or a camera"
        raise UsageError(f"cannot animate by {driving}", why, "give it to s2d animate")
    check_size(size)
    runtime, _ = load_runtime(model)
    finder = make_detector(detector)
    photo = load_source(source, finder, size)
    advice.told(advice.of_photo(photo, detector), tell)
    painter = Painter(runtime, photo)
    if out is None:
        _check_window()
    else:
        check_writable(out, source, *(file for file in (driving, model) if file is not None))
    with ExitStack() as stack:
        frames = _file_frames(driving) if driving is not None else stack.enter_context(_camera_frames(camera))
        screen = _window() if out is None else _writing(out, painter.face.size)
        result = _run(frames, LiveFace(finder), painter, stack.enter_context(screen))
        if not result.animated:
            asked = f"cannot animate by {driving if driving is not None else f'camera {camera}'}"
            raise S2DError(asked, "no face was seen", "use a picture with a clearly visible face")
    return result


class LiveFace:
    """The largest face of the frames: aligned without delay, its rest taken from the first second that it is there."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self._aligner = for_shot(detector), OnlineAligner(lag=0)
        self._seen = -np.inf
        self._forget()

    def _forget(self) -> None:
        """The next face may be another person's, so nothing of the last one counts, least of all its rest."""
        self._aligner.reset()
        self._first: list[Float32] = []
        self._neutral: Array | None = None
        self._started = self._known = -np.inf  # when its rest began to be learnt, and was known

    def detect(self, frame: Image) -> Float32:
        """(70, 2) frame pixels; NaN where there is no face."""
        faces = self._detector.detect([frame])[0]
        return faces[0].points if faces else np.full((70, 2), np.nan, np.float32)

    def align(self, frame: Image, raw: Float32, moment: float) -> Float32 | None:
        """Aligned landmarks, or None where no face is being followed."""
        if np.isfinite(raw).any():
            if moment - self._seen > LOST_SECONDS:
                self._forget()
            self._seen = moment
        elif moment - self._seen > LOST_SECONDS:
            return None
        found = self._aligner.update(frame, raw, moment)
        return None if found is None else found.points

    def retarget(self, source: Float32, points: Float32, moment: float) -> Float32:
        """The driver's motion from its rest, on the source's face; the source itself while that rest is not known."""
        if self._neutral is None:
            self._started = moment if not self._first else self._started
            self._first.append(points)
            if moment - self._started < NEUTRAL_SECONDS:
                return source
            self._neutral, self._known = neutral_face(np.stack(self._first)), moment
        share = min(1.0, (moment - self._known) / BLEND_SECONDS)
        moved = retarget(source, points[None], neutral=self._neutral)[0]
        blended: Float32 = source + np.float32(share) * (moved - source)
        return blended


class _Stopwatch(defaultdict[str, float]):
    """Seconds by stage, of any thread."""

    def __init__(self) -> None:
        super().__init__(float)
        self._lock = Lock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self[name] += time.perf_counter() - started


class _Window:
    def show(self, picture: Image, _moment: float) -> bool:
        """False when the user has pressed q or closed the window."""
        cv2.imshow(WINDOW, picture[..., ::-1])
        pressed = cv2.waitKey(1) & 0xFF  # it also lets the window system do its work
        return pressed != ord("q") and cv2.getWindowProperty(WINDOW, cv2.WND_PROP_VISIBLE) >= 1


class _File:
    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer
        self._start: float | None = None
        self._last = 0.0

    def show(self, picture: Image, moment: float) -> bool:
        """Always True: a file has no keys."""
        if self._start is None:
            self._start = moment
        else:  # a driver's clock may be finer than the writer's
            self._last = later(self._last, moment - self._start)
        self._writer.write(picture, self._last)
        return True


def _run(
    frames: Iterator[tuple[float, Image]], face: LiveFace, painter: Painter, screen: _Window | _File
) -> LiveResult:
    watch, count, animated = _Stopwatch(), itertools.count(), 0
    started = time.perf_counter()

    def paint(step: tuple[float, Float32]) -> tuple[float, Image]:
        with watch.stage("animate"):
            return step[0], painter.paint(step[1][None])[0]

    targets = _targets(_counted(frames, count), face, painter.face.points, watch)
    with suppress(KeyboardInterrupt):  # Ctrl-C is how a preview ends
        for moment, picture in ahead(paint, targets, workers(painter.model)):
            with watch.stage("show"):
                going_on = screen.show(picture, moment)
            animated += 1
            if not going_on:
                break
    seconds, read = time.perf_counter() - started, next(count)
    stages = {name: 1e3 * spent / max(read, 1) for name, spent in watch.items()}
    return LiveResult(read, animated, painter.face.size, seconds, read / max(seconds, 1e-9), stages)


def _counted(frames: Iterator[tuple[float, Image]], count: Iterator[int]) -> Iterator[tuple[float, Image]]:
    for item in frames:
        next(count)
        yield item


def _targets(
    frames: Iterator[tuple[float, Image]], face: LiveFace, source: Float32, watch: _Stopwatch
) -> Iterator[tuple[float, Float32]]:
    """Seconds and landmarks, on the source's face, of each frame with a face."""
    while True:
        with watch.stage("read"):
            item = next(frames, None)
        if item is None:
            return
        moment, frame = item
        with watch.stage("detect"):
            raw = face.detect(frame)
        with watch.stage("align"):
            points = face.align(frame, raw, moment)
            target = None if points is None else face.retarget(source, points, moment)
        if target is not None:
            yield moment, target


def _file_frames(path: str | Path) -> Iterator[tuple[float, Image]]:
    reader = VideoReader(path)
    return zip(reader.times.tolist(), reader.frames(), strict=False)


@contextmanager
def _camera_frames(number: int) -> Iterator[Iterator[tuple[float, Image]]]:
    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            remedy = "connect one, choose another by --camera, or give a video by --driving"
            raise S2DError(f"cannot open camera {number}", "there is none, or it is in use", remedy)
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # older frames than the last would only be late
        yield _shots(camera)
    finally:
        camera.release()


def _shots(camera: cv2.VideoCapture) -> Iterator[tuple[float, Image]]:
    started = time.monotonic()
    while True:
        good, picture = camera.read()
        if not good:
            return
        yield time.monotonic() - started, np.ascontiguousarray(picture[..., ::-1])


def _check_window() -> None:
    """A window system without a display ends the whole process, so it is not simply tried."""
    remedy = "write a file with --out"
    if not cv2.currentUIFramework():
        raise S2DError("cannot show a window", "this OpenCV is built without windows", remedy)
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise S2DError("cannot show a window", "there is no display", remedy)


@contextmanager
def _window() -> Iterator[_Window | _File]:
    try:
        yield _Window()
    finally:
        cv2.destroyAllWindows()


@contextmanager
def _writing(out: str | Path, size: int) -> Iterator[_Window | _File]:
    with VideoWriter(out, size, size, FPS, synthetic=True) as writer:
        yield _File(writer)
