"""Shot cuts, found while frames stream by: PySceneDetect's adaptive detector on thumbnails.

A cut changes the picture far more than the frames around it do (`RATIO`), and by a visible amount (`LEAST_CHANGE`).
On 13 real clips joined in all pairs, cuts between scenes reach a ratio of 6.8 and more; the fastest heads and grimaces
stay below 3.4, and below 2.7 where the change is visible. Fades and dissolves are not cuts here.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from scenedetect.detectors import AdaptiveDetector

from s2d.geometry import Image

THUMBNAIL = 96  # pixels; 64 and 128 find the same cuts
NEIGHBOURS = 3  # frames on either side that a change is compared with
RATIO = 4.0
LEAST_CHANGE = 12.0  # mean change of hue, saturation and brightness, 0 to 255


class ShotDetector:
    """Finds hard cuts in frames given one by one; keeps a thumbnail, no frames. About .2 ms a frame of any size."""

    def __init__(self) -> None:
        self._detector = AdaptiveDetector(
            adaptive_threshold=RATIO, min_scene_len=1, window_width=NEIGHBOURS, min_content_val=LEAST_CHANGE
        )
        self._found: list[int] = []
        self._last: tuple[int, Image] | None = None

    def update(self, index: int, frame: Image) -> None:
        """Take the next frame, (H, W, 3) RGB uint8; `index` is its number and grows by one from call to call."""
        small = _thumbnail(frame)
        if self._last is None:
            for before in range(index - NEIGHBOURS, index):  # or the detector could see no cut among the first frames
                self._feed(before, small)
        self._feed(index, small)
        self._last = index, small

    def _feed(self, index: int, small: Image) -> None:
        self._found += [int(cut) for cut in self._detector.process_frame(index, small)]

    @property
    def found(self) -> list[int]:
        """Cuts so far: all up to frame N once frame N + NEIGHBOURS has been given."""
        return self._found

    def cuts(self) -> list[int]:
        """Numbers of the first frames of all shots but the first, ascending; call it after the last frame."""
        if self._last is not None:
            index, small = self._last
            for after in range(index + 1, index + 1 + NEIGHBOURS):  # as at the beginning
                self._feed(after, small)
            self._last = None
        return list(self._found)


def with_starts(frames: Iterable[Image]) -> Iterator[tuple[Image, bool]]:
    """The frames, each with whether a shot begins there; NEIGHBOURS of them are read ahead."""
    scenes, held = ShotDetector(), deque[tuple[int, Image]]()
    for index, frame in enumerate(frames):
        scenes.update(index, frame)
        held.append((index, frame))
        if len(held) > NEIGHBOURS:
            number, ready = held.popleft()
            yield ready, number == 0 or number in scenes.found[-NEIGHBOURS - 1 :]
    cuts = scenes.cuts()
    yield from ((ready, number == 0 or number in cuts) for number, ready in held)


def shots(cuts: Sequence[int], count: int) -> list[tuple[int, int]]:
    """Half-open ranges of frame numbers between cuts; `count` is the number of frames.

    >>> shots([96, 168], 169)
    [(0, 96), (96, 168), (168, 169)]
    >>> shots([], 0)
    []
    """
    edges = [0, *(cut for cut in sorted(set(cuts)) if 0 < cut < count), count]
    return [(start, stop) for start, stop in itertools.pairwise(edges) if start < stop]


def _thumbnail(frame: Image) -> Image:
    """Small square BGR picture; halving in two steps costs a tenth of averaging over all pixels."""
    double = cv2.resize(frame, (2 * THUMBNAIL, 2 * THUMBNAIL), interpolation=cv2.INTER_LINEAR)
    small = cv2.resize(double, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., ::-1])
