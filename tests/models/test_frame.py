import torch

from s2d.models.frame import Frame

TILTED = Frame.between(torch.tensor([[0.1, 0.2]]), torch.tensor([[0.4, 0.6]]))  # half a unit wide


def test_corners_lie_at_zero_and_one():
    along, across = TILTED.local(torch.tensor([[[0.1, 0.2], [0.4, 0.6]]]))
    torch.testing.assert_close(along, torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(across, torch.zeros(1, 2))


def test_across_is_down_the_picture_for_a_level_frame():
    level = Frame.between(torch.zeros(1, 2), torch.tensor([[0.5, 0.0]]))
    torch.testing.assert_close(
        level.local(torch.tensor([[[0.25, 0.1]]])), (torch.tensor([[0.5]]), torch.tensor([[0.2]]))
    )


def test_there_and_back():
    places = torch.rand(1, 7, 2, generator=torch.Generator().manual_seed(0))
    along, across = TILTED.local(places)
    back = torch.stack([TILTED.place(along[:, k], across[:, k]) for k in range(7)], dim=1)
    torch.testing.assert_close(back, places)


def edge(points: list[tuple[float, float]], u: list[float]) -> list[float]:
    """The edge through points of a level frame of width 1."""
    frame = Frame.between(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    return [round(value, 4) for value in frame.edge(torch.tensor([points]), torch.tensor([u]))[0].tolist()]


def test_an_edge_is_straight_between_its_points_and_level_beyond():
    corners = [(0.0, 0.0), (0.5, 0.2), (1.0, 0.1)]
    assert edge(corners, [-1, 0, 0.25, 0.5, 0.75, 1, 2]) == [0, 0, 0.1, 0.2, 0.15, 0.1, 0.1]


def test_a_point_behind_the_one_before_is_passed_at_once():
    corners = [(0.0, 0.0), (0.6, 0.2), (0.5, 0.3), (1.0, 0.0)]
    found = edge(corners, [0, 0.3, 0.59, 0.63, 1])
    assert found[:2] == [0, 0.1]
    assert max(found) < 0.3
    assert found[-1] == 0


def test_corners_in_one_place_are_no_division_by_zero():
    nowhere = Frame.between(torch.ones(1, 2), torch.ones(1, 2))
    assert all(bool(torch.isfinite(value).all()) for value in nowhere.local(torch.rand(1, 3, 2)))
