"""Cross-reenactment: a person's picture moved by another person, without a truth to compare with.

What counts: the result is still the source's person, moves as the driver moves, and has none of the driver's shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2d.evaluation import keypoints
from s2d.evaluation.footage import Clip
from s2d.evaluation.identity import identity_distance
from s2d.evaluation.methods import Method, Scene
from s2d.evaluation.perception import Features
from s2d.evaluation.same_identity import EMBEDDED, Instruments
from s2d.geometry import Array, Float32, Floats, median_over_frames
from s2d.geometry_torch import to_normalized, to_pixels
from s2d.landmarks import layout
from s2d.landmarks.expression import head_pose, lid_apertures, lip_aperture, pupil_offsets
from s2d.landmarks.retarget import retarget

CYCLED = 4  # frames of a result that are driven back to the source
# standard deviation over time from which a driver is said to move, in degrees or inter-ocular distances
MOVES = {"yaw": 1.5, "lids": 0.01, "mouth": 0.01, "gaze": 0.006}
LEAST_FRAMES = 8  # of which a correlation is taken
LEAST_DIFFERENCE = 0.03  # of the logarithms of the ratios, between two faces of different shape


@dataclass(frozen=True)
class Pairing:
    """A source and another person's clip that drives it, in one of the modes of retargeting."""

    source: Clip
    driver: Clip
    mode: str

    def scene(self) -> Scene:
        """What a method is given."""
        size = self.source.source.shape[-1]
        own, theirs = (
            to_pixels(points, size, size).numpy() for points in (self.source.source_points, self.driver.points)
        )
        moved = torch.from_numpy(retarget(own, theirs, self.mode))
        points = to_normalized(moved, size, size)
        clip = self.source
        return Scene(clip.source, clip.source_points, points, self.driver.images, self.driver.source)


def pairings(clips: Sequence[Clip], count: int) -> list[tuple[Clip, Clip]]:
    """`count` pairs of a source and a driver of another identity; sources in turn, drivers further on each round."""
    pairs = []
    for step in range(1, len(clips)):
        for index, source in enumerate(clips):
            driver = clips[(index + step) % len(clips)]
            if driver.identity != source.identity:
                pairs.append((source, driver))
    return pairs[:count]


def movements(points: Floats) -> dict[str, Array]:
    """What a face does over time, from landmarks (N, 70, 2): N values each, by the names of MOVES."""
    return {
        "yaw": head_pose(points)[:, 0],
        "lids": lid_apertures(points).mean(-1),
        "mouth": lip_aperture(points),
        "gaze": pupil_offsets(points)[..., 0].mean(-1),
    }


def correlation(driver: Array, result: Array, moves: float) -> float:
    """Pearson's over frames where both are known; NaN for a driver that moves by less than `moves`, or too few frames.

    A result that does not move at all imitates nothing: 0.
    """
    known = np.isfinite(driver) & np.isfinite(result)
    if known.sum() < LEAST_FRAMES or driver[known].std() < moves:
        return math.nan
    if result[known].std() < 1e-9:
        return 0.0
    return float(np.corrcoef(driver[known], result[known])[0, 1])


def shape(points: Floats) -> Array:
    """Logarithms of two ratios that make a face its own: width of the jaw, and brows to chin, over the eyes' distance.

    Of the median over frames (N, 70, 2) -> (2,); NaN where no frame is known.
    """
    face = median_over_frames(np.asarray(points, np.float64))
    brows = face[17:27].mean(0)
    width, height = np.linalg.norm(face[16] - face[0]), np.linalg.norm(face[8] - brows)
    return np.log(np.array([width, height]) / layout.interocular(face))


def leakage(result: Array, source: Array, driver: Array) -> float:
    """How far from the source's shape to the driver's the result is: 0 the source's own, 1 the driver's.

    NaN when the two hardly differ.
    """
    way = driver - source
    length = float((way**2).sum())
    return float(((result - source) * way).sum()) / length if length >= LEAST_DIFFERENCE**2 else math.nan


def measure_pair(
    methods: Mapping[str, Method], pairing: Pairing, instruments: Instruments
) -> dict[str, dict[str, float]]:
    """Figures of each method for one source, one driver, one mode. `instruments.witness` must be there.

    There is also the method `truth`: the driver's own pictures of the same size, whose correlations no result can be
    expected to surpass, because they show what the detector sees of a movement at that size.
    """
    scene, witness = pairing.scene(), instruments.witness
    if witness is None:
        raise ValueError("cross-identity figures need a detector")
    own = witness.look_quickly(scene.source[None])
    theirs = pairing.driver.points.numpy()
    rows = {name: _figures(method, scene, own, theirs, instruments) for name, method in methods.items()}
    return {**rows, "truth": _correlations(theirs, witness.look_quickly(scene.driving))}


def _correlations(asked: Float32, found: Float32) -> dict[str, float]:
    """Of what a driver does, from landmarks (N, 70, 2), with what is found of it, likewise."""
    wanted, done = movements(asked), movements(found)
    return {f"corr_{name}": correlation(wanted[name], done[name], least) for name, least in MOVES.items()}


def _figures(method: Method, scene: Scene, own: Float32, theirs: Float32, instruments: Instruments) -> dict[str, float]:
    made = method(scene)
    witness = instruments.witness
    found = witness.look_quickly(made) if witness else np.empty(0, np.float32)
    figures = _correlations(theirs, found)
    figures["leakage"] = leakage(shape(found), shape(own), shape(theirs))
    figures["missed"] = float((~np.isfinite(found).any((1, 2))).mean())
    figures |= cycle(method, scene, made)
    if instruments.embedder:
        chosen = np.linspace(0, len(made) - 1, min(EMBEDDED, len(made))).round().astype(int)
        result = instruments.embedder.embed(keypoints.as_pictures(made[chosen]), found[chosen])
        source = instruments.embedder.embed(keypoints.as_pictures(scene.source[None]), own)
        figures["id_source"] = identity_distance(result, source[0])
    return figures


def cycle(method: Method, scene: Scene, made: Tensor) -> dict[str, float]:
    """A -> B -> A: results driven back to where the source was, compared with the source.

    Small is good only together with the correlations: what does not move comes back perfectly.
    """
    chosen = np.linspace(0, len(made) - 1, min(CYCLED, len(made))).round().astype(int)
    back = []
    for frame in chosen:
        start = made[frame]
        driving = scene.source[None]
        back.append(method(Scene(start, scene.driving_points[frame], scene.source_points[None], driving, start))[0])
    returned, source = torch.stack(back), scene.source.expand(len(back), -1, -1, -1)
    distance = Features(returned).distance(Features(source))
    return {"cycle_l1": float((returned - source).abs().mean()), "cycle_pd": distance}
