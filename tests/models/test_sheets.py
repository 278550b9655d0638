"""Lids and lips are worked out around eyes and mouth alone, which changes nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2d.models import sheets
from s2d.models.blocks import identity_grid
from s2d.models.box import Box
from s2d.models.prior import prior_warp
from tests.models.conftest import eyes_of, jaw_dropped, lids_closed, turned
from tests.models.test_eyeball import WHITE, along_the_eye, drawn_eyes, looking, wide_eyes

SIZE = 192


def drivers(face: Tensor) -> dict[str, Tensor]:
    """What may be asked of a face at rest."""
    acting = jaw_dropped(lids_closed(face, 0.0))
    one_eye, nobody = acting.clone(), torch.full_like(face, torch.nan)
    one_eye[:, 42:48] = torch.nan
    far = turned(acting, 20, 0.5, (0.9, 0.0))
    return {
        "acting": acting,
        "one eye": one_eye,
        "nobody": nobody,
        "at the border": far,
        "two": torch.cat([acting, far]),
    }


@pytest.mark.parametrize("tall", [1.0, 5.0])  # eyes of a drawing: 5 times as high
@pytest.mark.parametrize("story", ["acting", "one eye", "nobody", "at the border", "two"])
def test_boxes_change_nothing(face: Tensor, story: str, tall: float, monkeypatch: pytest.MonkeyPatch):
    driving = drivers(face)[story]
    source = face.clone()
    source[:, 36:48, 1] = -0.1 + tall * (face[:, 36:48, 1] + 0.1)
    source = source.expand(len(driving), -1, -1)
    grid, skin = identity_grid(SIZE, SIZE, face), torch.tensor([[0.8, 0.6, 0.5]]).expand(len(driving), -1)
    head = torch.zeros(len(driving), SIZE, SIZE, 2)
    image = torch.rand(len(driving), 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    share = torch.full((len(driving), 2, SIZE, SIZE), 0.7)

    def both() -> tuple[Tensor, Tensor]:
        worked_out = sheets.Sheets.on(grid, source, driving, eyes_of(source, driving).seen())
        return worked_out.motion(head), worked_out.draw(image, image, skin, share)

    motion, drawn = both()
    whole = Box(slice(0, SIZE), slice(0, SIZE))
    monkeypatch.setattr(sheets, "_boxes", lambda *_: (whole, whole, whole))
    torch.testing.assert_close(motion, both()[0])
    torch.testing.assert_close(drawn, both()[1])
    moves = story != "nobody"
    assert (motion.abs().max() > 0.01) == moves
    assert (not torch.equal(drawn, image)) == moves


def test_whites_are_drawn_where_the_eye_looks_away_from(face: Tensor):
    """Between lids that are open, in a picture of any size, and as far as they count."""
    source = looking(wide_eyes(face), 0.68)
    picture = drawn_eyes(source)
    grid, skin = identity_grid(*picture.shape[-2:], face), torch.ones(1, 3)

    def drawn(driving: Tensor, whites: Tensor) -> Tensor:
        worked_out = sheets.Sheets.on(grid, source, driving, eyes_of(source, driving).seen())
        shares = torch.stack([torch.ones_like(whites), whites], dim=1)
        return worked_out.draw(torch.zeros_like(picture), picture, skin, shares)[0, 0]

    everywhere = torch.ones(1, *picture.shape[-2:])
    left_half = (grid[None, ..., 0] < 0).float()

    aside = looking(source, 0.4)
    for side in (0, 1):
        assert 0.9 * WHITE < along_the_eye(drawn(aside, everywhere), aside, side, 0.72) < WHITE
        assert along_the_eye(drawn(aside, everywhere), aside, side, 0.2) == 0
    assert along_the_eye(drawn(aside, left_half), aside, 0, 0.72) > 0.9 * WHITE
    assert along_the_eye(drawn(aside, left_half), aside, 1, 0.72) == 0
    shut = lids_closed(aside, 0.1)
    assert (drawn(shut, everywhere) - drawn(shut, 0 * everywhere)).abs().max() < 0.02


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_pictures_of_any_precision_are_drawn_on(face: Tensor, dtype: torch.dtype):
    driving = jaw_dropped(lids_closed(face, 0.3))
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    drawn = prior_warp(picture.to(dtype), face, driving)
    torch.testing.assert_close(drawn.float(), prior_warp(picture, face, driving), atol=0.02, rtol=0)
