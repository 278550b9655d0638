"""Candidate motions: for every node of the driving frame, where in the source the same matter lies.

Backward flow in normalised coordinates, given as displacement (source position minus driving position): zero is
standing still, exactly, in any precision. Points are (B, 70, 2) normalised, NaN where not known.
"""

from __future__ import annotations

import torch
from torch import Tensor

from s2d.geometry_torch import apply, similarity_fit
from s2d.landmarks import layout
from s2d.models.heatmaps import gaussian_field

CANDIDATES = (
    "background",
    "head_similarity",
    "head",
    "right_eye",
    "left_eye",
    "mouth",
    "right_pupil",
    "left_pupil",
)
COUNT = len(CANDIDATES)
BACKGROUND, HEAD_SIMILARITY, HEAD, RIGHT_EYE, LEFT_EYE, MOUTH, RIGHT_PUPIL, LEFT_PUPIL = range(COUNT)
FITTED_PARTS = (
    layout.PARTS["right_eye"],
    layout.PARTS["left_eye"],
    (*layout.PARTS["outer_lips"], *layout.PARTS["inner_lips"]),
)
PUPILS = (layout.RIGHT_PUPIL, layout.LEFT_PUPIL)
RBF_SIGMAS = (0.43, 0.15)  # in face radii, coarse then fine; 0.43 is 0.16 normalised in the usual crop (radius 0.37)
LID_MIDPOINTS = tuple((a, b) for eye in FITTED_PARTS[:2] for a, b in zip(eye, (*eye[1:], eye[0]), strict=True))
RBF_RIDGE = 0.05  # noise of single landmarks is smoothed; what the coarse level smooths too much, the fine one mends

NEWTON_STEPS = 16  # one more than needed, see solve_by_products


def identity_grid(height: int, width: int, like: Tensor) -> Tensor:
    """The nodes (height, width, 2) of a normalised grid, as `grid_sample(align_corners=True)` counts them."""
    x = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device)
    y = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)


def face_radius(points: Tensor) -> Tensor:
    """Root mean square distance of the 68 contour landmarks from their mean: (B, 70, 2) -> (B,)."""
    contour, known = _contour(points)
    count = known.sum(-1).clamp(min=1)
    mean = contour.sum(-2) / count[:, None]
    squared = ((contour - mean[:, None]) ** 2).sum(-1) * known
    return (squared.sum(-1) / count).clamp(min=1e-6).sqrt()


def _contour(points: Tensor) -> tuple[Tensor, Tensor]:
    """The 68 contour landmarks with zeros where one is not known, and where they are known."""
    contour = points[:, : len(layout.CONTOUR_68)]
    known = torch.isfinite(contour).all(-1)
    return torch.where(known[..., None], contour, 0.0), known


def candidate_displacements(source: Tensor, driving: Tensor, height: int, width: int) -> Tensor:
    """All candidates of `CANDIDATES` on a grid: (B, K, height, width, 2).

    The head is the least-squares similarity plus a Gaussian radial basis interpolation of what it leaves over at the
    landmarks: (G + ridge I) w = residual. It decays to the similarity away from the face.
    """
    grid = identity_grid(height, width, driving)
    similarity = head_similarity(source, driving)
    rigid = _displacement(similarity, grid)
    head = rigid + residual_motion(source, driving, similarity, height, width)
    parts = [_part_displacement(source, driving, similarity, part, grid) for part in FITTED_PARTS]
    pupils = [_pupil_displacement(source, driving, similarity, pupil, rigid, head) for pupil in PUPILS]
    return torch.stack([torch.zeros_like(rigid), rigid, head, *parts, *pupils], dim=1)


def head_similarity(source: Tensor, driving: Tensor) -> Tensor:
    """The similarity (B, 2, 3) from the driving face to the source face, by least squares over 68 landmarks."""
    contour = slice(0, len(layout.CONTOUR_68))
    return similarity_fit(driving[:, contour], source[:, contour])


def residual_motion(source: Tensor, driving: Tensor, similarity: Tensor, height: int, width: int) -> Tensor:
    """Displacement (B, height, width, 2) by which the landmarks depart from `similarity`, spread around them.

    Two levels of radial basis functions: the fine one interpolates what the coarse one's ridge leaves over at the lids
    and lips. A landmark that is not known on either side has no weight and disturbs no other.
    """
    centres, known_driving = _anchors(driving)
    target, known_source = _anchors(source)
    known = known_driving & known_source
    left = torch.where(known[..., None], target - apply(similarity, centres), 0.0)
    radius = face_radius(driving)
    field = torch.zeros(centres.shape[0], height, width, 2, dtype=centres.dtype, device=centres.device)
    for sigma in RBF_SIGMAS:
        weights, fitted = fit_rbf(centres, left, known, sigma * radius)
        field = field + gaussian_field(centres, weights, sigma * radius, height, width).permute(0, 2, 3, 1)
        left = left - fitted
    return field


def _anchors(points: Tensor) -> tuple[Tensor, Tensor]:
    """The 68 landmarks and the middles between neighbours on the lids (B, 80, 2), and where they are known (B, 80).

    The lids' landmarks lie further apart than the lids move; without the middles a closing lid would be a zigzag.
    """
    starts, ends = (list(side) for side in zip(*LID_MIDPOINTS, strict=True))
    anchors = torch.cat([points[:, : len(layout.CONTOUR_68)], (points[:, starts] + points[:, ends]) / 2], dim=1)
    known = torch.isfinite(anchors).all(-1)
    return torch.where(known[..., None], anchors, 0.0), known


def fit_rbf(centres: Tensor, values: Tensor, known: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of Gaussians (B, N, C) that interpolate values (B, N, C) at centres (B, N, 2), and their values there.

    (G + ridge I) w = values; centres that are not `known` (B, N) get weight 0. sigma (B,).
    """
    squared = ((centres[:, :, None] - centres[:, None]) ** 2).sum(-1)
    gram = torch.exp(-0.5 * squared / sigma[:, None, None] ** 2) * (known[:, :, None] & known[:, None])
    ridge = RBF_RIDGE + (~known).to(gram)  # keeps the rows of unknown landmarks invertible
    weights = solve_spd(gram + torch.diag_embed(ridge), values)
    return weights, gram @ weights


def solve_spd(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve matrix (B, N, N) x = right (B, N, C), symmetric and positive definite.

    Kept apart because it is the one step here that exchange formats such as ONNX have no operator for: while
    `torch.export` traces, matrix products alone do it, equal to the factorisation but for rounding.
    """
    if torch.compiler.is_exporting():
        return solve_by_products(matrix, right)
    return torch.cholesky_solve(right, torch.linalg.cholesky(matrix))


def solve_by_products(matrix: Tensor, right: Tensor) -> Tensor:
    """`solve_spd` by Newton's iteration for the inverse, X <- X (2 I - A X), which squares the error at every step.

    From X = I / |A| the error shrinks as (1 - eigenvalue / |A|) ** (2 ** step). With 80 landmarks |A| is at most 81.05
    and the eigenvalues at least the ridge, so that 15 steps reach the precision of float32 for any landmarks.
    """
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    inverse = identity / matrix.abs().sum(-1).amax(-1)[:, None, None]
    for _ in range(NEWTON_STEPS):
        inverse = inverse @ (2 * identity - matrix @ inverse)
    solution = inverse @ right
    return solution + inverse @ (right - matrix @ solution)


def _displacement(matrix: Tensor, grid: Tensor) -> Tensor:
    """Affine maps (B, 2, 3) as displacement (B, h, w, 2); the identity matrix gives exactly zero."""
    linear = matrix[:, :, :2] - torch.eye(2, dtype=matrix.dtype, device=matrix.device)
    return torch.einsum("bij,hwj->bhwi", linear, grid) + matrix[:, None, None, :, 2]


def _part_displacement(
    source: Tensor, driving: Tensor, similarity: Tensor, part: tuple[int, ...], grid: Tensor
) -> Tensor:
    """The part's own similarity; the head's where fewer than two of its landmarks are known."""
    s, d = source[:, list(part)], driving[:, list(part)]
    count = (torch.isfinite(s) & torch.isfinite(d)).all(-1).sum(-1)
    own = torch.where((count >= 2)[:, None, None], similarity_fit(d, s), similarity)
    return _displacement(own, grid)


def _pupil_displacement(
    source: Tensor, driving: Tensor, similarity: Tensor, pupil: int, rigid: Tensor, head: Tensor
) -> Tensor:
    """The head's similarity, shifted so that the driving pupil meets the source's: an iris turns, lids do not bend it.

    Where one of the two pupils is not known: the motion of the head.
    """
    known = (torch.isfinite(source[:, pupil]) & torch.isfinite(driving[:, pupil])).all(-1)
    start, end = (torch.where(known[:, None], points[:, pupil], 0.0) for points in (driving, source))
    shift = end - apply(similarity, start[:, None])[:, 0]
    return torch.where(known[:, None, None, None], rigid + shift[:, None, None], head)
