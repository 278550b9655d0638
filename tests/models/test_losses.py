import cv2
import numpy as np
import pytest
import torch

from s2d.models import losses
from s2d.models.blocks import identity_grid


@pytest.fixture
def still():
    return identity_grid(16, 12, torch.zeros(1))[None]


def test_multiscale_l1_is_the_mean_over_scales():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 1, 3, 16, 16)).astype(np.float32)
    expected = 0.0
    x, y = a[0].transpose(1, 2, 0), b[0].transpose(1, 2, 0)
    for _ in range(3):
        expected += np.abs(x - y).mean() / 3
        x, y = (cv2.resize(i, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for i in (x, y))
    assert float(losses.multiscale_l1(torch.tensor(a), torch.tensor(b))) == pytest.approx(float(expected), rel=1e-5)


def test_fine_noise_costs_less_than_a_shifted_colour():
    clean = torch.full((1, 3, 16, 16), 0.5)
    checkers = clean + 0.1 * (2 * (torch.arange(256).reshape(16, 16) + torch.arange(16)[:, None]).remainder(2) - 1)
    assert losses.multiscale_l1(checkers, clean) < 0.5 * losses.multiscale_l1(clean + 0.1, clean)


def test_region_covers_the_mouth_and_fades(face):
    mouth = losses.region(face, losses.MOUTH, 101, 101, 0.1)[0, 0]
    assert mouth[66, 50] == 1  # (0, 0.32), the middle of the mouth
    beside = mouth[66, 59:66]  # from 0.02 outside its corner to 0.14
    assert (beside.diff() <= 0).all()
    assert 0.3 < beside[1] < 0.99
    assert mouth[66, 66] == 0
    assert mouth[45, 40] == 0  # an eye


def test_region_of_eyes_leaves_out_what_is_not_known(face):
    both = losses.region(face, losses.EYES, 64, 64, 0.05)
    face[:, 36] = torch.nan
    left = losses.region(face, losses.EYES, 64, 64, 0.05)
    assert left[..., :32].max() == 0
    assert torch.equal(left[..., 32:], both[..., 32:])


def test_weighted_l1_looks_only_where_told():
    image, target, weights = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    image[..., 0, 0] = 0.8
    image[..., 3, 3] = 100.0
    weights[..., 0, :2] = 1.0
    assert float(losses.weighted_l1(image, target, weights)) == pytest.approx(0.4)
    assert float(losses.weighted_l1(image, target, torch.zeros_like(weights))) == 0


def test_affine_motion_is_smooth_and_a_bump_is_not(still):
    turned = still @ torch.tensor([[0.8, 0.3], [-0.3, 0.8]]) + 0.2
    assert losses.flow_smoothness(turned) < 1e-5
    bumped = turned.clone()
    bumped[:, 8, 6, 0] += 2 / 11  # one node
    # |1|, |-2|, |1| over 14 x 12 and 16 x 10 second differences of two components
    assert float(losses.flow_smoothness(bumped)) == pytest.approx(4 / (14 * 12 * 2) + 4 / (16 * 10 * 2), rel=1e-4)


def test_jacobian_is_the_area_a_cell_covers(still):
    torch.testing.assert_close(losses.jacobian(still), torch.ones(1, 15, 11))
    torch.testing.assert_close(losses.jacobian(still * torch.tensor([0.5, 3.0])), torch.full((1, 15, 11), 1.5))


def test_only_folds_are_punished(still):
    assert losses.fold_penalty(still * 0.1) == 0
    mirrored = still * torch.tensor([-1.0, 1.0])
    assert float(losses.fold_penalty(mirrored)) == pytest.approx(1.0)


def test_mask_prior_is_the_divergence_computed_by_hand():
    prior = torch.tensor([0.7, 0.2, 0.1]).reshape(1, 3, 1, 1)
    masks = torch.tensor([0.5, 0.25, 0.25]).reshape(1, 3, 1, 1)
    expected = 0.7 * np.log(1.4) + 0.2 * np.log(0.8) + 0.1 * np.log(0.4)
    assert float(losses.mask_prior(masks, prior)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.mask_prior(prior, prior)) == 0


def test_certain_masks_give_finite_gradients():
    logits = torch.tensor([200.0, -200.0]).reshape(1, 2, 1, 1).requires_grad_()
    losses.mask_prior(logits.softmax(1), torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1)).backward()
    assert logits.grad.isfinite().all()


def test_pair_loss_ignores_a_constant_error_and_sees_flicker():
    first, second = torch.rand(2, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert losses.pair_loss(first + 0.1, second + 0.1, first, second) < 1e-6
    assert float(losses.pair_loss(first + 0.1, second - 0.1, first, second)) == pytest.approx(0.2, rel=1e-5)


def test_there_and_back_costs_nothing_and_one_way_its_length(still):
    there = still * 0.8 + torch.tensor([0.1, 0.0])
    back = (still - torch.tensor([0.1, 0.0])) / 0.8
    everywhere = torch.ones(1, 1, *still.shape[1:3])
    inside = (back.abs() <= 1).all(-1)[:, None].float()
    assert losses.cycle_loss(back, there, inside) < 1e-5
    away = losses.cycle_loss(still + torch.tensor([0.0, 0.25]), still, everywhere * (still[..., 1] < 0.7)[:, None])
    assert float(away) == pytest.approx(0.25, rel=1e-3)


def test_hinge_losses_pull_in_opposite_directions():
    scores = torch.tensor([0.3, -0.2], requires_grad=True)
    (upwards,) = torch.autograd.grad(losses.hinge_generator(scores), scores)
    (downwards,) = torch.autograd.grad(losses.hinge_discriminator(torch.zeros(1), scores), scores)
    torch.testing.assert_close(upwards, -downwards)
    assert float(losses.hinge_discriminator(torch.tensor([1.5]), torch.tensor([-1.0]))) == 0


def test_feature_matching_is_the_mean_over_layers_and_leaves_the_real_alone():
    fake, real = (
        [torch.full((1, 2, 2, 2), value, requires_grad=True) for value in pair] for pair in ((1.0, 5.0), (0.0, 2.0))
    )
    loss = losses.feature_matching(fake, real)
    assert float(loss) == pytest.approx((1 + 3) / 2)
    loss.backward()
    assert real[0].grad is None
