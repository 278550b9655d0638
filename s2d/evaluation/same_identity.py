"""Self-reenactment: the first frame of a track moved to its later frames, which are the truth.

This is what papers call same-identity or video reconstruction (Siarohin et al. 2019, First Order Motion Model).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from s2d.evaluation import keypoints, pictures
from s2d.evaluation.footage import Clip
from s2d.evaluation.identity import FaceEmbedder, identity_distance
from s2d.evaluation.methods import Method, Scene
from s2d.evaluation.perception import Distribution, Features, Lpips
from s2d.evaluation.regions import regions

Figures = dict[str, float]
EMBEDDED = 2  # frames per track whose identity is measured: the network takes as long as all the rest


@dataclass(frozen=True)
class Instruments:
    """What there is to measure faces with; None where something is not installed."""

    looks: int = 0
    """Frames per track that detectors look at, evenly spread."""
    witness: keypoints.Witness | None = None
    embedder: FaceEmbedder | None = None
    lpips: Lpips | None = None


class Truth:
    """A clip's true frames as every metric needs them, worked out once for all methods."""

    def __init__(self, clip: Clip, instruments: Instruments) -> None:
        self.clip = clip
        self.regions = regions(clip.points, *clip.images.shape[-2:])
        self.features = Features(clip.images)
        count = min(instruments.looks, len(clip))
        self.looked = np.unique(np.linspace(0, len(clip) - 1, count).round().astype(int))
        if instruments.witness and len(self.looked):
            self.seen = instruments.witness.look(clip.images[self.looked])
        if instruments.embedder and instruments.witness and len(self.looked):
            shown = keypoints.as_pictures(clip.images[self.looked[:EMBEDDED]])
            self.embedded = instruments.embedder.embed(shown, self.seen[0][:EMBEDDED])


def picture_figures(made: Tensor, truth: Truth, features: Features) -> Figures:
    """L1, PSNR and SSIM by region, and PD, of pictures (N, 3, S, S) made for the driving frames of a clip."""
    true, parts = truth.clip.images, truth.regions
    named = {
        "l1": pictures.mean_of(pictures.l1_sums(made, true, parts)),
        "psnr": pictures.psnr_of(pictures.squared_sums(made, true, parts)),
        "ssim": pictures.mean_of(pictures.ssim_sums(made, true, parts)),
    }
    figures = {
        metric if part == "all" else f"{metric}_{part}": value
        for metric, values in named.items()
        for part, value in values.items()
    }
    return {**figures, "pd": features.distance(truth.features)}


def face_figures(made: Tensor, truth: Truth, instruments: Instruments) -> Figures:
    """AKD, pupils, lids and identity (AED), as far as there are instruments for them."""
    if instruments.witness is None or not len(truth.looked):
        return {}
    shown = made[truth.looked]
    mesh, independent = instruments.witness.look(shown)
    figures = {
        "akd": keypoints.average_distance(independent, truth.seen[1]),
        "missed": keypoints.missed(mesh, truth.seen[0]),
        "pupil_error": keypoints.pupil_error(mesh, truth.seen[0]),
        "lid_error": keypoints.lid_error(mesh, truth.seen[0]),
    }
    if instruments.embedder:
        embedded = instruments.embedder.embed(keypoints.as_pictures(shown[:EMBEDDED]), mesh[:EMBEDDED])
        figures["aed"] = identity_distance(embedded, truth.embedded)
    return figures


def measure_clip(
    methods: Mapping[str, Method], clip: Clip, instruments: Instruments, distributions: Mapping[str, Distribution]
) -> tuple[dict[str, Tensor], dict[str, Figures]]:
    """What each method makes of a clip, (N, 3, S, S) by name, and its figures.

    With a detector, there is also the method `truth`: the true frames after another round of JPEG, as noise floor.
    """
    truth, scene = Truth(clip, instruments), Scene.of_clip(clip)
    made = {name: method(scene) for name, method in methods.items()}
    rows = {}
    for name, images in made.items():
        features = Features(images)
        if name in distributions:
            distributions[name].update(features.pooled, truth.features.pooled)
        rows[name] = picture_figures(images, truth, features) | face_figures(images, truth, instruments)
        if instruments.lpips:
            rows[name]["lpips"] = instruments.lpips.distance(images, clip.images)
    if instruments.witness:
        floor = face_figures(keypoints.compressed(clip.images), truth, instruments)
        rows["truth"] = {name: value for name, value in floor.items() if not math.isnan(value)}
    return made, rows
