import math

import numpy as np
import pytest
import torch

from s2d.landmarks import layout
from s2d.models.heatmaps import PARTS, gaussian_field, part_heatmaps


def test_field_is_the_plain_sum_of_gaussians():
    rng = np.random.default_rng(0)
    centres, weights = rng.uniform(-1, 1, (5, 2)), rng.normal(size=(5, 3))
    x, y = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(-1, 1, 9))
    squared = (x[..., None] - centres[:, 0]) ** 2 + (y[..., None] - centres[:, 1]) ** 2
    expected = np.einsum("hwn,nc->chw", np.exp(-squared / (2 * 0.3**2)), weights)
    field = gaussian_field(torch.tensor(centres), torch.tensor(weights), 0.3, 9, 7)
    np.testing.assert_allclose(field.numpy(), expected, atol=1e-12)


def test_each_part_is_drawn_where_its_landmarks_are(face):
    heatmaps = part_heatmaps(face, 101, 101, 0.04)
    assert heatmaps.shape == (1, len(PARTS), 101, 101)
    for index, name in enumerate(PARTS):
        nodes = ((face[0, list(layout.PARTS[name])] + 1) * 50).round().long()
        on_line = heatmaps[0, index, nodes[:, 1], nodes[:, 0]]
        assert on_line.min() > 0.6, name
        assert heatmaps[0, index, 0, 0] < 1e-6, name


def test_closed_parts_are_drawn_all_the_way_round(face):
    heatmaps = part_heatmaps(face, 201, 201, 0.02)
    for name, ends in (("right_eye", (41, 36)), ("outer_lips", (59, 48))):
        middle = ((face[0, list(ends)].mean(0) + 1) * 100).round().long()
        assert heatmaps[0, PARTS.index(name), middle[1], middle[0]] > 0.6, name


def test_a_pupil_is_one_gaussian(face):
    heatmap = part_heatmaps(face, 101, 101, 0.04)[0, PARTS.index("right_pupil")]
    assert heatmap[45, 40] == pytest.approx(1 - math.exp(-1), abs=1e-5)  # (-0.2, -0.1)
    assert heatmap[45, 42] == pytest.approx(1 - math.exp(-math.exp(-0.5)), abs=1e-5)  # one sigma beside it


def test_unknown_landmarks_leave_gaps_and_no_nan(face):
    face[:, 68:] = torch.nan
    face[:, 8] = torch.nan
    heatmaps = part_heatmaps(face, 64, 64, 0.04)
    assert heatmaps.isfinite().all()
    assert heatmaps[0, PARTS.index("right_pupil")].max() == 0
    jaw = heatmaps[0, PARTS.index("jaw")]
    assert jaw.max() > 0.8
    assert jaw[49, 32] < 0.3  # where the chin would be


def test_autocast_changes_nothing(face):
    with torch.autocast("cpu", torch.bfloat16):
        inside = part_heatmaps(face, 32, 32, 0.04)
    assert torch.equal(inside, part_heatmaps(face, 32, 32, 0.04))


def test_gradient_reaches_known_landmarks(face):
    face[:, 68] = torch.nan
    face.requires_grad_()
    part_heatmaps(face, 32, 32, 0.04).square().sum().backward()
    assert face.grad.isfinite().all()
    assert (face.grad[0, :68].abs().sum(-1) > 0).all()


def test_what_is_far_away_is_still_a_normal_float():
    """Processors multiply others a hundred times slower, and a face has many far nodes."""
    field = gaussian_field(torch.tensor([[-1.0, -1.0]]), torch.tensor([[1.0]]), 0.02, 100, 100)
    assert field.min() > torch.finfo(torch.float32).tiny
    assert field[0, -1, -1] < 1e-20
