"""Baselines: what they do to coordinates, of which a picture is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from s2d.evaluation import methods
from s2d.evaluation.footage import Clip
from s2d.evaluation.methods import BASELINES, Scene
from s2d.geometry_torch import apply, similarity_fit
from s2d.models.blocks import identity_grid
from tests.models.conftest import MOTIONS, draw_face

SIZE = 65
PIXEL = 2 / (SIZE - 1)
INTERPOLATING = {"tps": methods.thin_plate_spline, "mls": methods.moving_least_squares}


def where_from(method: Callable[..., Tensor], source: Tensor, driving: Tensor) -> Tensor:
    """The source position (SIZE, SIZE, 2) of every driving pixel: the warped picture of the coordinates themselves."""
    coordinates = identity_grid(SIZE, SIZE, source).permute(2, 0, 1)[None]
    return method(coordinates, source, driving)[0].permute(1, 2, 0)


def at(field: Tensor, points: Tensor) -> Tensor:
    sampled = torch.nn.functional.grid_sample(field.permute(2, 0, 1)[None], points[None, None], align_corners=True)
    return sampled[0, :, 0].T


@pytest.mark.parametrize("name", INTERPOLATING)
@pytest.mark.parametrize("motion", ["a shift", "a turn", "an opening mouth"])
def test_landmarks_go_where_they_are_driven(name: str, motion: str) -> None:
    source, driving = draw_face(), MOTIONS[motion](draw_face())
    moved = at(where_from(INTERPOLATING[name], source, driving), driving[0, 27:36])
    assert (moved - source[0, 27:36]).norm(dim=-1).max() < PIXEL


@pytest.mark.parametrize("name", INTERPOLATING)
def test_the_border_stays(name: str) -> None:
    field = where_from(INTERPOLATING[name], draw_face(), MOTIONS["a shift"](draw_face()))
    still = identity_grid(SIZE, SIZE, field)
    step = (SIZE - 1) // methods.ANCHORS
    assert (field - still)[::step, 0].abs().max() < 1e-2
    assert (field - still)[SIZE // 2, SIZE // 2].abs().max() > 0.2  # and the face does not


@pytest.mark.parametrize("name", BASELINES)
def test_a_face_that_does_not_move_gives_the_source(name: str, moving_clip: Clip) -> None:
    still = moving_clip.source_points.expand(3, -1, -1)
    made = BASELINES[name](Scene(moving_clip.source, moving_clip.source_points, still, moving_clip.images[:3], still))
    assert made.shape == (3, 3, 64, 64)
    assert (made - moving_clip.source).abs().max() < 2e-3


def test_similarity_follows_a_shift_exactly(moving_clip: Clip) -> None:
    made = BASELINES["similarity"](Scene.of_clip(moving_clip))
    assert (made - moving_clip.images)[..., 8:-8].abs().max() < 1e-3
    assert (BASELINES["copy"](Scene.of_clip(moving_clip)) - moving_clip.images).abs().max() > 0.05


def test_moving_least_squares_is_a_weighted_similarity_at_every_node() -> None:
    rng = torch.Generator().manual_seed(1)
    source = draw_face() + 0.03 * torch.randn(1, 70, 2, generator=rng)
    driving = MOTIONS["all of it"](draw_face())
    field = where_from(methods.moving_least_squares, source, driving)
    target, centres = methods._controls(source, driving)
    for row, column in ((10, 50), (32, 32), (41, 7)):
        node = identity_grid(SIZE, SIZE, centres)[row, column]
        weights = 1 / ((centres - node) ** 2).sum(-1)
        expected = apply(similarity_fit(centres, target, weights), node[None])[0]
        nearest = torch.nn.functional.interpolate(field.permute(2, 0, 1)[None], SIZE)[0, :, row, column]
        assert (nearest - expected[0]).norm() < 0.5 * PIXEL


def test_the_kernel_of_the_spline_is_bookstein_s() -> None:
    """U(r) = r^2 log r^2, and 0 where r is."""
    target, centres = methods._controls(draw_face(), MOTIONS["a turn"](draw_face()))
    kernel = methods._surface(centres, centres)[0]
    distance = (centres[0, 3] - centres[0, 40]).norm()
    assert kernel[3, 40] == pytest.approx(float(2 * distance**2 * distance.log()), abs=1e-9)
    assert kernel.diagonal().abs().max() < 1e-9
    assert target.shape == centres.shape == (1, 68 + 4 * methods.ANCHORS, 2)


def test_frames_are_animated_a_few_at_a_time() -> None:
    seen = []

    def count(source: Tensor, source_points: Tensor, points: Tensor) -> Tensor:
        seen.append(len(points))
        return source + 2

    many = draw_face().expand(methods.BATCH + 3, -1, -1)
    pictures = torch.zeros(methods.BATCH + 3, 3, 8, 8)
    made = methods.by_landmarks(count)(Scene(pictures[0], many[0], many, pictures, pictures[0]))
    assert seen == [methods.BATCH, 3]
    assert made.min() == made.max() == 1  # clipped to what a picture can show
