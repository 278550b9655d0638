"""An eye that turns back from a corner shows white there, and nothing else of the picture changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models.axes import Axes
from s2d.models.blocks import identity_grid
from s2d.models.eyeball import NONE, SOME, draw_white
from s2d.models.lids import Lids
from tests.models.conftest import eyes_of

SIZE = 513
ONE = torch.ones(1)
PUPILS = (layout.RIGHT_PUPIL, layout.LEFT_PUPIL)
WHITE, IRIS, CORNER = 0.9, 0.1, 0.3  # of the drawn eye


def wide_eyes(face: Tensor) -> Tensor:
    """The same face with lids far apart."""
    opened = face.clone()
    for eye in layout.EYES:
        opened[:, [eye[1], eye[2]], 1] -= 0.02
        opened[:, [eye[5], eye[4]], 1] += 0.02
    return opened


def looking(face: Tensor, along: float) -> Tensor:
    """Both pupils at this share of the way between the corners of their eyes."""
    turned = face.clone()
    for eye, pupil in zip(layout.EYES, PUPILS, strict=True):
        turned[:, pupil] = torch.lerp(face[:, eye[0]], face[:, eye[3]], along)
    return turned


def drawn_eyes(face: Tensor) -> Tensor:
    """A picture (1, 3, SIZE, SIZE) of grey skin, eyes white between their corners, with round irises."""
    picture, grid = torch.full((SIZE, SIZE), 0.5), identity_grid(SIZE, SIZE, face)
    for eye, pupil in zip(layout.EYES, PUPILS, strict=True):
        axes = Axes.between(face[:, eye[0]], face[:, eye[3]])
        u, v = (way.reshape(SIZE, SIZE) for way in axes.local(grid.reshape(1, -1, 2)))
        at, level = (float(place) for place in axes.local(face[:, [pupil]]))
        within = (u > 0) & (u < 1) & (v.abs() < 0.3)
        picture[within] = CORNER
        picture[within & (u > 0.08) & (u < 0.92)] = WHITE
        picture[within & (((u - at) ** 2 + (v - level) ** 2) < 0.25**2)] = IRIS
    return picture.expand(1, 3, -1, -1)


def shown(source: Tensor, driving: Tensor, picture: Tensor | None = None) -> Tensor:
    """White drawn on black: (SIZE, SIZE)."""
    grid = identity_grid(SIZE, SIZE, source)
    lids = Lids.at(eyes_of(source, driving, ONE), grid)
    return draw_white(torch.zeros(1, 3, SIZE, SIZE), drawn_eyes(source) if picture is None else picture, lids)[0, 0]


def along_the_eye(picture: Tensor, face: Tensor, side: int, u: float) -> float:
    """The picture midway between the lids, at this share of the way between the corners."""
    eye = layout.EYES[side]
    x, y = ((torch.lerp(face[0, eye[0]], face[0, eye[3]], u) + 1) / 2 * (SIZE - 1)).round().int().tolist()
    return float(picture[y, x])


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("way", [1, -1])
def test_where_the_eye_turned_away_from_there_is_white(face: Tensor, side: int, way: int):
    source = looking(wide_eyes(face), 0.5 + 0.18 * way)
    driving = looking(source, 0.5 - 0.1 * way)
    white = shown(source, driving)
    for u in (0.72, 0.8):
        assert 0.9 * WHITE < along_the_eye(white, driving, side, u if way > 0 else 1 - u) < WHITE
    for u in (0.1, 0.25, 0.4, 0.5):  # the iris, and the side that the source shows
        assert along_the_eye(white, driving, side, u if way > 0 else 1 - u) == 0


def test_it_comes_steadily_as_the_eye_turns(face: Tensor):
    source = looking(wide_eyes(face), 0.68)
    amount = [float(shown(source, looking(source, along)).sum()) for along in (0.68, 0.66, 0.63, 0.6, 0.5, 0.4)]
    assert amount[0] == 0
    assert amount == sorted(amount)
    assert amount[1] < 0.1 * amount[-1]


@pytest.mark.parametrize("side", [0, 1])
def test_of_a_pupil_in_the_middle_its_own_white_stays_and_what_is_hidden_becomes_white(face: Tensor, side: int):
    source = looking(wide_eyes(face), 0.5)
    white = shown(source, looking(source, 0.3))
    assert along_the_eye(white, source, side, 0.6) < 0.01
    assert along_the_eye(white, source, side, 0.8) > 0.9 * WHITE


@pytest.mark.parametrize("side", [0, 1])
def test_an_eye_that_turns_further_aside_shows_the_white_it_has(face: Tensor, side: int):
    source = looking(wide_eyes(face), 0.65)
    white = shown(source, looking(source, 0.85))
    assert 0.8 * WHITE < along_the_eye(white, source, side, 0.15) < WHITE
    assert along_the_eye(white, source, side, 0.5) == 0


@pytest.mark.parametrize(("looks", "lit", "colour"), [(0.5, 1, 0.8), (0.5, -1, 0.8), (0.68, 1, 0.4), (0.68, -1, 0.8)])
def test_white_is_the_lightest_that_the_source_shows(face: Tensor, looks: float, lit: int, colour: float):
    """Beyond the second corner of an eye that is lit from there, or from the first; an iris may hide what is lit."""
    source = looking(wide_eyes(face), looks)
    eye = layout.EYES[0]
    middle = (source[0, eye[0], 0] + source[0, eye[3], 0]) / 2
    side = lit * (identity_grid(SIZE, SIZE, face)[..., 0] - middle)
    picture = torch.where(side > 0, 0.8, 0.4).expand(1, 3, -1, -1)
    drawn = along_the_eye(shown(source, looking(source, 0.3), picture), source, 0, 0.75)
    assert 0.9 * colour < drawn < colour


def test_a_light_mirrored_in_the_iris_is_no_white(face: Tensor):
    source = looking(wide_eyes(face), 0.5)
    picture = torch.full((1, 3, SIZE, SIZE), 0.4)
    for pupil in PUPILS:
        away = identity_grid(SIZE, SIZE, face) - source[0, pupil]
        picture[..., away.norm(dim=-1) < 0.02] = 1.0
    assert along_the_eye(shown(source, looking(source, 0.3), picture), source, 0, 0.75) < 0.41


def test_what_is_light_in_one_colour_alone_is_no_white(face: Tensor):
    """A red corner of an eye that is grey otherwise, and darker on the whole."""
    source = looking(wide_eyes(face), 0.5)
    picture = torch.full((1, 3, SIZE, SIZE), 0.5)
    red = slice(0, round(float((source[0, layout.EYES[0][1], 0] + 1) / 2 * (SIZE - 1))))
    picture[..., red] = torch.tensor([1.0, 0.3, 0.3])[:, None, None]
    assert along_the_eye(shown(source, looking(source, 0.3), picture), source, 0, 0.75) < 0.51


def test_lids_and_corners_shade_it(face: Tensor):
    source = looking(wide_eyes(face), 0.68)
    white = shown(source, looking(source, 0.3), torch.ones(1, 3, SIZE, SIZE))
    middle, near, corner = (along_the_eye(white, source, 0, u) for u in (0.65, 0.78, 0.85))
    assert corner < near - 0.04 < middle - 0.08
    column = white[:, round(float((source[0, 38, 0] + 1) / 2 * (SIZE - 1)))]
    seen = column[column > 0.75]  # beyond the soft edge at a lid
    assert seen[0] < seen[len(seen) // 2] - 0.05


def test_it_comes_by_degrees_with_where_the_source_looks(face: Tensor):
    """Beside the iris, as it turns back: nothing from a middle one, all of it from one aside."""
    share = [
        along_the_eye(shown(source, looking(source, 0.4)), source, 0, 0.71)
        for source in (looking(wide_eyes(face), 1 - room) for room in (SOME, (NONE + SOME) / 2, NONE))
    ]
    assert share[0] < 0.05
    assert 0.3 * share[2] < share[1] < 0.7 * share[2]


def test_it_is_drawn_between_the_lids_alone(face: Tensor):
    source = looking(wide_eyes(face), 0.68)
    driving = looking(source, 0.4)
    rows, columns = torch.nonzero(shown(source, driving) > 0).unbind(1)
    x, y = (2 * place / (SIZE - 1) - 1 for place in (columns, rows))
    for eye in layout.EYES:
        corners = driving[0, list(eye)]
        mine = (x > corners[0, 0]) & (x < corners[3, 0])
        assert mine.any()
        assert corners[[1, 2], 1].min() <= y[mine].min()
        assert y[mine].max() <= corners[[4, 5], 1].max()
    closed = driving.clone()
    for upper, lower in (*layout.RIGHT_LIDS, *layout.LEFT_LIDS):
        closed[:, upper] = closed[:, lower]
    assert shown(source, closed).sum() == 0


@pytest.mark.parametrize("landmark", [36, 39, 41, layout.RIGHT_PUPIL])
def test_an_eye_that_is_not_known_is_left_alone(face: Tensor, landmark: int):
    source = looking(wide_eyes(face), 0.68)
    driving = looking(source, 0.4)
    hidden = driving.clone()
    hidden[:, landmark] = torch.nan
    left = SIZE // 2
    for pair in ((source, hidden), (torch.where(hidden.isnan(), hidden, source), driving)):
        white = shown(*pair)
        assert torch.isfinite(white).all()
        assert white[:, :left].sum() == 0
        assert white[:, left:].sum() > 0


def test_gradients_are_finite(face: Tensor):
    source = looking(wide_eyes(face), 0.68)
    driving = looking(source, 0.4).requires_grad_()
    shown(source, driving).sum().backward()
    assert driving.grad is not None
    assert driving.grad.isfinite().all()
