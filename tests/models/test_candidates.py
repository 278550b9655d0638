import numpy as np
import pytest
import torch

from s2d.landmarks import layout
from s2d.models import candidates as c


def affine(degrees, scale, shift):
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return linear, np.array(shift)


def test_a_similarity_is_recovered_exactly_by_every_candidate_but_the_background(face, turn):
    driving = turn(face, 25, 0.8, (0.1, -0.2))
    linear, shift = affine(25, 0.8, (0.1, -0.2))
    displacement = c.candidate_displacements(face, driving, 11, 13)[0].numpy()
    grid = c.identity_grid(11, 13, face).numpy()
    expected = (grid - shift) @ np.linalg.inv(linear).T - grid
    assert np.abs(displacement[c.BACKGROUND]).max() == 0
    for index in range(1, c.COUNT):
        np.testing.assert_allclose(displacement[index], expected, atol=2e-5, err_msg=c.CANDIDATES[index])


def test_standing_still_is_zero(face):
    assert c.candidate_displacements(face, face, 16, 16).abs().max() < 1e-6


def test_radial_basis_weights_solve_the_ridge_system():
    rng = np.random.default_rng(1)
    centres, values = rng.uniform(-1, 1, (1, 9, 2)), rng.normal(size=(1, 9, 2))
    known = torch.ones(1, 9, dtype=torch.bool)
    weights, fitted = c.fit_rbf(
        torch.tensor(centres), torch.tensor(values), known, torch.tensor([0.3], dtype=torch.float64)
    )
    squared = ((centres[0][:, None] - centres[0][None]) ** 2).sum(-1)
    gram = np.exp(-squared / (2 * 0.09))
    expected = np.linalg.solve(gram + c.RBF_RIDGE * np.eye(9), values[0])
    np.testing.assert_allclose(weights[0].numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(fitted[0].numpy(), values[0] - c.RBF_RIDGE * expected, atol=1e-9)


def test_one_moved_landmark_far_from_others_keeps_the_share_the_ridge_leaves():
    """Alone, a Gaussian of weight v / (1 + ridge), so that is its value at the centre, and exp(-1/2) of it at sigma."""
    centre, value = torch.tensor([[[0.0, 0.0]]]), torch.tensor([[[0.2, -0.1]]])
    weights, _ = c.fit_rbf(centre, value, torch.ones(1, 1, dtype=torch.bool), torch.tensor([0.5]))
    field = c.gaussian_field(centre, weights, 0.5, 5, 5)[0]
    torch.testing.assert_close(field[:, 2, 2], value[0, 0] / 1.05)
    torch.testing.assert_close(field[:, 2, 3], value[0, 0] / 1.05 * np.exp(-0.5))


def test_residual_motion_is_the_two_level_interpolation_computed_by_hand(face, motions):
    """Against numpy, in float64, without the separable trick."""
    driving = motions["an opening mouth"](face)
    similarity = c.head_similarity(face, driving)
    field = c.residual_motion(face, driving, similarity, 9, 9)[0].numpy()
    eyes = [(e[i], e[(i + 1) % 6]) for e in (range(36, 42), range(42, 48)) for i in range(6)]
    start, end = (
        np.concatenate([p[0, :68], [(p[0, a] + p[0, b]) / 2 for a, b in eyes]])
        for p in (driving.double().numpy(), face.double().numpy())
    )
    left = end - (start @ similarity[0, :, :2].double().numpy().T + similarity[0, :, 2].double().numpy())
    radius = np.sqrt(((start[:68] - start[:68].mean(0)) ** 2).sum(-1).mean())
    nodes = np.stack(np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9)), -1)
    expected = np.zeros((9, 9, 2))
    for share in (0.43, 0.15):
        sigma = share * radius
        gram = np.exp(-((start[:, None] - start[None]) ** 2).sum(-1) / (2 * sigma**2))
        weights = np.linalg.solve(gram + 0.05 * np.eye(len(start)), left)
        expected += np.exp(-((nodes[:, :, None] - start) ** 2).sum(-1) / (2 * sigma**2)) @ weights
        left = left - gram @ weights
    np.testing.assert_allclose(field, expected, atol=1e-5)
    assert np.abs(expected).max() > 0.02


def test_far_from_the_face_the_head_is_its_similarity(face, motions):
    small = 0.25 * face - 0.7
    displacement = c.candidate_displacements(small, 0.25 * motions["an opening mouth"](face) - 0.7, 33, 33)[0]
    difference = displacement[c.HEAD] - displacement[c.HEAD_SIMILARITY]
    assert difference[:4, :4].abs().max() > 0.001
    assert difference[16:, 16:].abs().max() < 1e-6


def test_an_eye_moves_by_itself(face):
    driving = face.clone()
    driving[:, 36:42, 1] += 0.05
    displacement = c.candidate_displacements(face, driving, 9, 9)[0]
    expected = torch.tensor([0.0, -0.05]).expand(9, 9, 2)
    torch.testing.assert_close(displacement[c.RIGHT_EYE], expected, atol=1e-5, rtol=0)
    assert displacement[c.LEFT_EYE].abs().max() < 1e-5


def test_a_pupil_is_carried_to_the_source_pupil_by_a_shift_of_the_head_motion(face, motions, turn):
    driving = motions["a gaze"](turn(face, 10, 0.9))
    displacement = c.candidate_displacements(face, driving, 65, 65)[0, c.LEFT_PUPIL]
    shift = displacement - c.candidate_displacements(face, driving, 65, 65)[0, c.HEAD_SIMILARITY]
    assert (shift - shift[0, 0]).abs().max() < 1e-6
    at_pupil = torch.nn.functional.grid_sample(
        displacement.permute(2, 0, 1)[None], driving[:, None, 69:70], align_corners=True
    )[0, :, 0, 0]
    torch.testing.assert_close(driving[0, 69] + at_pupil, face[0, 69], atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", ["source", "driving"])
def test_an_unknown_pupil_moves_as_the_head(face, motions, side):
    driving = motions["an opening mouth"](face)
    (face if side == "source" else driving)[:, 68] = torch.nan
    displacement = c.candidate_displacements(face, driving, 9, 9)[0]
    assert torch.equal(displacement[c.RIGHT_PUPIL], displacement[c.HEAD])
    assert displacement.isfinite().all()


def test_unknown_landmarks_do_not_disturb_the_others(face, turn):
    """Without the whole right eye and some of the jaw, a similarity is still recovered."""
    driving = turn(face, -15, 1.1, (0.05, 0.0))
    expected = c.candidate_displacements(face, driving, 9, 9)
    broken = driving.clone()
    broken[:, [*layout.PARTS["right_eye"], 0, 1, 2]] = torch.nan
    torch.testing.assert_close(c.candidate_displacements(face, broken, 9, 9), expected, atol=2e-5, rtol=0)


def test_grids_of_different_sizes_agree_where_they_share_nodes(face, motions):
    driving = motions["all of it"](face)
    coarse, fine = (c.candidate_displacements(face, driving, size, size) for size in (17, 33))
    torch.testing.assert_close(fine[:, :, ::2, ::2], coarse, atol=2e-6, rtol=0)
