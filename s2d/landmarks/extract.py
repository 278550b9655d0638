"""From a video file to aligned face tracks, in two passes: find and track all faces, then align each track.

Pass 1 needs every frame once for the detector; pass 2 needs the frames of a track again, because a track's steady
crop is known only when the track is. Both stream: no more than a batch of frames is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from s2d import progress
from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.landmarks.alignment import Aligned, AlignmentParameters, align
from s2d.landmarks.detectors.base import Detector, Face, for_shot
from s2d.landmarks.tracking import MARGIN, Track, build_tracks
from s2d.video import VideoReader, shots, with_starts

MIN_FRAMES = 5  # a face that is found less often is a chance, unless somebody asks for it


@dataclass(frozen=True)
class FoundTracks:
    """The faces of one video."""

    tracks: list[Track]
    """By shot, then in order of first appearance."""
    frames: int
    """Frames that were looked at."""
    frames_with_face: int
    """Frames with at least one detection, in a track or not."""
    shots: int
    """Shots in them."""
    dropped: int
    """Faces that were seen too briefly to make a track."""


def find_tracks(
    reader: VideoReader,
    detector: Detector,
    *,
    batch: int = 16,
    min_frames: int = MIN_FRAMES,
    max_seconds: float = 60.0,
    margin: float = MARGIN,
    first: int = 0,
    stop: int | None = None,
    look: Callable[[Image], None] | None = None,
) -> FoundTracks:
    """Pass 1: decode once, find shots and faces, join them into tracks; options as in `build_tracks`.

    Only frames `first` to `stop` - 1 are read (default: all); frame numbers and times stay those of the video.
    `look` is shown each of them as it passes. Raises S2DError when they do not all decode.
    """
    times = reader.times[first:stop]
    frames = progress.track(reader.frames(first, stop), f"finding faces in {Path(reader.path).name}", len(times))
    detections, starts = _detect(frames if look is None else _shown(frames, look), detector, batch)
    ranges = shots(starts, len(detections))
    found = build_tracks(detections, times, ranges, min_frames=min_frames, max_seconds=max_seconds, margin=margin)
    with_face = sum(bool(faces) for faces in detections)
    kept = [replace(track, frames=track.frames + first) for track in found.kept]
    return FoundTracks(kept, len(detections), with_face, len(ranges), found.dropped)


def _detect(frames: Iterable[Image], detector: Detector, batch: int) -> tuple[list[list[Face]], list[int]]:
    """Faces of each frame, and the frames that shots begin with. No shot has any influence on another."""
    detections: list[list[Face]] = []
    starts: list[int] = []
    waiting: list[Image] = []
    following = detector
    for frame, starts_shot in with_starts(frames):
        if waiting and (starts_shot or len(waiting) == batch):
            detections += following.detect(waiting)
            waiting = []
        if starts_shot:
            starts.append(len(detections))
            following = for_shot(detector)
        waiting.append(frame)
    return detections + (following.detect(waiting) if waiting else []), starts


def _shown(frames: Iterable[Image], look: Callable[[Image], None]) -> Iterator[Image]:
    for frame in frames:
        look(frame)
        yield frame


def extract_tracks(
    path: str | Path, detector: Detector, parameters: AlignmentParameters | None = None, *, min_frames: int = MIN_FRAMES
) -> Iterator[tuple[Track, Aligned]]:
    """Both passes over a video file; yields each track with its aligned landmarks, in frame pixels.

    Raises S2DError when the file is no readable video. A video without a face yields nothing.
    """
    with VideoReader(path) as reader:
        for track in find_tracks(reader, detector, min_frames=min_frames).tracks:
            frames = progress.track(
                track_frames(reader, track), f"aligning track {track.shot}.{track.face}", len(track.frames)
            )
            yield track, align(track, frames, parameters)


def track_frames(reader: VideoReader, track: Track) -> Iterator[Image]:
    """The T frames of a track, (H, W, 3) RGB, read from its video one by one."""
    return reader.frames(int(track.frames[0]), int(track.frames[-1]) + 1)


def largest_face(image: Image, detector: Detector, asked: str) -> Face:
    """The largest face of an RGB picture (H, W, 3); raises S2DError, opening with `asked`, when there is none."""
    faces = detector.detect([image])[0]
    if not faces:
        raise S2DError(asked, "no face found in the picture", "give one with a face that is large and upright")
    return faces[0]
