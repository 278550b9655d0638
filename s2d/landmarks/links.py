"""From measured flow to the links of the solver: what moved with the head, which lids are at rest, what repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s2d.geometry import Array
from s2d.landmarks.flow import FlowLinks
from s2d.landmarks.head_motion import head_motion
from s2d.landmarks.layout import LEFT_LIDS, RIGHT_LIDS, aperture
from s2d.landmarks.solver import Links
from s2d.landmarks.weights import LIDS, PartWeights, column


@dataclass(frozen=True)
class LinkParameters:
    """Lengths in pixels of the steady crop."""

    least_trust: float = 0.01
    """Share of its weight that flow keeps where forward and backward disagree: gaps stay bridged."""
    stray: float = 1.0
    """Rigid flow that strays this far from the head's motion, beyond twice the middle stray, counts half."""
    head: float = 0.5
    """Standard deviation of the head's motion, standing in for flow that strays, over one frame."""
    lid_rest: float = 0.1
    """Standard deviation of lids at rest against the head, over one frame."""
    lid_speed: float = 0.5
    """Change of the opening of the eyes between the two frames at which lids count as half at rest."""
    tie: float = 0.02
    """Standard deviation between a frame and its repetition."""


def make_links(
    flow: FlowLinks, points: Array, table: tuple[PartWeights, ...], parameters: LinkParameters
) -> dict[int, Links]:
    """Links for each step of the flow. `points` (T, 70, 2) are smoothed detections without gaps, in crop pixels."""
    precision = 1 / column(table, "flow") ** 2
    rigid = column(table, "rigid") == 1
    links = {}
    for step, shift in flow.shift.items():
        weight = np.maximum(flow.trust[step], parameters.least_trust) * precision
        head = head_motion(points[:-step], shift, flow.trust[step])
        stray = np.linalg.norm(shift - head, axis=-1)
        limit = parameters.stray + 2 * np.median(stray[:, rigid], axis=1, keepdims=True)
        with_head = np.where(rigid, 1 / (1 + (stray / limit) ** 6), 1.0)
        link = _blend(shift, weight * with_head, head, (1 - with_head) / (step * parameters.head**2))
        link = _blend(link.shift, link.weight, head, _rest(points, step, parameters))
        if step == 1:
            link.weight[flow.repeated[1:]] = 1 / parameters.tie**2
        links[step] = link
    return links


def _blend(shift: Array, weight: Array, other: Array, other_weight: Array) -> Links:
    """Two measurements of one displacement as one."""
    total = weight + other_weight
    return Links((weight[..., None] * shift + other_weight[..., None] * other) / total[..., None], total)


def _rest(points: Array, step: int, parameters: LinkParameters) -> Array:
    """Weight (T - step, 70) of "does not move against the head": lids while the eyes open or close no further.

    Flow is nearly blind to blinks (lids slide over iris and sclera, which vanish), so lids are held or let go by
    what the detector sees; of both eyes together, which halves its noise.
    """
    opening = (aperture(points, RIGHT_LIDS) + aperture(points, LEFT_LIDS)) / 2
    change = np.abs(opening[step:] - opening[:-step])
    weight = np.zeros((len(change), points.shape[1]))
    at_rest = 1 / (1 + (change / parameters.lid_speed) ** 4)
    weight[:, LIDS] = at_rest[:, None] / (step * parameters.lid_rest**2)
    return weight
