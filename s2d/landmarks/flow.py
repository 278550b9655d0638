"""Optical flow at landmarks, in a steady crop of the face, with its own measure of trust.

DIS (Kroeger et al. 2016, arXiv 1603.03590) on blurred grey crops: in comparison with pyramidal Lucas-Kanade it does not
lose lids and lips. Each displacement is measured forwards and backwards and is trusted as far as both agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import percentile_filter

from s2d.geometry import Array, Crop, Float32, Floats, Image, apply, invert
from s2d.landmarks.detectors.regions import Region, cut

Gray = npt.NDArray[np.uint8]

GLANCE = 96  # samples across the face, enough to notice a lid
NEIGHBOURS = 4  # frames before and after that a frame is compared with, to tell a repetition from a slow motion


@dataclass(frozen=True)
class FlowParameters:
    """How flow is measured; pixels are those of the steady crop."""

    size: int = 192
    """Side of the crop."""
    blur: float = 2.0
    """Standard deviation of the blur before the flow: noise and compression blocks cost more than detail helps."""
    finest_scale: int = 1
    """Pyramid level at which the flow stops: 0 full resolution, 1 half, ... ; each level costs four times the next."""
    stride: int = 5
    """Distance of DIS's 8 x 8 patches, in pixels of the finest level: as exact as the preset's 4, a third faster."""
    refinements: int = 3
    """Iterations of DIS's variational refinement: the preset's 5 flicker 1 % less and take a quarter more time."""
    steps: tuple[int, ...] = (1, 6)
    """Frames between the two pictures of a link: over one frame it is most exact, over several it drifts less."""
    far_every: int = 2
    """Links over several frames begin at every so many frames; at each they would cost more than they bring."""
    tolerance: float = 0.5
    """Disagreement of forward and backward flow that takes 3/4 of the trust away."""
    repeat_change: float = 2.0
    """Largest change, in grey levels, of any part of a frame that repeats the frame before: coding alone makes 1.6."""
    repeat_share: float = 0.2
    """A repeated frame changes by less than this share of what the upper quarter of its neighbours do."""

    def is_linked(self, first: int, step: int) -> bool:
        """Is there a link from frame number `first` to the one `step` later?"""
        return step == 1 or first % self.far_every == 0


@dataclass(frozen=True)
class FlowLinks:
    """Displacements in crop pixels between frames t and t + step; 70 landmarks."""

    shift: Mapping[int, Array]
    """For each step (T - step, 70, 2); 0 where there is no link."""
    trust: Mapping[int, Array]
    """For each step (T - step, 70), in (0, 1]; 0 where there is no link."""
    repeated: npt.NDArray[np.bool_]
    """(T,) True where a frame shows the same picture as the one before."""


@dataclass(frozen=True)
class FlowView:
    """One frame as the flow sees it."""

    grey: Gray
    """(size, size) blurred steady crop."""
    glance: Gray
    """(GLANCE, GLANCE) samples of the frame, at places that do not move with the face."""
    probes: Float32
    """(70, 2) where the flow is read."""

    def change(self, other: FlowView) -> float:
        """Largest mean absolute difference of any 8 x 8 block of the glances, in grey levels."""
        difference = np.abs(self.glance.astype(np.int16) - other.glance)
        return float(difference.reshape(GLANCE // 8, 8, GLANCE // 8, 8).mean(axis=(1, 3)).max())


def measure_flow(
    frames: Iterable[Image], regions: Sequence[Region], area: Crop, probes: Floats, parameters: FlowParameters
) -> FlowLinks:
    """Flow at `probes` (T, 70, 2), crop pixels of the T `regions`; a NaN probe reads the middle of the crop.

    `frames` (H, W, 3) RGB are read once, in order, and at most max(steps) of them are remembered. Frames that look
    the same inside `area` are taken for one picture shown again. Raises ValueError when there are fewer or more
    frames than regions.
    """
    count, landmarks = probes.shape[:2]
    places = np.where(np.isfinite(probes), probes, parameters.size / 2).astype(np.float32)
    steps = [step for step in parameters.steps if step < count]
    shift = {step: np.zeros((count - step, landmarks, 2)) for step in steps}
    trust = {step: np.zeros((count - step, landmarks)) for step in steps}
    change = np.zeros(count)
    engine = FlowEngine(parameters)
    seen: deque[FlowView] = deque(maxlen=max(parameters.steps))
    for t, (frame, region) in enumerate(zip(frames, regions, strict=True)):
        view = engine.view(frame, region, area, places[t])
        change[t] = view.change(seen[-1]) if seen else 0.0
        for step in (step for step in steps if step <= t and parameters.is_linked(t - step, step)):
            shift[step][t - step], trust[step][t - step] = engine.link(seen[-step], view)
        seen.append(view)
    repeated = _repeated(change, parameters)
    if 1 in shift:
        matrices = np.stack([region.matrix(parameters.size) for region in regions])
        shift[1][repeated[1:]] = carried(matrices, probes)[repeated[1:]]
    return FlowLinks(shift, trust, repeated)


class FlowEngine:
    """DIS with its parameters; holds buffers, so one per thread."""

    def __init__(self, parameters: FlowParameters) -> None:
        self._parameters = parameters
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(parameters.finest_scale)
        self._dis.setPatchStride(parameters.stride)
        self._dis.setVariationalRefinementIterations(parameters.refinements)

    def view(self, frame: Image, region: Region, area: Crop, probes: Float32) -> FlowView:
        size = self._parameters.size
        grey = cv2.cvtColor(cut(frame, region, size).astype(np.uint8), cv2.COLOR_RGB2GRAY)
        blurred = cv2.GaussianBlur(grey, (0, 0), self._parameters.blur)
        return FlowView(blurred, _glance(frame, area), probes)

    def link(self, before: FlowView, after: FlowView) -> tuple[Array, Array]:
        """Shift (70, 2) and trust (70,): the mean of the flow there and of the reversed flow back, by trust."""
        forward = self._dis.calc(before.grey, after.grey, None)
        backward = self._dis.calc(after.grey, before.grey, None)
        there, doubt_there = _round_trip(forward, backward, before.probes)
        back, doubt_back = _round_trip(backward, forward, after.probes)
        tolerance = self._parameters.tolerance
        trust_there, trust_back = (1 / (1 + (doubt / tolerance) ** 2) ** 2 for doubt in (doubt_there, doubt_back))
        total = trust_there + trust_back
        shift = (trust_there[:, None] * there - trust_back[:, None] * back) / total[:, None]
        return shift.astype(np.float64), (total / 2).astype(np.float64)


def _round_trip(out: Float32, home: Float32, probes: Float32) -> tuple[Float32, Float32]:
    """Flow at the probes (70, 2), and how far from its start a point ends that follows it there and back (70,)."""
    there = _sample(out, probes)
    return there, np.asarray(np.linalg.norm(there + _sample(home, probes + there), axis=-1))


def _sample(field: Float32, points: Float32) -> Float32:
    """A dense field (S, S, 2) at points (N, 2), bilinear, its border repeated."""
    maps = points[:, None]
    return np.asarray(cv2.remap(field, maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0])


def carried(matrices: Array, probes: Floats) -> Array:
    """Shifts (T - 1, 70, 2) of what stays where it is in the frame: it moves in the crops as these move."""
    return np.nan_to_num(apply(matrices[1:], apply(invert(matrices[:-1]), probes[:-1])) - probes[:-1])


def _repeated(change: Array, parameters: FlowParameters) -> npt.NDArray[np.bool_]:
    """Frames (T,) that change little, and far less than the frames around them."""
    around = np.ones(2 * NEIGHBOURS + 1, bool)
    around[NEIGHBOURS] = False
    usual = percentile_filter(change, 75, footprint=around, mode="mirror")
    repeated = repeats(change, usual, parameters)
    repeated[0] = False
    return repeated


def repeats(change: Array, usual: Array, parameters: FlowParameters) -> npt.NDArray[np.bool_]:
    """Is a `change` since the frame before so small, also beside the `usual` one, that it is the same picture?"""
    return np.asarray((change < parameters.repeat_change) & (change < parameters.repeat_share * usual))


def _glance(frame: Image, area: Crop) -> Gray:
    rows = np.linspace(area.top, area.top + area.side - 1, GLANCE).astype(int)
    columns = np.linspace(area.left, area.left + area.side - 1, GLANCE).astype(int)
    inside = np.clip(rows, 0, frame.shape[0] - 1)[:, None], np.clip(columns, 0, frame.shape[1] - 1)
    return np.asarray(frame[inside[0], inside[1], 1])
