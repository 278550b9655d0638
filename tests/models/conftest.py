"""A drawn face and the motions that tests tell stories with. All points (1, 70, 2), normalised, float32."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models.eyes import Eyes
from s2d.models.faces import head_similarity, scale_of


def draw_face() -> Tensor:
    """A frontal face with open eyes and a slightly open mouth, looking straight ahead."""
    points = torch.zeros(layout.COUNT, 2)
    points[0:17] = _ellipse(0.0, 0.0, 0.42, 0.55, torch.linspace(0, -math.pi, 17))
    for brow, left in ((slice(17, 22), -0.36), (slice(22, 27), 0.10)):
        points[brow] = torch.stack([torch.linspace(left, left + 0.26, 5), torch.full((5,), -0.24)], -1)
    points[27:31] = torch.stack([torch.zeros(4), torch.linspace(-0.12, 0.10, 4)], -1)
    points[31:36] = torch.stack([torch.linspace(-0.08, 0.08, 5), torch.full((5,), 0.16)], -1)
    eye = torch.tensor([[-0.08, 0], [-0.03, -0.035], [0.03, -0.035], [0.08, 0], [0.03, 0.035], [-0.03, 0.035]])
    points[36:42], points[42:48] = eye + torch.tensor([-0.2, -0.1]), eye + torch.tensor([0.2, -0.1])
    points[48:60] = _ellipse(0.0, 0.32, 0.16, 0.07, torch.arange(12) * math.pi / 6)
    points[60:68] = _ellipse(0.0, 0.32, 0.11, 0.025, torch.arange(8) * math.pi / 4)
    points[68], points[69] = torch.tensor([-0.2, -0.1]), torch.tensor([0.2, -0.1])
    return points[None]


def _ellipse(x: float, y: float, a: float, b: float, angle: Tensor) -> Tensor:
    return torch.stack([x - a * torch.cos(angle), y - b * torch.sin(angle)], -1)


def eyes_of(source: Tensor, driving: Tensor, scale: Tensor | None = None) -> Eyes:
    """The eyes of both; scale (B,) of the source's face over the driver's, measured if not given."""
    return Eyes.of(source, driving, scale_of(head_similarity(source, driving)) if scale is None else scale)


def eye_opening(points: Tensor) -> float:
    """Of the right eye, in widths."""
    return float(eyes_of(points, points, torch.ones(1)).apertures[1][0])


def turned(points: Tensor, degrees: float, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    """Points rotated about the middle of the image, scaled, then shifted."""
    angle = math.radians(degrees)
    matrix = scale * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return points @ matrix.T + torch.tensor(shift)


def jaw_dropped(points: Tensor, by: float = 0.12) -> Tensor:
    """Chin, lower lip and lower jaw move down."""
    moved = points.clone()
    moved[:, [*range(5, 12), 55, 56, 57, 58, 59, 65, 66, 67], 1] += by
    return moved


def lids_closed(points: Tensor, aperture: float = 0.1) -> Tensor:
    """Both upper lids come down until this share of the opening is left."""
    moved = points.clone()
    for upper, lower in (*layout.RIGHT_LIDS, *layout.LEFT_LIDS):
        moved[:, upper] = moved[:, lower] + aperture * (moved[:, upper] - moved[:, lower])
    return moved


def brows_raised(points: Tensor) -> Tensor:
    """Both brows go up."""
    moved = points.clone()
    moved[:, 17:27, 1] -= 0.06
    return moved


def gaze_turned(points: Tensor, by: float = 0.03) -> Tensor:
    """Both pupils look to the right of the image."""
    moved = points.clone()
    moved[:, 68:, 0] += by
    return moved


def head_turned(points: Tensor, degrees: float = 20.0) -> Tensor:
    """The head turns about its vertical axis: the nose, nearest to the camera, moves furthest."""
    angle = math.radians(degrees)
    depth = 0.3 - 1.6 * points[..., 0] ** 2
    depth[:, 27:36] += 0.08
    moved = points.clone()
    moved[..., 0] = points[..., 0] * math.cos(angle) + depth * math.sin(angle)
    return moved


MOTIONS: dict[str, Callable[..., Tensor]] = {
    "a shift": lambda points: points + torch.tensor([0.3, 0.05]),
    "a tilt": lambda points: turned(points, 20),
    "a step back": lambda points: turned(points, 0, 0.8),
    "a turn": head_turned,
    "an opening mouth": jaw_dropped,
    "raised brows": brows_raised,
    "narrowed eyes": lambda points: lids_closed(points, 0.5),
    "closed eyes": lids_closed,
    "a gaze": gaze_turned,
    "all of it": lambda points: turned(gaze_turned(jaw_dropped(head_turned(points, 10))), 10, 0.9, (0.1, 0.0)),
}


@pytest.fixture(scope="session")
def motions() -> dict[str, Callable[..., Tensor]]:
    """What a face may do: points (1, 70, 2) in, moved points out."""
    return MOTIONS


@pytest.fixture(scope="session")
def turn() -> Callable[..., Tensor]:
    """Rotate in the image plane (degrees), scale and shift points about the middle of the image."""
    return turned


@pytest.fixture
def face() -> Tensor:
    return draw_face()


@pytest.fixture
def astronaut() -> Tensor:
    """A real face, (1, 3, 64, 64) in [0, 1]."""
    import cv2
    import skimage.data

    crop = cv2.resize(skimage.data.astronaut()[30:216, 132:318], (64, 64), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
