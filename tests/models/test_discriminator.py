import torch
from torch.nn import functional as F

from s2d.models import losses
from s2d.models.discriminator import PatchDiscriminator
from s2d.models.heatmaps import PART_COUNT


def pictures(batch=4, size=32):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 3, size, size, generator=generator), torch.rand(batch, PART_COUNT, size, size)


def test_one_score_per_patch_and_features_of_every_layer():
    torch.manual_seed(0)
    judged = PatchDiscriminator(8, levels=3)(*pictures())
    assert judged.scores.shape == (4, 1, 4, 4)
    assert [tuple(f.shape) for f in judged.features] == [(4, 8, 16, 16), (4, 16, 8, 8), (4, 32, 4, 4)]


def test_a_score_sees_its_patch_of_38_pixels_and_no_more():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(8).eval()
    image, drawn = pictures(1, 96)
    leaf = image.requires_grad_()
    discriminator(leaf, drawn).scores[0, 0, 6, 6].backward()
    seen = leaf.grad.abs().sum((0, 1)) > 0
    rows, columns = (torch.nonzero(seen.any(axis)).flatten() for axis in (1, 0))
    assert len(rows) == rows.max() - rows.min() + 1 == 38
    assert len(columns) == 38


def test_it_listens_to_the_landmarks():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(8).eval()
    image, drawn = pictures()
    assert (discriminator(image, drawn).scores - discriminator(image, drawn.flip(0)).scores).abs().max() > 1e-4


def test_it_learns_to_tell_sharp_from_blurred():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(8)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-3)
    for _ in range(60):
        real = torch.rand(8, 3, 32, 32)
        drawn = torch.zeros(8, PART_COUNT, 32, 32)
        fake = F.avg_pool2d(real, 3, 1, 1)
        loss = losses.hinge_discriminator(discriminator(real, drawn).scores, discriminator(fake, drawn).scores)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1.0  # 2 is knowing nothing
