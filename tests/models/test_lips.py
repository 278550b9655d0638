"""Lips part and meet whole, and what lies between them stays with the head."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2d.models import lips as l
from s2d.models.blocks import identity_grid
from s2d.models.candidates import HEAD, candidate_displacements
from s2d.models.faces import head_similarity, scale_of
from s2d.models.lips import CORNER, CREASE, REACH_ASIDE, Lips
from s2d.models.mouth import AROUND_LIPS, INNER, OUTER
from tests.models.conftest import head_turned, jaw_dropped, turned

SIZE = 257


def shut(face: Tensor) -> Tensor:
    """The inner lips touch."""
    moved = face.clone()
    moved[:, [67, 66, 65]] = moved[:, [61, 62, 63]]
    return moved


def lip_motion(source: Tensor, driving: Tensor, head: Tensor, grid: Tensor) -> Tensor:
    """Added to the displacement `head` (1, h, w, 2) on grid (h, w, 2)."""
    return l.lip_motion(Lips.at(source, driving, grid), head.flatten(1, 2)).reshape(head.shape)


def shown(source: Tensor, driving: Tensor) -> Tensor:
    """Where in the source the pixels of the driving frame come from: (h, w, 2)."""
    moved = candidate_displacements(source, driving, SIZE, SIZE).displacement[0, HEAD]
    return identity_grid(SIZE, SIZE, source) + moved


def inside(points: Tensor, places: Tensor, around: tuple[int, ...] = INNER) -> Tensor:
    """Places (h, w, 2) within a polygon of landmarks that goes clockwise on the screen."""
    corners = points[0, list(around)]
    edges = corners.roll(-1, 0) - corners
    offset = places[..., None, :] - corners
    return (edges[:, 0] * offset[..., 1] - edges[:, 1] * offset[..., 0] > 0).all(-1)


def column(source: Tensor, driving: Tensor) -> tuple[Tensor, Tensor]:
    """Down the middle of the mouth: heights in the driving frame, and in the source where they come from."""
    x = round(float((driving[0, 62, 0] + 1) / 2 * (SIZE - 1)))
    return identity_grid(SIZE, SIZE, source)[:, x, 1], shown(source, driving)[:, x, 1]


def test_an_open_mouth_closes(face: Tensor):
    """Of what lies between the source's lips less and less is seen, and at last the seam alone."""
    opened = jaw_dropped(shut(face), 0.12)
    whole = float(inside(opened, identity_grid(SIZE, SIZE, face)).sum())
    seen = [
        float(inside(opened, shown(opened, jaw_dropped(shut(face), by))).sum()) / whole
        for by in (0.12, 0.08, 0.04, 0.0)
    ]
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > 0.95
    assert seen[-1] < 0.02


def test_closed_lips_part_without_growing_thicker(face: Tensor):
    source, driving = shut(face), jaw_dropped(shut(face), 0.12)
    here, there = column(source, driving)
    upper = (here > driving[0, 51, 1]) & (here < driving[0, 62, 1])
    lower = (here > driving[0, 66, 1]) & (here < driving[0, 57, 1])
    for lip, (edge, end) in ((upper, (51, 62)), (lower, (66, 57))):
        assert (there[lip] > source[0, edge, 1] - 0.01).all()
        assert (there[lip] < source[0, end, 1] + 0.01).all()
        assert there[lip].diff().mean() == pytest.approx(float(here.diff()[0]), rel=0.1)


def test_the_inner_edges_are_followed_exactly(face: Tensor):
    """Just above the upper edge and just below the lower one the source's are seen, whatever the smooth field says."""
    source, driving = jaw_dropped(face, 0.03), turned(jaw_dropped(face, 0.12), 10, 0.9)
    head = torch.randn(1, 1, 2, 2, generator=torch.Generator().manual_seed(0)) * 0.001
    for lip, side in ((62, -1e-4), (66, 1e-4)):
        down = driving[0, 66] - driving[0, 62]
        grid = (driving[0, lip] + side * down / down.norm())[None, None].expand(1, 2, 2)
        moved = (
            grid
            + head[0]
            + (source - driving)[0, lip]
            + lip_motion(source, driving, head + (source - driving)[0, lip], grid)[0]
        )
        assert float((moved[..., 1] - source[0, lip, 1]).abs().max()) < 1e-3


def test_teeth_stay_with_the_head(face: Tensor):
    """A smile that opens further shows its teeth as high as they are, right below the upper lip."""
    source = jaw_dropped(shut(face), 0.04)
    here, there = column(source, jaw_dropped(shut(face), 0.12))
    teeth = (here > source[0, 62, 1] + 0.005) & (here < source[0, 62, 1] + 0.035)
    torch.testing.assert_close(there[teeth], here[teeth], atol=2e-3, rtol=0)


@pytest.mark.parametrize("degrees", [-35.0, 35.0])
def test_a_turned_head_keeps_its_lips_and_what_is_between(face: Tensor, degrees: float):
    """The mouth is narrower then: without measuring in heights its inside would be squeezed."""
    source = jaw_dropped(shut(face), 0.1)
    here, there = column(source, head_turned(source, degrees))
    mouth = (here > source[0, 51, 1]) & (here < source[0, 57, 1])
    torch.testing.assert_close(there[mouth], here[mouth], atol=6e-3, rtol=0)


def test_nothing_moves_away_from_the_mouth_or_at_its_corners(face: Tensor):
    grid = identity_grid(SIZE, SIZE, face)
    driving = jaw_dropped(face, 0.12)
    motion = lip_motion(face, driving, torch.zeros(1, SIZE, SIZE, 2), grid)[0]
    moved = motion[..., 1].abs() > 1e-6
    lips = driving[0, list(OUTER)]
    reach = AROUND_LIPS * float(lips[6, 0] - lips[0, 0]) + 0.01
    where = grid[moved]
    assert moved.any()
    assert (where >= lips.amin(0) - reach).all()
    assert (where <= lips.amax(0) + reach).all()
    corner = lips[0] + torch.tensor([0.02 * CORNER, 0.0])
    still = lip_motion(face, driving, torch.zeros(1, 1, 1, 2), corner[None, None])
    assert still[..., 1].abs().max() < 1e-3
    aside = grid[motion[..., 0].abs() > 1e-6]
    beside = REACH_ASIDE * float(lips[6, 0] - lips[0, 0])
    assert lips[0, 0] - beside <= aside[:, 0].min()
    assert aside[:, 0].max() <= lips[6, 0] + beside


def test_the_crease_beyond_closed_lips_goes_into_the_corner_of_an_open_mouth(face: Tensor):
    """Beside the corners the picture shows skin from beyond it, in order; at rest, and inside the mouth, nothing."""
    source = shut(face)
    places = torch.linspace(-0.4, 1.4, 1801)
    motion = aside(source, jaw_dropped(face, 0.12), places)
    for corner, way in ((0.0, -0.06), (1.0, 0.06)):
        assert float(motion[(places - corner).abs().argmin()]) == pytest.approx(way, abs=2e-3)
    within = (places > CREASE) & (places < 1 - CREASE)
    assert motion[within].abs().max() < 1e-6
    assert ((places + motion).diff() > 0).all()
    assert aside(source, source, places).abs().max() < 1e-6


def test_the_crease_goes_as_the_mouth_opens_and_an_open_mouth_has_none(face: Tensor):
    corner = torch.tensor([0.0])
    width = float(face[0, 54, 0] - face[0, 48, 0])
    for opening, way in ((0.05, -0.02), (0.1, -0.04), (0.15, -0.06), (0.4, -0.06)):
        assert float(aside(shut(face), jaw_dropped(shut(face), opening * width), corner)) == pytest.approx(
            way, abs=4e-3
        )
    wide = jaw_dropped(shut(face), 0.3 * width)
    assert float(aside(wide, jaw_dropped(shut(face), 0.6 * width), corner)) == pytest.approx(0, abs=1e-6)


def test_the_crease_is_a_line(face: Tensor):
    """Half its height above and below a corner skin comes from half as far out, and beyond its height from home."""
    source, driving = shut(face), jaw_dropped(face, 0.12)
    left, right = driving[0, OUTER[0]], driving[0, OUTER[6]]
    width = float(right[0] - left[0])
    for above, share in ((0.1, 0.5625), (0.21, 0.0), (-0.1, 0.5625), (-0.21, 0.0)):
        place = (left + above * width * torch.tensor([0.0, 1.0]))[None, None]
        moved = lip_motion(source, driving, torch.zeros(1, 1, 1, 2), place)[0, 0, 0, 0] / width
        assert float(moved) == pytest.approx(-0.06 * share, abs=2e-3)


def aside(source: Tensor, driving: Tensor, places: Tensor) -> Tensor:
    """How far along, in mouth widths, the picture is moved at places on the line through the driver's corners."""
    left, right = driving[0, OUTER[0]], driving[0, OUTER[6]]
    grid = (left + places[:, None] * (right - left))[None]
    motion = lip_motion(source, driving, torch.zeros(1, 1, len(places), 2), grid)
    return motion[0, 0, :, 0] / (right[0] - left[0])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("landmark", [33, 36, 48, 57, 62, 66])
def test_a_mouth_that_is_not_known_does_not_move(face: Tensor, landmark: int, value: float):
    grid, head = identity_grid(SIZE, SIZE, face), torch.zeros(1, SIZE, SIZE, 2)
    for side in range(2):
        pair = [face.clone(), jaw_dropped(face, 0.12)]
        pair[side][:, landmark] = value
        assert lip_motion(*pair, head, grid).abs().max() == 0


def test_a_face_in_one_place_is_no_division_by_zero(face: Tensor):
    nowhere = torch.zeros_like(face)
    assert scale_of(head_similarity(nowhere, face)) > 0
    assert candidate_displacements(nowhere, face, 32, 32).displacement.isfinite().all()
    assert candidate_displacements(face, nowhere, 32, 32).displacement.isfinite().all()
