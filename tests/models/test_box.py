"""Boxes hold every node that a part of any face can reach, and as few others as they can."""

from __future__ import annotations

import torch

from s2d.models.blocks import identity_grid
from s2d.models.box import Box, box_around

PART, WIDTH = [3, 4, 5], [(3, 5)]
SIZE = 40, 60


def face(x: float, y: float) -> torch.Tensor:
    """Six points, of which the part's lie around (x, y), .2 wide."""
    points = torch.zeros(1, 6, 2)
    points[0, PART] = torch.tensor([[x - 0.1, y], [x, y - 0.05], [x + 0.1, y]])
    return points


def within(box: Box) -> torch.Tensor:
    """Which nodes of the grid are in the box."""
    inside = torch.zeros(*SIZE, dtype=torch.bool)
    inside[box.rows, box.columns] = True
    return inside


def test_holds_just_what_is_within_reach_of_any_face():
    faces = torch.cat([face(-0.5, 0.1), face(0.2, 0.3)])
    x, y = identity_grid(*SIZE, faces).unbind(-1)
    box = within(box_around(faces, PART, 0.5, WIDTH, SIZE))
    needed = (x >= -0.7) & (x <= 0.4) & (y >= -0.05) & (y <= 0.4)
    assert box[needed].all()
    beyond = 2 * 2 / 39  # two nodes of the coarser axis
    assert not box[(x < -0.7 - beyond) | (x > 0.4 + beyond) | (y < -0.05 - beyond) | (y > 0.4 + beyond)].any()


def test_is_empty_where_nothing_is_known_or_all_is_outside():
    unknown = face(0, 0)
    unknown[:, PART, 0] = torch.nan
    for points in (unknown, face(-3, 0), face(0, 3), face(1e30, 1e30)):
        assert not within(box_around(points, PART, 0.5, WIDTH, SIZE)).any()


def test_a_face_that_is_not_known_adds_nothing_to_the_others():
    alone = box_around(face(0.2, 0.3), PART, 0.5, WIDTH, SIZE)
    assert box_around(torch.cat([face(0.2, 0.3), torch.full((1, 6, 2), torch.nan)]), PART, 0.5, WIDTH, SIZE) == alone


def test_what_is_cut_goes_back_where_it_was():
    grid = identity_grid(*SIZE, face(0, 0))
    box = box_around(face(0.2, 0.3), PART, 0.5, WIDTH, SIZE)
    back = box.put_back(box.cut(grid), *SIZE)
    assert torch.equal(back[within(box)], grid[within(box)])
    assert not back[~within(box)].any()
