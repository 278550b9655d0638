"""What a video looks like, in 352 bits that survive another encoding, size, frame rate or letterbox: to find copies.

The video, without black bars, is shrunk to MOMENTS x SIDE x SIDE cells of luma; the bits are signs of low frequencies
of its cosine transform in time and space (after Coskun, Sankur and Memon 2006, "Spatio-temporal transform based video
hashing"). Two takes of one person in one place share what stands still, but not how things move, so most bits are about
motion. A mirrored copy has the signs of odd frequencies in x turned round, so it is recognised, too. A part of another
video, or an enlarged or cropped one, is not; nor is a still picture, which has no motion to go by.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.fft import dctn

from s2d.curation.letterbox import Bars
from s2d.geometry import Array, Float32, Image

Words = npt.NDArray[np.uint32]

MOMENTS = 32  # equal parts of the video's duration
GRID = 64  # cells of a thumbnail before the bars are cut off
SIDE = 16  # and after
STILL = 8  # frequencies in x and y of what does not move
MOVING = 6  # frequencies in x and y of what moves
TEMPO = 8  # frequencies in time
BITS = STILL**2 + TEMPO * MOVING**2
# which bits turn round when left and right are exchanged: those of odd frequencies in x
_ODD = np.concatenate([np.tile(np.arange(STILL) % 2, STILL), np.tile(np.arange(MOVING) % 2, TEMPO * MOVING)])
MIRROR: Words = np.packbits(_ODD).view(np.uint32)


class Thumbnails:
    """Collects the mean thumbnail of each part of a video; keeps MOMENTS of them."""

    def __init__(self) -> None:
        self._sums = np.zeros((MOMENTS, GRID, GRID), np.float32)
        self._counts = np.zeros(MOMENTS, int)

    def update(self, frame: Image, moment: int) -> None:
        """Take in a frame (H, W, 3) of part `moment`, 0 to MOMENTS - 1."""
        # halving in two steps costs a tenth of averaging over all pixels
        double = cv2.resize(frame, (2 * GRID, 2 * GRID), interpolation=cv2.INTER_LINEAR)
        small = cv2.resize(cv2.cvtColor(double, cv2.COLOR_RGB2GRAY), (GRID, GRID), interpolation=cv2.INTER_AREA)
        self._sums[moment] += small
        self._counts[moment] += 1

    def volume(self) -> Float32:
        """(MOMENTS, GRID, GRID) luma 0 to 255; a part without frames repeats the one before it."""
        seen = np.maximum.accumulate(np.where(self._counts > 0, np.arange(MOMENTS), 0))
        return np.asarray(self._sums[seen] / np.maximum(self._counts[seen], 1)[:, None, None])


def fingerprint(volume: Float32, bars: Bars, width: int, height: int) -> str:
    """BITS bits as hexadecimal digits of a video's `volume` (see `Thumbnails`); `width` and `height` in pixels."""
    left, right = GRID * bars.left / width, GRID * (1 - bars.right / width)
    top, bottom = GRID * bars.top / height, GRID * (1 - bars.bottom / height)
    xs = left + (right - left) * (np.arange(2 * SIDE) + 0.5) / (2 * SIDE) - 0.5
    ys = top + (bottom - top) * (np.arange(2 * SIDE) + 0.5) / (2 * SIDE) - 0.5
    across, down = (grid.astype(np.float32) for grid in np.meshgrid(xs, ys))
    inside = [cv2.remap(moment, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for moment in volume]
    cells = np.stack(inside).reshape(MOMENTS, SIDE, 2, SIDE, 2).mean(axis=(2, 4))
    waves = dctn(cells, norm="ortho")
    chosen = np.concatenate([waves[0, :STILL, :STILL].ravel(), waves[1 : TEMPO + 1, :MOVING, :MOVING].ravel()])
    return np.packbits(chosen > 0).tobytes().hex()


def as_words(fingerprint: str) -> Words:
    """(BITS / 32,) words of a fingerprint."""
    return np.frombuffer(bytes.fromhex(fingerprint), np.uint32)


def distances(one: Words, others: Words) -> Array:
    """Share of bits in which `one` (W,), or its mirror image if that is nearer, differs from each of `others` (W, N).

    0 is the same, about 0.5 unrelated.

    >>> face = as_words("0f" * (BITS // 8))
    >>> distances(face, np.stack([face, ~face, face ^ MIRROR], axis=1))
    array([0. , 0.5, 0. ])
    """
    differing = one[:, None] ^ others
    counts = [np.bitwise_count(bits).sum(axis=0, dtype=np.uint16) for bits in (differing, differing ^ MIRROR[:, None])]
    return np.asarray(np.minimum(*counts) / (32 * len(one)))
