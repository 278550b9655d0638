"""Temporal landmark alignment: trajectories that agree with the detector on the whole and with the picture in between.

For each track, the points x minimise

    sum w_d(t,k) rho(|x(t,k) - d(t,k)|)  +  sum over steps s = 1, 6 of w_s(t,k) |x(t+s,k) - x(t,k) - f_s(t,k)|^2
        +  sum w_a(t,k) |x(t-1,k) - 2 x(t,k) + x(t+1,k)|^2

with detections d and optical flow f, all in a crop that follows the head. A detection is right on average but trembles;
flow is exact from frame to frame but drifts; heads do not shiver, which the weak last term says. Their weights per part
of the face stand in `weights.py`, the flow in `flow.py`, the linear system in `solver.py`. rho is robust (Charbonnier
et al. 1994), by iterated reweighting. It is convex, so that there is one solution: under a rho that lets far detections
go altogether, flow that a passing hand drags off holds the landmark there for hundreds of frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from s2d.geometry import Array, Float32, Image, apply, invert
from s2d.landmarks.checks import check_points, check_times, checked_frames
from s2d.landmarks.flow import FlowParameters, measure_flow
from s2d.landmarks.links import LinkParameters, hidden_share, make_links
from s2d.landmarks.solver import Links, solve
from s2d.landmarks.stabilise import fill_gaps, follow
from s2d.landmarks.tracking import Track
from s2d.landmarks.weights import TABLE, PartWeights, column, outward

UNEVEN = 1.5  # ratio of two neighbouring frame times from which a velocity says nothing about the next


@dataclass(frozen=True)
class AlignmentParameters:
    """All that decides what the aligner does; `as_dict` goes into the metadata of a data set."""

    parts: tuple[PartWeights, ...] = TABLE
    """Trust in detector and flow, by part of the face."""
    flow: FlowParameters = field(default_factory=FlowParameters)
    """How the flow is measured."""
    interocular: float = 90.0
    """Distance of the outer eye corners of a frontal face in the steady crop, in pixels."""
    rounds: int = 5
    """Times that the weights of the detections are made again from how far off they are."""
    links: LinkParameters = field(default_factory=LinkParameters)
    """What becomes of the flow."""
    sigma: float = 1.0
    """Smoothing over time, in frames, of the detections where they only say where to look."""
    version: ClassVar[str] = "4"
    """Changes with every change of the method that its parameters do not show."""

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, for JSON."""
        return {"version": self.version, **asdict(self)}


@dataclass(frozen=True)
class Aligned:
    """Aligned landmarks of a track."""

    points: Float32
    """(T, 70, 2) frame pixels; NaN only for landmarks that the detector never gave in this track."""
    observed: npt.NDArray[np.bool_]
    """(T, 70) False where a missing detection was bridged by flow."""
    hidden: Array
    """(T,) share of landmarks, 0 to 1, that something else passes over: see `s2d.landmarks.links.hidden_share`."""


@dataclass(frozen=True)
class Anchor:
    """What the past, which is no longer at hand, says of the first frame."""

    points: Array
    """(70, 2) crop pixels."""
    weight: Array
    """(70,) inverse variance; 0 where nothing is known."""


def align(track: Track, frames: Iterable[Image], parameters: AlignmentParameters | None = None) -> Aligned:
    """Align a track over its own frames, (H, W, 3) RGB each, read once and in order.

    Nothing outside the track has any influence, so a cut or a stretch without a face changes nothing beyond it.
    Raises ValueError when there are fewer or more frames than the track has, or they are not (H, W, 3) uint8.
    """
    check_points(track.raw, "track.raw")
    check_times(track.times, len(track.raw))
    frames = checked_frames(frames, len(track.raw))
    parameters = parameters or AlignmentParameters()
    regions = follow(track.raw, parameters.flow.size, parameters.interocular)
    matrices = np.stack([region.matrix(parameters.flow.size) for region in regions])
    detections = apply(matrices, track.raw)
    guide = _guide(detections, parameters.sigma)
    probes = outward(guide, parameters.parts, parameters.interocular)
    flow = measure_flow(frames, regions, track.crop, probes, parameters.flow)
    links = make_links(flow, guide, parameters.parts, parameters.links)
    stiffness = accelerations(track.times, flow.repeated, parameters)
    points = estimate(detections, links, stiffness, parameters)
    hidden = hidden_share(flow, guide, parameters.parts, parameters.links)
    return Aligned(apply(invert(matrices), points).astype(np.float32), track.valid.copy(), hidden)


def _guide(detections: Array, sigma: float) -> Array:
    """Where the landmarks are, more or less: (T, 70, 2), gaps filled and smoothed over time."""
    filled = fill_gaps(detections.reshape(len(detections), -1)).reshape(detections.shape)
    return np.asarray(gaussian_filter1d(filled, sigma, axis=0, mode="nearest"))


def accelerations(times: Array, repeated: npt.NDArray[np.bool_], parameters: AlignmentParameters) -> Array:
    """Weights (T - 2, 70) of the acceleration: none where frames are repeated or unevenly spaced in time."""
    apart = np.diff(times)
    even = np.maximum(apart[1:], apart[:-1]) < UNEVEN * np.minimum(apart[1:], apart[:-1])
    steady = even & ~(repeated[2:] | repeated[1:-1])
    return steady[:, None] / column(parameters.parts, "acceleration") ** 2


def estimate(
    detections: Array,
    links: Mapping[int, Links],
    stiffness: Array,
    parameters: AlignmentParameters,
    anchor: Anchor | None = None,
) -> Array:
    """Points (T, 70, 2): solve, weigh the detections by their distance, solve again."""
    present = np.isfinite(detections[..., 0])
    weight = present / column(parameters.parts, "detection") ** 2
    reach = column(parameters.parts, "reach")
    points = solve(*_anchored(detections, weight, anchor), links, stiffness)
    for _ in range(parameters.rounds):
        distance = np.linalg.norm(np.where(present[..., None], points - detections, 0.0), axis=-1)
        trusted = weight / np.sqrt(1 + (distance / reach) ** 2)
        points = solve(*_anchored(detections, trusted, anchor), links, stiffness)
    return points


def _anchored(detections: Array, weight: Array, anchor: Anchor | None) -> tuple[Array, Array]:
    """Detections and weights with what is already known of the first frame taken in."""
    if anchor is None:
        return detections, weight
    total = weight[0] + anchor.weight
    known = np.nan_to_num(weight[0, :, None] * detections[0]) + np.nan_to_num(anchor.weight[:, None] * anchor.points)
    mixed, weights = detections.copy(), weight.copy()
    mixed[0], weights[0] = known / np.maximum(total, 1e-12)[:, None], total
    return mixed, weights
