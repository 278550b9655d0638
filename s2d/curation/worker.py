"""One video, from file to staged result: what a worker process does again and again."""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa

from s2d import progress
from s2d.curation import quality
from s2d.curation.config import CurationConfig
from s2d.curation.limits import Refusal
from s2d.curation.plan import Source
from s2d.curation.staging import Staging
from s2d.curation.survey import Survey
from s2d.errors import S2DError
from s2d.files import file_sha256, whole_file
from s2d.geometry import Array, Image
from s2d.images import encode_jpeg
from s2d.landmarks.alignment import Aligned, align
from s2d.landmarks.detectors.base import Detector
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.extract import MIN_FRAMES, FoundTracks, find_tracks, track_frames
from s2d.landmarks.tracking import Track
from s2d.shards.writer import FramesWriter, WriteError, frame_table
from s2d.video import VideoReader

KEPT_BYTES = 512 * 2**20  # of frames between the two passes: 22 seconds at 512 x 512 pixels, which saves a decoding
NO_FACE, TOO_BRIEF = "no face found", "faces seen too briefly"


@dataclass
class VideoWorker:
    """Curates one video per call and stages the result; the detector is loaded at the first call and kept.

    A call makes its process a worker: OpenCV computes with one thread there, and no progress bar is drawn.
    """

    config: CurationConfig
    staging: Staging
    _file: _File | None = field(default=None, init=False, repr=False)

    @cached_property
    def detector(self) -> Detector:
        """The detector of this process."""
        return make_detector(self.config.detector)

    def __call__(self, source: Source) -> str:
        """Stage the result of `source` and return its outcome; trouble with the video is an outcome, too.

        Raises S2DError for trouble of the run: the detector cannot be loaded, the output cannot be written.
        """
        cv2.setNumThreads(1)  # one worker per core; and the same sums on every machine
        progress.quiet = True
        detector = self.detector
        frames, provenance = self.staging.frames_path(source), self.staging.provenance
        with whole_file(frames) as path, FramesWriter(path, provenance) as writer:
            row, tracks = _Video(source, self.config, detector, writer).judge(self._opened)
        if source.clip is None:
            self._file = None  # nothing else is of this file, and its frames take up to KEPT_BYTES
        self.staging.store(source, row, tracks)
        return str(row["outcome"])

    def _opened(self, source: Source) -> _File:
        """The file of `source`; the one of the clip before, if that was of the same video."""
        which = source.path, source.bytes, source.modified_ns
        if self._file is None or self._file.which != which or source.clip is None:
            self._file = None  # its frames are let go before another video is fetched
        path = self.staging.at_hand(source)
        self._file = self._file or _File(which, path)
        return self._file


@dataclass
class _File:
    """A video file, hashed and indexed once for all clips of it that are worked on in a row."""

    which: tuple[str, int, int]
    """Path or URL, size and time of change."""
    path: Path
    """On this machine."""

    @cached_property
    def sha256(self) -> str:
        return file_sha256(self.path)

    @cached_property
    def reader(self) -> VideoReader:
        return VideoReader(self.path, KEPT_BYTES)


class _Video:
    """The rows of one video in the making."""

    def __init__(self, source: Source, config: CurationConfig, detector: Detector, writer: FramesWriter) -> None:
        self._source, self._config, self._detector, self._writer = source, config, detector, writer
        self._facts: dict[str, Any] = {"sha256": source.sha256}
        self._kept: list[dict[str, Any]] = []
        self._refused: list[tuple[Track, Refusal]] = []

    def judge(self, opened: Callable[[Source], _File]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The video's row and the rows of its tracks, whose frames have been written; a broken video has none."""
        try:
            return self._judged(opened(self._source)), self._kept
        except WriteError:
            raise
        except S2DError as error:
            reason, detail = _countable(error.why), f"{error.why}; {error.remedy}" if error.remedy else error.why
        except Exception as error:  # noqa: BLE001 - whatever a file can do to a decoder costs that file only
            reason, detail = type(error).__name__, _where(error)
        return self._source.row("failed", reason, detail, **self._facts), []

    def _judged(self, file: _File) -> dict[str, Any]:
        self._facts["sha256"] = self._source.sha256 or file.sha256
        reader = file.reader
        first, stop = self._source.clip.frames(reader.times) if self._source.clip else (0, len(reader))
        self._facts |= _about(reader, first, stop)
        refusal = self._config.filters.of_videos.refused(self._facts)
        if refusal is None:
            found = self._find(reader, first, stop)
            refusal = self._config.filters.of_videos.refused(self._facts)
        if refusal is not None:
            return self._filtered(refusal)
        for track in found.tracks:
            self._take(track, reader)
        return self._verdict(found)

    def _find(self, reader: VideoReader, first: int, stop: int) -> FoundTracks:
        clip, least = self._source.clip, self._least_detections()
        survey = Survey(reader, first, stop, clip.box if clip else None)
        found = find_tracks(reader, self._detector, min_frames=least, first=first, stop=stop, look=survey.update)
        counts = {"shots": found.shots, "face_frames": found.frames_with_face, "brief_faces": found.dropped}
        self._facts |= survey.measures() | counts
        return found

    def _least_detections(self) -> int:
        """Faces seen less often make no track; a single frame does where that is asked for."""
        return max(1, min(MIN_FRAMES, math.ceil(self._config.filters.value("min_frames") or MIN_FRAMES)))

    def _take(self, track: Track, reader: VideoReader) -> None:
        """Measure a track, align it, write its frames; what breaks a limit is left out as soon as that is known."""
        row = self._row(track, reader.fps) | quality.of_detections(track) | self._in_box(track, reader)
        refusal = self._config.filters.refused(row)
        if refusal is None:
            passing = _Passing(reader, track, self._config)
            aligned = align(track, passing.frames())
            frames = passing.meter.of_frames() | quality.of_frames(track, aligned)
            row |= quality.of_track(track, aligned.points, frames) | {"motion": passing.meter.motion()}
            refusal = self._config.filters.refused(row)
        if refusal is None:
            self._writer.write(_table(row["track_id"], track, aligned, passing.jpeg, frames, self._config.crop_size))
            self._kept.append({name: _null_for_nan(value) for name, value in row.items()})
        else:
            self._refused.append((track, refusal))

    def _in_box(self, track: Track, reader: VideoReader) -> dict[str, float | None]:
        """Whether a track is of the face that the clip's box is around."""
        clip = self._source.clip
        return {"box_share": clip.box_share(track.boxes, reader.width, reader.height) if clip else None}

    def _row(self, track: Track, fps: float) -> dict[str, Any]:
        content = self._facts["sha256"][:12]
        return {
            "track_id": f"{self._source.stem}-{content}-{track.shot:03}-{track.face:02}",
            "video": self._source.video,
            "identity": self._source.identity,
            "split": self._source.split,
            "fps": fps,
            "start_time": float(track.times[0]),
            "end_time": float(track.times[-1]),
            "seconds": float(track.times[-1] - track.times[0]) + 1.0 / fps,
            "crop_left": track.crop.left,
            "crop_top": track.crop.top,
            "crop_side": track.crop.side,
            "detector": self._detector.name,
            **_span(track),
        }

    def _verdict(self, found: FoundTracks) -> dict[str, Any]:
        self._facts["filtered_tracks"] = [_span(track) | refusal.as_dict() for track, refusal in self._refused]
        if self._kept:
            frames = sum(track["frames"] for track in self._kept)
            return self._source.row("kept", **self._facts, tracks=len(self._kept), track_frames=frames)
        if self._refused:
            _, worst = max(self._refused, key=lambda pair: len(pair[0].frames))
            return self._filtered(worst)
        detail = f"a face in {found.frames_with_face} of {found.frames} frames, and never for long"
        reason = TOO_BRIEF if found.dropped else NO_FACE
        return self._source.row("filtered", reason, detail if found.dropped else "", **self._facts)

    def _filtered(self, refusal: Refusal) -> dict[str, Any]:
        return self._source.row("filtered", detail=refusal.detail, **self._facts, **refusal.as_dict())


class _Passing:
    """The frames of a track on their way to the aligner: measured and, if wanted, cut out and kept as JPEG."""

    def __init__(self, reader: VideoReader, track: Track, config: CurationConfig) -> None:
        self._reader, self._track, self._size = reader, track, config.crop_size
        self.meter = quality.PictureMeter()
        self.jpeg: list[bytes] | None = [] if config.jpeg else None

    def frames(self) -> Iterator[Image]:
        for frame, box in zip(track_frames(self._reader, self._track), self._track.boxes, strict=True):
            cropped = self._track.crop.image(frame, self._size)
            self.meter.update(frame, box, cropped)
            if self.jpeg is not None:
                self.jpeg.append(encode_jpeg(cropped))
            yield frame


def _about(reader: VideoReader, first: int, stop: int) -> dict[str, Any]:
    """What the container says of these frames, with the duration of the last one taken as the average."""
    seconds = float(reader.times[stop - 1] - reader.times[first]) + 1.0 / reader.fps
    size = {"width": reader.width, "height": reader.height}
    return {**size, "fps": float(reader.fps), "frames": stop - first, "seconds": seconds}


def _span(track: Track) -> dict[str, int]:
    first, last = int(track.frames[0]), int(track.frames[-1])
    return {"shot": track.shot, "face": track.face, "start_frame": first, "end_frame": last, "frames": last - first + 1}


def _table(
    track_id: str,
    track: Track,
    aligned: Aligned,
    jpeg: list[bytes] | None,
    measures: Mapping[str, Array],
    size: int,
) -> pa.Table:
    raw, smooth = track.crop.points(track.raw, size), track.crop.points(aligned.points, size)
    return frame_table(track_id, track.frames, track.times, raw, smooth, track.score, track.valid, jpeg, measures)


def _null_for_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _countable(why: str) -> str:
    """Words that repeat, to count videos by.

    >>> _countable("frame 3 of 20 cannot be decoded (damaged data)")
    'frame N of N cannot be decoded (damaged data)'
    """
    return re.sub(r"\d+(\.\d+)?", "N", why)


def _where(error: Exception) -> str:
    """The message of an unforeseen exception, and the line that raised it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return " ".join(f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})".split())
