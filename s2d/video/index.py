"""What a video file holds, learnt without decoding it: the stamp of every frame that a player would show, in order.

Decision: frames are numbered by demultiplexing the file once and sorting the packets' presentation stamps, and every
decoded frame is then held against its stamp. Counting decoder output instead misaligns silently: frames that an edit
list hides are counted too, reordering shifts key frames, and a lost frame moves all that follow.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from s2d.errors import S2DError
from s2d.video.orientation import Orientation, orientation_of

Stamps = npt.NDArray[np.int64]

MAX_PIXELS = 8192 * 8192  # beyond that the header lies: one such frame takes 200 MB
DECODER_OPTIONS = {"max_pixels": str(MAX_PIXELS)}  # for frames larger than the header has said: they are damage
LONGEST_GAP = 0.5  # seconds a Matroska file may end before the length it declares
PICTURES = ("image2", "tty")  # besides "*_pipe": what FFmpeg opens as a video of one frame, or as an animation of text


@dataclass(frozen=True)
class VideoIndex:
    """A file's video stream; stamps are in units of `time_base` and leave out frames that an edit list hides."""

    path: Path
    stream: int
    """Number of the stream in the file."""
    time_base: Fraction
    """Seconds per unit of a stamp."""
    stamps: Stamps
    """(N,) int64, ascending; equal ones only where the file itself repeats a stamp."""
    keys: Stamps
    """Stamps of the key frames, ascending."""
    rate: Fraction | None
    """Frames per second that the container declares."""
    width: int
    """Stored width in pixels, before the orientation."""
    height: int
    orientation: Orientation
    damage: str
    """Why frames after the last of `stamps` cannot be read; empty when the file is whole."""
    plain: bool
    """H.264, 8-bit 4:2:0, in MP4 or MOV, upright, nothing hidden: what decord decodes exactly (see decoding.py)."""

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def asked(self) -> str:
        """How an error about this file begins."""
        return f"cannot read the video {self.path}"

    def times(self) -> npt.NDArray[np.float64]:
        """Presentation seconds (N,), strictly ascending: a repeated stamp is moved up by one `time_base`."""
        count = np.arange(len(self.stamps))
        ascending = np.maximum.accumulate(self.stamps - count) + count
        return np.asarray(ascending * self.time_base.numerator / self.time_base.denominator, np.float64)


def open_video(path: Path) -> Any:  # noqa: ANN401 (PyAV is not typed here)
    """Open a container for reading, to be used in a `with`; S2DError for what FFmpeg or the system has against it.

    The absolute path and the whitelist keep a name such as `http:x.mp4`, or a playlist dressed up as a video, from
    reaching for anything but this file.
    """
    try:
        options = {"protocol_whitelist": "file"}
        return av.open(os.path.abspath(path), options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        unknown = isinstance(error, av.InvalidDataError) or error.errno == errno.EBUSY  # what it says of an absurd Y4M
        why = "not a video, or one cut off before its index" if unknown else reason(error)
        raise S2DError(f"cannot read the video {path}", why, "give a readable video file") from error


def reason(error: Exception) -> str:
    """What an error of FFmpeg or the operating system means, in few words."""
    if isinstance(error, av.InvalidDataError):
        return "damaged data"
    return getattr(error, "strerror", None) or str(error)


def index_video(path: Path) -> VideoIndex:
    """Index the video at `path`: one pass over its packets, and one decoded frame to learn size and orientation.

    Raises S2DError when there is no such file, it is no video or has no video stream, its stamps are missing or run
    backwards, or its first frame cannot be decoded.
    """
    asked = f"cannot read the video {path}"
    _check_file(path, asked)
    with open_video(path) as container:
        stream = _video_stream(container, asked)
        _check_size(stream.codec_context, asked)
        stream.codec_context.options = DECODER_OPTIONS
        packets = Packets(container, stream)
        found = _scan(packets, stream, asked)
        damage = packets.damage or _missing(container, stream, packets.seen, max(found.shown))
        number, time_base, rate = stream.index, stream.time_base, stream.guessed_rate
        container_suits = stream.codec_context.name == "h264" and "mp4" in container.format.name
    keys, shown = np.sort(np.array(found.keys, np.int64)), np.sort(np.array(found.shown, np.int64))
    stamps = shown[shown >= keys[0]]  # pictures before the first key frame refer to what was cut away
    if len(stamps) == 0:
        raise S2DError(asked, "it holds no frame that can be decoded", "convert or fetch it again")
    plain = container_suits and not damage and _is_plain(found, stamps)
    size = found.first.width, found.first.height
    return VideoIndex(path, number, time_base, stamps, keys, rate, *size, orientation_of(found.first), damage, plain)


def _is_plain(found: _Stamps, stamps: Stamps) -> bool:
    """Frames upright and 8-bit 4:2:0, the first packet the first frame, none hidden or cut away, no stamp twice."""
    frame = found.first
    upright = orientation_of(frame) == Orientation() and frame.rotation == 0
    whole = not found.hidden and len(stamps) == len(found.shown) and found.shown[0] == stamps[0]
    distinct = bool((np.diff(stamps) > 0).all())
    return upright and whole and distinct and frame.format.name in ("yuv420p", "yuvj420p")


def _check_file(path: Path, asked: str) -> None:
    try:
        if not path.exists():
            raise S2DError(asked, "no such file", "check the path")
        if not path.is_file():
            raise S2DError(asked, "a folder or a device, not a file", "name one video file")
        if path.stat().st_size == 0:
            raise S2DError(asked, "the file is empty", "fetch it again")
    except OSError as error:
        raise S2DError(asked, reason(error), "check the path and its permissions") from error


def _video_stream(container: Any, asked: str) -> Any:  # noqa: ANN401
    if container.format.name.endswith("_pipe") or container.format.name in PICTURES:
        raise S2DError(asked, "a still picture or a text, not a video", "give a video such as an MP4")
    covers = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & covers]
    if not streams:
        raise S2DError(asked, "it holds no video stream, only sound or data", "give a file with pictures")
    if streams[0].codec_context is None:
        raise S2DError(asked, "its video codec is not known here", "convert it to H.264 in an MP4")
    return streams[0]


class Packets:
    """Packets of a stream that can be decoded: from the first key frame to the first damage."""

    def __init__(self, container: Any, stream: Any) -> None:  # noqa: ANN401
        self._container, self._stream = container, stream
        self.seen = 0
        """How many packets have come by, those before the first key frame too."""
        self.damage = ""
        """Why the packets ended before the file did; empty at the end of a file."""

    def __iter__(self) -> Iterator[Any]:
        started = False
        try:
            for packet in self._container.demux(self._stream):
                if packet.is_corrupt:
                    self.damage = "the data are damaged, or the file breaks off"
                    return
                self.seen += packet.size > 0
                started = started or packet.is_keyframe
                if started and packet.size:
                    yield packet
        except av.FFmpegError as error:
            self.damage = reason(error)


@dataclass
class _Stamps:
    """Stamps in decoding order, and the first decoded frame."""

    asked: str
    shown: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    hidden: bool = False
    first: Any = None
    last: int | None = None

    def add(self, packet: Any) -> None:  # noqa: ANN401
        """Note the stamps of the next packet; presentation runs by `pts`, decoding by `dts`."""
        if packet.pts is None:
            raise S2DError(self.asked, "its frames carry no presentation times", "put it into an MP4 or MKV first")
        if packet.dts is not None:
            if self.last is not None and packet.dts < self.last:
                why = f"its time stamps jump back after frame {len(self.shown)}"
                raise S2DError(self.asked, why, "write it anew with ffmpeg")
            self.last = packet.dts
        if packet.is_keyframe:
            self.keys.append(packet.pts)
        if packet.is_discard:
            self.hidden = True
        else:
            self.shown.append(packet.pts)


def _scan(packets: Packets, stream: Any, asked: str) -> _Stamps:  # noqa: ANN401
    """Go through all packets; decode no further than to the first frame."""
    stamps = _Stamps(asked)
    try:
        for packet in packets:
            stamps.add(packet)
            if stamps.first is None:
                stamps.first = next(iter(stream.decode(packet)), None)
        if stamps.first is None:
            stamps.first = next(iter(stream.decode(None)), None)
    except av.FFmpegError as error:
        raise S2DError(asked, f"frame 0 cannot be decoded ({reason(error)})", "convert or fetch it again") from error
    if stamps.first is None or not stamps.shown:
        raise S2DError(asked, "it holds no frame that can be decoded", "convert or fetch it again")
    _check_size(stamps.first, asked)
    return stamps


def _check_size(picture: Any, asked: str) -> None:  # noqa: ANN401
    """Of a header or of a frame: what is too large is refused before it is decoded, if the header says so."""
    if picture.width * picture.height > MAX_PIXELS:
        raise S2DError(asked, f"frames of {picture.width} x {picture.height} pixels", "shrink it first")


def _missing(container: Any, stream: Any, seen: int, last: int) -> str:  # noqa: ANN401
    """Whether the file ends before what its header declares: the MP4 sample table, or the length Matroska notes."""
    declared = len(stream.index_entries) if "mp4" in container.format.name else 0
    if seen < declared:
        return f"the file breaks off, {seen} of {declared} frames are there"
    length = _seconds(stream.metadata.get("DURATION", ""))
    ends = float(last * stream.time_base)
    return f"the file breaks off at {ends:.2f} of {length:.2f} s" if length - ends > LONGEST_GAP else ""


def _seconds(clock: str) -> float:
    """Seconds of Matroska's "hh:mm:ss.fff"; 0 for anything else."""
    match = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", clock.strip())
    return sum(float(part) * scale for part, scale in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0.0
