import torch

from s2d.models.generator import Decoder, Encoder
from s2d.models.heatmaps import PART_COUNT


def test_features_halve_in_size_and_double_in_number():
    torch.manual_seed(0)
    features = Encoder(8, 4)(torch.rand(1, 3, 64, 64))
    assert [tuple(feature.shape[1:]) for feature in features] == [(8, 32, 32), (16, 16, 16), (32, 8, 8), (64, 4, 4)]


def test_corrects_nothing_untrained_but_can_learn_to():
    torch.manual_seed(0)
    decoder = Decoder(8, 3, 1)
    features, warped = Encoder(8, 3)(torch.rand(2, 3, 16, 16)), torch.rand(2, 3, 16, 16)
    heatmaps = torch.rand(2, PART_COUNT, 8, 8)
    assert decoder(features, warped, heatmaps).abs().max() == 0
    torch.nn.init.normal_(decoder.head.weight)
    correction = decoder(features, warped, heatmaps)
    assert correction.shape == (2, 3, 16, 16)
    assert not torch.equal(correction, decoder(features, warped, heatmaps.flip(0)))
    assert not torch.equal(correction, decoder(features, warped.flip(0), heatmaps))


def test_one_level_works_too():
    torch.manual_seed(0)
    decoder = Decoder(8, 1, 0)
    features = Encoder(8, 1)(torch.rand(1, 3, 8, 8))
    assert decoder(features, torch.rand(1, 3, 8, 8), torch.rand(1, PART_COUNT, 4, 4)).shape == (1, 3, 8, 8)
