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
from s2d.models.blocks import blend, identity_grid, resize, smoothstep, warp
from s2d.models.edges import Motion, Scene, between_pixels
from s2d.models.faces import face_radius, known_mean
from s2d.models.heatmaps import full_precision, gaussian_field
from s2d.models.interior import skin_colour
from s2d.models.pupils import NEVER, PUPIL_SHARE, pupil_odds
from s2d.models.sheets import Sheets

DISTANCE_GRID = 32  # nodes per side where the distance from the head is measured; the border is five of them wide
FLOOR = 0.005  # probability left to the least likely of head and background: small enough to stand still, learnable
PART_SHARE = 0.01  # of the head's probability that a part's own similarity starts with at the part
LIDLESS = (c.HEAD_SIMILARITY, c.RIGHT_EYE, c.LEFT_EYE, c.MOUTH)  # candidates of the face that lids have no part in
PUPILS = slice(c.RIGHT_PUPIL, c.LEFT_PUPIL + 1)
BORDER = 0.45  # width of the soft head border at rest, in face radii: ears, hair and neck go along partly
STRETCH = 1.9  # border width over head motion; 1.5 is where the blend begins to fold, 1.9 stretches five-fold at most
HAIRLINE = 1.0  # brows are raised by this times brow-to-nose-base: the rule of three equal thirds of a face


class Prior(NamedTuple):
    """What the analytic model says about one batch of landmark pairs."""

    displacement: Tensor
    """(B, K, h, w, 2) candidate displacements, source position minus driving position, normalised."""
    logits: Tensor
    """(B, K, h, w) log-probabilities of the candidates."""
    head: Tensor
    """(B, h, w, 2) displacement of the head without lids and lips."""
    sheets: Sheets
    """The lids and lips."""
    slide: Tensor
    """(B, h, w, 2) what these add to the candidates head and skull."""
    closing: Tensor
    """(B, 1, h, w) how much of a blink there is, 0 to 1."""
    pupils: Tensor
    """(2, B, h, w) where the candidates of the pupils hold, 0 to 1."""

    @property
    def masks(self) -> Tensor:
        """(B, K, h, w) probabilities of the candidates; they sum to 1."""
        return blinks_win(self.logits.softmax(dim=1), self.closing)


def motion_prior(source_points: Tensor, driving_points: Tensor, height: int, width: int) -> Prior:
    """Candidates and their log-probabilities on a (height, width) grid over the driving frame.

    source_points, driving_points (B, 70, 2) normalised, NaN where not known.
    """
    source, driving = full_precision(source_points), full_precision(driving_points)
    with torch.autocast(driving.device.type, enabled=False):
        moving = c.candidate_displacements(source, driving, height, width)
        head = head_probability(driving, moving.similarity, height, width)
        logits = _probabilities(driving, head, moving.pupils).log()
        return Prior(
            moving.displacement, logits, moving.head, moving.sheets, moving.slide, moving.closing, moving.pupils
        )


def prior_warp(source: Tensor, source_points: Tensor, driving_points: Tensor) -> Tensor:
    """The source (B, 3, H, W) moved by the prior alone, with lashes and mouths: what an untrained animator gives."""
    prior = motion_prior(source_points, driving_points, *source.shape[-2:])
    scene = Scene(source, skin_colour(source, source_points), source_points, driving_points)
    seen = moved(scene, prior, prior.masks, blend(prior.displacement, prior.masks), sheet_share(prior.masks))
    return seen.between_pixels(prior.sheets)


class Moved(NamedTuple):
    """A source moved, with one sample a pixel."""

    warped: Tensor
    """(B, 3, h, w) before anything is drawn."""
    drawn: Tensor
    """(B, 3, h, w) with lashes, whites and mouths."""
    places: Tensor
    """(B, h, w, 2) where it comes from."""
    scene: Scene
    motion: Motion

    def between_pixels(self, sheets: Sheets) -> Tensor:
        """What is drawn with edges between pixels, by the prior's sheets: (B, 3, h, w). In float32, as `moved`."""
        with torch.autocast(self.drawn.device.type, enabled=False):
            return between_pixels(self.drawn, self.places, self.scene, self.motion, sheets)


def moved(scene: Scene, prior: Prior, masks: Tensor, displacement: Tensor, share: Tensor) -> Moved:
    """The source moved by `displacement` (B, h, w, 2), in which candidates of the prior count by masks (B, K, h, w).

    `share` as of `sheet_share`. In float32 also under autocast.
    """
    with torch.autocast(displacement.device.type, enabled=False):
        scene = Scene(*(full_precision(field) for field in scene))
        turned = blend(prior.displacement[:, PUPILS] - prior.head[:, None], masks[:, PUPILS])
        smooth = displacement - share[:, 0, ..., None] * prior.slide - turned
        motion = Motion(smooth, prior.head, share[:, 1:], pupil_bias(masks, prior.pupils))
        places = prior.sheets.grid + displacement
        warped = warp(scene.picture, places)
        drawn = prior.sheets.draw(warped, scene.picture, scene.skin, share)
        return Moved(warped, drawn, places, scene, motion)


def sheet_share(masks: Tensor) -> Tensor:
    """How much lids and lips count, by masks (B, K, h, w) of the candidates that have them, and how much whites of
    eyes, which pupils have, too: (B, 2, h, w).
    """
    lids = masks[:, c.HEAD] + masks[:, c.SKULL]
    return torch.stack([lids, lids + masks[:, PUPILS].sum(1)], dim=1)


def pupil_bias(masks: Tensor, holds: Tensor) -> Tensor:
    """By how much, in natural logarithms, pupils count more in masks (B, K, h, w) than by `pupil_odds`: (B, 2, h, w).

    Smooth, where masks have the edges of lids: so masks of other sizes can have these edges of their own.
    """
    lids = masks[:, c.HEAD] + masks[:, c.SKULL]
    return (masks[:, PUPILS] / (lids[:, None] * pupil_odds(holds).transpose(0, 1)).clamp(min=1e-12)).log()


def blinks_win(masks: Tensor, closing: Tensor) -> Tensor:
    """Masks (B, K, h, w) whose motions without lids give way to the head's as far as eyes close, (B, 1, h, w).

    The mean of a lid that comes down and of an eye that is squeezed as a whole is an eye that stays half open.
    """
    taken = closing * masks[:, list(LIDLESS)].sum(1, keepdim=True)
    shares = [mask * (1 - closing[:, 0]) if k in LIDLESS else mask for k, mask in enumerate(masks.unbind(1))]
    shares[c.HEAD] = shares[c.HEAD] + taken[:, 0]
    return torch.stack(shares, dim=1)


def _probabilities(driving: Tensor, head: Tensor, holds: Tensor) -> Tensor:
    """Share out the head's probability (B, h, w) among the moving candidates: (B, K, h, w), summing to 1.

    holds (2, B, h, w): where those of the pupils do.
    """
    height, width = head.shape[-2:]
    parts = [_near(driving, part, height, width) * PART_SHARE * head for part in c.FITTED_PARTS]
    pupils = (PUPIL_SHARE * holds * head).clamp(min=NEVER)
    rigid = PART_SHARE * head
    left = head - rigid - sum(parts) - pupils.sum(0)
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

    A landmark that is not known is replaced by the nearest known one before it on the way around; where there is none,
    by the mean.
    """
    brows = points[:, list(reversed((*layout.PARTS["right_brow"], *layout.PARTS["left_brow"])))]
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
