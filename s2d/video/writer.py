"""Writing: H.264 in MP4 that plays everywhere, exact in time and colour, the same bytes for the same frames."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from s2d.errors import S2DError
from s2d.files import sync
from s2d.geometry import Image
from s2d.video.index import reason
from s2d.video.sound import Sound

SYNTHETIC = "synthetic: made by s2d"
CLOCK = 90_000  # ticks a second where the caller gives times: the clock of MPEG
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov"}
# without x264's macroblock tree, which made other bytes of the same 440 x 440 frames in one run of three
QUALITY = {"crf": "18", "preset": "medium", "x264-params": "mbtree=0"}
THREADS = 2  # fixed: x264 gives other bytes with another number of threads
CONVERSION = 0x20 | 0x40000 | 0x80000  # SWS_AREA, _ACCURATE_RND, _BITEXACT of swscale.h; PyAV 17 has no names for them
BT709 = 1  # H.273 code of the colour matrix


class VideoWriter:
    """Writes RGB frames to an H.264 MP4 (yuv420p, BT.709, limited range, CRF 18, index in front).

    The file appears at `path` only when the `with` block ends well; until then it is a hidden temporary beside it,
    which an error removes. Odd sizes are padded to even ones by repeating the last column and row.

    `fps` is the frame rate; a Fraction is kept exactly, a float near an NTSC rate means it (29.97 is 30000/1001).
    `synthetic` marks the file as made up: its comment says "synthetic: made by s2d". `sound` is laid beside the frames,
    its `start` at time 0. Raises S2DError when the folder is
    missing or read-only, the disk is full, or a frame is not (height, width, 3) RGB uint8.
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        fps: Fraction | float,
        *,
        synthetic: bool = False,
        sound: Sound | None = None,
    ) -> None:
        self.path, self.width, self.height = Path(path), width, height
        self.fps = exact_rate(fps)
        self._asked = f"cannot write the video {path}"
        self._synthetic, self._sound = synthetic, sound
        self._heard: Iterator[tuple[float, Any]] = iter(())
        self._next: tuple[float, Any] | None = None
        self._temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.part")
        self._container: Any = None
        self._stream: Any = None
        self._timed = False
        self._stamp = -1
        if self.path.suffix.lower() not in FORMATS:
            raise S2DError(self._asked, f"{self.path.suffix or 'no ending'} is not written", "name it .mp4")
        if width < 1 or height < 1:
            raise S2DError(self._asked, f"{width} x {height} pixels", "give a size of at least 1 x 1")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the video in pixels, even."""
        return self.width + self.width % 2, self.height + self.height % 2

    def write(self, frame: Image, time: float | None = None) -> None:
        """Append a frame, (height, width, 3) RGB uint8, contiguous or not.

        `time` is its presentation time in seconds, to 1/90000; it must grow. Without it, frames follow each other at
        `fps`. Times are given for all frames or for none (ValueError).
        """
        self._check_frame(frame)
        try:
            if self._stream is None:
                self._open(timed=time is not None)
            if self._timed != (time is not None):
                raise ValueError("give a time for all frames or for none")
            self._stamp = self._next_stamp(time)
            self._encode(_picture(frame, self._stamp, self._stream.codec_context.time_base))
        except (av.FFmpegError, OSError) as error:
            raise self._refusal(error) from error

    def _check_frame(self, frame: Image) -> None:
        wanted = (self.height, self.width, 3)
        if frame.shape != wanted or frame.dtype != np.uint8:
            why = f"a frame is {frame.shape} {frame.dtype}, not {wanted} uint8"
            raise S2DError(self._asked, why, "give all frames in the size the video was opened with")

    def _next_stamp(self, time: float | None) -> int:
        if time is None:
            return self._stamp + 1
        stamp = round(time * CLOCK)
        if stamp <= self._stamp:
            raise ValueError(f"time {time} s does not come after the frame before, or is below 0")
        return stamp

    def _open(self, timed: bool) -> None:
        """Open the temporary and set up the encoder; nothing in it depends on the machine or the hour."""
        options = {"movflags": "+faststart", "fflags": "+bitexact", "movie_timescale": str(CLOCK)}
        file_format = FORMATS[self.path.suffix.lower()]
        self._container = av.open(str(self._temporary.absolute()), "w", format=file_format, options=options)
        if self._synthetic:
            self._container.metadata["comment"] = SYNTHETIC
        stream = self._container.add_stream("libx264", rate=self.fps, options=QUALITY)
        stream.width, stream.height, stream.pix_fmt = *self.size, "yuv420p"
        codec = stream.codec_context
        codec.thread_count = THREADS
        codec.flags |= av.codec.context.Flags.bitexact
        codec.color_range, codec.colorspace = int(ColorRange.MPEG), BT709
        codec.color_primaries, codec.color_trc = int(ColorPrimaries.BT709), int(ColorTrc.BT709)
        codec.time_base = stream.time_base = Fraction(1, CLOCK) if timed else 1 / self.fps
        self._stream, self._timed = stream, timed
        if self._sound is not None and self._sound.codec:
            self._heard = self._sound.into(self._container)
            self._next = next(self._heard)

    def _encode(self, picture: Any) -> None:  # noqa: ANN401 (PyAV is not typed here)
        for packet in self._stream.encode(picture):
            self._mux_sound(float(packet.dts * packet.time_base))
            self._container.mux(packet)

    def _mux_sound(self, until: float) -> None:
        """Sound in step with the pictures, or the muxer would keep one of the two in memory."""
        while self._next is not None and self._next[0] <= until:
            if self._next[1] is not None:
                self._container.mux(self._next[1])
            self._next = next(self._heard, None)

    def _finish(self) -> None:
        """Flush the encoder, write the index, and let the file appear."""
        if self._stream is None:
            raise S2DError(self._asked, "no frame was given", "write at least one")
        self._encode(None)
        self._mux_sound(math.inf)
        self._container.close()
        sync(self._temporary)
        os.replace(self._temporary, self.path)
        sync(self.path.absolute().parent)

    def __enter__(self) -> VideoWriter:
        """Claim the place at once, so that a folder that cannot be written is told of before hours of rendering."""
        try:
            self._temporary.touch()
        except OSError as error:
            raise self._refusal(error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        except (av.FFmpegError, OSError) as fault:
            raise self._refusal(fault) from fault
        finally:
            self._discard()

    def _refusal(self, error: Exception) -> S2DError:
        return S2DError(self._asked, reason(error), "choose a writable folder with room on the disk")

    def _discard(self) -> None:
        try:
            if self._container is not None:
                with suppress(av.FFmpegError, OSError):  # a full disk refuses once more, and would hide the first error
                    self._container.close()
        finally:
            self._temporary.unlink(missing_ok=True)


def later(before: float, time: float) -> float:
    """`time` on the clock of a writer's frames, seconds; the tick after that of `before` where it would come no later.

    >>> from itertools import accumulate
    >>> [round(second * CLOCK) for second in accumulate([0.0, 0.0, 0.000001, 0.5], later)]
    [0, 1, 2, 45000]
    """
    return max(round(time * CLOCK), round(before * CLOCK) + 1) / CLOCK


def exact_rate(fps: Fraction | float) -> Fraction:
    """Frames a second as a fraction; a float within .005 of a whole or NTSC rate means that rate.

    >>> exact_rate(29.97), exact_rate(25.0), exact_rate(Fraction(24000, 1001)), exact_rate(12.5)
    (Fraction(30000, 1001), Fraction(25, 1), Fraction(24000, 1001), Fraction(25, 2))
    """
    if not 0 < fps < 1000:
        raise S2DError(f"cannot write a video at {fps} frames a second", "not a frame rate", "give 1 to 999")
    if isinstance(fps, Fraction):
        return fps
    whole = max(1, round(fps))
    nearest = min((Fraction(whole), Fraction(whole * 1000, 1001)), key=lambda rate: abs(rate - fps))
    return nearest if abs(nearest - fps) < 0.005 else Fraction(fps).limit_denominator(1001)


def _picture(frame: Image, stamp: int, time_base: Fraction) -> Any:  # noqa: ANN401
    """RGB to BT.709 yuv420p of even size; chroma is the mean of each 2 x 2 block."""
    height, width = frame.shape[:2]
    even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), "edge") if height % 2 or width % 2 else frame
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
    picture = rgb.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=CONVERSION,
        threads=1,
    )
    picture.pts, picture.time_base = stamp, time_base
    return picture
