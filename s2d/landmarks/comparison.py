"""Methods of landmark tracking side by side on a video: the same detections, the same frames, the same figures.

To add a method: write a function from a track and its frames to points (T, 70, 2) and name it in METHODS, or, if it is
not to be compared unless it is asked for, in ALL_METHODS. The frames
come as they are read; a method that needs none leaves them alone and nothing is decoded.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from s2d import progress
from s2d.errors import S2DError
from s2d.geometry import Array, Float32, Floats, Image
from s2d.landmarks import jitter, layout
from s2d.landmarks.alignment import align
from s2d.landmarks.detectors.base import Detector, Face, for_shot
from s2d.landmarks.detectors.given import GivenLandmarks
from s2d.landmarks.extract import find_tracks, track_frames
from s2d.landmarks.filters import Filter, MovingAverage, OneEuro, RauchTungStriebel, SavitzkyGolay
from s2d.landmarks.online import OnlineAligner
from s2d.landmarks.synthetic import SyntheticClip, write_clip
from s2d.landmarks.synthetic.files import variant_name
from s2d.landmarks.tracking import Track
from s2d.video import VideoReader

Frames = Callable[[], Iterator[Image]]  # reads the frames of a track once more, one by one
Method = Callable[[Track, Iterable[Image]], Floats]


def filtered(smooth: Filter) -> Method:
    """The method that filters the detections and never looks at the picture."""
    return lambda track, frames: smooth(track.raw, track.times)


def online(lag: int) -> Method:
    """The online aligner, `lag` frames late."""

    def follow(track: Track, frames: Iterable[Image]) -> Float32:
        aligner, points = OnlineAligner(lag), np.full(track.raw.shape, np.nan, np.float32)
        given = zip(frames, track.raw, track.times, strict=True)
        answers = [aligner.update(frame, raw, float(moment)) for frame, raw, moment in given]
        for answer in [*answers, *aligner.finish()]:
            if answer is not None:
                points[answer.number] = answer.points
        return points

    return follow


METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {
        "raw": lambda track, frames: track.raw,
        "aligned": lambda track, frames: align(track, frames).points,
        "one_euro": filtered(OneEuro()),
        "savgol": filtered(SavitzkyGolay()),
        "moving_average": filtered(MovingAverage()),
        "rts": filtered(RauchTungStriebel()),
    }
)
ALL_METHODS: MappingProxyType[str, Method] = MappingProxyType(
    {**METHODS, "online_lag0": online(0), "online_lag2": online(2)}  # the online aligner only when it is asked for
)
ANOTHER_FACE = 1.0  # mean distance to the truth, in inter-ocular distances, beyond which a track is of something else


class KnownMotion(Protocol):
    """Exactly known landmarks of a whole video: a `SyntheticClip`, or the `Truth` read from a file."""

    @property
    def truth(self) -> Float32:
        """(T, 70, 2) frame pixels."""

    @property
    def visible(self) -> npt.NDArray[np.bool_]:
        """(T, 70) False for what no picture shows."""

    @property
    def dropped(self) -> npt.NDArray[np.bool_]:
        """(T,) True where the detection is to be lost."""


@dataclass(frozen=True)
class Footage:
    """A track of T frames from anywhere, a video or a data set, with all that its methods are measured by."""

    name: str
    track: Track
    frames: Frames | None
    """In whose pixels the landmarks are; None where no pictures are stored."""
    truth: Float32 | None = None
    """(T, 70, 2) where it is known."""
    visible: npt.NDArray[np.bool_] | None = None
    """(T, 70) where the truth can be seen."""
    detection: float | None = None
    """Milliseconds that the detector took for a frame."""
    stored: Mapping[str, Float32] = field(default_factory=dict)
    """Points (T, 70, 2) by method that are there already and are not made again."""


@dataclass(frozen=True)
class ComparedTrack:
    """One face in T frames, followed by several methods."""

    name: str
    """Video, shot and face."""
    times: Array
    """(T,) seconds."""
    points: Mapping[str, Float32]
    """By method: (T, 70, 2) frame pixels."""
    truth: Float32 | None
    """(T, 70, 2) where it is known."""
    figures: Mapping[str, jitter.Figures]
    """By method, the figures of `jitter.METRICS`."""
    frames: Frames | None = None
    """Reads the T frames again, in whose pixels the points are; None where no pictures are stored."""
    first: int = 0
    """Number of its first frame in the video."""


@dataclass(frozen=True)
class Comparison:
    """Several tracks of one or more videos."""

    tracks: Sequence[ComparedTrack]

    @property
    def methods(self) -> dict[str, jitter.Figures]:
        """Each method's figures: means over tracks, weighted by their frames."""
        names = list(self.tracks[0].figures) if self.tracks else []
        return {name: self._pooled(name) for name in names}

    def _pooled(self, method: str) -> jitter.Figures:
        pooled: jitter.Figures = {}
        for key in jitter.METRICS:
            pairs = [(track.figures[method].get(key), len(track.times)) for track in self.tracks]
            known = [(value, weight) for value, weight in pairs if value is not None]
            total = sum(weight for _, weight in known)
            pooled[key] = sum(value * weight for value, weight in known) / total if total else None
        return pooled


def best(name: str, values: Mapping[str, float | None]) -> set[str]:
    """Of the methods that have a value of the figure `name`, those nearest to its goal; none without a contest.

    >>> sorted(best("gain_lid", {"raw": 0.9, "aligned": 1.05, "other": None}))
    ['aligned']
    >>> best("ms_per_frame", {"raw": 10.0, "aligned": 5.0})
    set()
    """
    goal = jitter.METRICS[name].goal
    known = {method: value for method, value in values.items() if value is not None}
    if goal is None or len(set(known.values())) < 2:
        return set()
    nearest = min(abs(value - goal) for value in known.values())
    return {method for method, value in known.items() if abs(value - goal) == nearest}


def compare_video(
    path: str | Path, detector: Detector, clip: KnownMotion | None = None, methods: Mapping[str, Method] = METHODS
) -> Comparison:
    """All methods on all faces of a video; with the truth of the `clip` that it shows, against that as well.

    Time of "raw" is the detector's, of the others what they add to it; decoding counts for none.
    Raises S2DError when the file is no readable video, or has another number of frames than the truth. A video without
    a face gives no tracks.
    """
    with VideoReader(path) as reader:
        if clip is not None and len(clip.truth) != len(reader):
            why = f"the video has {len(reader)} frames, its truth {len(clip.truth)}"
            raise S2DError(f"cannot measure {path} against its truth", why, "remove one that is not the other's")
        timed = _Timed(detector, clip.dropped if clip else None)
        tracks = find_tracks(reader, timed).tracks
        found_here = not isinstance(detector, GivenLandmarks)
        detection = 1000 * timed.seconds / max(1, len(reader)) if found_here else None
        compared = [compare_track(_footage(reader, track, clip, detection), methods) for track in tracks]
    return Comparison([track for track in compared if track is not None])


def compare_given(
    path: str | Path, points: Floats, clip: KnownMotion | None = None, methods: Mapping[str, Method] = METHODS
) -> Comparison:
    """`compare_video` with landmarks (T, 68 or 70, 2) in the detector's place, a row for each frame, NaN where missed.

    Raises S2DError also when the video has another number of frames.
    """
    with VideoReader(path) as reader:
        count = len(reader)
    if len(points) != count:
        why = f"the video has {count} frames, the landmarks {len(points)} rows"
        raise S2DError(f"cannot measure {path} by its landmarks", why, "give one row per frame, NaN where missed")
    return compare_video(path, GivenLandmarks(points), clip, methods)


def compare_clip(clip: SyntheticClip, detector: Detector, methods: Mapping[str, Method] = METHODS) -> Comparison:
    """`compare_video` on a synthetic clip, through a real H.264 file that is removed afterwards.

    The frames that its tracks read again are the clip's own, without H.264's losses.
    """
    with _written(clip) as path:
        tracks = compare_video(path, detector, clip, methods).tracks
    return Comparison([replace(track, frames=_rendered(clip, track.times)) for track in tracks])


def find_clip(clip: SyntheticClip, detector: Detector) -> list[Track]:
    """The tracks of a clip's face as the methods of `compare_clip` get them: from H.264, detections dropped."""
    with _written(clip) as path, VideoReader(path) as reader:
        tracks = find_tracks(reader, _Timed(detector, clip.dropped)).tracks
    return [track for track in tracks if _same_face(track.raw, clip.truth[track.frames])]


@contextmanager
def _written(clip: SyntheticClip) -> Iterator[Path]:
    """The clip as a video file, for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{variant_name(clip)}-{clip.seed}.mp4"
        write_clip(clip, path)
        yield path


def compare_track(footage: Footage, methods: Mapping[str, Method] = METHODS) -> ComparedTrack | None:
    """Run and measure all methods on one track; None when it is not the face whose truth is known.

    Without frames there are no figures against the picture, and a method that asks for frames raises S2DError.
    """
    track, truth = footage.track, footage.truth
    if truth is not None and not _same_face(track.raw, truth):
        return None
    points: dict[str, Float32] = {}
    milliseconds: dict[str, float | None] = {}
    for name, method in methods.items():
        if name in footage.stored:
            points[name], milliseconds[name] = footage.stored[name], None
        else:
            points[name], taken = _run(method, footage)
            milliseconds[name] = footage.detection if name == "raw" else taken
    frames = None
    if footage.frames is not None:
        frames = progress.track(footage.frames(), f"measuring {footage.name}", len(track.frames))
    figures = jitter.compare(points, track.times, frames=frames, truth=truth, visible=footage.visible, anchor=track.raw)
    for name, value in milliseconds.items():
        figures[name]["ms_per_frame"] = value
    return ComparedTrack(footage.name, track.times, points, truth, figures, footage.frames, int(track.frames[0]))


def _run(method: Method, footage: Footage) -> tuple[Float32, float]:
    """Points of a method, and its milliseconds per frame without those that the frames took to be made."""
    decoded = _Stopwatch(footage.frames() if footage.frames is not None else _NoPictures(footage.name))
    started = time.perf_counter()
    points = np.asarray(method(footage.track, decoded), np.float32)
    seconds = time.perf_counter() - started - decoded.seconds
    return points, 1000 * seconds / len(footage.track.frames)


class _NoPictures(Iterator[Image]):
    """Frames that are not there: only a method that asks for them fails."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __next__(self) -> Image:
        why = "no pictures are stored"
        raise S2DError(f"cannot follow the face of {self._name}", why, "choose methods that need none")


def _footage(reader: VideoReader, track: Track, clip: KnownMotion | None, detection: float | None) -> Footage:
    return Footage(
        name=f"{Path(reader.path).name}, shot {track.shot}, face {track.face}",
        track=track,
        frames=lambda: track_frames(reader, track),
        truth=clip.truth[track.frames] if clip else None,
        visible=clip.visible[track.frames] if clip else None,
        detection=detection,
    )


def _rendered(clip: SyntheticClip, times: Array) -> Frames:
    start = int(np.abs(clip.times - times[0]).argmin())
    return lambda: islice(clip.frames(), start, start + len(times))


def _same_face(points: Floats, truth: Floats) -> bool:
    distance = np.linalg.norm(points - truth, axis=-1) / layout.interocular(truth)[:, None]
    return bool(np.nanmean(distance) < ANOTHER_FACE)


class _Stopwatch:
    """Frames that remember how long they took to make."""

    def __init__(self, frames: Iterator[Image]) -> None:
        self._frames, self.seconds = frames, 0.0

    def __iter__(self) -> Iterator[Image]:
        while True:
            started = time.perf_counter()
            frame = next(self._frames, None)
            self.seconds += time.perf_counter() - started
            if frame is None:
                return
            yield frame


class _Timed:
    """A detector that counts its seconds, and that misses the face in the frames marked as `dropped` (T,)."""

    def __init__(self, detector: Detector, dropped: npt.NDArray[np.bool_] | None) -> None:
        self.name, self.version = detector.name, detector.version
        self.seconds = 0.0
        self._detector, self._following, self._dropped, self._seen = detector, detector, dropped, 0

    def follow(self) -> _Timed:
        self._following = for_shot(self._detector)
        return self

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        started = time.perf_counter()
        faces = self._following.detect(frames)
        self.seconds += time.perf_counter() - started
        if self._dropped is not None:
            lost = self._dropped[self._seen : self._seen + len(frames)]
            faces = [[] if gone else found for gone, found in zip(lost.tolist(), faces, strict=True)]
        self._seen += len(frames)
        return faces
