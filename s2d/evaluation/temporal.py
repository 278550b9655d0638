"""Coherence over time: neighbouring frames animated one by one, against how the true video moves.

Every figure is also taken of the true video itself (method `truth`), which is what a method can at best be like.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from s2d.evaluation.footage import Clip
from s2d.evaluation.keypoints import Witness, as_pictures
from s2d.evaluation.methods import Method, Scene
from s2d.evaluation.regions import regions
from s2d.geometry import Float32, Image
from s2d.landmarks import layout

Flow = npt.NDArray[np.float32]
Mask = npt.NDArray[np.float32]
SIDE = 128  # pixels at which flow is measured
PER_256 = 256 / SIDE
AGREE = 0.5  # pixels at SIDE by which forward and backward flow may differ where a pixel is seen in both frames
DRIFT_EVERY = 4  # frames between two looks at the background's place


class Motion:
    """How the true video moves: dense flow (DIS, Kroeger et al. 2016) from each frame to the one before."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self.pictures = as_pictures(clip.images, SIDE)
        self.background = regions(clip.points, SIDE, SIDE)["background"][:, 0].numpy().astype(np.float32)
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in self.pictures]
        self.steps = [_flow_and_mask(grey[t + 1], grey[t]) for t in range(len(grey) - 1)]


def warping_error(pictures: list[Image], motion: Motion) -> float:
    """Mean squared difference of each frame and the frame before moved by the true flow (Lai et al. 2018), x 1000.

    Pictures in [0, 1], mean over channels and over pixels that the true video shows in both frames.
    """
    total, seen = 0.0, 0.0
    for t, (flow, mask) in enumerate(motion.steps):
        before, after = (picture.astype(np.float32) / np.float32(255) for picture in pictures[t : t + 2])
        error = np.square(after - pull(before, flow)).mean(-1)
        total, seen = total + float((error * mask).sum()), seen + float(mask.sum())
    return 1000 * total / seen if seen else math.nan


def background_drift(pictures: list[Image], motion: Motion) -> float:
    """How far the background lies from where the true frame has it: mean length of DIS flow, pixels at 256."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    total, seen = 0.0, 0.0
    for t in range(0, len(pictures), DRIFT_EVERY):
        one, other = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (motion.pictures[t], pictures[t]))
        length = np.linalg.norm(dis.calc(one, other, None), axis=-1)
        total, seen = total + float((length * motion.background[t]).sum()), seen + float(motion.background[t].sum())
    return PER_256 * total / seen if seen else math.nan


def flicker(images: Tensor, true: Tensor) -> float:
    """Mean absolute error of the change from frame to frame, % of white: a constant error does not flicker.

    >>> import torch
    >>> still = torch.zeros(3, 3, 4, 4)
    >>> flicker(still + 0.3, still)
    0.0
    """
    if len(true) < 2:
        return math.nan
    return 100 * float((images.diff(dim=0) - true.diff(dim=0)).abs().mean())


def acceleration(points: Float32) -> float:
    """Root mean square second difference of landmarks (N, 70, 2) without the jaw, % of the inter-ocular distance.

    NaN when no three neighbouring frames hold a face.
    """
    if len(points) < 3:
        return math.nan
    inner = points[:, list(layout.INNER_FACE)]
    second = inner[2:] - 2 * inner[1:-1] + inner[:-2]
    squared = np.square(second).sum(-1) / layout.interocular(points)[1:-1, None] ** 2
    known = squared[np.isfinite(squared)]
    return 100 * math.sqrt(float(known.mean())) if known.size else math.nan


def measure_clip(methods: Mapping[str, Method], clip: Clip, witness: Witness | None) -> dict[str, dict[str, float]]:
    """Figures of each method, and of `truth`, on a clip of neighbouring frames."""
    motion, scene = Motion(clip), Scene.of_clip(clip)
    made = {"truth": clip.images, **{name: method(scene) for name, method in methods.items()}}
    rows = {}
    true_acceleration = math.nan
    for name, images in made.items():
        pictures = as_pictures(images, SIDE)
        figures = {
            "warping_error": warping_error(pictures, motion),
            "background_drift": background_drift(pictures, motion),
            "flicker": flicker(images, clip.images),
        }
        if witness is not None:
            found = acceleration(witness.look_quickly(images))
            true_acceleration = found if name == "truth" else true_acceleration
            figures["acceleration_ratio"] = found / true_acceleration
        rows[name] = figures
    return rows


def _flow_and_mask(image: Image, before: Image) -> tuple[Flow, Mask]:
    """Flow (SIDE, SIDE, 2) from a grey picture to the one before, and 1 where it is right both ways."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back, forth = dis.calc(image, before, None), dis.calc(before, image, None)
    length = np.linalg.norm(back + pull(forth, back), axis=-1).astype(np.float32)
    return back, (length < AGREE).astype(np.float32)


def pull(field: Flow, flow: Flow) -> Flow:
    """A picture or field (H, W, C) looked up where the flow points; the border is repeated."""
    rows, columns = np.indices(flow.shape[:2], dtype=np.float32)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    return np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
