"""Ways to animate a face, all asked in the same words: the animator, and what it has to be better than.

A method takes a Scene and gives pictures (N, 3, S, S). `by_landmarks` makes one of a function of a source (N, 3, S, S),
its points and the driving points, both (N, 70, 2) normalised; a method that is driven by pictures takes them from the
Scene itself. To add a baseline: write such a function and name it in BASELINES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from s2d.evaluation.footage import Clip
from s2d.geometry_torch import apply
from s2d.landmarks import layout
from s2d.models.animator import Animator
from s2d.models.blocks import identity_grid, resize, warp
from s2d.models.faces import head_similarity
from s2d.models.prior import prior_warp

BATCH = 16  # frames at a time
NODES = 64  # of the grid on which the thin-plate spline and moving least squares are worked out, per side at most
ANCHORS = 4  # intervals per side between the anchors on the border of the picture, which stay where they are
STIFFNESS = 1e-3  # of the thin-plate spline: noise of single landmarks is not followed to the last digit


@dataclass(frozen=True)
class Scene:
    """A source to be animated by a driver; pictures in [0, 1], points normalised."""

    source: Tensor
    """(3, S, S)."""
    source_points: Tensor
    """(70, 2)."""
    driving_points: Tensor
    """(N, 70, 2) on the source's face: retargeted where the driver is another person."""
    driving: Tensor
    """(N, 3, S, S) pictures of the driver, for methods driven by pictures."""
    first_driving: Tensor
    """(3, S, S) the driver's first frame, for those that move the source by the change since then."""

    @staticmethod
    def of_clip(clip: Clip) -> Scene:
        """A person animated by their own later frames."""
        return Scene(clip.source, clip.source_points, clip.points, clip.images, clip.source)


Method = Callable[[Scene], Tensor]
Warp = Callable[[Tensor, Tensor, Tensor], Tensor]


def by_landmarks(function: Warp) -> Method:
    """The method that calls `function(source, source_points, driving_points)` a few frames at a time."""

    def method(scene: Scene) -> Tensor:
        made = []
        with torch.inference_mode():
            for points in torch.split(scene.driving_points, BATCH):
                source = scene.source.expand(len(points), -1, -1, -1)
                made.append(function(source, scene.source_points.expand(len(points), -1, -1), points).clamp(0, 1))
        return torch.cat(made)

    return method


def animator_method(model: Animator) -> Method:
    """A trained animator, at its own size."""
    return by_landmarks(lambda source, source_points, points: model(source, source_points, points).image)


def copy_source(source: Tensor, source_points: Tensor, driving_points: Tensor) -> Tensor:
    """The source as it is."""
    return source


def similarity(source: Tensor, source_points: Tensor, driving_points: Tensor) -> Tensor:
    """The whole picture under the least-squares similarity of the 68 landmarks."""
    height, width = source.shape[-2:]
    grid = identity_grid(height, width, driving_points).flatten(0, 1)
    moved = apply(head_similarity(source_points, driving_points), grid.expand(len(source), -1, -1))
    return warp(source, moved.reshape(-1, height, width, 2))


def thin_plate_spline(source: Tensor, source_points: Tensor, driving_points: Tensor) -> Tensor:
    """Landmarks interpolated by the smoothest surface (Bookstein 1989), the border of the picture held still."""
    target, centres = _controls(source_points, driving_points)
    batch, count = centres.shape[:2]
    ones = torch.cat([centres.new_ones(batch, count, 1), centres], -1)
    system = centres.new_zeros(batch, count + 3, count + 3)
    system[:, :count, :count] = _surface(centres, centres) + STIFFNESS * torch.eye(count, dtype=centres.dtype)
    system[:, :count, count:], system[:, count:, :count] = ones, ones.mT
    values = torch.cat([target - centres, centres.new_zeros(batch, 3, 2)], 1)
    weights = torch.linalg.solve(system, values)
    nodes = _nodes(source, centres)
    affine = torch.cat([nodes.new_ones(*nodes.shape[:2], 1), nodes], -1)
    return _warped(source, _surface(nodes, centres) @ weights[:, :count] + affine @ weights[:, count:])


def moving_least_squares(source: Tensor, source_points: Tensor, driving_points: Tensor) -> Tensor:
    """At every node the similarity that fits the landmarks near it (Schaefer et al. 2006), the border held still.

    Near is: with a weight of 1 / squared distance.
    """
    target, centres = _controls(source_points, driving_points)
    nodes = _nodes(source, centres)
    weights = _squared(nodes, centres).clamp_min_(1e-8).reciprocal_()
    weights = weights / weights.sum(-1, keepdim=True)
    squares = torch.stack([(centres**2).sum(-1), (centres * target).sum(-1), _cross(centres, target)], -1)
    means = weights @ torch.cat([centres, target, squares], -1)  # weighted moments: all that a similarity needs
    at, to = means[..., :2], means[..., 2:4]
    spread = (means[..., 4] - (at**2).sum(-1)).clamp_min(1e-12)
    cosine, sine = means[..., 5] - (at * to).sum(-1), means[..., 6] - _cross(at, to)
    x, y = ((nodes - at) / spread[..., None]).unbind(-1)
    moved = torch.stack([cosine * x - sine * y, sine * x + cosine * y], -1) + to
    return _warped(source, moved - nodes)


BASELINES: dict[str, Method] = {
    "copy": by_landmarks(copy_source),
    "similarity": by_landmarks(similarity),
    "tps": by_landmarks(thin_plate_spline),
    "mls": by_landmarks(moving_least_squares),
    "prior": by_landmarks(prior_warp),
}
MEANINGS = {
    "copy": "the source as it is",
    "similarity": "the picture turned, scaled and shifted as the 68 landmarks",
    "tps": "thin-plate spline through the landmarks, border held still",
    "mls": "moving least squares (similarities) of the landmarks, border held still",
    "prior": "the analytic motion prior: the untrained animator",
    "animator": "the trained animator",
}


def _controls(source_points: Tensor, driving_points: Tensor) -> tuple[Tensor, Tensor]:
    """Where control points lie in the source and in the driving frame, (B, N, 2) each, float64: 68 and the border."""
    contour = list(layout.CONTOUR_68)
    border = _border(driving_points).expand(len(driving_points), -1, -1)
    return tuple(torch.cat([points[:, contour].double(), border], 1) for points in (source_points, driving_points))  # type: ignore[return-value]


def _border(like: Tensor) -> Tensor:
    """Anchors around the picture: (1, 4 x ANCHORS, 2) float64."""
    grid = identity_grid(ANCHORS + 1, ANCHORS + 1, like.double())
    outside = (grid.abs().amax(-1) > 1 - 1e-6).flatten()
    return grid.flatten(0, 1)[outside][None]


def _surface(places: Tensor, centres: Tensor) -> Tensor:
    """Bookstein's U(r) = r^2 log r^2 between (B, M, 2) and (B, N, 2): (B, M, N)."""
    squared = _squared(places, centres)
    return squared * squared.clamp_min(1e-12).log()


def _squared(places: Tensor, centres: Tensor) -> Tensor:
    """Squared distances between (B, M, 2) and (B, N, 2): (B, M, N)."""
    lengths = (places**2).sum(-1)[:, :, None] + (centres**2).sum(-1)[:, None]
    return torch.baddbmm(lengths, places, centres.mT, alpha=-2).clamp_min(0)  # float64: exact enough


def _cross(one: Tensor, other: Tensor) -> Tensor:
    """z of the cross product of (..., 2) and (..., 2)."""
    return one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]


def _nodes(source: Tensor, like: Tensor) -> Tensor:
    """A grid over the picture, (B, M, 2), as fine as the picture up to NODES."""
    height, width = (min(side, NODES) for side in source.shape[-2:])
    return identity_grid(height, width, like).flatten(0, 1).expand(len(source), -1, -1)


def _warped(source: Tensor, displacement: Tensor) -> Tensor:
    """The source moved by a displacement (B, M, 2) of the `_nodes`."""
    height, width = source.shape[-2:]
    coarse = (min(height, NODES), min(width, NODES))
    field = displacement.to(source.dtype).mT.reshape(-1, 2, *coarse)
    moved = resize(field, height, width).permute(0, 2, 3, 1)
    return warp(source, identity_grid(height, width, source) + moved)
