import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from s2d.landmarks import layout
from s2d.landmarks.layout import MIRROR
from s2d.landmarks.retarget import LIDS_CLOSED
from s2d.models import candidates as c
from s2d.models import prior as p
from s2d.models.blocks import identity_grid, warp
from s2d.models.lids import LASHES
from s2d.models.losses import jacobian
from tests.models.conftest import eye_opening, jaw_dropped, lids_closed

SIZE = 128


def flow(source, driving, size=SIZE):
    """Where the prior takes each driving pixel from: (B, size, size, 2)."""
    found = p.motion_prior(source, driving, size, size)
    displacement = p.blend(found.displacement, found.masks)
    return identity_grid(size, size, displacement) + displacement


def sampled(grid, points):
    """Values of a grid (1, h, w, 2) at normalised points (1, N, 2)."""
    return F.grid_sample(grid.permute(0, 3, 1, 2), points[:, None], align_corners=True)[:, :, 0].transpose(1, 2)


def test_standing_still_gives_back_the_source(face, astronaut):
    difference = (p.prior_warp(astronaut, face, face) - astronaut).abs()
    assert difference.mean() < 1e-6
    assert difference.max() < 1e-5  # single pixels: the rounding of grid_sample's own coordinates


@pytest.mark.parametrize("story", ["a shift", "a tilt", "a step back", "a turn", "raised brows"])
def test_landmarks_go_where_they_belong_before_any_training(face, motions, story):
    driving = motions[story](face)
    error = torch.linalg.vector_norm(sampled(flow(face, driving), driving[:, :68]) - face[:, :68], dim=-1)
    assert error.mean() < 0.004  # a quarter of a pixel at 128
    assert error.max() < 0.03


@pytest.mark.parametrize("story", ["a gaze", "all of it"])
def test_they_do_so_in_a_gaze_too_but_for_the_eyeball_under_the_lids(face, motions, story):
    """Detectors put landmarks of lids within the eye, where the eyeball turns under them: no further than the pupil."""
    driving = motions[story](face)
    error = torch.linalg.vector_norm(sampled(flow(face, driving), driving[:, :68]) - face[:, :68], dim=-1)[0]
    lids = [37, 38, 40, 41, 43, 44, 46, 47]
    others = [k for k in range(68) if k not in lids]
    assert error[others].mean() < 0.004
    assert error[others].max() < 0.03
    assert 0.01 < error[lids].max() < 0.036  # the gaze is .03, over the scale of the head's motion .033


@pytest.mark.parametrize("story", ["an opening mouth", "narrowed eyes", "closed eyes"])
def test_landmarks_that_part_or_meet_come_close(face, motions, story):
    """Lips and lids that touch cannot be interpolated exactly by a smooth field."""
    driving = motions[story](face)
    error = torch.linalg.vector_norm(sampled(flow(face, driving), driving[:, :68]) - face[:, :68], dim=-1)
    assert error.mean() < 0.008
    assert error.max() < 0.05


@pytest.mark.parametrize("story", ["a shift", "a tilt", "a step back", "a turn", "raised brows", "narrowed eyes"])
def test_nothing_folds(face, motions, story):
    assert jacobian(flow(face, motions[story](face))).min() > 0


@pytest.mark.parametrize("story", ["an opening mouth", "closed eyes", "a gaze", "all of it"])
def test_hardly_anything_folds_where_something_is_hidden_or_uncovered(face, motions, story):
    assert (jacobian(flow(face, motions[story](face))) < 0).float().mean() < 0.004


def test_the_background_stays_while_the_face_moves(face, motions):
    small = 0.5 * face
    moved = 0.5 * motions["an opening mouth"](motions["a turn"](face))
    displacement = flow(small, moved) - identity_grid(SIZE, SIZE, face)
    head = displacement[0, SIZE // 2, SIZE // 2].abs().max()
    edges = torch.cat([displacement[0, [0, -1]].flatten(0, 1), displacement[0, :, [0, -1]].flatten(0, 1)])
    assert head > 0.05
    assert edges.abs().max() < 0.02 * head


def test_a_face_that_leaves_pulls_the_background_smoothly(face, motions):
    """A big shift: no tear and no second copy of the head where it was."""
    determinant = jacobian(flow(face, motions["a shift"](face)))
    assert determinant.min() > 0.15
    assert determinant.max() < 3


def test_there_and_back_is_home(face, motions):
    driving = motions["all of it"](face)
    there, back = flow(face, driving), flow(driving, face)
    returned = sampled(there, sampled(back, face[:, :68]))
    error = torch.linalg.vector_norm(returned - face[:, :68], dim=-1)
    assert error.mean() < 0.005
    assert error.max() < 0.05


def test_the_iris_moves_between_still_lids(face, motions):
    driving = motions["a gaze"](face)
    grid = flow(face, driving)
    travelled = torch.linalg.vector_norm(face[:, 68:] - driving[:, 68:], dim=-1)
    missed = torch.linalg.vector_norm(sampled(grid, driving[:, 68:]) - face[:, 68:], dim=-1)
    assert (missed < 0.25 * travelled).all()
    eyes = driving[:, 36:48].reshape(1, 2, 6, 2)
    middle = eyes.mean(2, keepdim=True)
    around = (middle + 1.5 * (eyes - middle)).reshape(
        1, 12, 2
    )  # just outside of the lids, at a node of the grid or two
    assert (sampled(grid, around) - around).abs().max() < 0.003


@pytest.mark.parametrize("by", [0.04, -0.04])
def test_the_iris_is_gone_from_where_it_was(face, by):
    """A wide eye that looks aside shows its white where the source has the iris: one iris, not one and a half."""
    wide = face.clone()
    wide[:, [37, 38, 43, 44], 1] -= 0.02
    driving = wide.clone()
    driving[:, 68:, 0] += by
    shown = sampled(flow(wide, driving), wide[:, 68:])
    torch.testing.assert_close(shown[..., 0], wide[:, 68:, 0] - by, atol=0.005, rtol=0)


def test_the_eyeball_rests_beyond_the_way_of_the_iris(face):
    """On the way and within an iris' radius of it the eyeball turns; half an eye further it does not."""
    wide = face.clone()
    wide[:, [36, 42], 0] -= 0.1  # a long eye: there is room on the side that the pupil does not go to
    driving = wide.clone()
    driving[:, 68, 0] += 0.04
    gate = p.motion_prior(wide, driving, 257, 257).masks[:, [c.RIGHT_PUPIL]].permute(0, 2, 3, 1)
    beside = wide[:, 68] - torch.tensor([[0.2 * 0.26, 0.0]])  # the rim of an iris, in an eye .26 wide
    beyond = 0.8 * wide[:, 36] + 0.2 * wide[:, 68]
    on = sampled(gate, torch.stack([wide[:, 68], driving[:, 68], beside, beyond], dim=1))[0, :, 0]
    assert on[:3].min() > 0.8
    assert on[3] < 0.05


def test_a_closed_lid_wins_over_any_gaze(face, motions):
    open_eyes = p.motion_prior(face, motions["a gaze"](face), SIZE, SIZE).masks
    assert open_eyes[:, c.RIGHT_PUPIL :].amax((2, 3)).min() > 0.5
    closed = p.motion_prior(face, motions["closed eyes"](motions["a gaze"](face)), SIZE, SIZE).masks
    assert closed[:, c.RIGHT_PUPIL :].max() < 1e-4
    sleeping = p.motion_prior(motions["closed eyes"](face), motions["a gaze"](face), SIZE, SIZE).masks
    assert sleeping[:, c.RIGHT_PUPIL :].max() < 1e-4


def test_lids_that_a_detector_leaves_apart_hide_the_pupil_and_bring_their_lashes(face, motions):
    """What stands for closed eyes: .08 eye widths between the lids."""
    share = LIDS_CLOSED / eye_opening(face)
    blinking = motions["narrowed eyes"](motions["a gaze"](face))
    for upper, lower in (*layout.RIGHT_LIDS, *layout.LEFT_LIDS):
        middle = (face[:, upper] + face[:, lower]) / 2
        for lid in (upper, lower):
            blinking[:, lid] = middle + share * (face[:, lid] - middle)
    assert p.motion_prior(face, blinking, SIZE, SIZE).masks[:, c.RIGHT_PUPIL :].max() < 1e-4
    white = torch.ones(1, 3, 257, 257)
    sheets = p.motion_prior(face, blinking, 257, 257).sheets
    drawn = sheets.draw(white, white, torch.ones(1, 3), torch.ones(1, 2, 257, 257))
    assert 1 - drawn.min() == pytest.approx(LASHES, abs=0.06)


@pytest.mark.parametrize("side", ["source", "driving"])
def test_unknown_pupils_have_no_say(face, motions, side):
    driving = motions["all of it"](face)
    (face if side == "source" else driving)[:, 68:] = torch.nan
    found = p.motion_prior(face, driving, 32, 32)
    assert found.masks[:, c.RIGHT_PUPIL :].max() < 1e-4
    assert torch.equal(found.displacement[:, c.LEFT_PUPIL], found.displacement[:, c.HEAD])
    assert found.logits.isfinite().all()


def test_masks_are_probabilities_and_soft_at_the_border(face, motions):
    masks = p.motion_prior(face, motions["a shift"](face), SIZE, SIZE).masks
    torch.testing.assert_close(masks.sum(1), torch.ones(1, SIZE, SIZE))
    background = masks[0, c.BACKGROUND]
    steps = torch.maximum(background.diff(dim=0).abs().max(), background.diff(dim=1).abs().max())
    assert steps < 1.5 / (p.STRETCH * 0.3) * 2 / (SIZE - 1) * 1.2  # a cubic over a border as wide as the motion asks
    assert background.min() < 0.006
    assert background.max() > 0.99


def test_a_mirrored_face_moves_as_in_a_mirror(face, motions):
    def mirrored(points):
        return points[:, MIRROR] * torch.tensor([-1.0, 1.0])

    driving = motions["all of it"](face)
    plain = flow(face, driving, 33)
    reflected = flow(mirrored(face), mirrored(driving), 33).flip(2) * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(plain, reflected, atol=1e-4, rtol=0)


def test_autocast_changes_nothing(face, motions):
    driving = motions["all of it"](face)
    with torch.autocast("cpu", torch.bfloat16):
        inside = p.motion_prior(face, driving, 32, 32)
    outside = p.motion_prior(face, driving, 32, 32)
    assert torch.equal(inside.displacement, outside.displacement)
    assert torch.equal(inside.logits, outside.logits)


def test_a_batch_is_its_members(face, motions):
    driving = [motions[story](face) for story in ("a shift", "a turn", "closed eyes")]
    together = flow(face.expand(3, -1, -1), torch.cat(driving), 48)
    apart = torch.cat([flow(face, points, 48) for points in driving])
    torch.testing.assert_close(together, apart, atol=1e-6, rtol=0)


def test_same_input_same_output(face, motions):
    driving = motions["all of it"](face)
    assert torch.equal(flow(face, driving), flow(face, driving))


def test_half_precision_landmarks_are_widened(face):
    assert p.motion_prior(face.half(), face.half(), 8, 8).displacement.dtype == torch.float32
    rough, picture = face.bfloat16(), torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    driving = jaw_dropped(lids_closed(face)).bfloat16()
    widened = p.prior_warp(picture, rough.float(), driving.float())
    torch.testing.assert_close(p.prior_warp(picture, rough, driving), widened)


@pytest.mark.parametrize("unknown", [[], [68, 69], [0, 20, 30, 36, 50, 68, 69], [*range(68)], [*range(70)]])
def test_gradients_are_finite_whatever_is_not_known(face, motions, unknown):
    source, driving = face.clone(), motions["all of it"](face)
    source[:, unknown] = torch.nan
    driving[:, unknown] = torch.nan
    source.requires_grad_()
    driving.requires_grad_()
    found = p.motion_prior(source, driving, 24, 20)
    made = p.prior_warp(torch.zeros(1, 3, 24, 20), source, driving)
    (p.blend(found.displacement, found.masks).square().sum() + found.logits.sum() + made.sum()).backward()
    assert found.logits.isfinite().all()
    assert made.isfinite().all()
    assert source.grad.isfinite().all()
    assert driving.grad.isfinite().all()


def test_gradient_is_the_slope(face, motions):
    """Finite differences in float64, at landmarks whose motion every candidate feels."""
    driving = motions["a turn"](face).double()

    def total(points):
        found = p.motion_prior(face.double(), points, 12, 12)
        return p.blend(found.displacement, found.masks).square().sum()

    leaf = driving.clone().requires_grad_()
    total(leaf).backward()
    for landmark, axis in ((8, 1), (30, 0), (37, 1), (66, 1)):
        step = torch.zeros_like(driving)
        step[0, landmark, axis] = 1e-6
        slope = (total(driving + step) - total(driving - step)) / 2e-6
        assert leaf.grad[0, landmark, axis] == pytest.approx(float(slope), rel=1e-3, abs=1e-6)


def test_signed_distance_agrees_with_opencv(face):
    polygon = p.head_polygon(face)
    ours = p.signed_distance(polygon, 41, 31)[0].numpy()
    contour = polygon[0].numpy().astype(np.float32)
    grid = identity_grid(41, 31, face).numpy().astype(float)
    theirs = np.array([[-cv2.pointPolygonTest(contour, tuple(node), True) for node in row] for row in grid])
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_head_polygon_reaches_the_hairline(face):
    polygon = p.head_polygon(face)[0]
    brows, nose_base = face[0, 17:27, 1].mean(), face[0, 31:36, 1].mean()
    assert polygon[:, 1].min() == pytest.approx(float(brows - (nose_base - brows)), abs=1e-5)
    assert polygon[:, 1].max() == pytest.approx(float(face[0, 8, 1]))


def test_prior_warp_moves_pixels_by_the_flow(face, motions, astronaut):
    driving = motions["a tilt"](face)
    torch.testing.assert_close(p.prior_warp(astronaut, face, driving), warp(astronaut, flow(face, driving, 64)))


def test_a_blink_wins_over_motions_without_lids(face, motions):
    """Whatever was learnt: a mean of lids and of an eye that is squeezed leaves it half open."""
    learnt = torch.full((1, c.COUNT, SIZE, SIZE), 1 / c.COUNT)
    for driving, closed in ((face, 0.0), (motions["closed eyes"](face), 1.0)):
        closing = p.motion_prior(face, driving, SIZE, SIZE).closing
        masks = p.blinks_win(learnt, closing)
        torch.testing.assert_close(masks.sum(1), torch.ones(1, SIZE, SIZE))
        at = sampled(masks[:, [c.HEAD, c.RIGHT_EYE, c.SKULL]].permute(0, 2, 3, 1)[..., [0, 1]], face[:, 68:69])[0, 0]
        assert float(at[1]) == pytest.approx((1 - closed) / c.COUNT, abs=0.03)
        assert float(at[0]) == pytest.approx((1 + len(p.LIDLESS) * closed) / c.COUNT, abs=0.06)
        mouth = sampled(masks[:, [c.HEAD, c.MOUTH]].permute(0, 2, 3, 1), face[:, 66:67])[0, 0]
        torch.testing.assert_close(mouth, torch.full((2,), 1 / c.COUNT))


def test_nothing_gives_way_in_eyes_that_are_not_known_or_do_not_close(face, motions):
    unknown = motions["closed eyes"](face)
    unknown[:, 36:48] = torch.nan
    for driving in (face, unknown, motions["a shift"](face)):
        assert p.motion_prior(face, driving, SIZE, SIZE).closing.max() < 1e-3
