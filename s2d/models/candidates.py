"""Candidate motions: for every node of the driving frame, where in the source the same matter lies.

Backward flow in normalised coordinates, given as displacement (source position minus driving position): zero is
standing still, exactly, in any precision. Points are (B, 70, 2) normalised, NaN where not known.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from s2d.geometry_torch import apply, displacement, similarity_fit
from s2d.landmarks import layout
from s2d.models.blocks import identity_grid, resize
from s2d.models.eyes import Eyes, with_open_lids
from s2d.models.faces import face_radius, head_similarity, scale_of
from s2d.models.heatmaps import gaussian_field
from s2d.models.sheets import Sheets
from s2d.models.skull import skull_outline

CANDIDATES = (
    "background",
    "head_similarity",
    "head",
    "skull",
    "right_eye",
    "left_eye",
    "mouth",
    "right_pupil",
    "left_pupil",
)
COUNT = len(CANDIDATES)
BACKGROUND, HEAD_SIMILARITY, HEAD, SKULL, RIGHT_EYE, LEFT_EYE, MOUTH, RIGHT_PUPIL, LEFT_PUPIL = range(COUNT)
FITTED_PARTS = (
    layout.PARTS["right_eye"],
    layout.PARTS["left_eye"],
    (*layout.PARTS["outer_lips"], *layout.PARTS["inner_lips"]),
)
FITTED = layout.PARTS["inner_lips"][0]  # of the landmarks: all but the inner lips, which part and meet by themselves
MATERN_LENGTH = 0.7  # normalised; .5 to 2 gave the same error on real clips
MATERN_RIDGE = 0.01  # noise of single landmarks; what it smooths too much, the fine level mends
OUTLINE_RIDGE = 0.1  # an estimate, and hair is soft
BORDER_RIDGE = 0.05  # the border is held more loosely, so that a head may come close to it
BORDER_ANCHORS = 16  # evenly around the image; without them the whole picture turns with the head
HIDDEN_RIDGE = 10.0  # for a landmark of the jaw that ends as far on the other side of one of the face: it hardly counts
TOUCHING = 0.003  # normalised: landmarks are not known to be nearer
COARSE_NODES = 24  # per side, where the smooth level is summed up; finer grids changed the fourth digit of the error
RBF_SIGMA = 0.15  # in face radii, of the fine level: a lid's height
RBF_RIDGE = 0.05

NEWTON_STEPS = 19  # one more than needed, see solve_by_products


class Candidates(NamedTuple):
    """On a grid of (h, w) nodes over the driving frame."""

    displacement: Tensor
    """(B, K, h, w, 2) of all candidates of `CANDIDATES`."""
    head: Tensor
    """(B, h, w, 2) of the head without lids and lips."""
    sheets: Sheets
    """The lids and lips."""
    slide: Tensor
    """(B, h, w, 2) what these add, to the candidates head and skull."""
    closing: Tensor
    """(B, 1, h, w) how much of a blink there is, 0 to 1."""
    similarity: Tensor
    """(B, 2, 3) from the driving face to the source face."""
    pupils: Tensor
    """(2, B, h, w) where the candidates of the pupils hold, 0 to 1."""


def candidate_displacements(source: Tensor, driving: Tensor, height: int, width: int) -> Candidates:
    """All candidates on a grid of (height, width).

    Head and skull are `landmark_motion`, without and with the outline of the skull (skull.py): long hair that lies on
    shoulders stays, short hair turns with the head. To both, lids and lips (sheets.py) are added.
    """
    grid = identity_grid(height, width, driving)
    similarity = head_similarity(source, driving)
    rigid = displacement(similarity, grid)
    eyes = Eyes.of(source, driving, scale_of(similarity))
    awake, seen = with_open_lids(driving, eyes), eyes.seen()
    head, skull = landmark_motion(source, awake, skull_outline(source), skull_outline(driving), height, width)
    sheets = Sheets.on(grid, source, driving, seen)
    # both here: later, torch.export no longer knows that no box is smaller than nothing
    slide, closing = sheets.motion(head), sheets.closing()
    parts = [_part_displacement(source, driving, similarity, part, grid) for part in FITTED_PARTS]
    pupils, holds = sheets.pupil_motion(similarity, rigid, head + slide), sheets.pupils_hold()
    moving = [torch.zeros_like(rigid), rigid, head + slide, skull + slide, *parts, *pupils]
    return Candidates(torch.stack(moving, dim=1), head, sheets, slide, closing, similarity, holds)


def landmark_motion(
    source: Tensor, driving: Tensor, source_outline: Tensor, driving_outline: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Displacements (B, height, width, 2) that take landmarks where they were and fade towards the image's border.

    All but the inner lips: see lips.py. First without, then with the outlines (B, M, 2).

    A smooth level, the Gaussian process whose covariance is Matern's of order 3/2 (Rasmussen and Williams 2006, eq.
    4.17), through the landmarks, the outlines and zero around the border: hair and shoulders follow the face by
    halves, as in a thin-plate spline. A fine level of radial basis functions adds what the smooth one leaves at lids
    and lips. A point that is not known on either side has no weight and disturbs no other.
    """
    pairs = ((driving, driving_outline), (source, source_outline))
    places, ends = (torch.cat([points[:, :FITTED], outline], dim=1) for points, outline in pairs)
    known = torch.isfinite(places + ends).all(-1)
    places, ends = (torch.where(known[..., None], points, 0.0) for points in (places, ends))
    doubt = _doubt(apply(head_similarity(source, driving), places), ends, known)
    landmarks = known & (torch.arange(places.shape[1], device=known.device) < FITTED)
    smooth, left = _smooth_motion(places, ends - places, (landmarks, known), doubt)
    centres, sigma = places[:, :FITTED], RBF_SIGMA * face_radius(driving)
    weights = fit_rbf(centres, left[:, :FITTED], known[:, :FITTED], sigma, RBF_RIDGE + doubt)
    field = resize(smooth, height, width) + gaussian_field(centres, weights, sigma, height, width)
    without, outlined = field.permute(0, 2, 3, 1).chunk(2, dim=-1)
    return without, outlined


def _doubt(carried: Tensor, ends: Tensor, known: Tensor) -> Tensor:
    """Noise (B, FITTED) of landmarks of the jaw that the face hides, 0 of all others.

    Of a turned head detectors put the far side of the jaw behind nose and lips. Where the head's own motion carries a
    landmark of the jaw (B, N, 2) to one side of a landmark of the face and it ends on the other, a field that takes
    both along folds. What is in front is right.
    """
    jaw = len(layout.PARTS["jaw"])
    here, there = (at[:, :jaw, None] - at[:, None, jaw:FITTED] for at in (carried, ends))
    shorter = torch.minimum((here**2).sum(-1), (there**2).sum(-1)).clamp(min=TOUCHING**2)
    both = known[:, :jaw, None] & known[:, None, jaw:FITTED]
    changes = torch.where(both, -(here * there).sum(-1) / shorter, 0.0).amax(-1)
    return F.pad(HIDDEN_RIDGE * changes.clamp(0, 2) ** 2, (0, FITTED - jaw))


def _smooth_motion(places: Tensor, moved: Tensor, choices: tuple[Tensor, ...], doubt: Tensor) -> tuple[Tensor, Tensor]:
    """The smooth level through what each of the choices (B, N) says of the places (B, N, 2), the outline last.

    On its own coarse grid (B, 2 for each choice, n, n), and what it leaves over at the places, (B, N, 2 for each).
    """
    border = _border(places).expand(places.shape[0], -1, -1)
    nodes = torch.cat([places, border], dim=1)
    covariance, values = matern(nodes, nodes), torch.cat([moved, torch.zeros_like(border)], dim=1)
    outline = places.shape[1] - FITTED
    ridges = ((MATERN_RIDGE, FITTED), (OUTLINE_RIDGE, outline), (BORDER_RIDGE, BORDER_ANCHORS))
    ridge = torch.cat([places.new_full((count,), value) for value, count in ridges])
    ridge = ridge + F.pad(doubt, (0, outline + BORDER_ANCHORS))
    weights, left = [], []
    for choice in choices:
        used = torch.cat([choice, choice.new_ones(border.shape[:2])], dim=1)
        gram = covariance * (used[:, :, None] & used[:, None])
        matrix = gram + torch.diag_embed(ridge + (~used).to(gram))  # keeps the rows of unknown points invertible
        weights.append(solve_spd(matrix, values * used[..., None]))
        left.append((values - gram @ weights[-1])[:, : places.shape[1]])
    side = torch.linspace(-1, 1, COARSE_NODES, dtype=nodes.dtype, device=nodes.device)
    x, y = (_scaled(side[:, None] - axis[:, None]) for axis in nodes.unbind(-1))  # of a regular grid, apart
    field = _matern((y[:, :, None] + x[:, None]).flatten(1, 2)) @ torch.cat(weights, dim=-1)
    return field.reshape(places.shape[0], COARSE_NODES, COARSE_NODES, -1).permute(0, 3, 1, 2), torch.cat(left, dim=-1)


def matern(a: Tensor, b: Tensor) -> Tensor:
    """Matern's covariance of order 3/2 between points (B, M, 2) and (B, N, 2): (B, M, N), 1 where they meet."""
    x, y = (_scaled(a[..., axis, None] - b[..., None, :, axis]) for axis in (0, 1))
    return _matern(x + y)


def _scaled(offset: Tensor) -> Tensor:
    """One axis's part of the squared distances that `_matern` takes: more than 0, where a root's slope is infinite."""
    return 3 / MATERN_LENGTH**2 * offset * offset + 1e-12


def _matern(squared: Tensor) -> Tensor:
    distance = squared.sqrt()
    falling = torch.exp(-distance)
    return torch.addcmul(falling, distance, falling)


def _border(like: Tensor) -> Tensor:
    """Points (1, BORDER_ANCHORS, 2) evenly around the image."""
    side = torch.arange(BORDER_ANCHORS // 4, dtype=like.dtype, device=like.device) * (8 / BORDER_ANCHORS) - 1
    one = torch.ones_like(side)
    edges = [(side, -one), (one, side), (-side, one), (-one, -side)]
    return torch.cat([torch.stack(edge, dim=-1) for edge in edges])[None]


def fit_rbf(centres: Tensor, values: Tensor, known: Tensor, sigma: Tensor, ridge: Tensor) -> Tensor:
    """Weights of Gaussians (B, N, C) that interpolate values (B, N, C) at centres (B, N, 2).

    (G + ridge I) w = values; centres that are not `known` (B, N) get weight 0. sigma (B,), ridge (B, N).
    """
    squared = ((centres[:, :, None] - centres[:, None]) ** 2).sum(-1)
    gram = torch.exp(-0.5 * squared / sigma[:, None, None] ** 2) * (known[:, :, None] & known[:, None])
    ridge = ridge + (~known).to(gram)  # keeps the rows of unknown landmarks invertible
    return solve_spd(gram + torch.diag_embed(ridge), values)


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

    From X = I / |A| the error shrinks as (1 - eigenvalue / |A|) ** (2 ** step). With 60 landmarks, outline and border,
    |A| is at most 126 and the eigenvalues at least 0.01: 18 steps reach the precision of float32 for any landmarks.
    """
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    inverse = identity / matrix.abs().sum(-1).amax(-1)[:, None, None]
    for _ in range(NEWTON_STEPS):
        inverse = inverse @ (2 * identity - matrix @ inverse)
    solution = inverse @ right
    return solution + inverse @ (right - matrix @ solution)


def _part_displacement(
    source: Tensor, driving: Tensor, similarity: Tensor, part: tuple[int, ...], grid: Tensor
) -> Tensor:
    """The part's own similarity; the head's where fewer than two of its landmarks are known."""
    s, d = source[:, list(part)], driving[:, list(part)]
    count = (torch.isfinite(s) & torch.isfinite(d)).all(-1).sum(-1)
    own = torch.where((count >= 2)[:, None, None], similarity_fit(d, s), similarity)
    return displacement(own, grid)
