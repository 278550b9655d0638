"""What may be wrong with an animation, for the user: of a source or a driver that it cannot do well by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from s2d.animation.source import SourceFace
from s2d.errors import S2DError
from s2d.geometry import Float32, Floats
from s2d.landmarks import layout
from s2d.landmarks.expression import head_pose
from s2d.landmarks.neutral import neutral_face, shape_distance
from s2d.landmarks.retarget import LIPS_CLOSED, MOST_CLOSED

# `shape_distance` from which on "absolute" is advised against: few frames of one person are beyond it, most of two are
# (benchmarks/retarget.py, `shape`)
OTHER_FACE = 0.03
OPEN_MOUTH = LIPS_CLOSED + MOST_CLOSED  # of its width, from which on a source's mouth stays ajar
SHUT_EYE = 0.1  # of its width: there is no eyeball to show
SMALL = 192  # pixels of the face's square in the photo, below which what is sharp ends
TILTED = 60.0  # degrees from upright, from which on a photo lies on its side or on its head
# degrees of yaw, from which on the far cheek is seen to swell. Of 27 portraits those in three-quarter view have 19 and
# more, all others 11 and less.
ASIDE = 15.0
OUTSIDE = 0.05  # share of the face's square beyond the photo, from which on it is seen
SURE, PORTRAITS = 0.965, 0.98  # scores of `mesh`: a monkey's is .959, those of portraits and paintings .983 and above


def told(notes: list[str], tell: Callable[[str], None] | None) -> list[str]:
    """The notes, after each was given to `tell`, if anybody listens."""
    if tell is not None:
        for note in notes:
            tell(note)
    return notes


def of_photo(source: SourceFace, detector: str, *, pasted: bool = False) -> list[str]:
    """A line on each thing in the photo that animation cannot do well by; empty where all is well.

    `pasted`: the photo around the crop is shown, and nothing beyond it.
    """
    notes = []
    tilt = _tilt(source.points)
    if tilt > TILTED:
        notes.append(f"the face is {tilt:.0f} degrees from upright: turn the photo")
    elif detector == "mesh" and source.score < SURE:
        notes.append(f"this may be no human face: mesh scores it {source.score:.3f}, human portraits {PORTRAITS} to 1")
    if source.crop.side < SMALL:
        notes.append(f"the face is small in the photo, {source.crop.side} pixels: a larger one shows more")
    outside = 0.0 if pasted else _outside(source)
    if outside > OUTSIDE:
        why = f"{outside:.0%} of the square around the face lie beyond the photo, whose border is drawn out there"
        notes.append(f"{why}: a photo with more around the face does better, or --paste-back")
    return [*notes, *_of_pose(source.points), *_of_parts(source.points)]


def of_driver(source: Floats, driving: Float32, mode: str) -> list[str]:
    """The same on driving landmarks (T, 70, 2) for a source's (70, 2), both in pixels of its crop.

    A driver whose own landmarks seem to be of another person than the source is noted in mode "absolute".
    """
    try:
        apart = shape_distance(source, neutral_face(driving)) if mode == "absolute" else 0.0
    except S2DError:  # no whole face to compare with
        return []
    if not apart > OTHER_FACE:
        return []
    return [
        f"the driver's face has another shape than the source's (brows, nose and eyes are {apart:.1%} of the distance "
        "between the eyes apart), which --mode absolute forces on it; for another person, give --mode relative"
    ]


def _tilt(face: Floats) -> float:
    """Degrees between the way from eyes to mouth and straight down, 0 to 180; NaN where they are not known."""
    parts = (*layout.EYES[0], *layout.EYES[1]), layout.PARTS["outer_lips"]
    eyes, mouth = (face[list(part)].mean(0) for part in parts)
    across, down = mouth - eyes
    return float(np.degrees(np.arctan2(abs(across), down)))


def _outside(source: SourceFace) -> float:
    """Share of the crop that the photo does not cover."""
    (height, width), crop = source.photo.shape[:2], source.crop
    covered = [
        max(0, min(start + crop.side, length) - max(start, 0))
        for start, length in ((crop.left, width), (crop.top, height))
    ]
    return float(1 - covered[0] * covered[1] / (crop.side * crop.side))


def _of_pose(face: Floats) -> list[str]:
    yaw = abs(float(head_pose(face)[0]))
    if not yaw > ASIDE:
        return []
    swells = "its far cheek will swell when the head turns"
    return [f"the face in the photo is turned aside by {yaw:.0f} degrees: {swells}; a photo from the front does better"]


def _of_parts(face: Floats) -> list[str]:
    found = []
    corners = layout.PARTS["outer_lips"][0], layout.PARTS["outer_lips"][6]
    if float(layout.aperture(face, layout.INNER_LIP_PAIRS)) > OPEN_MOUTH * _length(face, *corners):
        found.append("the source's mouth is wide open: it stays ajar and looks torn; choose a photo with closed lips")
    lids = (layout.RIGHT_LIDS, layout.LEFT_LIDS)
    shut = [
        float(layout.aperture(face, pairs)) < SHUT_EYE * _length(face, eye[0], eye[3])
        for pairs, eye in zip(lids, layout.EYES, strict=True)
    ]
    if any(shut):
        eyes = "the source's eyes are" if all(shut) else "one of the source's eyes is"
        found.append(f"{eyes} shut and will not open: a photo with open eyes does better")
    return found


def _length(face: Floats, start: int, end: int) -> float:
    return float(np.linalg.norm(face[end] - face[start]))
