"""The skull is drawn where a camera that looks at an average head sees it."""

import numpy as np
import pytest
import torch

from s2d.landmarks.expression import RIGID_HEAD
from s2d.models import skull


def rotation(yaw, pitch, roll):
    """Roll * pitch * yaw in degrees, as `head_pose` defines them."""
    a, b, c = np.deg2rad([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def seen(angles, scale, shift):
    """The rigid landmarks of the average head (1, 70, 2), the rest unknown, and its skull's centre."""
    camera = (scale * rotation(*angles))[:2]
    points = np.full((70, 2), np.nan)
    points[list(RIGID_HEAD)] = np.array(list(RIGID_HEAD.values())) @ camera.T + shift
    return torch.tensor(points[None]), np.array(skull.CENTRE) @ camera.T + shift


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (-20, 15, 0), (10, -10, 25), (0, 0, -40)])
def test_the_outline_is_an_ellipse_around_the_projected_centre(angles):
    points, centre = seen(angles, 0.4, (0.1, -0.05))
    outline = skull.skull_outline(points)[0].numpy()
    upright = rotation(0, 0, angles[2])[:2, :2]
    x, y = ((outline - centre) @ upright).T / 0.4
    np.testing.assert_allclose((x / skull.HALF_WIDTH) ** 2 + (y / skull.HALF_HEIGHT) ** 2, 1, atol=1e-4)
    assert x[0] == pytest.approx(-skull.HALF_WIDTH, abs=1e-4)
    assert y[skull.POINTS // 2] == pytest.approx(-skull.HALF_HEIGHT, abs=1e-4)


def test_a_turning_head_carries_its_nose_further_than_its_skull():
    straight, turned = (seen((yaw, 0, 0), 0.4, (0.0, 0.0))[0] for yaw in (0, 25))
    nose = (turned - straight)[0, 30, 0]
    outline = (skull.skull_outline(turned) - skull.skull_outline(straight))[0, :, 0].mean()
    assert nose > 0.05
    assert outline < 0  # it lies behind the axis


def test_unknown_landmarks_give_an_unknown_outline(face):
    face = face.clone()
    assert skull.skull_outline(face).isfinite().all()
    face[:, 30] = torch.nan
    assert skull.skull_outline(face).isnan().all()


def test_gradients_are_finite_also_where_all_points_meet(face):
    for points in (face.clone(), torch.zeros_like(face), torch.full_like(face, torch.nan)):
        leaf = points.requires_grad_()
        skull.skull_outline(leaf).nan_to_num().sum().backward()
        assert leaf.grad.isfinite().all()
