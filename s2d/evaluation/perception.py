"""Pictures compared by the features of a frozen classifier (EfficientNet-lite0): PD picture by picture, KID as a whole.

The features of a clip's true frames are worked out once and serve every method.
"""

from __future__ import annotations

import warnings
from functools import cache

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from s2d.errors import S2DError
from s2d.models.perceptual import Perceptual, feature_distances

BATCH = 32
SUBSET, SUBSETS = 100, 50  # pictures in a draw of KID, and draws
FID_FRAMES = 5000


class Features:
    """What the network sees in pictures (N, 3, H, W) in [0, 1]."""

    def __init__(self, images: Tensor) -> None:
        with torch.inference_mode():
            batches = [network().features(batch) for batch in torch.split(images, BATCH)]
        self.maps = [torch.cat(stage) for stage in zip(*batches, strict=True)]
        """Per stage (N, C, h, w)."""

    @property
    def pooled(self) -> Tensor:
        """(N, D): the two deepest stages, averaged over the picture; elements near 1, as the kernel of KID expects."""
        return torch.cat([stage.mean((2, 3)) * stage.shape[1] ** 0.5 for stage in self.maps[-2:]], dim=1)

    def distance(self, other: Features) -> float:
        """PD: the mean perceptual distance of picture by picture; 0 for equal ones, not comparable with LPIPS."""
        return float(feature_distances(self.maps, other.maps).mean())


@cache
def network() -> Perceptual:
    """The network, once per process."""
    return Perceptual()


class Distribution:
    """KID of what a method made against true frames, and FID where there are frames enough.

    The kernel inception distance (Binkowski et al. 2018) is unbiased for any number of pictures. FID is not: its bias
    falls with the number of pictures and differs between methods, and the covariance of D features needs more than D
    pictures to have full rank, so below FID_FRAMES it ranks methods by chance and is not given. Both are by
    torchmetrics, whose state is gathered from all processes. On features of EfficientNet-lite0: not comparable with
    published figures.
    """

    def __init__(self) -> None:
        width = Features(torch.zeros(1, 3, 32, 32)).pooled.shape[1]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save", UserWarning)
            self._kid = KernelInceptionDistance(feature=_Given(width), subsets=SUBSETS, subset_size=SUBSET)
        self._fid = FrechetInceptionDistance(feature=_Given(width))
        self._frames = 0

    def update(self, made: Tensor, true: Tensor) -> None:
        """Pooled features (N, D) of both."""
        for metric in (self._kid, self._fid):
            metric.update(made, real=False)
            metric.update(true, real=True)
        self._frames += len(made)

    def compute(self, seed: int = 0) -> dict[str, float]:
        """`kid`, and `fid` from FID_FRAMES frames on; nothing with fewer than SUBSET frames."""
        if self._frames < SUBSET:
            return {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            figures = {"kid": float(self._kid.compute()[0])}
        return figures | ({"fid": float(self._fid.compute())} if self._frames >= FID_FRAMES else {})


class _Given(nn.Module):
    """In the place of a network, for torchmetrics: the features are there already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.num_features = width

    def forward(self, features: Tensor) -> Tensor:
        return features


class Lpips:
    """LPIPS (Zhang et al. 2018) with AlexNet, by torchmetrics; needs torchvision and its weights."""

    def __init__(self) -> None:
        """Raises S2DError when torchvision is not installed, or cannot get its weights."""
        from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

        try:
            self._metric = LearnedPerceptualImagePatchSimilarity("alex", normalize=True)
        except (ModuleNotFoundError, ImportError) as error:
            raise S2DError("cannot measure LPIPS", "torchvision is not installed", "pip install torchvision") from error
        except OSError as error:
            remedy = "see torchvision on where it keeps weights"
            raise S2DError("cannot measure LPIPS", f"torchvision cannot fetch the weights ({error})", remedy) from error

    def distance(self, images: Tensor, targets: Tensor) -> float:
        """Mean over pictures (N, 3, H, W) in [0, 1]."""
        self._metric.reset()
        with torch.inference_mode():
            for image, target in zip(torch.split(images, BATCH), torch.split(targets, BATCH), strict=True):
                self._metric.update(image, target)
            return float(self._metric.compute())
