"""Size and pose of faces, from their landmarks (B, 70, 2) normalised, NaN where not known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from s2d.geometry_torch import similarity_fit
from s2d.landmarks import layout


def head_similarity(source: Tensor, driving: Tensor) -> Tensor:
    """The similarity (B, 2, 3) from the driving face to the source face, by least squares over 68 landmarks."""
    contour = slice(0, len(layout.CONTOUR_68))
    return similarity_fit(driving[:, contour], source[:, contour])


def scale_of(similarity: Tensor) -> Tensor:
    """The size of the source's face over the driver's: (B, 2, 3) -> (B,)."""
    squared: Tensor = (similarity[:, :, 0] ** 2).sum(-1)
    return squared.clamp(min=1e-12).sqrt()  # 0 for landmarks that all lie in one place


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


def without_pupils(points: Tensor) -> Tensor:
    """The same landmarks, pupils not known."""
    unknown = torch.full_like(points[:, len(layout.CONTOUR_68) :], torch.nan)
    return torch.cat([points[:, : len(layout.CONTOUR_68)], unknown], dim=1)


def known_in_both(source: Tensor, driving: Tensor, landmarks: Sequence[int]) -> Tensor:
    """(B,) whether all of these landmarks are known in both."""
    return torch.isfinite(source[:, list(landmarks)] + driving[:, list(landmarks)]).all(-1).all(-1)


def known_mean(points: Tensor) -> Tensor:
    """Mean of those that are known: (B, N, 2) -> (B, 2); the middle of the image where none is."""
    known = torch.isfinite(points).all(-1, keepdim=True)
    return torch.where(known, points, 0.0).sum(1) / known.sum(1).clamp(min=1)
