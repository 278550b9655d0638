"""Lids close the source's eyes in the picture, whatever the smooth field can do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models.candidates import HEAD, SKULL, candidate_displacements, head_similarity, identity_grid
from s2d.models.lids import lid_motion, opened

SIZE = 257
ONE = torch.ones(1)
LIDS = (*layout.RIGHT_LIDS, *layout.LEFT_LIDS)


def lids_at(points: Tensor, openness: float) -> Tensor:
    """The same face with both eyes open by this share of what they are."""
    moved = points.clone()
    for upper, lower in LIDS:
        middle = (points[:, upper] + points[:, lower]) / 2
        for lid in (upper, lower):
            moved[:, lid] = middle + openness * (points[:, lid] - middle)
    return moved


def eyeball_seen(points: Tensor, driving: Tensor, candidate: int) -> float:
    """Area of the picture that shows what lies between the source's lids, over that area of the source."""
    grid = identity_grid(SIZE, SIZE, points)
    shown = grid + candidate_displacements(points, driving, SIZE, SIZE)[0, candidate]
    return float(_between(points, shown).sum() / _between(points, grid).sum())


def _between(points: Tensor, places: Tensor) -> Tensor:
    """Places (h, w, 2) inside the right eye's polygon, whose corners go clockwise on the screen."""
    corners = points[0, list(layout.PARTS["right_eye"])]
    edges = corners.roll(-1, 0) - corners
    offset = places[..., None, :] - corners
    return (edges[:, 0] * offset[..., 1] - edges[:, 1] * offset[..., 0] > 0).all(-1)


@pytest.mark.parametrize("candidate", [HEAD, SKULL])
def test_the_eye_closes_steadily_and_wholly(face: Tensor, candidate: int):
    """One blink is one blink: less of the eyeball with every step, nothing but the seam at the end."""
    seen = [eyeball_seen(face, lids_at(face, o), candidate) for o in (1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0)]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == pytest.approx(1, abs=0.02)
    assert seen[3] == pytest.approx(0.4 / (1 + 0.6 * 0.6), abs=0.04)  # the skin that covers it shows the lid's own way
    assert seen[-1] < 0.08


def test_lids_that_have_crossed_touch(face: Tensor):
    assert eyeball_seen(face, lids_at(face, -0.3), HEAD) < 0.08


def test_the_landmarks_of_the_lids_come_from_beyond_the_sources_lids(face: Tensor):
    """At a driving lid landmark the picture shows the source's, and somewhat more skin the more the eye closes."""
    driving = lids_at(face, 0.5)
    grid = driving[0, [37, 38, 40, 41]][None]
    smooth = opened(face, driving, ONE)[0, [37, 38, 40, 41]]
    torch.testing.assert_close(smooth, face[0, [37, 38, 40, 41]], atol=1e-5, rtol=0)
    reached = grid + lid_motion(face, driving, ONE, grid)[0]
    torch.testing.assert_close(reached[0], lids_at(face, 1.3)[0, [37, 38, 40, 41]], atol=2e-3, rtol=0)


def test_open_eyes_and_the_rest_of_the_face_do_not_move(face: Tensor):
    grid = identity_grid(SIZE, SIZE, face)
    assert lid_motion(face, face, ONE, grid).abs().max() == 0
    moved = lid_motion(face, lids_at(face, 0.2), ONE, grid)[0].norm(dim=-1) > 0
    x = grid[..., 0][moved]
    eyes = [face[0, list(layout.PARTS[name]), 0] for name in ("right_eye", "left_eye")]
    within = torch.stack([(x >= eye.min() - 1e-5) & (x <= eye.max() + 1e-5) for eye in eyes]).any(0)
    assert moved.any()
    assert within.all()


def test_a_turned_and_larger_driver_gives_the_same_blink(face: Tensor):
    """The driver's head may lie anywhere: the similarity takes it to the source."""
    angle, size = math.radians(20), 1.2
    turn = size * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    driving = lids_at(face, 0.3) @ turn.T
    assert float(head_similarity(face, driving)[:, :, 0].norm()) == pytest.approx(1 / size, rel=0.02)
    seen = eyeball_seen(face, driving, HEAD) / size**2
    assert seen == pytest.approx(eyeball_seen(face, lids_at(face, 0.3), HEAD), abs=0.06)


def test_an_eye_that_is_not_known_stays_as_it_is(face: Tensor):
    driving = lids_at(face, 0.2)
    driving[:, 38] = torch.nan
    grid = identity_grid(SIZE, SIZE, face)
    right = grid[..., 0] < face[0, 27, 0]
    moved = lid_motion(face, driving, ONE, grid)[0]
    assert moved[right].abs().max() == 0
    assert moved[~right].abs().max() > 0.01
    torch.testing.assert_close(opened(face, driving, ONE)[:, 36:42], driving[:, 36:42], equal_nan=True)
