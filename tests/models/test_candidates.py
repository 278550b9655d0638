import numpy as np
import pytest
import torch

from s2d.landmarks import layout
from s2d.models import candidates as c
from s2d.models.blocks import identity_grid
from tests.models.conftest import jaw_dropped


def affine(degrees, scale, shift):
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return linear, np.array(shift)


STILL_AT_THE_BORDER = (c.HEAD, c.SKULL)


def at(field, places):
    """Values of a field (1, h, w, 2) at normalised places (1, N, 2)."""
    return torch.nn.functional.grid_sample(field.permute(0, 3, 1, 2), places[:, None], align_corners=True)[0, :, 0].T


def test_a_similarity_is_recovered_exactly_by_every_rigid_candidate(face, turn):
    driving = turn(face, 25, 0.8, (0.1, -0.2))
    linear, shift = affine(25, 0.8, (0.1, -0.2))
    displacement = c.candidate_displacements(face, driving, 11, 13).displacement[0].numpy()
    grid = identity_grid(11, 13, face).numpy()
    expected = (grid - shift) @ np.linalg.inv(linear).T - grid
    assert np.abs(displacement[c.BACKGROUND]).max() == 0
    for index in set(range(1, c.COUNT)) - set(STILL_AT_THE_BORDER):
        np.testing.assert_allclose(displacement[index], expected, atol=2e-5, err_msg=c.CANDIDATES[index])


@pytest.mark.parametrize("size", [16, 128])
@pytest.mark.parametrize("opening", [-0.05, 0.0, 0.12])
def test_standing_still_is_zero(face, size, opening):
    """Lips shut, ajar and open: not a hundred-thousandth of a pixel's way."""
    face = jaw_dropped(face, opening)
    assert c.candidate_displacements(face, face, size, size).displacement.abs().max() < 1e-6


def test_radial_basis_weights_solve_the_ridge_system():
    rng = np.random.default_rng(1)
    centres, values = rng.uniform(-1, 1, (1, 9, 2)), rng.normal(size=(1, 9, 2))
    known = torch.ones(1, 9, dtype=torch.bool)
    ridge = rng.uniform(0, 1, (1, 9))
    weights = c.fit_rbf(
        *map(torch.tensor, (centres, values)), known, torch.tensor([0.3], dtype=torch.float64), torch.tensor(ridge)
    )
    squared = ((centres[0][:, None] - centres[0][None]) ** 2).sum(-1)
    gram = np.exp(-squared / (2 * 0.09))
    expected = np.linalg.solve(gram + np.diag(ridge[0]), values[0])
    np.testing.assert_allclose(weights[0].numpy(), expected, atol=1e-9)


def test_one_moved_landmark_far_from_others_keeps_the_share_the_ridge_leaves():
    """Alone, a Gaussian of weight v / (1 + ridge), so that is its value at the centre, and exp(-1/2) of it at sigma."""
    centre, value = torch.tensor([[[0.0, 0.0]]]), torch.tensor([[[0.2, -0.1]]])
    known, ridge = torch.ones(1, 1, dtype=torch.bool), torch.full((1, 1), 0.05)
    weights = c.fit_rbf(centre, value, known, torch.tensor([0.5]), ridge)
    field = c.gaussian_field(centre, weights, 0.5, 5, 5)[0]
    torch.testing.assert_close(field[:, 2, 2], value[0, 0] / 1.05)
    torch.testing.assert_close(field[:, 2, 3], value[0, 0] / 1.05 * np.exp(-0.5))


def test_landmark_motion_is_the_two_level_interpolation_computed_by_hand(face, motions):
    """Against numpy, in float64, without the separable trick, on the coarse level's own nodes."""
    driving = motions["an opening mouth"](face)
    nothing = face.new_zeros(1, 0, 2)
    field = c.landmark_motion(face, driving, nothing, nothing, c.COARSE_NODES, c.COARSE_NODES)[0][0].numpy()
    start, end = (points[0, :60].double().numpy() for points in (driving, face))
    side = np.arange(4) / 2 - 1
    one = np.ones(4)
    edges = [(side, -one), (one, side), (-side, one), (-one, -side)]
    places = np.concatenate([start, *(np.stack(edge, -1) for edge in edges)])
    moved = np.concatenate([end - start, np.zeros((16, 2))])

    def matern(a, b):
        distance = np.sqrt(3) * np.linalg.norm(a[:, None] - b[None], axis=-1) / 0.7
        return (1 + distance) * np.exp(-distance)

    gram = matern(places, places)
    weights = np.linalg.solve(gram + np.diag([0.01] * 60 + [0.05] * 16), moved)
    line = np.linspace(-1, 1, c.COARSE_NODES)
    nodes = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    expected = matern(nodes, places) @ weights
    left = (moved - gram @ weights)[:60]
    contour = driving[0, :68].double().numpy()
    radius = np.sqrt(((contour - contour.mean(0)) ** 2).sum(-1).mean())
    fine, close = (np.exp(-((a[:, None] - start) ** 2).sum(-1) / (2 * (0.15 * radius) ** 2)) for a in (nodes, start))
    expected += fine @ np.linalg.solve(close + 0.05 * np.eye(60), left)
    np.testing.assert_allclose(field.reshape(-1, 2), expected, atol=1e-5)
    assert np.abs(expected).max() > 0.02


@pytest.mark.parametrize("story", ["a shift", "a turn", "a step back", "raised brows"])
def test_landmarks_move_and_the_border_hardly(face, motions, story):
    driving = motions[story](0.7 * face)
    displacement = c.candidate_displacements(0.7 * face, driving, 129, 129).displacement
    for index in STILL_AT_THE_BORDER:
        field = displacement[:, index]
        missed = torch.linalg.vector_norm(at(field, driving[:, :68]) + (driving - 0.7 * face)[0, :68], dim=-1)
        assert missed.mean() < 0.004
        edges = torch.cat([field[0, [0, -1]].flatten(0, 1), field[0, :, [0, -1]].flatten(0, 1)])
        assert edges.norm(dim=-1).mean() < 0.3 * (driving - 0.7 * face).norm(dim=-1).amax()


@pytest.mark.parametrize(("degrees", "scale"), [(0, 0.35), (0, 1.6), (90, 0.6), (180, 0.6)])
def test_a_jaw_that_only_goes_with_its_head_is_not_doubted(face, turn, degrees, scale):
    """However far the head turns in the picture or comes nearer: every landmark is met as well as the others."""
    driving = turn(0.6 * face, degrees, scale)
    unknown = torch.full((1, 0, 2), torch.nan)
    field = c.landmark_motion(0.6 * face, driving, unknown, unknown, 257, 257)[0]
    missed = (at(field, driving[:, :60]) - (0.6 * face - driving)[0, :60]).norm(dim=-1)
    assert missed[:17].max() < max(0.01, 2 * float(missed[17:].max()))


@pytest.mark.parametrize("degrees", [25, 35])
@pytest.mark.parametrize("back", [False, True])
def test_a_jaw_that_turns_with_its_head_is_met(face, motions, degrees, back):
    """The far side comes nearer to the nose, from either view of it, but stays on its side."""
    source, driving = (0.7 * face, motions["a turn"](0.7 * face, degrees))[:: -1 if back else 1]
    unknown = torch.full((1, 0, 2), torch.nan)
    field = c.landmark_motion(source, driving, unknown, unknown, 257, 257)[0]
    missed = (at(field, driving[:, :17]) - (source - driving)[0, :17]).norm(dim=-1)
    assert missed.max() < 0.02


@pytest.mark.parametrize("landmarks", [slice(0, 70), slice(30, 31)])
def test_landmarks_far_beyond_the_picture_end_nothing(face, landmarks):
    driving = face.clone()
    driving[:, landmarks] += torch.tensor([207.0, 0.0])
    assert c.candidate_displacements(face, driving, 16, 16).displacement.isfinite().all()


def test_the_outline_moves_only_the_second_field(face, motions):
    """With an outline that nobody knows both are the same; with one that moves further the first does not notice."""
    driving = motions["a turn"](face)
    outline = torch.tensor([[[-0.4, -0.5], [0.0, -0.8], [0.4, -0.5]]])
    unknown = torch.full_like(outline, torch.nan)
    alone, same = c.landmark_motion(face, driving, unknown, unknown, 33, 33)
    torch.testing.assert_close(alone, same, atol=1e-5, rtol=0)
    without, outlined = c.landmark_motion(face, driving, outline, outline + torch.tensor([0.2, 0.0]), 33, 33)
    torch.testing.assert_close(without, alone, atol=1e-5, rtol=0)
    top = at(outlined - without, outline[:, 1:2])[0]
    assert top[0] < -0.05


def test_matern_is_positive_definite_and_one_where_points_meet():
    points = torch.rand(1, 60, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    gram = c.matern(points, points)[0]
    torch.testing.assert_close(gram.diagonal(), torch.ones(60), atol=1e-5, rtol=0)
    assert torch.linalg.eigvalsh(gram.double()).min() > 0


def test_an_eye_moves_by_itself(face):
    driving = face.clone()
    driving[:, 36:42, 1] += 0.05
    displacement = c.candidate_displacements(face, driving, 9, 9).displacement[0]
    expected = torch.tensor([0.0, -0.05]).expand(9, 9, 2)
    torch.testing.assert_close(displacement[c.RIGHT_EYE], expected, atol=1e-5, rtol=0)
    assert displacement[c.LEFT_EYE].abs().max() < 1e-5


def test_a_pupil_is_carried_to_the_source_pupil_by_a_shift_of_the_head_motion(face, motions, turn):
    driving = motions["a gaze"](turn(face, 10, 0.9))
    moving = c.candidate_displacements(face, driving, 257, 257).displacement[0]
    shift = moving[c.LEFT_PUPIL] - moving[c.HEAD_SIMILARITY]
    at_pupil = at(moving[None, c.LEFT_PUPIL], driving[:, 69:70])[0]
    torch.testing.assert_close(driving[0, 69] + at_pupil, face[0, 69], atol=1e-5, rtol=0)
    grid = identity_grid(257, 257, face)
    iris = (grid - driving[0, 69]).norm(dim=-1) < 0.02
    torch.testing.assert_close(shift[iris], shift[iris].mean(0).expand(int(iris.sum()), -1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("gaze", [(0.06, 0.0), (-0.06, 0.0), (0.0, 0.03), (0.0, -0.03)])
def test_what_the_source_hides_behind_its_lids_is_taken_from_between_them(face, gaze):
    driving = face.clone()
    driving[:, 68:] += torch.tensor(gaze)
    grid = identity_grid(257, 257, face)
    place = grid + c.candidate_displacements(face, driving, 257, 257).displacement[0, c.RIGHT_PUPIL]
    left, right = face[0, 36], face[0, 39]
    seen = (grid - face[0, 68]).abs() < torch.tensor([0.05, 0.025])
    seen = seen.all(-1)
    assert place[seen][:, 0].min() >= left[0] - 1e-5
    assert place[seen][:, 0].max() <= right[0] + 1e-5
    assert (place[seen][:, 1] - left[1]).abs().max() <= 0.036
    moved = ((place - grid)[seen] + torch.tensor(gaze)).norm(dim=-1)
    assert 0.02 < (moved > 1e-4).float().mean() < 0.98  # some of it lies behind the source's lids, and some does not


def test_a_jaw_that_the_face_hides_does_not_fold_the_nose(face):
    """Detectors lay the far side of a turned jaw on the nose; where the two move apart, the nose is right."""
    source = face.clone()
    source[:, 3] = source[:, 30] + torch.tensor([0.01, 0.0])
    driving = source.clone()
    driving[:, 27:36, 0] += 0.04
    driving[:, 3, 0] -= 0.04
    nothing = face.new_zeros(1, 0, 2)
    field = c.landmark_motion(source, driving, nothing, nothing, 257, 257)[0]
    grid = identity_grid(257, 257, face) + field[0]
    assert (grid[:, 1:, 0] - grid[:, :-1, 0]).min() > 0  # from left to right
    assert (at(field, driving[:, 30:31])[0] - torch.tensor([-0.04, 0.0])).norm() < 0.01
    without = source.clone(), driving.clone()
    for points in without:
        points[:, 3] = torch.nan
    assert (field - c.landmark_motion(*without, nothing, nothing, 257, 257)[0]).abs().max() < 0.015


@pytest.mark.parametrize("side", ["source", "driving"])
def test_an_unknown_pupil_moves_as_the_head(face, motions, side):
    driving = motions["an opening mouth"](face)
    (face if side == "source" else driving)[:, 68] = torch.nan
    displacement = c.candidate_displacements(face, driving, 9, 9).displacement[0]
    assert torch.equal(displacement[c.RIGHT_PUPIL], displacement[c.HEAD])
    assert displacement.isfinite().all()


def test_unknown_landmarks_do_not_disturb_the_others(face, turn):
    """Without the right eye and some of the jaw, a similarity is still recovered at the landmarks that are known."""
    driving = turn(face, -15, 1.1, (0.05, 0.0))
    broken = driving.clone()
    unknown = [*layout.PARTS["right_eye"], 0, 1, 2]
    broken[:, unknown] = torch.nan
    known = [index for index in range(68) if index not in unknown]
    displacement = c.candidate_displacements(face, broken, 65, 65).displacement
    assert displacement.isfinite().all()
    expected = (face - driving)[0, known]
    for index in set(range(1, c.COUNT)) - {c.RIGHT_EYE, c.RIGHT_PUPIL}:
        loose = 0.01 if index in STILL_AT_THE_BORDER else 2e-5
        torch.testing.assert_close(at(displacement[:, index], driving[:, known]), expected, atol=loose, rtol=0)


def test_grids_of_different_sizes_agree_where_they_share_nodes(face, motions):
    driving = motions["all of it"](face)
    coarse, fine = (c.candidate_displacements(face, driving, size, size) for size in (17, 33))
    torch.testing.assert_close(fine.head[:, ::2, ::2], coarse.head, atol=2e-6, rtol=0)
    apart = (fine.displacement[:, :, ::2, ::2] - coarse.displacement).abs().amax((0, 1, 4))
    assert apart.quantile(0.98) < 2e-6  # but where lids or lips end, within a pixel of either grid
