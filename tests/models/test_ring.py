"""The lips of an open mouth are told by their direction, and what lies around them keeps its order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2d.models.blocks import identity_grid
from s2d.models.losses import jacobian
from s2d.models.mouth import AROUND_LIPS, INNER, OUTER, Mouth
from s2d.models.ring import BEGINS, WHOLE, ring_motion
from tests.models.conftest import turned


def mouth(width: float, height: float, thickness: float = 0.06, nose: float = -0.1) -> Tensor:
    """A face (1, 70, 2) whose inner lips are an ellipse, and the outer ones around it."""
    points = torch.zeros(1, 70, 2)
    points[:, [36, 39, 42, 45], 0] = torch.tensor([-0.4, -0.15, 0.15, 0.4])
    points[:, 36:48, 1] = -0.5
    points[:, 33, 1] = nose
    for landmarks, wider in ((OUTER, thickness), (INNER, 0.0)):
        angle = torch.pi + torch.arange(len(landmarks)) * (2 * torch.pi / len(landmarks))
        around = torch.stack([(width / 2 + wider) * angle.cos(), (height / 2 + wider) * angle.sin()], dim=-1)
        points[:, list(landmarks)] = around + torch.tensor([0.0, 0.3])
    return points


def moved(source: Tensor, driving: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    return ring_motion(Mouth.of(driving), Mouth.of(source), places)


CLOSED, ROUND = mouth(0.5, 0.0), mouth(0.3, 0.3)


def test_an_open_mouth_at_rest_stands_still():
    grid = identity_grid(33, 33, ROUND).reshape(1, -1, 2)
    assert moved(ROUND, ROUND, grid)[0].abs().max() == 0


@pytest.mark.parametrize("degrees", [0.0, 25.0])
def test_landmarks_of_both_edges_are_followed(degrees: float):
    driving = turned(ROUND, degrees, 0.8)
    for landmarks, middle in ((OUTER, 0), (INNER, 0)):
        places = driving[:, list(landmarks)]
        ways, share = moved(CLOSED, driving, places)
        assert share[0, middle] == pytest.approx(1, abs=1e-3)
        torch.testing.assert_close(places + ways, CLOSED[:, list(landmarks)], atol=4e-3, rtol=0)


def test_lips_are_shown_in_order_all_around_a_round_mouth():
    """From the inner edge outwards to where the smooth field begins, from every direction, the corners included."""
    for angle in torch.arange(0, 2 * torch.pi, torch.pi / 18):
        way = torch.stack([angle.cos(), angle.sin()])
        far = torch.linspace(0.155, 0.205, 20)
        ways, _ = moved(CLOSED, ROUND, (torch.tensor([0.0, 0.3]) + far[:, None] * way)[None])
        shown = torch.tensor([0.0, 0.3]) + far[:, None] * way + ways[0]
        outwards = (shown - shown[0]) @ (shown[-1] - shown[0])
        assert (outwards.diff() > 0).all()


def test_nothing_is_turned_inside_out():
    grid = identity_grid(129, 129, ROUND)
    ways, _ = moved(CLOSED, ROUND, grid.reshape(1, -1, 2))
    middle = (grid - torch.tensor([0.0, 0.3])).norm(dim=-1)[:-1, :-1]
    lips = (middle > 0.16) & (middle < 0.2)
    assert jacobian((grid + ways.reshape(grid.shape))[None])[0][lips].min() > 0


def test_it_counts_near_the_lips():
    edge, reach = 0.15 + 0.06, AROUND_LIPS * (0.3 + 2 * 0.06)
    beside = torch.tensor([[0.0, 0.3 + edge + part * reach] for part in (-0.1, 0.0, 0.5, 1.01)])
    share = moved(CLOSED, ROUND, beside[None])[1][0]
    torch.testing.assert_close(share, torch.tensor([1.0, 1.0, 0.5, 0.0]), atol=0.02, rtol=0)


@pytest.mark.parametrize(("opening", "share"), [(0.9 * BEGINS, 0.0), ((BEGINS + WHOLE) / 2, 0.5), (1.1 * WHOLE, 1.0)])
def test_it_counts_as_the_mouth_opens(opening: float, share: float):
    ajar = mouth(0.4, opening * (0.4 + 2 * 0.06) / 0.805)  # the mean of three heights, in widths of the outer lips
    assert float(Mouth.of(ajar).opening) == pytest.approx(opening, rel=0.01)
    assert float(moved(CLOSED, ajar, ajar[:, [INNER[2]]])[1]) == pytest.approx(share, abs=0.02)


def test_any_landmarks_give_numbers():
    nowhere, grid = torch.zeros(1, 70, 2), identity_grid(9, 9, ROUND).reshape(1, -1, 2)
    crossed = ROUND.clone()
    crossed[:, list(INNER)] = crossed[:, list(INNER)].flip(1)
    for pair in ((nowhere, ROUND), (ROUND, nowhere), (ROUND, crossed), (nowhere, nowhere)):
        assert all(torch.isfinite(result).all() for result in moved(*pair, grid))
