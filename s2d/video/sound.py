"""The sound of a video, laid beside other pictures of the same time range.

What MP4 holds and everything plays, AAC and MP3, is copied packet by packet: nothing is lost, and an edit list cuts the
first packet where the pictures begin. All else is decoded, placed by its time stamps and encoded as AAC.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from s2d.errors import S2DError
from s2d.geometry import Float32
from s2d.video.index import open_video, reason

COPIED = ("aac", "mp3")
RATES = (48000, 44100, 32000, 24000, 22050, 16000)  # of AAC, that phones play; others become the first
BIT_RATE = 96_000  # a channel
UNEVEN = 0.02  # seconds by which stamps may be off, as by Matroska's rounding, before silence is put in or sound cut


class Sound:
    """The first audio stream of the video `path` from second `start` to `stop`, in the times of `VideoReader`.

    Raises S2DError when there is no such file or it is no video. Read in one pass, in constant memory.
    """

    def __init__(self, path: str | Path, start: float, stop: float) -> None:
        self.path, self.start, self.stop = Path(path), start, stop
        with open_video(self.path) as container:
            stream = next((one for one in container.streams.audio if one.codec_context is not None), None)
            self.codec: str = "" if stream is None else stream.codec_context.codec.canonical_name
            """What the file has, e.g. "aac"; empty without sound."""
            self.copied = stream is not None and _suits_mp4(stream)
            """Whether packets are copied; otherwise they are encoded anew."""

    def into(self, container: Any) -> Iterator[tuple[float, Any]]:  # noqa: ANN401 (PyAV is not typed here)
        """Add a stream to an output that is not begun; then give its packets with their second after `start`, in order.

        The first step of the iterator adds the stream and gives (-inf, None). Raises S2DError where the sound is
        damaged.
        """
        try:
            with open_video(self.path) as source:
                stream = next(one for one in source.streams.audio if one.codec_context is not None)
                yield from (
                    self._copies(source, stream, container) if self.copied else self._encoded(source, stream, container)
                )
        except av.FFmpegError as error:
            asked = f"cannot take over the sound of {self.path}"
            raise S2DError(asked, reason(error), "do without it (--no-audio), or convert the file") from error

    def _copies(self, source: Any, stream: Any, container: Any) -> Iterator[tuple[float, Any]]:  # noqa: ANN401
        made = container.add_stream_from_template(stream)
        made.time_base = clock = Fraction(1, stream.codec_context.sample_rate)
        yield float("-inf"), None
        for packet in _lead_in(self._within(source.demux(stream), stream.time_base)):
            stamp = round((packet.pts * stream.time_base - Fraction(self.start)) / clock)
            packet.pts = packet.dts = stamp
            packet.duration = round(packet.duration * stream.time_base / clock)
            packet.time_base, packet.stream = clock, made
            yield float(stamp * clock), packet

    def _within(self, packets: Iterator[Any], time_base: Fraction) -> Iterator[tuple[bool, Any]]:
        """Packets before `stop`, and whether they reach beyond `start`."""
        for packet in packets:
            if packet.pts is None or not packet.size:
                continue
            if packet.pts * time_base >= self.stop:
                return
            yield (packet.pts + packet.duration) * time_base > self.start, packet

    def _encoded(self, source: Any, stream: Any, container: Any) -> Iterator[tuple[float, Any]]:  # noqa: ANN401
        had = stream.codec_context
        rate = had.sample_rate if had.sample_rate in RATES else RATES[0]
        form = "mono" if had.layout.nb_channels == 1 else "stereo"
        made = container.add_stream("aac", rate=rate, layout=form, options={"flags": "+bitexact"})
        made.bit_rate = BIT_RATE * made.codec_context.layout.nb_channels
        made.time_base = Fraction(1, rate)
        yield float("-inf"), None
        resampler = av.AudioResampler(format="fltp", layout=form, rate=rate)
        decoded = (frame for packet in source.demux(stream) for frame in packet.decode())
        pieces = (_frame(at, samples, form, rate) for at, samples in self._placed(_resampled(decoded, resampler), rate))
        for frame in itertools.chain(pieces, [None]):
            for packet in made.encode(frame):
                yield float(packet.pts * packet.time_base), packet

    def _placed(self, pieces: Iterator[tuple[float, Float32]], rate: int) -> Iterator[tuple[int, Float32]]:
        """Number of the first sample, samples (channels, n), from `start` to `stop`: silence in gaps, overlaps cut."""
        written, whole = 0, round((self.stop - self.start) * rate)
        for second, samples in pieces:
            off = round((second - self.start) * rate) - written
            if off > UNEVEN * rate or (off > 0 and written == 0):
                silence = np.zeros((len(samples), min(off, whole - written)), np.float32)
                samples = np.concatenate([silence, samples], axis=1)
            elif off < -UNEVEN * rate or (off < 0 and written == 0):
                samples = samples[:, -off:]
            samples = samples[:, : whole - written]
            if samples.shape[1]:
                yield written, samples
            written += samples.shape[1]
            if written == whole:
                return


def _suits_mp4(stream: Any) -> bool:  # noqa: ANN401
    """AAC without its description in front, as in a transport stream, would need rewriting."""
    codec = stream.codec_context
    return codec.codec.canonical_name in COPIED and (codec.codec.canonical_name != "aac" or bool(codec.extradata))


def _lead_in(packets: Iterator[tuple[bool, Any]]) -> Iterator[Any]:
    """Packets from the first that is wanted, with the one before it: a decoder needs that to begin without a click."""
    before = None
    for wanted, packet in packets:
        if wanted and before is not None:
            yield before
        before = None if wanted else packet
        if wanted:
            yield packet


def _resampled(frames: Iterator[Any], resampler: Any) -> Iterator[tuple[float, Float32]]:  # noqa: ANN401
    """Second and samples (channels, n) of each frame."""
    second = 0.0
    for frame in frames:
        second = second if frame.pts is None else float(frame.pts * frame.time_base)
        for piece in resampler.resample(frame):
            yield second, piece.to_ndarray()
            second += piece.samples / piece.sample_rate


def _frame(at: int, samples: Float32, form: str, rate: int) -> Any:  # noqa: ANN401
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=form)
    frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
    return frame
