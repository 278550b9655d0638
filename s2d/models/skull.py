"""Where the skull is behind a face: its outline turns with the head, but not as far as the nose does.

A scaled orthographic camera is fitted to the rigid landmarks of an average head (POS, DeMenthon and Davis 1995), and an
ellipse around a centre behind the eyes is drawn with it. What is wrong about the average cancels to a great part,
because source and driver are landmarks of one person.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from s2d.geometry import Float32
from s2d.landmarks.expression import RIGID_HEAD

# In units of RIGID_HEAD: the distance between the outer corners of the eyes, about 9 cm; z towards the viewer.
CENTRE = (0.0, -0.35, -0.75)
HALF_WIDTH, HALF_HEIGHT = 0.95, 1.05  # hair included
POINTS = 9  # over the upper half, from ear to ear
TINY = 1e-12


def skull_outline(points: Tensor) -> Tensor:
    """The upper outline of the head: (B, 70, 2) -> (B, POINTS, 2), from image left over the top, in the same units.

    All NaN where one of the rigid landmarks is not known.
    """
    model, inverse, ellipse = (torch.as_tensor(part).to(points) for part in _model())
    seen = points[:, list(RIGID_HEAD)]
    known = torch.isfinite(seen).all(-1).all(-1)[:, None, None]
    seen = torch.where(known, seen, model[1:, :2])
    middle = seen.mean(1, keepdim=True)
    camera = (inverse @ (seen - middle)).mT  # (B, 2, 3), scale times rotation, nearly
    stretch = _square_root(camera @ camera.mT)
    turned = _inverse(stretch) @ camera
    scale = stretch.diagonal(dim1=1, dim2=2).mean(-1)[:, None, None]
    centre = middle + scale * (model[:1] @ turned.mT)
    upright = torch.stack([turned[:, 1, 1], -turned[:, 0, 1]], dim=-1)
    cosine, sine = (upright / upright.norm(dim=-1, keepdim=True).clamp(min=TINY)).unbind(-1)
    roll = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    return torch.where(known, centre + scale * (ellipse @ roll.mT), torch.nan)


@cache
def _model() -> tuple[Float32, Float32, Float32]:
    """Centre and rigid landmarks (1 + N, 3) about the landmarks' mean, their pseudo-inverse (3, N), ellipse (M, 2)."""
    rigid = np.array(list(RIGID_HEAD.values()))
    angles = np.linspace(np.pi, 2 * np.pi, POINTS)
    ellipse = np.stack([HALF_WIDTH * np.cos(angles), HALF_HEIGHT * np.sin(angles)], axis=-1)
    about = np.concatenate([[CENTRE], rigid]) - rigid.mean(0)
    return about.astype(np.float32), np.linalg.pinv(about[1:]).astype(np.float32), ellipse.astype(np.float32)


def _square_root(matrix: Tensor) -> Tensor:
    """Of symmetric positive matrices (B, 2, 2), in closed form: (A + d I) / sqrt(trace A + 2 d), d = sqrt(det A)."""
    root = _determinant(matrix).sqrt()[:, None, None]
    trace = matrix.diagonal(dim1=1, dim2=2).sum(-1)[:, None, None]
    return (matrix + root * torch.eye(2).to(matrix)) / (trace + 2 * root).clamp(min=TINY).sqrt()


def _inverse(matrix: Tensor) -> Tensor:
    """Of symmetric matrices (B, 2, 2): the adjugate over the determinant."""
    (a, b), (_, d) = (row.unbind(-1) for row in matrix.unbind(-2))
    adjugate = torch.stack([torch.stack([d, -b], -1), torch.stack([-b, a], -1)], -2)
    return adjugate / _determinant(matrix)[:, None, None]


def _determinant(matrix: Tensor) -> Tensor:
    (a, b), (_, d) = (row.unbind(-1) for row in matrix.unbind(-2))
    return (a * d - b * b).clamp(min=TINY)
