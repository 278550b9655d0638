import pytest
import torch

from s2d.models.axes import Axes

TILTED = Axes.between(torch.tensor([[0.1, 0.2]]), torch.tensor([[0.4, 0.6]]))  # half a unit wide


def test_corners_lie_at_zero_and_one():
    along, across = TILTED.local(torch.tensor([[[0.1, 0.2], [0.4, 0.6]]]))
    torch.testing.assert_close(along, torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(across, torch.zeros(1, 2))


def test_across_is_down_the_picture_for_level_axes():
    level = Axes.between(torch.zeros(1, 2), torch.tensor([[0.5, 0.0]]))
    torch.testing.assert_close(
        level.local(torch.tensor([[[0.25, 0.1]]])), (torch.tensor([[0.5]]), torch.tensor([[0.2]]))
    )


def test_there_and_back():
    places = torch.rand(1, 7, 2, generator=torch.Generator().manual_seed(0))
    along, across = TILTED.local(places)
    back = TILTED.corner[:, None] + TILTED.way(along, across)
    torch.testing.assert_close(back, places)


def edge(points: list[tuple[float, float]], u: list[float]) -> list[float]:
    """The edge through points of level axes of width 1."""
    level = Axes.between(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    return [round(value, 4) for value in level.edges(torch.tensor([[points]]), torch.tensor([u]))[0, 0].tolist()]


def test_an_edge_goes_through_its_points_and_is_level_beyond():
    corners = [(0.0, 0.0), (0.5, 0.2), (1.0, 0.1)]
    assert edge(corners, [-1, 0, 0.5, 1, 2]) == [0, 0, 0.2, 0.1, 0.1]


def test_an_edge_has_no_corner_and_no_bump_that_its_points_do_not_have():
    """A lid: level at its top, and never higher than its points."""
    u = torch.linspace(0, 1, 101).tolist()
    lid = torch.tensor(edge([(0.0, 0.0), (0.3, -0.2), (0.7, -0.2), (1.0, 0.0)], u))
    assert lid.min() >= -0.2
    slopes = lid.diff() * 100
    assert slopes.diff().abs().max() < 0.1
    straight = torch.tensor(edge([(0.0, 0.0), (0.2, 0.1), (1.0, 0.5)], u))
    torch.testing.assert_close(straight, torch.tensor(u) / 2, atol=1e-4, rtol=0)


def test_the_ends_of_an_edge_lie_further_out_if_wanted():
    level = Axes.between(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
    points = torch.tensor([[[(0.0, 0.0), (0.5, 0.2), (1.0, 0.0)]]])
    out = level.edges(points, torch.tensor([[-0.2, -0.1, 0.0, 0.5, 1.2]]), torch.tensor([[0.1]]))[0, 0]
    assert out[0] == out[1] == out[4] == 0
    assert out[2] > 0.02
    assert out[3] == pytest.approx(0.2)


def test_a_point_behind_the_one_before_is_passed_at_once():
    corners = [(0.0, 0.0), (0.6, 0.2), (0.5, 0.3), (1.0, 0.0)]
    found = edge(corners, [0, 0.3, 0.59, 0.63, 1])
    assert 0.03 < found[1] < 0.15
    assert max(found) < 0.3
    assert found[-1] == 0


def test_corners_in_one_place_are_no_division_by_zero():
    nowhere = Axes.between(torch.ones(1, 2), torch.ones(1, 2))
    assert all(bool(torch.isfinite(value).all()) for value in nowhere.local(torch.rand(1, 3, 2)))


def test_a_rounded_edge_is_an_ellipse_through_points_of_one():
    along = torch.tensor([0.0, 0.2, 0.5, 0.8, 1.0])
    height = 0.3 * (1 - (2 * along - 1) ** 2).sqrt()
    axes = Axes.between(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    points = torch.stack([along, height], dim=-1)[None, None]
    u = torch.linspace(0, 1, 101)[None]
    wanted = 0.3 * (1 - (2 * u - 1) ** 2).sqrt()
    torch.testing.assert_close(axes.edges(points, u, rounded=True)[0], wanted, atol=0.02, rtol=0)
    assert (axes.edges(points, u)[0] - wanted).abs().max() > 0.05
    beyond = torch.tensor([[-0.5, -1e-3, 1 + 1e-3, 1.5]])
    torch.testing.assert_close(axes.edges(points, beyond, rounded=True)[0], torch.zeros(1, 4))


def test_gradients_of_a_rounded_edge_are_finite_at_its_ends():
    points = torch.tensor([[[0.0, 0.0], [0.3, 0.2], [0.7, 0.2], [1.0, 0.0]]], requires_grad=True)
    axes = Axes.between(points[:, 0], points[:, -1])
    axes.edges(points[:, None], torch.tensor([[-0.1, 0.0, 0.5, 1.0, 1.1]]), rounded=True).sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()


def test_edges_of_one_part_do_not_disturb_one_another():
    axes = Axes.between(torch.tensor([[0.0, 0.0], [0.1, 0.3]]), torch.tensor([[1.0, 0.0], [0.4, 0.7]]))
    points = torch.rand(2, 3, 5, 2, generator=torch.Generator().manual_seed(0)).sort(dim=2).values
    u, beyond = torch.linspace(-0.2, 1.2, 9).expand(2, -1), torch.tensor([[0.1], [0.0]])
    together = axes.edges(points, u, beyond)
    for k in range(3):
        torch.testing.assert_close(together[:, [k]], axes.edges(points[:, [k]], u, beyond))
    assert (together[:, 0] - together[:, 1]).abs().max() > 0.05
