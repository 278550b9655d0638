"""Lids close the source's eyes in the picture, whatever the smooth field can do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.landmarks.retarget import LIDS_CLOSED
from s2d.models.blocks import identity_grid
from s2d.models.candidates import HEAD, SKULL, candidate_displacements
from s2d.models.eyes import with_open_lids
from s2d.models.faces import head_similarity
from s2d.models.lids import BEYOND, LASHES, MARGIN, Lids, lashes_leave, lid_motion
from tests.models.conftest import eye_opening, eyes_of, head_turned

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
    shown = grid + candidate_displacements(points, driving, SIZE, SIZE).displacement[0, candidate]
    return float(_between(points, shown).sum() / _between(points, grid).sum())


def _between(points: Tensor, places: Tensor) -> Tensor:
    """Places (h, w, 2) inside the right eye's polygon, whose corners go clockwise on the screen."""
    corners = points[0, list(layout.PARTS["right_eye"])]
    edges = corners.roll(-1, 0) - corners
    offset = places[..., None, :] - corners
    return (edges[:, 0] * offset[..., 1] - edges[:, 1] * offset[..., 0] > 0).all(-1)


def seen_opening(source: Tensor, driving: Tensor) -> float:
    """Of the driver's right eye, in widths, as it looks."""
    return float(eyes_of(source, driving, ONE).seen().apertures[1][0])


def moved_by(source: Tensor, driving: Tensor, grid: Tensor) -> Tensor:
    """What lids add on a grid (h, w, 2): (h, w, 2)."""
    return lid_motion(Lids.at(eyes_of(source, driving, ONE), grid)).reshape(grid.shape)


def lit_by(source: Tensor, driving: Tensor, grid: Tensor) -> Tensor:
    """The light that lashes leave on a grid (h, w, 2): (h, w)."""
    return lashes_leave(Lids.at(eyes_of(source, driving, ONE), grid)).reshape(grid.shape[:2])


def test_lids_that_detectors_leave_apart_have_met(face: Tensor):
    """So a blink closes the eye, in absolute mode too; half-closed lids keep nearly all that detectors see of them."""
    open_ = eye_opening(face)
    for wanted, seen in ((LIDS_CLOSED, 0.0), (0.6 * LIDS_CLOSED, 0.0), (0.8 * open_, 0.8 * open_), (open_, open_)):
        driving = lids_at(face, wanted / open_)
        assert seen_opening(face, driving) == pytest.approx(seen, abs=0.006)
    for kept in (face, lids_at(face, 1.3)):
        eyes = eyes_of(face, kept, ONE)
        torch.testing.assert_close(eyes.seen().driving, eyes.driving, atol=1e-6, rtol=0)


def test_eyes_that_are_shut_in_the_source_stay_as_they_are(face: Tensor):
    """There is nothing to close, and a detector's trembling is not to be made larger."""
    shut = lids_at(face, 0.06 / eye_opening(face))
    eyes = eyes_of(shut, shut, ONE)
    torch.testing.assert_close(eyes.seen().driving, eyes.driving, atol=1e-6, rtol=0)
    nearly = lids_at(face, 0.05 / eye_opening(face))
    assert seen_opening(shut, nearly) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("degrees", [-35, 0, 35])
@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_lids_of_a_turned_head_meet_at_any_size(face: Tensor, degrees: float, size: float):
    """The turn makes the far eye narrower, and leaves between its lids what it left before."""
    driving = size * head_turned(lids_at(face, 0.8 * LIDS_CLOSED / eye_opening(face)), degrees)
    assert eyes_of(face, driving).seen().apertures[1].abs().max() < 0.005


def test_lids_meet_where_the_upper_one_comes_down_to(face: Tensor):
    driving = lids_at(face, LIDS_CLOSED / eye_opening(face))
    upper, lower = driving[0, 37], driving[0, 41]
    seen = eyes_of(face, driving, ONE).seen().driving[0]
    torch.testing.assert_close(seen[1], lower + 0.25 * (upper - lower), atol=1e-3, rtol=0)


def test_narrow_eyes_do_not_tremble_more_than_others(face: Tensor):
    """How much further lids come for every step that a detector sees."""

    def slope(opening: float, at: float) -> float:
        source = lids_at(face, opening / eye_opening(face))
        near, far = (seen_opening(source, lids_at(face, o / eye_opening(face))) for o in (at, at + 0.01))
        return (far - near) / 0.01

    assert max(slope(0.13, at) for at in (0.085, 0.1, 0.12)) < 3


def test_seen_lids_of_eyes_that_are_not_known_stay(face: Tensor):
    driving = lids_at(face, 0.5)
    driving[:, 36] = torch.nan
    right, left = eyes_of(face, driving.requires_grad_(), ONE).seen().driving
    torch.testing.assert_close(right[1:6], driving[0, 37:42])
    assert not torch.equal(left[1:3], driving[0, 43:45])
    (right + left).sum().backward()
    assert driving.grad is not None
    assert driving.grad[:, 37:].isfinite().all()


@pytest.mark.parametrize("candidate", [HEAD, SKULL])
def test_the_eye_closes_steadily_and_wholly(face: Tensor, candidate: int):
    """One blink is one blink: less of the eyeball with every step, nothing but the seam at the end."""
    seen = [eyeball_seen(face, lids_at(face, o), candidate) for o in (1.0, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0)]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == pytest.approx(1, abs=0.02)
    driving = lids_at(face, 0.4)
    shown = seen_opening(face, driving) / eye_opening(face)
    assert seen[3] == pytest.approx(shown, abs=0.06)  # the eyeball stays and is covered: it is not squeezed
    assert seen[-1] < 0.08


def test_lids_that_have_crossed_touch(face: Tensor):
    assert eyeball_seen(face, lids_at(face, -0.3), HEAD) < 0.08


def test_the_landmarks_of_the_lids_come_from_beyond_the_sources_lids(face: Tensor):
    """Where the driving lids are the picture shows the source's, and skin from further out the more the eye closes."""
    lids = [37, 38, 40, 41]
    width = float(face[0, 39, 0] - face[0, 36, 0])
    for openness in (0.9, 0.5, 0.0):
        driving = lids_at(face, openness)
        torch.testing.assert_close(
            with_open_lids(driving, eyes_of(face, driving, ONE))[0, lids], face[0, lids], atol=1e-5, rtol=0
        )
        outside = 0.001 * torch.tensor([[0.0, -1], [0.0, -1], [0.0, 1], [0.0, 1]])  # on the skin's side of the edge
        grid = (driving[0, lids] + outside)[None]
        reached = (grid + moved_by(face, driving, grid))[0]
        beyond = (reached - face[0, lids])[:, 1] * torch.tensor([-1.0, -1, 1, 1])
        torch.testing.assert_close(beyond, torch.full((4,), (1 - openness) * MARGIN * width), atol=4e-3, rtol=0)


def test_the_eyeball_stays_behind_lids_that_close(face: Tensor):
    driving = lids_at(face, 0.5)
    middle = face[:, layout.RIGHT_PUPIL][None]
    torch.testing.assert_close(moved_by(face, driving, middle), torch.zeros(1, 1, 2))
    assert moved_by(face, lids_at(face, 1.5), driving[:, 37:38]).abs().max() > 0.003  # wider: stretched


def test_lashes_darken_the_edge_of_a_closed_lid_alone(face: Tensor):
    grid = identity_grid(SIZE, SIZE, face)
    assert (lit_by(face, face, grid) == 1).all()
    driving = lids_at(face, 0.0)
    dark = 1 - lit_by(face, driving, grid)
    assert dark.max() == pytest.approx(LASHES, abs=0.02)
    where = grid[dark > 0.05]
    lids = driving[0, [37, 38, 43, 44]]
    assert torch.cdist(where, lids).amin(1).max() < 0.06
    assert (where[:, 0] < 0).any()
    assert (where[:, 0] > 0).any()


def test_open_eyes_and_the_rest_of_the_face_do_not_move(face: Tensor):
    grid = identity_grid(SIZE, SIZE, face)
    assert moved_by(face, face, grid).abs().max() < 1e-6
    moved = moved_by(face, lids_at(face, 0.2), grid).norm(dim=-1) > 1e-6
    x = grid[..., 0][moved]
    eyes = [face[0, list(layout.PARTS[name]), 0] for name in ("right_eye", "left_eye")]
    reach = BEYOND * float(eyes[0].max() - eyes[0].min()) + 1e-5
    within = torch.stack([(x >= eye.min() - reach) & (x <= eye.max() + reach) for eye in eyes]).any(0)
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
    moved = moved_by(face, driving, grid)
    assert moved[right].abs().max() == 0
    assert moved[~right].abs().max() > 0.01
    torch.testing.assert_close(
        with_open_lids(driving, eyes_of(face, driving, ONE))[:, 36:42], driving[:, 36:42], equal_nan=True
    )


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_lashes_of_an_eye_that_is_not_known_are_not_drawn(face: Tensor, value: float):
    driving, grid = lids_at(face, 0.0), identity_grid(SIZE, SIZE, face)
    driving[:, 38] = value
    lit = lit_by(face, driving, grid)
    right = grid[..., 0] < face[0, 27, 0]
    assert (lit[right] == 1).all()
    assert lit[~right].min() < 0.8


@pytest.mark.parametrize("openness", [0.0, -0.2, 0.05])
def test_a_source_with_shut_eyes_stays_as_it_is(face: Tensor, openness: float):
    """Its lids are where they are, and bring their own lashes."""
    source, grid = lids_at(face, openness), identity_grid(SIZE, SIZE, face)
    assert moved_by(source, source, grid).abs().max() < 1e-6
    assert (lit_by(source, source, grid) == 1).all()


def test_noise_on_shut_eyes_hardly_moves_them(face: Tensor):
    """From a twentieth to a fiftieth of an eye's opening is no blink."""
    width = float(face[0, 39, 0] - face[0, 36, 0])
    grid = identity_grid(SIZE, SIZE, face)
    source, driving = lids_at(face, 0.05), lids_at(face, 0.02)
    assert moved_by(source, driving, grid).abs().max() < 0.05 * width
    assert lit_by(source, driving, grid).min() > 0.9


@pytest.mark.parametrize("openness", [0.0, 0.5])
def test_lids_are_as_sharp_as_the_grid(face: Tensor, openness: float):
    """From skin to eyeball, or from lid to lid, it is a pixel or two."""
    driving = lids_at(face, openness)
    moved = candidate_displacements(face, driving, SIZE, SIZE).slide[0, ..., 1]
    x = round(float((driving[0, [37, 38], 0].mean() + 1) / 2 * (SIZE - 1)))
    y = round(float((driving[0, [37, 38], 1].mean() + 1) / 2 * (SIZE - 1)))
    steps = moved[y - 8 : y + 8, x].diff()
    assert steps.max() > 0.01
    assert steps.clamp(min=0).topk(2).values.sum() > 0.6 * steps.clamp(min=0).sum()  # the rest is skin that stretches
