"""What a face does, read from its landmarks alone: pose of the head, openings of lids and lips, gaze.

Pure functions of points (..., 70, 2), any leading shape, any unit; NaN in gives NaN out.
"""

from __future__ import annotations

import numpy as np

from s2d.geometry import Array, Floats
from s2d.landmarks import layout

# Landmarks that hardly move with expression, on an average adult head: x right, y down, z towards the viewer, in units
# of the distance between the outer eye corners (about 9 cm). Rounded proportions of adult means (compare Farkas 1994:
# breadths of eyes and nose, length and protrusion of the nose). The jaw is left out: detectors put its points on the
# outline of the face, which slides over the skin as the head turns.
RIGID_HEAD: dict[int, tuple[float, float, float]] = {
    27: (0.0, -0.03, 0.24),
    28: (0.0, 0.12, 0.31),
    29: (0.0, 0.27, 0.40),
    30: (0.0, 0.41, 0.50),
    31: (-0.17, 0.50, 0.24),
    33: (0.0, 0.55, 0.34),
    35: (0.17, 0.50, 0.24),
    36: (-0.5, 0.0, 0.0),
    39: (-0.19, 0.01, 0.09),
    42: (0.19, 0.01, 0.09),
    45: (0.5, 0.0, 0.0),
}


def head_pose(points: Floats) -> Array:
    """Yaw, pitch, roll in degrees: (..., 70, 2) -> (..., 3), from one face without knowledge of the camera.

    Positive yaw: turned to the image's right. Positive pitch: looking up. Positive roll: clockwise in the image.
    A scaled orthographic camera is fitted to RIGID_HEAD by least squares and its two rows are made orthonormal
    (POS, DeMenthon and Davis 1995). The average head is nobody's: expect a constant offset of some degrees (most in
    pitch) per person and detector, and changes right within about a fifth.

       >>> face = np.zeros((70, 2)); face[list(RIGID_HEAD)] = np.array(list(RIGID_HEAD.values()))[:, :2] * 90
    >>> abs(head_pose(face)).round(3)
    array([0., 0., 0.])
    """
    model = np.array(list(RIGID_HEAD.values()))
    model = model - model.mean(axis=0)
    seen = np.asarray(points, np.float64)[..., list(RIGID_HEAD), :]
    rows = np.swapaxes(np.linalg.pinv(model) @ (seen - seen.mean(axis=-2, keepdims=True)), -1, -2)
    known = np.isfinite(rows).all(axis=(-1, -2))
    left, _, right = np.linalg.svd(np.where(known[..., None, None], rows, np.eye(2, 3)), full_matrices=False)
    x_axis, y_axis = np.moveaxis(left @ right, -2, 0)
    towards = np.cross(x_axis, y_axis)
    # the rotation is roll * pitch * yaw, its rows the image's x, y and depth axes in head coordinates
    yaw = np.arctan2(-towards[..., 0], towards[..., 2])
    pitch = np.arcsin(np.clip(towards[..., 1], -1, 1))
    roll = np.arctan2(-x_axis[..., 1], y_axis[..., 1])
    angles = np.degrees(np.stack([yaw, pitch, roll], axis=-1))
    return np.where(known[..., None], angles, np.nan)


def lid_apertures(points: Floats) -> Array:
    """Openings of the right and the left eye over the inter-ocular distance: (..., 70, 2) -> (..., 2).

    Mean of the two upper-to-lower lid distances of each eye.
    """
    openings = [layout.aperture(points, pairs) for pairs in (layout.RIGHT_LIDS, layout.LEFT_LIDS)]
    return np.stack(openings, axis=-1) / layout.interocular(points)[..., None]


def lip_aperture(points: Floats) -> Array:
    """Opening between the inner lips over the inter-ocular distance: (..., 70, 2) -> (...)."""
    return layout.aperture(points, layout.INNER_LIP_PAIRS) / layout.interocular(points)


def pupil_offsets(points: Floats) -> Array:
    """Where the pupils are in eyelid coordinates: (..., 70, 2) -> (..., 2 eyes, 2), over the inter-ocular distance.

    The origin is midway between the corners of the eye, x runs along the line through them (image left to right), y
    is perpendicular to it, downwards. First the right eye. Head motion in the picture plane cancels.
    """
    points = np.asarray(points, np.float64)
    eyes = [(36, 39, layout.RIGHT_PUPIL), (42, 45, layout.LEFT_PUPIL)]
    offsets = []
    for left, right, pupil in eyes:
        axis = points[..., right, :] - points[..., left, :]
        along = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
        across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
        shift = points[..., pupil, :] - (points[..., left, :] + points[..., right, :]) / 2
        offsets.append(np.stack([(shift * along).sum(-1), (shift * across).sum(-1)], axis=-1))
    return np.stack(offsets, axis=-2) / layout.interocular(points)[..., None, None]
