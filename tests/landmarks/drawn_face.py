"""A schematic face and what it does, for tests of what is done with landmarks."""

from __future__ import annotations

import numpy as np

from s2d.landmarks import layout


def face() -> np.ndarray:
    """A schematic frontal face, 100 px between the outer eye corners, eyes 10 px open, mouth just closed."""
    points = np.zeros((70, 2))
    angles = np.linspace(np.pi, 0, 17)
    points[0:17] = np.c_[70 * np.cos(angles), 20 + 80 * np.sin(angles)]
    points[17:22] = np.c_[np.linspace(-55, -15, 5), [-25, -30, -32, -30, -27]]
    points[22:27] = points[21:16:-1] * [-1, 1]
    points[27:31] = np.c_[np.zeros(4), np.linspace(0, 30, 4)]
    points[31:36] = np.c_[np.linspace(-12, 12, 5), [36, 38, 39, 38, 36]]
    points[36:42] = [[-50, 0], [-40, -5], [-28, -5], [-18, 0], [-28, 5], [-40, 5]]
    points[42:48] = points[[39, 38, 37, 36, 41, 40]] * [-1, 1]
    points[48:60] = np.c_[
        25 * np.cos(np.linspace(np.pi, -np.pi, 13)[:-1]), 60 - 8 * np.sin(np.linspace(np.pi, -np.pi, 13)[:-1])
    ]
    points[60:65] = np.c_[np.linspace(-18, 18, 5), np.full(5, 60)]
    points[65:68] = np.c_[[9, 0, -9], np.full(3, 60.5)]
    points[68], points[69] = [-34, 0], [34, 0]
    return points + 200


def moved(points: np.ndarray, scale: float, angle: float, shift: tuple[float, float]) -> np.ndarray:
    centre = points.mean(0)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return (points - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre + shift


def resting(count: int = 20) -> np.ndarray:
    return np.repeat(face()[None], count, axis=0)


def wide_face() -> np.ndarray:
    """Another person: wider, larger, elsewhere, tilted."""
    return moved((face() - 200) * [1.3, 0.9] + 400, 1.7, 0.1, (30, -20))


def lowered(points: np.ndarray, aperture: float) -> np.ndarray:
    """Both eyes, whose width is 32, open by so many pixels, the lower lids where they were."""
    made = points.copy()
    for upper, lower in (*layout.RIGHT_LIDS, *layout.LEFT_LIDS):
        made[..., upper, :] = made[..., lower, :] - [0, aperture]
    return made


def jaw_dropped(points: np.ndarray, by: float) -> np.ndarray:
    made = points.copy()
    made[..., [55, 56, 57, 58, 59, 65, 66, 67], 1] += by
    made[..., list(range(5, 12)), 1] += by / 2
    return made
