"""How far landmarks slip against the picture: no truth needed, and not by the flow that the aligner uses.

A landmark that sticks to the skin sees the same patch of skin in each frame. The shift between the patches around it,
by phase correlation or by pyramidal Lucas-Kanade, is its slip: jitter over one frame, jitter and drift over several.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from s2d.geometry import Array, Float32, Floats, Image
from s2d.landmarks import layout

Mask = npt.NDArray[np.bool_]
Grey = npt.NDArray[np.uint8]
Spectra = npt.NDArray[np.complex64]

STEPS = (1, 6)  # frames
_PLACES = list(layout.STEADY)  # no opening of lids or lips changes the patches around these
SIZE = 32  # samples along each side of a patch
SPAN = 0.4  # side of a patch in inter-ocular distances
RESOLUTION = SIZE / SPAN  # samples per inter-ocular distance; larger faces are shrunk to it
LOWPASS = 0.13  # cycles per sample; skin has nothing but noise above
LEAST_RESPONSE = 0.35  # of a perfect match; below, the two patches do not show the same thing
CAPTURE = 8.0  # samples; a larger shift is not found
LK_WINDOW, LK_LEVELS, LK_RETURN = (15, 15), 3, 0.5


def phase_shift(first: Spectra, second: Spectra) -> tuple[Array, Array]:
    """Shift (N, 2) in samples of the second patches against the first, and the response (N,), 1 for a perfect match.

    `first` and `second` (N, SIZE, SIZE // 2 + 1) are spectra by `patch_spectra`. Phase correlation (Kuglin and Hines
    1975) with a Gaussian low-pass, which makes the correlation peak a Gaussian: its place between samples is exact by
    the parabola through the logarithms. The window, which stays where it is, makes shifts about 6 % too small.
    """
    cross = first.conj() * second
    cross /= np.maximum(abs(cross), 1e-9)
    surface = np.fft.irfft2(cross * _LOWPASS, s=(SIZE, SIZE))
    response = surface.max(axis=(1, 2)) / _PERFECT
    place = surface.reshape(len(surface), -1).argmax(axis=1)
    rows, columns = place // SIZE, place % SIZE
    each = np.arange(len(surface))
    near = np.array([-1, 0, 1])
    down = _peak(surface[each[:, None], (rows[:, None] + near) % SIZE, columns[:, None]])
    across = _peak(surface[each[:, None], rows[:, None], (columns[:, None] + near) % SIZE])
    shift = np.stack([columns + across, rows + down], axis=-1)
    return (shift + SIZE / 2) % SIZE - SIZE / 2, response


def _peak(three: Array) -> Array:
    """Place of the top of a Gaussian through three samples (N, 3), relative to the middle one."""
    before, top, after = np.log(np.maximum(three, 1e-9)).T
    curvature = before - 2 * top + after
    return np.where(curvature < 0, 0.5 * (before - after) / np.minimum(curvature, -1e-9), 0.0).clip(-1, 1)


def patch_spectra(patches: Float32) -> Spectra:
    """Fourier transforms (N, SIZE, SIZE // 2 + 1) of patches (N, SIZE, SIZE), mean removed, Hann window applied."""
    centred = patches - patches.mean(axis=(1, 2), keepdims=True)
    return np.asarray(np.fft.rfft2(centred * _HANN), np.complex64)


def _lowpass() -> Array:
    y, x = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None]
    return np.asarray(np.exp(-0.5 * (x**2 + y**2) / LOWPASS**2))


_HANN = np.outer(np.hanning(SIZE), np.hanning(SIZE)).astype(np.float32)
_LOWPASS = _lowpass()
_PERFECT = float(np.fft.irfft2(_LOWPASS.astype(complex), s=(SIZE, SIZE)).max())


@dataclass
class _Follower:
    """One method's points and what it saw lately."""

    points: Array
    maps: Array
    recent: deque[tuple[Spectra, Mask]] = field(default_factory=lambda: deque(maxlen=max(STEPS)))
    slips: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, values: Array) -> None:
        self.slips.setdefault(name, []).extend(values.tolist())

    def mean_percent(self, name: str) -> float:
        return 100 * float(np.mean(self.slips[name])) if self.slips.get(name) else np.nan


class PictureResiduals:
    """Slip of several methods' tracks against the same frames, which are given one at a time and in order.

    `tracks`: by method, the points (T, 70, 2) in frame pixels, and maps (T, 2, 3) from frame pixels to a steady face of
    inter-ocular distance 1, which give the size and turn of the patches.
    """

    def __init__(self, tracks: Mapping[str, tuple[Array, Array]]) -> None:
        self._methods = {name: _Follower(points, maps) for name, (points, maps) in tracks.items()}
        scales = [np.hypot(maps[:, 0, 0], maps[:, 1, 0]) for _, maps in tracks.values()]
        self._shrink = min(1.0, RESOLUTION * float(np.nanmedian(scales)))
        self._index = 0
        self._before: Grey | None = None

    def update(self, frame: Image) -> None:
        """Take in the next frame (H, W, 3)."""
        picture = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if self._shrink < 1:
            picture = cv2.resize(picture, None, fx=self._shrink, fy=self._shrink, interpolation=cv2.INTER_AREA)
        for method in self._methods.values():
            self._compare_patches(method, picture)
            if self._before is not None:
                self._compare_flow(method, self._before, picture)
        self._before = picture
        self._index += 1

    def results(self) -> dict[str, dict[str, float]]:
        """Mean slips of each method in percent of the inter-ocular distance; NaN where nothing could be compared."""
        names = [f"phase_residual_{step}" for step in STEPS] + ["flow_residual"]
        return {label: {name: method.mean_percent(name) for name in names} for label, method in self._methods.items()}

    def _small(self, points: Floats) -> Array:
        """Frame pixels to pixels of the shrunk picture."""
        return np.asarray((points + 0.5) * self._shrink - 0.5)

    def _compare_patches(self, method: _Follower, picture: Grey) -> None:
        points = self._small(method.points[self._index, _PLACES])
        known = _known(points)
        turn = np.linalg.inv(method.maps[self._index, :, :2]) * self._shrink  # face units to picture pixels
        grid = _OFFSETS @ turn.T + np.where(known[:, None], points, 0)[:, None, None]
        places = np.ascontiguousarray(grid.reshape(-1, SIZE, 2), np.float32)
        patches = cv2.remap(picture.astype(np.float32), places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        spectra = patch_spectra(patches.reshape(-1, SIZE, SIZE))
        for step in STEPS:
            if len(method.recent) >= step:
                earlier, then_known = method.recent[-step]
                shift, response = phase_shift(earlier, spectra)
                length = np.linalg.norm(shift, axis=-1)
                trusted = known & then_known & (response > LEAST_RESPONSE) & (length < CAPTURE)
                method.note(f"phase_residual_{step}", length[trusted] / RESOLUTION)
        method.recent.append((spectra, known))

    def _compare_flow(self, method: _Follower, before: Grey, picture: Grey) -> None:
        start, end = (self._small(method.points[index, _PLACES]) for index in (self._index - 1, self._index))
        known = _known(start) & _known(end)
        if not known.any():
            return
        origin = np.ascontiguousarray(start[known, None], np.float32)
        there, found = _lucas_kanade(before, picture, origin)
        back, returned = _lucas_kanade(picture, before, there)
        trusted = found & returned
        trusted &= np.linalg.norm(back - origin, axis=-1).ravel() < LK_RETURN
        scale = float(np.hypot(*method.maps[self._index, :, 0])) / self._shrink
        slip = np.linalg.norm(there[:, 0] - end[known], axis=-1) * scale
        method.note("flow_residual", slip[trusted])


def _lucas_kanade(before: Grey, after: Grey, points: Float32) -> tuple[Float32, Mask]:
    """Where points (N, 1, 2) of one picture are in the next (Bouguet 2000), and which of them were found (N,)."""
    window: dict[str, Any] = {"winSize": LK_WINDOW, "maxLevel": LK_LEVELS}
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, points.copy(), **window)
    return np.asarray(there, np.float32), np.asarray(found[:, 0] > 0)


def _known(points: Array) -> Mask:
    return np.asarray(np.isfinite(points[:, 0]) & np.isfinite(points[:, 1]))


def _offsets() -> Array:
    """Places (SIZE, SIZE, 2) of a patch's samples around its landmark, in inter-ocular distances."""
    steps = (np.arange(SIZE) - (SIZE - 1) / 2) / RESOLUTION
    return np.stack(np.meshgrid(steps, steps), axis=-1)


_OFFSETS = _offsets()
