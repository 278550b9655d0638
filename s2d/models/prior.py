"""The analytic motion prior: an animator without a single parameter, which learning only improves on.

Nine candidate motions (candidates.py) and, for every node of the driving frame, how likely each of them is: background
far from the head, the head's motion inside, the pupils' between open lids. Deterministic, differentiable with
respect to the landmarks, at any grid size, in float32 also under autocast.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from s2d.geometry_torch import apply
from s2d.landmarks import layout
from s2d.models import candidates as c
from s2d.models.blocks import identity_grid, resize, smoothstep, warp
from s2d.models.box import box_around
from s2d.models.faces import face_radius, head_similarity, known_in_both, known_mean, scale_of
from s2d.models.heatmaps import full_precision, gaussian_field
from s2d.models.interior import skin_colour
from s2d.models.lids import AROUND, EDGE, eye_axes, lid_edges, openness, with_seen_lids
from s2d.models.sheets import draw

DISTANCE_GRID = 32  # nodes per side where the distance from the head is measured; the border is five of them wide
FLOOR = 0.005  # probability left to the least likely of head and background: small enough to stand still, learnable
PART_SHARE = 0.01  # of the head's probability that a part's own similarity starts with at the part
NEVER = 1e-5  # probability of a candidate where it cannot be: finite logits keep a way back open
BORDER = 0.45  # width of the soft head border at rest, in face radii: ears, hair and neck go along partly
STRETCH = 1.9  # border width over head motion; 1.5 is where the blend begins to fold, 1.9 stretches five-fold at most
HAIRLINE = 1.0  # brows are raised by this times brow-to-nose-base: the rule of three equal thirds of a face
IRIS, RING = 0.25, 0.25  # in eye widths: rather more than an iris's radius, and the ring over which its motion fades
LID_SOFTNESS = 0.02  # eye widths at a lid over which a pupil's motion ends: behind it the eyeball goes on
OFF_EDGE = 0.04  # eye widths that landmarks of lids lie within an eye: the eyeball reaches under them


class Prior(NamedTuple):
    """What the analytic model says about one batch of landmark pairs."""

    displacement: Tensor
    """(B, K, h, w, 2) candidate displacements, source position minus driving position, normalised."""
    logits: Tensor
    """(B, K, h, w) log-probabilities of the candidates."""
    head: Tensor
    """(B, h, w, 2) displacement of the head without lids and lips."""
    sheets: Tensor
    """(B, h, w, 2) what lids and lips add to the candidates head and skull."""

    @property
    def masks(self) -> Tensor:
        """(B, K, h, w) probabilities of the candidates; they sum to 1."""
        return self.logits.softmax(dim=1)


def motion_prior(source_points: Tensor, driving_points: Tensor, height: int, width: int) -> Prior:
    """Candidates and their log-probabilities on a (height, width) grid over the driving frame.

    source_points, driving_points (B, 70, 2) normalised, NaN where not known.
    """
    source, driving = full_precision(source_points), full_precision(driving_points)
    with torch.autocast(driving.device.type, enabled=False):
        moving = c.candidate_displacements(source, driving, height, width)
        similarity = head_similarity(source, driving)
        head = head_probability(driving, similarity, height, width)
        seen = with_seen_lids(source, driving, scale_of(similarity))
        gates = [_pupil_gate(source, seen, height, width, side) for side in (0, 1)]
        logits = _probabilities(driving, head, gates).log()
        return Prior(moving.displacement, logits, moving.head, moving.sheets)


def prior_warp(source: Tensor, source_points: Tensor, driving_points: Tensor) -> Tensor:
    """The source (B, 3, H, W) moved by the prior alone, with lashes and mouths: what an untrained animator gives."""
    height, width = source.shape[-2:]
    prior = motion_prior(source_points, driving_points, height, width)
    displacement = blend(prior.displacement, prior.masks)
    grid = identity_grid(height, width, displacement)
    skin, share = skin_colour(source, source_points), sheet_share(prior.masks)
    return draw(warp(source, grid + displacement), source, source_points, driving_points, skin, share, grid)


def sheet_share(masks: Tensor) -> Tensor:
    """How much lids and lips count, by masks (B, K, h, w) of the candidates that have them: (B, 1, h, w)."""
    return masks[:, [c.HEAD, c.SKULL]].sum(1, keepdim=True)


def blend(displacement: Tensor, masks: Tensor) -> Tensor:
    """Displacements (B, K, h, w, 2) weighted by masks (B, K, h, w): (B, h, w, 2)."""
    along = [(way * masks).sum(dim=1) for way in displacement.unbind(-1)]  # an axis at a time: twice as fast
    return torch.stack(along, dim=-1)


def _probabilities(driving: Tensor, head: Tensor, gates: list[Tensor]) -> Tensor:
    """Share out the head's probability (B, h, w) among the moving candidates: (B, K, h, w), summing to 1."""
    height, width = head.shape[-2:]
    parts = [_near(driving, part, height, width) * PART_SHARE * head for part in c.FITTED_PARTS]
    pupils = [(gate * 0.9 * head).clamp(min=NEVER) for gate in gates]
    rigid = PART_SHARE * head
    left = head - rigid - sum(parts) - sum(pupils)
    shares = torch.stack([1 - head, rigid, left / 2, left / 2, *parts, *pupils], dim=1).clamp(min=NEVER)
    return shares / shares.sum(dim=1, keepdim=True)


def _near(points: Tensor, part: tuple[int, ...], height: int, width: int) -> Tensor:
    """A Gaussian blob (B, h, w) around a part, 1 at its centre; 0 where no landmark of it is known."""
    own = points[:, list(part)]
    known = torch.isfinite(own).all(-1).any(1).to(own)
    sigma = 0.5 * face_radius(points)
    return gaussian_field(known_mean(own)[:, None], known[:, None, None], sigma, height, width)[:, 0]


def head_probability(driving: Tensor, similarity: Tensor, height: int, width: int) -> Tensor:
    """How likely each node of the driving frame moves with the head: (B, h, w) between FLOOR and 1 - FLOOR.

    1 inside the head polygon, falling outwards as a cubic over a border that widens with the head's motion, so that
    blending head and background stretches the picture there instead of folding it.
    """
    polygon = head_polygon(driving)
    motion = (apply(similarity, polygon) - polygon).norm(dim=-1).amax(-1)
    border = BORDER * face_radius(driving) + STRETCH * motion
    distance = resize(signed_distance(polygon, DISTANCE_GRID, DISTANCE_GRID)[:, None], height, width)[:, 0]
    inside = 1 - smoothstep(distance / border[:, None, None])
    return FLOOR + (1 - 2 * FLOOR) * inside


def head_polygon(points: Tensor) -> Tensor:
    """Jaw and brows, these raised to the hairline: (B, 70, 2) -> (B, 27, 2), once around the head.

    A landmark that is not known is replaced by the nearest known one before it on the way around.
    """
    brows = points[:, list(range(26, 16, -1))]
    up = known_mean(brows) - known_mean(points[:, list(layout.PARTS["nose_base"])])
    polygon = torch.cat([points[:, list(layout.PARTS["jaw"])], brows + HAIRLINE * up[:, None]], dim=1)
    known = torch.isfinite(polygon).all(-1)
    order = torch.arange(polygon.shape[1], device=polygon.device)
    earlier = known[:, None] & (order <= order[:, None])  # a running maximum, which ONNX has no operator for
    last = torch.where(earlier, order, 0).amax(-1)
    filled = polygon.gather(1, last[..., None].expand(-1, -1, 2))
    return torch.where(torch.isfinite(filled), filled, known_mean(polygon)[:, None])


def signed_distance(polygon: Tensor, height: int, width: int) -> Tensor:
    """Distance of the nodes of a normalised grid from polygons (B, N, 2), negative inside: (B, height, width).

    Inside is where the even-odd rule says so.
    """
    x, y = (axis[None, None] for axis in identity_grid(height, width, polygon).unbind(-1))
    start_x, start_y = polygon[:, :, None, None].unbind(-1)
    edge_x, edge_y = (polygon.roll(-1, dims=1) - polygon)[:, :, None, None].unbind(-1)
    offset_x, offset_y = x[:, :, :1] - start_x, y[..., :1] - start_y
    length = (edge_x**2 + edge_y**2).clamp(min=1e-12)
    along = (offset_x * (edge_x / length) + offset_y * (edge_y / length)).clamp(0, 1)
    squared = ((offset_x - along * edge_x) ** 2 + (offset_y - along * edge_y) ** 2).amin(1)
    below = y < start_y  # the same comparison for both edges at a corner, or rounding would cut the row in two
    spans = below != below.roll(-1, dims=1)
    right_of = (edge_x * offset_y > edge_y * offset_x) == (edge_y > 0)
    crossings = (spans & right_of).sum(1)
    distance = squared.clamp(min=1e-12).sqrt()
    return torch.where(crossings % 2 == 1, -distance, distance)


def _pupil_gate(source: Tensor, driving: Tensor, height: int, width: int, side: int) -> Tensor:
    """Where a pupil's own motion holds: around it and where it was, between lids that are open in both.

    Returns (B, h, w) in [0, 1]; all zero where a pupil or an eye is not known. A closed lid wins over any gaze.
    """
    eye, pupil = layout.EYES[side], c.PUPILS[side]
    both = known_in_both(source, driving, [*eye, pupil])[:, None]
    box = box_around(driving, list(eye), AROUND, [(eye[0], eye[3])], (height, width))
    places = box.cut(identity_grid(height, width, driving))
    source, driving = (points.nan_to_num(0.0, 0.0, 0.0) for points in (source, driving))
    mine, theirs = eye_axes(driving, eye), eye_axes(source, eye)
    u, v = mine.local(places.reshape(1, -1, 2))
    upper, lower = lid_edges(mine, driving, eye, u)
    under = OFF_EDGE * smoothstep(torch.minimum(u, 1 - u) / EDGE)  # but not in the corners, which stay
    inside = smoothstep((torch.minimum(v - upper, lower - v) + under) / LID_SOFTNESS)
    ends = (torch.cat(axes.local(points[:, [pupil]]), dim=-1) for axes, points in ((mine, driving), (theirs, source)))
    near = 1 - smoothstep((_distance(torch.stack([u, v], dim=-1), *ends) - IRIS) / RING)
    gate = inside * near * openness(mine, driving, eye) * openness(theirs, source, eye)
    gate = torch.where(both, gate, 0.0).reshape(driving.shape[0], *places.shape[:2], 1)
    return box.put_back(gate, height, width)[..., 0]


def _distance(places: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Of places (B, N, 2) from the line between two points (B, 2) each: (B, N)."""
    way, offset = (end - start)[:, None], places - start[:, None]
    along = (offset * way).sum(-1, keepdim=True) / (way**2).sum(-1, keepdim=True).clamp(min=1e-8)
    return ((offset - along.clamp(0, 1) * way) ** 2).sum(-1).clamp(min=1e-12).sqrt()
