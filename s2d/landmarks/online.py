"""Alignment as the frames come: the offline aligner's measurements and weights, over a window that ends now.

A frame is answered `lag` frames late (0: at once), when what followed it could still correct it. What has left the
window is remembered as an anchor of its first frame.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s2d.geometry import Array, Crop, Float32, Floats, Image, apply, invert, square_crop
from s2d.landmarks.alignment import AlignmentParameters, Anchor, accelerations, estimate
from s2d.landmarks.checks import check_frame
from s2d.landmarks.detectors.regions import Region
from s2d.landmarks.flow import FlowEngine, FlowLinks, FlowView, carried, repeats
from s2d.landmarks.layout import COUNT
from s2d.landmarks.links import make_links
from s2d.landmarks.solver import Links
from s2d.landmarks.stabilise import Follower
from s2d.landmarks.weights import column, outward

WINDOW = 24  # frames solved together; the anchor carries what came before
MAX_LAG = 3
GLANCE_MARGIN = 0.5  # around the face, until its middle leaves this square: where repeated frames are looked for


@dataclass(frozen=True)
class OnlineFrame:
    """Aligned landmarks of one frame."""

    number: int
    """Frames given before it since the start or `reset`."""
    time: float
    """Seconds, as given."""
    points: Float32
    """(70, 2) frame pixels; NaN only for landmarks that the detector has not given since the start or `reset`."""
    observed: npt.NDArray[np.bool_]
    """(70,) False where a missing detection was bridged by flow."""


@dataclass(frozen=True)
class _Moment:
    number: int
    time: float
    matrix: Array
    detection: Array
    guide: Array
    view: FlowView
    repeated: bool


class OnlineAligner:
    """Aligns one face while its frames arrive. Not for several faces: make one for each."""

    def __init__(self, lag: int = 0, parameters: AlignmentParameters | None = None) -> None:
        """`lag`: frames that may be looked ahead, 0 to 3. Raises ValueError for another lag."""
        if not 0 <= lag <= MAX_LAG:
            raise ValueError(f"a lag of {lag} frames; possible are 0 to {MAX_LAG}")
        self.lag = lag
        self._parameters = parameters or AlignmentParameters()
        self._engine = FlowEngine(self._parameters.flow)
        self._strength = _steady_information(self._parameters)
        self.reset()

    def reset(self) -> None:
        """Forget everything: at a cut, or when the face was lost."""
        self._follower = Follower(self._parameters.flow.size, self._parameters.interocular)
        self._area: Crop | None = None
        self._moments: deque[_Moment] = deque()
        self._links: dict[int, deque[Links]] = {step: deque() for step in self._parameters.flow.steps}
        self._changes: deque[float] = deque(maxlen=8)
        self._anchor: Anchor | None = None
        self._given = self._answered = 0
        self._shape: tuple[int, ...] | None = None
        self._time = -math.inf

    def update(self, frame: Image, raw: Floats, time: float) -> OnlineFrame | None:
        """Take in a frame (H, W, 3) RGB, its detections (70, 2) in frame pixels, NaN where missed, its time in seconds.

        Returns the frame `lag` before it, None as long as there is none or no face has been seen yet. Raises ValueError
        for other shapes, a frame of another size or a time that is not later than the one before.
        """
        self._check(frame, raw, time)
        region = self._follower.update(raw)
        self._given += 1
        if region is None:
            self._answered = self._given
            return None
        self._append(frame, np.asarray(raw, np.float64), time, region)
        solution = self._solve()
        answer = None
        if self._given - self._answered > self.lag:
            self._answered += 1
            answer = self._result(len(solution) - 1 - self.lag, solution)
        if len(self._moments) > WINDOW:
            self._forget(solution)
        return answer

    def _check(self, frame: Image, raw: Floats, time: float) -> None:
        check_frame(frame, self._shape)
        if np.shape(raw) != (COUNT, 2):
            raise ValueError(f"raw must be ({COUNT}, 2) in ibug70, not {np.shape(raw)}; pad missing pupils with NaN")
        if not time > self._time:
            raise ValueError(f"the time {time} s does not come after {self._time} s; `reset` starts again")
        self._shape, self._time = frame.shape, time

    def finish(self) -> list[OnlineFrame]:
        """The frames still owed, at most `lag`; start again with `reset`."""
        owed = self._given - self._answered
        solution = self._solve() if owed else np.empty((0, 70, 2))
        self._answered = self._given
        return [self._result(index, solution) for index in range(len(solution) - owed, len(solution))]

    def _append(self, frame: Image, raw: Array, time: float, region: Region) -> None:
        parameters = self._parameters
        if self._area is None or not _holds(self._area, raw):
            self._area = _area(raw)
        matrix = region.matrix(parameters.flow.size)
        detection = apply(matrix, raw)
        guide = self._guide(detection)
        probes = outward(guide[None], parameters.parts, parameters.interocular)[0]
        places = np.where(np.isfinite(probes), probes, parameters.flow.size / 2).astype(np.float32)
        view = self._engine.view(frame, region, self._area, places)
        moment = _Moment(self._given - 1, time, matrix, detection, guide, view, self._is_repeat(view))
        for step in parameters.flow.steps:
            if step <= len(self._moments):
                self._links[step].append(self._link(self._moments[-step], moment, step))
        self._moments.append(moment)

    def _guide(self, detection: Array) -> Array:
        """The detection, smoothed over the last frames by a one-sided Gaussian; what is missing stays where it was."""
        recent = [detection, *(moment.guide for moment in list(self._moments)[:-4:-1])]
        weights = np.exp(-0.5 * (np.arange(len(recent)) / self._parameters.sigma) ** 2)
        points = np.stack(recent)
        share = np.isfinite(points[..., 0]) * weights[:, None]
        total = share.sum(axis=0)
        sums: Array = (np.nan_to_num(points) * share[..., None]).sum(axis=0)
        return np.where(total[:, None] > 0, sums / np.maximum(total, 1e-12)[:, None], np.nan)

    def _is_repeat(self, view: FlowView) -> bool:
        if not self._moments:
            return False
        change = view.change(self._moments[-1].view)
        usual = np.asarray(np.percentile([*self._changes, change], 75))
        self._changes.append(change)
        return bool(repeats(np.array(change), usual, self._parameters.flow))

    def _link(self, before: _Moment, after: _Moment, step: int) -> Links:
        """The one link between two frames; without weight where the parameters have none."""
        if not self._parameters.flow.is_linked(before.number, step):
            return Links(np.zeros((1, COUNT, 2)), np.zeros((1, COUNT)))
        shift, trust = self._engine.link(before.view, after.view)
        if step == 1 and after.repeated:
            shift = carried(np.stack([before.matrix, after.matrix]), np.stack([before.guide, after.guide]))[0]
        repeated = np.array([False] * step + [after.repeated])
        flow = FlowLinks({step: shift[None]}, {step: trust[None]}, repeated)
        points = np.stack([before.guide] + step * [after.guide])  # only the first and the last are looked at
        return make_links(flow, points, self._parameters.parts, self._parameters.links)[step]

    def _forget(self, solution: Array) -> None:
        """Let the oldest frame go; the second oldest becomes the first, anchored where it was estimated.

        Not if the detector has contradicted the window for most of it, as after a cut that nobody announced.
        """
        anchor = Anchor(solution[1], np.where(np.isfinite(solution[1, :, 0]), self._strength, 0.0))
        self._anchor = None if self._is_lost(solution) else anchor
        self._moments.popleft()
        for links in self._links.values():
            links.popleft()

    def _is_lost(self, solution: Array) -> bool:
        """Is more than half of what the detector gave, of landmarks where it can be rejected, that far off?"""
        distance = np.linalg.norm(solution - np.stack([moment.detection for moment in self._moments]), axis=-1)
        limit = np.broadcast_to(column(self._parameters.parts, "reach"), distance.shape)
        asked = np.isfinite(distance) & np.isfinite(limit)
        return bool(asked.any() and np.mean(distance[asked] > limit[asked]) > 0.5)

    def _result(self, index: int, solution: Array) -> OnlineFrame:
        moment = self._moments[index]
        points = apply(invert(moment.matrix), solution[index]).astype(np.float32)
        return OnlineFrame(moment.number, moment.time, points, np.isfinite(moment.detection[:, 0]))

    def _solve(self) -> Array:
        """Points (N, 70, 2) of the window in crop pixels."""
        moments = list(self._moments)
        links = {
            step: Links(np.concatenate([x.shift for x in rows]), np.concatenate([x.weight for x in rows]))
            for step, rows in self._links.items()
            if rows
        }
        repeated = np.array([moment.repeated for moment in moments])
        times = np.array([moment.time for moment in moments])
        detections = np.stack([moment.detection for moment in moments])
        stiffness = accelerations(times, repeated, self._parameters)
        return estimate(detections, links, stiffness, self._parameters, self._anchor)


def _steady_information(parameters: AlignmentParameters) -> Array:
    """Inverse variance (70,) of a random walk that was watched for long: sqrt(w_d w_f), the Kalman filter's limit."""
    detection, flow = column(parameters.parts, "detection"), column(parameters.parts, "flow")
    return np.asarray(1 / (detection * flow))


def _area(raw: Array) -> Crop:
    known = raw[np.isfinite(raw).all(axis=-1)]
    return square_crop(np.concatenate([known.min(axis=0), known.max(axis=0)])[None], GLANCE_MARGIN)


def _holds(area: Crop, raw: Array) -> bool:
    """Is the middle of the face inside? An unseen face is where it was."""
    middle = np.nanmedian(raw, axis=0) if np.isfinite(raw).any() else np.array([area.left, area.top])
    low = np.array([area.left, area.top])
    return bool(((middle >= low) & (middle <= low + area.side - 1)).all())
