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
    rejection: float
    """A detection this far off keeps a quarter of its weight (Geman and McClure 1987); infinite: never rejected."""
    flow: float
    """Of the flow over one frame or two, where it agrees with itself."""
    outward: float = 0.0
    """The flow is read this far off, in inter-ocular distances, straight away from ... ; negative is towards."""
    around: tuple[int, ...] = ()
    """... the mean of these landmarks."""


JAW = PARTS["jaw"]
HEAD = (*range(17, 36),)
EYE_CORNERS = (36, 39, 42, 45)
LIDS = (37, 38, 40, 41, 43, 44, 46, 47)
PUPILS = (RIGHT_PUPIL, LEFT_PUPIL)
NOSE = (*range(27, 36),)
MOUTH = (*range(48, 68),)

# Real motion of lids, lips and pupils is fast and small: there the detector counts more and is never rejected.
# Flow is read a little off the edge of jaw (else it sees the background) and lips (else it sees teeth).
TABLE = (
    PartWeights(JAW, detection=2.0, rejection=6.0, flow=0.05, outward=-0.09, around=NOSE),
    PartWeights(HEAD, detection=2.0, rejection=6.0, flow=0.05),
    PartWeights(EYE_CORNERS, detection=0.5, rejection=math.inf, flow=0.17),
    PartWeights(LIDS, detection=0.25, rejection=math.inf, flow=0.4),
    PartWeights(PARTS["outer_lips"], detection=0.5, rejection=math.inf, flow=0.17, outward=0.04, around=MOUTH),
    PartWeights(PARTS["inner_lips"], detection=0.5, rejection=math.inf, flow=0.17, outward=0.03, around=MOUTH),
    PartWeights(PUPILS, detection=0.5, rejection=math.inf, flow=0.17),
)


def column(table: tuple[PartWeights, ...], name: str) -> Array:
    """One number of the table for each of the 70 landmarks: (70,)."""
    values = np.full(COUNT, np.nan)
    for part in table:
        values[list(part.landmarks)] = getattr(part, name)
    return values


def outward(points: Floats, table: tuple[PartWeights, ...], unit: float) -> Array:
    """Move each landmark of (T, 70, 2) away from the middle of its surroundings, by its `outward` times `unit`."""
    moved = np.array(points, np.float64)
    for part in table:
        if part.outward:
            here = list(part.landmarks)
            away = points[:, here] - points[:, part.around].mean(axis=1, keepdims=True)
            moved[:, here] += part.outward * unit * away / np.linalg.norm(away, axis=-1, keepdims=True)
    return moved
