"""How far each landmark is trusted to the detector and to the flow: the aligner's one table."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from s2d.geometry import Array, Floats
from s2d.landmarks.layout import COUNT, LEFT_PUPIL, PARTS, RIGHT_PUPIL


@dataclass(frozen=True)
class PartWeights:
    """Standard deviations in pixels of the steady crop (inter-ocular distance 90)."""

    landmarks: tuple[int, ...]
    detection: float
    """Of a detection around the truth, frame by frame."""
    reach: float
    """Beyond this distance a detection pulls no stronger the further off it is; infinite: ever stronger."""
    flow: float
    """Of the flow over one step of frames, where it agrees with itself."""
    acceleration: float = math.inf
    """Of the change of velocity from one frame to the next; infinite: free to start and stop."""
    rigid: bool = False
    """Moves with the head: where the flow does not, something passes in front, and the head's motion counts."""
    outward: float = 0.0
    """The flow is read this far off, in inter-ocular distances, straight away from ... ; negative is towards."""
    around: tuple[int, ...] = ()
    """... the mean of these landmarks."""


JAW = PARTS["jaw"]
NOSE = (*PARTS["nose_bridge"], *PARTS["nose_base"])
BROWS_AND_NOSE = (*PARTS["right_brow"], *PARTS["left_brow"], *NOSE)
EYE_CORNERS = (36, 39, 42, 45)
LIDS = (37, 38, 40, 41, 43, 44, 46, 47)
MOUTH = (*PARTS["outer_lips"], *PARTS["inner_lips"])
PUPILS = (RIGHT_PUPIL, LEFT_PUPIL)

# Real motion of lids, lips and pupils is fast and small: there the detector counts more, however far off.
# Flow is read a little off the edge of jaw (else it sees the background) and lips (else it sees teeth).
TABLE = (
    PartWeights(JAW, 0.7, 6.0, 0.05, 0.2, rigid=True, outward=-0.05, around=NOSE),
    PartWeights(BROWS_AND_NOSE, 0.4, 6.0, 0.05, 0.2, rigid=True),
    PartWeights(EYE_CORNERS, 2.0, math.inf, 0.1, 0.2, rigid=True),
    PartWeights(LIDS, 0.2, math.inf, 2.0),
    PartWeights(PARTS["outer_lips"], 1.3, math.inf, 0.17, 1.0, outward=0.04, around=MOUTH),
    PartWeights(PARTS["inner_lips"], 1.3, math.inf, 0.17, 2.0, outward=0.06, around=MOUTH),
    PartWeights(PUPILS, 0.4, math.inf, 0.5),
)


def column(table: tuple[PartWeights, ...], name: str) -> Array:
    """One number of the table for each of the 70 landmarks: (70,)."""
    values = np.full(COUNT, np.nan)
    for part in table:
        values[list(part.landmarks)] = getattr(part, name)
    return values


def outward(points: Floats, table: tuple[PartWeights, ...], unit: float) -> Array:
    """Move each landmark of (T, 70, 2) away from the middle of its surroundings, by its `outward` times `unit`.

    NaN landmarks stay NaN, and do not count for the middle.
    """
    moved = np.array(points, np.float64)
    known = np.asarray(np.isfinite(points).all(axis=-1, keepdims=True))
    there = np.where(known, points, 0.0)
    for part in table:
        if part.outward:
            here = list(part.landmarks)
            count = known[:, part.around].sum(axis=1, keepdims=True)
            away = moved[:, here] - there[:, part.around].sum(axis=1, keepdims=True) / np.maximum(count, 1)
            moved[:, here] += part.outward * unit * away / np.linalg.norm(away, axis=-1, keepdims=True)
    return moved
