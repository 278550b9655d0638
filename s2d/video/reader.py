"""Reading: frames by number, in sequence, each with its true presentation time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from s2d.geometry import Image
from s2d.video.decoding import decode
from s2d.video.index import index_video

CUSTOMARY_FPS = 25.0  # for a video of a single frame whose container declares no rate


class VideoReader:
    """A video file as numbered RGB frames. Opening indexes the file without decoding it; no file stays open in between.

    Frames are those that a player shows, turned upright as the file's display matrix asks (pixels that are not square
    are left so, fields are not deinterlaced). Raises S2DError when there is no such file, it is no video, has no video
    stream, carries no presentation times or such that run backwards, or its first frame cannot be decoded.
    """

    path: Path
    width: int
    """Pixels of a displayed frame, after rotation."""
    height: int
    rotation: int
    """Degrees clockwise by which the file asks to turn its frames: 0, 90, 180 or 270; already done to the pixels."""
    times: npt.NDArray[np.float64]
    """Presentation seconds (N,) of every frame, strictly ascending; the first may differ from 0. Where the file repeats
    a stamp, the later frame is moved up by one unit of the file's time base."""
    fps: float
    """Frames a second, on average over the whole video; the declared rate for a video of one frame."""

    def __init__(self, path: str | Path, keep_bytes: int = 0) -> None:
        """`keep_bytes`: a run of frames that takes no more memory is kept, and not decoded if it is asked for again."""
        self.path = Path(path)
        self._keep_bytes = keep_bytes
        self._kept: tuple[int, list[Image]] = 0, []
        self._index = index_video(self.path)
        orientation = self._index.orientation
        self.width, self.height = orientation.size(self._index.width, self._index.height)
        self.rotation = orientation.rotation
        self.times = self._index.times()
        self.fps = _average_rate(self.times, float(self._index.rate or CUSTOMARY_FPS))

    def __len__(self) -> int:
        """Number of frames that can be read; for a damaged file those before the damage."""
        return len(self._index)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Image]:
        """Frames start .. stop - 1 in sequence, (height, width, 3) RGB uint8; start and stop as in a slice.

        Bounded memory, however long the video and however slow the caller; not to be written to where frames are kept.
        Raises S2DError naming the first frame that cannot be decoded; a damaged file raises it after its last readable
        frame, if the run reaches that far.
        """
        first, end, _ = slice(start, stop).indices(len(self))
        kept_from, kept = self._kept
        if first >= end:
            return
        if kept_from <= first and end <= kept_from + len(kept):
            yield from kept[first - kept_from : end - kept_from]
        elif (end - first) * 3 * self.width * self.height > self._keep_bytes:
            yield from decode(self._index, first, end)
        else:
            frames = []
            for frame in decode(self._index, first, end):
                frames.append(frame)
                yield frame
            self._kept = first, frames

    def frame(self, index: int) -> Image:
        """One frame, (height, width, 3) RGB uint8; negative numbers count from the end. Sequences are far faster.

        Raises IndexError beyond the end, S2DError when it cannot be decoded.
        """
        number = range(len(self))[index]
        return next(self.frames(number, number + 1))

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to close: each run of frames opens the file for itself and closes it at its end."""


def _average_rate(times: npt.NDArray[np.float64], declared: float) -> float:
    return declared if len(times) < 2 else (len(times) - 1) / float(times[-1] - times[0])
