"""Size and pose of faces, from their landmarks (B, 70, 2) normalised, NaN where not known."""

from __future__ import annotations

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
    scale: Tensor = torch.linalg.vector_norm(similarity[:, :, 0], dim=-1)
    return scale


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
