"""Frames of an indexed video, in sequence, as RGB uint8: decord where it is exact and bounded, PyAV everywhere else.

Why two (measured with decord2 3.4 and PyAV 18 on two cores):

- Decord decodes ahead in a thread of its own, which hides a millisecond a frame behind a busy detector. But it reads
  ahead without bound (2.7 GiB after 300 frames of a long 512 x 512 video, read at 30 frames a second), cannot read most
  H.265 (it stops at "Error sending packet"), numbers frames by counting (three off behind an edit list), and hands out
  rows of a wrong length below 64 pixels of width. At a few widths above (96 and 144, where the processor has AVX-512)
  it takes the padding of FFmpeg's rows for a fourth channel: such a frame is seen by its shape, and PyAV goes on.
- So it gets what it does right: plain H.264 (`VideoIndex.plain`), from the first group of pictures on (it seeks by
  decoding order, which is display order only there), and small enough that all of it may be decoded ahead.
- PyAV gets the rest. Each decoded frame must carry the stamp that the index expects, and after a seek the first frame
  must not lie behind the wanted one, or the seek is repeated from an earlier key frame.

Both use FFmpeg's own conversion to RGB and agree to the last bit, which a test holds. A colour matrix that the file
does not name counts as BT.601, as in FFmpeg.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.video.index import DECODER_OPTIONS, Packets, VideoIndex, open_video, reason

READ_AHEAD_BYTES = 256 * 2**20  # what decord may hold decoded ahead of its reader
NARROWEST = 64  # decord misreads the padded rows of narrower frames
DECODER_THREADS = 2


def decode(index: VideoIndex, start: int, stop: int) -> Iterator[Image]:
    """Frames start .. stop - 1, displayed orientation, (H, W, 3) RGB uint8; 0 <= start < stop <= len(index).

    Raises S2DError naming the first frame that cannot be decoded; for a damaged file that is the frame after the last.
    """
    decoder = _with_decord if _suits_decord(index, start, stop) else _with_av
    yield from decoder(index, start, stop)
    if index.damage and stop == len(index):
        raise S2DError(index.asked, f"it stops before frame {stop}: {index.damage}", "fetch or export it again")


def _undecodable(index: VideoIndex, number: int, why: str) -> S2DError:
    return S2DError(
        index.asked, f"frame {number} of {len(index)} cannot be decoded ({why})", "convert or fetch it again"
    )


def _suits_decord(index: VideoIndex, start: int, stop: int) -> bool:
    in_first_group = len(index.keys) < 2 or index.stamps[start] < index.keys[1]
    wants_most = 2 * (stop - start) > len(index)  # what is decoded ahead goes on to the end of the file
    decoded = len(index) * index.width * index.height * 3
    fits = index.width >= NARROWEST and decoded <= READ_AHEAD_BYTES
    return index.plain and in_first_group and wants_most and fits


def _with_decord(index: VideoIndex, start: int, stop: int) -> Iterator[Image]:
    """Decord reports an error while good frames are still on their way: then PyAV goes on, and names the bad one."""
    import decord  # after av: it shows its own FFmpeg to the whole process, and a PyAV loaded later would call that
    from decord._ffi.base import DECORDLimitReachedError

    decord.logging.set_level(decord.logging.QUIET)
    number = start
    try:
        # One lost frame in ten thousand is too many: without a limit decord repeats the last frame at the end instead.
        reader = decord.VideoReader(str(index.path.absolute()), ctx=decord.cpu(0), num_threads=1, fault_tol=1e-4)
        reader.seek_accurate(start)
        while number < stop:
            picture = reader.next().asnumpy()
            if picture.shape != (index.height, index.width, 3):
                raise RuntimeError(f"a frame of shape {picture.shape}")
            yield picture
            number += 1
    except DECORDLimitReachedError as error:
        raise _undecodable(index, number, "a frame before it is missing") from error
    except (decord.DECORDError, RuntimeError, StopIteration, UnicodeEncodeError):
        yield from _with_av(index, number, stop)


def _with_av(index: VideoIndex, start: int, stop: int) -> Iterator[Image]:
    number = -1
    try:
        for frame in _frames_from(index, start):
            number = _number(index, frame, number)
            if number >= start:
                yield _image(index, frame)
            if number + 1 == stop:
                return
    except av.FFmpegError as error:
        raise _undecodable(index, max(number + 1, start), reason(error)) from error
    raise _undecodable(index, max(number + 1, start), "the decoder left it out")


def _number(index: VideoIndex, frame: Any, previous: int) -> int:  # noqa: ANN401 (PyAV is not typed here)
    """Number of a decoded frame by its stamp; the first is looked up, each later one must follow on the one before."""
    number = previous + 1
    if previous < 0 and frame.pts is not None:
        number = int(np.searchsorted(index.stamps, frame.pts))
    if number >= len(index) or frame.pts != index.stamps[number]:
        raise _undecodable(index, number, f"the decoder gave the frame of stamp {frame.pts} instead")
    return number


def _image(index: VideoIndex, frame: Any) -> Image:  # noqa: ANN401
    """Convert by the frame's own colour matrix and range; a stream that changes its size keeps the first one.

    One thread: FFmpeg's default, a thread per core, takes four times as long on frames of this size.
    """
    rgb = frame.to_ndarray(format="rgb24", width=index.width, height=index.height, threads=1)
    return index.orientation.upright(rgb)


def _frames_from(index: VideoIndex, start: int) -> Iterator[Any]:
    """Decoded frames from a key frame at or before frame `start` on."""
    for entry in _entries(index, start):
        with open_video(index.path) as container:
            stream = container.streams[index.stream]
            stream.codec_context.options = DECODER_OPTIONS
            stream.thread_type, stream.thread_count = "AUTO", DECODER_THREADS
            frames = _decoded(index, container, stream, entry)
            first = next(frames, None)
            if entry is None or (first is not None and first.pts is not None and first.pts <= index.stamps[start]):
                yield from itertools.chain([first] if first is not None else [], frames)
                return


def _entries(index: VideoIndex, start: int) -> Iterator[int | None]:
    """Stamps to seek to: the key frame before, then ever earlier ones, then None for the beginning of the file.

    Earlier ones are needed where "key" is a promise, as with open groups of pictures and gradual refresh.
    """
    before = int(np.searchsorted(index.keys, index.stamps[start], side="right")) - 1
    step = 1
    while before > 0:
        yield int(index.keys[before])
        before, step = before - step, step * 2
    yield None


def _decoded(index: VideoIndex, container: Any, stream: Any, entry: int | None) -> Iterator[Any]:  # noqa: ANN401
    """Frames as the decoder gives them, without those before the first numbered one."""
    if entry is not None:
        container.seek(entry, stream=stream)
    for packet in itertools.chain(Packets(container, stream), [None]):
        yield from (frame for frame in stream.decode(packet) if frame.pts is None or frame.pts >= index.stamps[0])
