"""From measured flow to the links of the solver: where flow can be believed, and what stands in where it cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s2d.geometry import Array
from s2d.landmarks.flow import FlowLinks
from s2d.landmarks.head_motion import head_motion
from s2d.landmarks.layout import INNER_LIP_PAIRS, LEFT_LIDS, RIGHT_LIDS, aperture
from s2d.landmarks.solver import Links
from s2d.landmarks.weights import LIDS, MOUTH, PartWeights, column


@dataclass(frozen=True)
class LinkParameters:
    """Lengths in pixels of the steady crop."""

    least_trust: float = 0.01
    """Share of its weight that flow keeps where forward and backward disagree: gaps stay bridged."""
    stray: float = 1.0
    """Rigid flow that strays this far from the head's motion, beyond twice the middle stray, counts half."""
    head: float = 0.5
    """Standard deviation of the head's motion, standing in for flow that strays, over one frame."""
    stray_of_lips: float = 4.5
    """Flow of lips this far from both the head's and the detected motion, beyond half of the latter, counts half."""
    head_for_lips: float = 1.0
    """Standard deviation of the head's motion where it stands in for the flow of lips, over one frame."""
    lid_rest: float = 0.2
    """Standard deviation of lids at rest against the head, over one frame."""
    lid_speed: float = 0.5
    """Change of the opening of the eyes between the two frames at which lids count as half at rest."""
    lip_slack: float = 3.0
    """Standard deviation of the flow of the lips, per pixel by which it misses a change of the mouth's opening."""
    tie: float = 0.01
    """Standard deviation between a frame and its repetition."""


def make_links(
    flow: FlowLinks, points: Array, table: tuple[PartWeights, ...], parameters: LinkParameters
) -> dict[int, Links]:
    """Links for each step of the flow. `points` (T, 70, 2) are smoothed detections without gaps, in crop pixels.

    Landmarks that are not known are NaN in `points`; their links are finite, and so are those of all others. Where the
    flow has no link the weight is 0.
    """
    variance = column(table, "flow") ** 2
    rigid = column(table, "rigid") == 1
    links = {}
    for step, shift in flow.shift.items():
        missed = _missed_at_lips(points, shift, step)
        weight = np.maximum(flow.trust[step], parameters.least_trust) / (
            variance + (parameters.lip_slack * missed) ** 2
        )
        head = head_motion(points[:-step], shift, flow.trust[step])
        own = _own_share(shift, head, points[step:] - points[:-step], rigid, parameters)
        stand_in = (1 - own) / (step * np.where(rigid, parameters.head, parameters.head_for_lips) ** 2)
        link = _blend(shift, weight * own, head, stand_in)
        link = _blend(link.shift, link.weight, head, _rest(points, step, parameters))
        link.weight[(flow.trust[step] == 0).all(axis=1)] = 0.0
        if step == 1:
            link.weight[flow.repeated[1:]] = 1 / parameters.tie**2
        links[step] = link
    return links


def hidden_share(flow: FlowLinks, points: Array, table: tuple[PartWeights, ...], parameters: LinkParameters) -> Array:
    """How much of a face something else passes over, by frame: (T,), 0 to 1; arguments as for `make_links`.

    The mean, over the landmarks that move with the head and those of the lips, of how little of their flow since the
    frame before is their own. What covers a face without moving is not noticed; the first frame is taken as free.
    """
    covered = np.zeros(len(points))
    if 1 in flow.shift:
        rigid = column(table, "rigid") == 1
        head = head_motion(points[:-1], flow.shift[1], flow.trust[1])
        own = _own_share(flow.shift[1], head, points[1:] - points[:-1], rigid, parameters)
        judged = [*np.flatnonzero(rigid), *MOUTH]
        covered[1:] = 1 - np.nanmean(own[:, judged], axis=1)  # NaN: lips that the detector never gives
    return covered


def _own_share(
    shift: Array, head: Array, seen: Array, rigid: npt.NDArray[np.bool_], parameters: LinkParameters
) -> Array:
    """Share (N, 70) of the flow that is the landmark's own motion, not that of something in front of it.

    Rigid parts move with the head. Lips move by themselves, but then the detector has `seen` it, at least in part.
    """
    stray = np.linalg.norm(shift - head, axis=-1)
    share = np.ones(stray.shape)
    limit = parameters.stray + 2 * np.median(stray[:, rigid], axis=1, keepdims=True)
    share[:, rigid] = 1 / (1 + (stray[:, rigid] / limit) ** 6)
    lips = list(MOUTH)
    seen = np.where(np.isfinite(seen), seen, head)
    unseen = np.minimum(stray, np.linalg.norm(shift - seen, axis=-1))[:, lips]
    limit_of_lips = parameters.stray_of_lips + np.linalg.norm(seen - head, axis=-1)[:, lips] / 2
    share[:, lips] = 1 / (1 + (unseen / limit_of_lips) ** 6)
    return share


def _blend(shift: Array, weight: Array, other: Array, other_weight: Array) -> Links:
    """Two measurements of one displacement as one."""
    total = weight + other_weight
    return Links((weight[..., None] * shift + other_weight[..., None] * other) / total[..., None], total)


def _missed_at_lips(points: Array, shift: Array, step: int) -> Array:
    """How much more the mouth opened or closed by the detector than by the flow: (T - step, 70), 0 off the lips.

    Lips that part or meet uncover or hide what is between them, so flow loses motion there and seldom invents any.
    0 as well where the inner lips are not known.
    """
    before = aperture(points[:-step], INNER_LIP_PAIRS)
    detected = np.abs(aperture(points[step:], INNER_LIP_PAIRS) - before)
    flowed = np.abs(aperture(points[:-step] + shift, INNER_LIP_PAIRS) - before)
    missed = np.zeros(shift.shape[:2])
    missed[:, MOUTH] = np.nan_to_num(np.maximum(detected - flowed, 0))[:, None]
    return missed


def _rest(points: Array, step: int, parameters: LinkParameters) -> Array:
    """Weight (T - step, 70) of "does not move against the head": lids while the eyes open or close no further.

    Flow is nearly blind to blinks (lids slide over iris and sclera, which vanish), so lids are held or let go by
    what the detector sees; of both eyes together, which halves its noise. Where it does not see both, they are free.
    """
    opening = (aperture(points, RIGHT_LIDS) + aperture(points, LEFT_LIDS)) / 2
    change = np.abs(opening[step:] - opening[:-step])
    weight = np.zeros((len(change), points.shape[1]))
    at_rest = 1 / (1 + (change / parameters.lid_speed) ** 4)
    weight[:, LIDS] = np.nan_to_num(at_rest)[:, None] / (step * parameters.lid_rest**2)
    return weight
