"""The 2D-FAN-4 network of face-alignment (Bulat and Tzimiropoulos 2017), with sub-pixel landmarks.

The library's own call returns whole pixels of a coarse lattice: it crops at whole pixels, takes the largest cell of a
64 x 64 heatmap plus a quarter cell, and rounds down to int32 frame pixels, so that a face 200 pixels wide moves in
steps of about 3. Here the crop is sub-pixel and the peak is read as a centre of mass.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from s2d import assets
from s2d.errors import S2DError
from s2d.geometry import Array, Float32, Floats, Image, apply, invert
from s2d.landmarks import layout
from s2d.landmarks.detectors.base import Detector, Face
from s2d.landmarks.detectors.mesh import MeshDetector
from s2d.landmarks.detectors.regions import Region, cut

CROP = 256  # side of the network's input in pixels
HEATMAP = 64  # side of its output
BATCH = 16
# The crop of face-alignment: (width + height) / 195 x 200 on a side, around a point 12 % of the height above the box's
# middle. The network was trained with the boxes of the landmarks themselves, which is what `Face.box` holds.
CROP_PER_EXTENT = 200.0 / 195.0
RAISED = 0.12
# The peak is the centre of mass of heatmap^4 within 3 cells of the largest one: for Gaussians of 1 to 2.2 cells
# within .03 cells of the truth (the plain centre of mass leans up to .3 cells towards the largest cell's centre).
PEAK_POWER, PEAK_REACH = 4, 3


class FanDetector:
    """68 points, no pupils (NaN): the accuracy reference, made for a GPU. Weights: research only.

    `score` is the mean height of the heatmap peaks, clipped to [0, 1]: trained heatmaps peak near 1 where a landmark
    is sure. It measures the landmarks, while that of `mesh` asks whether there is a face at all.
    """

    name = "fan"
    version = "2DFAN4-11f355bf06 / 2"

    def __init__(
        self,
        weights: str | Path | None = None,
        device: str = "cpu",
        flip_input: bool = True,
        finder: Detector | None = None,
    ) -> None:
        """Load the network.

        `weights` is a state dict of face-alignment's FAN(4), the asset 2DFAN4 if None; `flip_input` averages with the
        mirrored crop, twice the time. Faces are found by `finder`, the mesh detector if None.
        Raises S2DError when the weights are not at hand or do not fit, or when there is no such device.
        """
        self._device = device
        self._network = _network(Path(weights) if weights is not None else assets.path("2DFAN4"), device)
        self._flip = flip_input
        self._finder = finder or MeshDetector()

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        """Faces of each RGB frame (H, W, 3) uint8, in the order of the finder; frames do not influence each other."""
        found = self._finder.detect(frames)
        owners = [number for number, faces in enumerate(found) for _ in faces]
        regions = [crop_region(face.box) for faces in found for face in faces]
        places = zip(owners, regions, strict=True)
        # black beyond the frame, as the network was trained
        crops = [cut(frames[owner], region, CROP, outside=cv2.BORDER_CONSTANT) for owner, region in places]
        result: list[list[Face]] = [[] for _ in frames]
        for owner, region, maps in zip(owners, regions, self._heatmaps(crops), strict=True):
            result[owner].append(_face(maps, region))
        return result

    @torch.inference_mode()
    def _heatmaps(self, crops: Sequence[Float32]) -> list[Float32]:
        """Heatmaps (68, 64, 64) of each crop (256, 256, 3) in 0 .. 255."""
        maps: list[Float32] = []
        for start in range(0, len(crops), BATCH):
            batch = np.stack(crops[start : start + BATCH]).transpose(0, 3, 1, 2) / np.float32(255.0)
            images = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
            output = self._network(images)[-1]
            if self._flip:
                mirror = torch.as_tensor(layout.MIRROR[:68].copy(), device=output.device)
                output = (output + self._network(images.flip(-1))[-1].flip(-1)[:, mirror]) / 2
            maps.extend(output.float().cpu().numpy())
        return maps


def crop_region(box: Floats) -> Region:
    """The square that face-alignment crops for this box (x0, y0, x1, y1), before it rounds to whole pixels."""
    x0, y0, x1, y1 = (float(value) for value in box)
    side = (x1 - x0 + y1 - y0) * CROP_PER_EXTENT
    return Region((x0 + x1) / 2, (y0 + y1) / 2 - RAISED * (y1 - y0), side)


def decode(heatmaps: Float32) -> tuple[Array, Array]:
    """Peaks of heatmaps (N, H, W): positions (N, 2) as x, y in cells, (0, 0) the first cell's centre; heights (N,).

    >>> one = np.zeros((1, 64, 64), np.float32); one[0, 20, 30] = one[0, 20, 31] = 0.5
    >>> decode(one)
    (array([[30.5, 20. ]]), array([0.5]))
    """
    count, height, width = heatmaps.shape
    largest = heatmaps.reshape(count, -1).argmax(axis=1)
    rows, columns = largest // width, largest % width
    down, across = np.arange(height) - rows[:, None], np.arange(width) - columns[:, None]
    near = (abs(down) <= PEAK_REACH)[:, :, None] & (abs(across) <= PEAK_REACH)[:, None, :]
    heights = heatmaps[np.arange(count), rows, columns].astype(np.float64)
    share = np.clip(heatmaps / np.maximum(heights, 1e-9)[:, None, None], 0.0, 1.0)
    mass = np.where(near, share**PEAK_POWER, 0.0)
    total = np.maximum(mass.sum(axis=(1, 2)), 1e-9)
    x, y = (mass.sum(axis=1) * across).sum(axis=1) / total, (mass.sum(axis=2) * down).sum(axis=1) / total
    return np.stack([columns + x, rows + y], axis=-1), heights


def _face(heatmaps: Float32, region: Region) -> Face:
    cells, heights = decode(heatmaps)
    points = np.full((layout.COUNT, 2), np.nan)
    points[:68] = apply(invert(region.matrix(HEATMAP)), cells)
    return Face.of_points(points, float(np.clip(heights, 0.0, 1.0).mean()))


def _network(path: Path, device: str) -> torch.nn.Module:
    """FAN(4) with the weights of this file, ready to run on `device`."""
    from face_alignment.models import FAN  # compiles its helpers at import: seconds

    asked = f"cannot load the FAN weights {path}"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise S2DError(asked, error.strerror or str(error), "check the path") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise S2DError(asked, "not a file of PyTorch weights", "give 2DFAN4-11f355bf06.pth.tar") from error
    network: torch.nn.Module = FAN(4)
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise S2DError(asked, "the weights of another network", "give those of 2DFAN-4") from error
    try:
        return network.to(device).eval()
    except (RuntimeError, AssertionError) as error:
        raise S2DError(f"cannot run FAN on device {device!r}", str(error).splitlines()[0], "use cpu") from error
