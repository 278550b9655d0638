"""Methods of landmark tracking side by side on a video: the same detections, the same frames, the same figures.

To add a method: write a function from a track and its frames to points (T, 70, 2) and name it in METHODS. The frames
come as they are read; a method that needs none leaves them alone and nothing is decoded.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from s2d import progress
from s2d.geometry import Array, Float32, Floats, Image
from s2d.landmarks import jitter, layout
from s2d.landmarks.alignment import align
from s2d.landmarks.detectors.base import Detector, Face
from s2d.landmarks.extract import find_tracks
from s2d.landmarks.filters import Filter, MovingAverage, OneEuro, RauchTungStriebel, SavitzkyGolay
from s2d.landmarks.synthetic import SyntheticClip, write_clip
from s2d.landmarks.tracking import Track
from s2d.video import VideoReader

Method = Callable[[Track, Iterable[Image]], Floats]


def filtered(smooth: Filter) -> Method:
    """The method that filters the detections and never looks at the picture."""
    return lambda track, frames: smooth(track.raw, track.times)


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
ANOTHER_FACE = 1.0  # mean distance to the truth, in inter-ocular distances, beyond which a track is of something else


@dataclass(frozen=True)
class ComparedTrack:
    """One face, followed by several methods."""

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


def compare_video(
    path: str | Path, detector: Detector, clip: SyntheticClip | None = None, methods: Mapping[str, Method] = METHODS
) -> Comparison:
    """All methods on all faces of a video; with the `clip` that it shows, against the truth as well.

    Time of "raw" is the detector's, of the others what they add to it; decoding counts for none.
    Raises S2DError when the file is no readable video. A video without a face gives no tracks.
    """
    timed = _Timed(detector, clip.dropped if clip else None)
    with VideoReader(path) as reader:
        tracks = find_tracks(reader, timed).tracks
        detection = 1000 * timed.seconds / len(reader)
        compared = [_compare_track(reader, track, clip, methods, detection) for track in tracks]
    return Comparison([track for track in compared if track is not None])


def compare_clip(clip: SyntheticClip, detector: Detector, methods: Mapping[str, Method] = METHODS) -> Comparison:
    """`compare_video` on a synthetic clip, through a real H.264 file that is removed afterwards."""
    with _written(clip) as path:
        return compare_video(path, detector, clip, methods)


def find_clip(clip: SyntheticClip, detector: Detector) -> list[Track]:
    """The tracks of a clip's face as the methods of `compare_clip` get them: from H.264, detections dropped."""
    with _written(clip) as path, VideoReader(path) as reader:
        tracks = find_tracks(reader, _Timed(detector, clip.dropped)).tracks
    return [track for track in tracks if _same_face(track.raw, clip.truth[track.frames])]


@contextmanager
def _written(clip: SyntheticClip) -> Iterator[Path]:
    """The clip as a video file, for as long as the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.mp4"
        write_clip(clip, path)
        yield path


def _compare_track(
    reader: VideoReader, track: Track, clip: SyntheticClip | None, methods: Mapping[str, Method], detection: float
) -> ComparedTrack | None:
    """Run and measure all methods on one track; None when it is not the face of the clip."""
    truth, visible = (clip.truth[track.frames], clip.visible[track.frames]) if clip else (None, None)
    if truth is not None and not _same_face(track.raw, truth):
        return None
    points, milliseconds = {}, {}
    for name, method in methods.items():
        decoded = _Stopwatch(_frames(reader, track))
        started = time.perf_counter()
        points[name] = np.asarray(method(track, decoded), np.float32)
        seconds = time.perf_counter() - started - decoded.seconds
        milliseconds[name] = detection if name == "raw" else 1000 * seconds / len(track.frames)
    frames = progress.track(_frames(reader, track), "measuring", len(track.frames))
    figures = jitter.compare(points, track.times, frames=frames, truth=truth, visible=visible, anchor=track.raw)
    for name, value in milliseconds.items():
        figures[name]["ms_per_frame"] = value
    return ComparedTrack(f"{Path(reader.path).name} {track.shot}.{track.face}", track.times, points, truth, figures)


def _frames(reader: VideoReader, track: Track) -> Iterator[Image]:
    return reader.frames(int(track.frames[0]), int(track.frames[-1]) + 1)


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
        self._detector, self._dropped, self._seen = detector, dropped, 0

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        started = time.perf_counter()
        faces = self._detector.detect(frames)
        self.seconds += time.perf_counter() - started
        if self._dropped is not None:
            lost = self._dropped[self._seen : self._seen + len(frames)]
            faces = [[] if gone else found for gone, found in zip(lost.tolist(), faces, strict=True)]
        self._seen += len(frames)
        return faces
