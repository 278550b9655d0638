"""A lid that closes is not darker than the skin below the eye allows; nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2d.landmarks import layout
from s2d.models.blocks import identity_grid
from s2d.models.lid_skin import SHADED, SHARE, draw_lids
from s2d.models.lids import Lids
from tests.models.conftest import eyes_of, lids_closed

SIZE = 257
SKIN = torch.tensor([0.8, 0.6, 0.5])[None, :, None, None].expand(1, 3, SIZE, SIZE)


def drawn(image: Tensor, face: Tensor, driving: Tensor, picture: Tensor = SKIN) -> Tensor:
    return draw_lids(image, picture, Lids.at(eyes_of(face, driving), identity_grid(SIZE, SIZE, face)))


def on_the_lid(picture: Tensor, face: Tensor, eye: tuple[int, ...]) -> Tensor:
    """The colour (3,) in the middle of what was open."""
    place = face[0, list(eye)].mean(0)
    column, row = (((place + 1) / 2) * (SIZE - 1)).round().long().tolist()
    return picture[0, :, row, column]


@pytest.mark.parametrize("eye", layout.EYES)
def test_a_dark_lid_takes_the_colour_of_the_skin_below_the_eye(face: Tensor, eye: tuple[int, ...]):
    lid = on_the_lid(drawn(torch.zeros_like(SKIN), face, lids_closed(face, 0.0)), face, eye)
    torch.testing.assert_close(lid, SHARE * SHADED * SKIN[0, :, 0, 0], atol=0.02, rtol=0)


def test_it_is_the_skin_of_that_side(face: Tensor):
    """A face in light from one side has one lid lighter than the other."""
    picture = SKIN.clone()
    picture[..., : SIZE // 2] *= 0.5
    made = drawn(torch.zeros_like(SKIN), face, lids_closed(face, 0.0), picture)
    right, left = (on_the_lid(made, face, eye).mean() for eye in layout.EYES)
    assert float(right / left) == pytest.approx(0.5, abs=0.02)


def test_the_more_the_eye_closes_the_more_of_it(face: Tensor):
    steps = [float(drawn(torch.zeros_like(SKIN), face, lids_closed(face, by)).sum()) for by in (1.0, 0.6, 0.3, 0.0)]
    assert steps[0] == 0
    assert steps == sorted(steps)


def test_lids_that_are_light_enough_stay(face: Tensor):
    light = (SHADED + 0.02) * SKIN
    assert torch.equal(drawn(light, face, lids_closed(face, 0.0)), light)


def test_nothing_changes_but_lids(face: Tensor):
    """Neither below the line where they meet, nor a quarter of an eye above what was open."""
    made = drawn(torch.zeros_like(SKIN), face, lids_closed(face, 0.0))
    rows = (made[0].amax(0) > 1e-3).nonzero()[:, 0]
    top, bottom = ((face[0, [points]][0, :, 1] + 1) / 2 * (SIZE - 1) for points in ((37, 38, 43, 44), (40, 41, 46, 47)))
    width = float(face[0, 39, 0] - face[0, 36, 0]) / 2 * (SIZE - 1)
    assert rows.min() > top.min() - 0.25 * width
    assert rows.max() <= bottom.max() + 1


def test_an_eye_that_is_not_known_stays(face: Tensor):
    driving = lids_closed(face, 0.0)
    driving[:, layout.EYES[0][1]] = torch.nan
    made = drawn(torch.zeros_like(SKIN), face, driving)
    assert on_the_lid(made, face, layout.EYES[0]).max() == 0
    assert on_the_lid(made, face, layout.EYES[1]).max() > 0.1
