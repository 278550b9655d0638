"""Cross-identity motion: the driver's movement, on the source's own face shape (design: part by part).

Driving landmarks are split into head motion (a similarity per frame, from points that expression hardly moves) and
what remains in head coordinates. Both are taken relative to the driver's neutral face, so the source keeps its shape:
lids open in proportion to the source's own eyes (a closed driver closes them), pupils move in eyelid coordinates, the
mouth in units of its own width, everything else in units of the face.
"""

from __future__ import annotations

import numpy as np

from s2d import geometry
from s2d.errors import S2DError
from s2d.geometry import Array, Float32, Floats
from s2d.landmarks import layout

MODES = ("relative", "absolute")
RIGID = (0, 1, 2, 3, 13, 14, 15, 16, 27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45)  # temples, nose, eye corners
EYES = (
    (layout.PARTS["right_eye"], layout.RIGHT_LIDS, layout.RIGHT_PUPIL),
    (layout.PARTS["left_eye"], layout.LEFT_LIDS, layout.LEFT_PUPIL),
)
MOUTH = layout.PARTS["outer_lips"] + layout.PARTS["inner_lips"]
MOUTH_CORNERS = (48, 54)
NEUTRAL_SHARE = 0.2  # of the frames, those of least expression, make the neutral face
MAX_MOUTH_SCALE = 1.5  # a source with a tiny or wide mouth must not exaggerate
MAX_APERTURE_RATIO = 1.6  # wider than any surprise; beyond it the driver's neutral was measured on half-closed eyes
MIN_APERTURE = 0.02  # of the eye's width: below this the driver never opens its eyes and its ratio says nothing


def retarget(source: Floats, driving: Floats, mode: str = "relative", neutral: Array | None = None) -> Float32:
    """Landmarks that put the driver's motion on the source's face.

    `source` (70, 2) and `driving` (T, 70, 2) may be in different pixel units. Returns (T, 70, 2) in the source's
    units; points that the source or the driver never has stay NaN. Mode "relative" moves the source from where it is
    as the driver moves from its neutral face; "absolute" returns the driving landmarks as they are, for a driver
    whose crop already shows the source's person. `neutral` (70, 2) is the driver's face at rest where it is known
    already, as in a live picture; by default it is found among the driving frames.

    Raises S2DError for an unknown mode or a driver without a single complete face.
    """
    if mode not in MODES:
        raise S2DError(f"retargeting mode {mode!r}", "there is no such mode", f"choose one of {', '.join(MODES)}")
    if mode == "absolute":
        return np.asarray(driving, dtype=np.float32)
    own: Array = np.asarray(source, dtype=np.float64)
    faces: Array = np.asarray(driving, dtype=np.float64)
    neutral = neutral_face(faces) if neutral is None else neutral
    heads = geometry.similarity_fit(np.broadcast_to(neutral[list(RIGID)], faces[:, RIGID].shape), faces[:, RIGID])
    shapes = geometry.apply(geometry.invert(heads), faces)  # each frame's face, in the pose of the neutral one
    to_source = geometry.similarity_fit(neutral[: layout.RIGHT_PUPIL], own[: layout.RIGHT_PUPIL])
    moved = _moved_shape(own, geometry.apply(to_source, neutral), geometry.apply(to_source, shapes))
    return geometry.apply(_conjugate(to_source, heads), moved).astype(np.float32)


def neutral_face(driving: Floats) -> Array:
    """The driver's face at rest: median, in a common pose, of the frames of least expression; (T, 70, 2) -> (70, 2).

    Not frame 0, which often shows an open mouth or a blink. Raises S2DError when no frame has all 68 points.
    """
    every: Array = np.asarray(driving, dtype=np.float64)
    complete = np.isfinite(every[:, : layout.RIGHT_PUPIL]).all(axis=(1, 2))
    if not complete.any():
        raise S2DError("cannot retarget this driver", "no frame has all 68 landmarks", "use another driving clip")
    faces = every[complete]
    reference = faces[0]
    for _ in range(2):  # generalised Procrustes: align all to the reference, take the median, again
        fits = geometry.similarity_fit(faces[:, RIGID], np.broadcast_to(reference[list(RIGID)], faces[:, RIGID].shape))
        posed = geometry.apply(fits, faces)
        reference = geometry.median_over_frames(posed)
    calm = np.argsort(_expression(posed, reference), kind="stable")[: max(1, round(NEUTRAL_SHARE * len(faces)))]
    rest = geometry.median_over_frames(posed[calm])
    pose = geometry.similarity_fit(rest[list(RIGID)], geometry.median_over_frames(faces[calm])[list(RIGID)])
    return geometry.apply(pose, rest)


def _expression(posed: Array, reference: Array) -> Array:
    """How far each face is from rest: distance to the median face plus mouth opening, in inter-ocular units."""
    scale = layout.interocular(reference)
    distance = np.linalg.norm(posed[:, : layout.RIGHT_PUPIL] - reference[: layout.RIGHT_PUPIL], axis=-1).mean(-1)
    return np.asarray((distance + 0.5 * layout.aperture(posed, layout.INNER_LIP_PAIRS)) / scale)


def _conjugate(to_source: Array, heads: Array) -> Array:
    """Head motions (T, 2, 3) of the driver, carried over into the source's coordinates: S A S^-1."""
    square = np.concatenate([heads, np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(heads), 1, 3))], axis=1)
    carry = np.vstack([to_source, [0.0, 0.0, 1.0]])
    return np.asarray((carry @ square @ np.linalg.inv(carry))[:, :2])


def _moved_shape(source: Array, neutral: Array, shapes: Array) -> Array:
    """The source's face with each frame's expression, before head motion; all in source units."""
    moved = source + (shapes - neutral)
    mouth = list(MOUTH)
    moved[:, mouth] = _scaled_mouth(source, neutral, shapes)
    for eye, lids, pupil in EYES:
        moved[:, eye] = _scaled_eye(source, neutral, shapes, eye, lids)
        moved[:, pupil] = _placed_pupil(source, neutral, shapes, moved, eye, pupil)
    return _ordered_lips(moved)


def _scaled_mouth(source: Array, neutral: Array, shapes: Array) -> Array:
    """Lip motion in units of the mouth's own width; the mouth's centre moves in units of the face."""
    mouth = list(MOUTH)
    widths = [np.linalg.norm(face[MOUTH_CORNERS[1]] - face[MOUTH_CORNERS[0]]) for face in (source, neutral)]
    scale = np.clip(widths[0] / max(widths[1], 1e-6), 1 / MAX_MOUTH_SCALE, MAX_MOUTH_SCALE)
    motion = shapes[:, mouth] - neutral[mouth]
    centre = motion.mean(axis=1, keepdims=True)
    return np.asarray(source[mouth] + centre + scale * (motion - centre))


def _scaled_eye(
    source: Array, neutral: Array, shapes: Array, eye: tuple[int, ...], lids: tuple[tuple[int, int], ...]
) -> Array:
    """Lids of the source, opened by the driver's ratio of aperture to its neutral aperture."""
    points = list(eye)
    width = np.linalg.norm(neutral[eye[3]] - neutral[eye[0]])
    at_rest = max(float(layout.aperture(neutral, lids)), MIN_APERTURE * float(width))
    ratio = np.minimum(layout.aperture(shapes, lids) / at_rest, MAX_APERTURE_RATIO)[:, None]
    corners = shapes[:, [eye[0], eye[3]]] - neutral[[eye[0], eye[3]]]
    shift = corners.mean(axis=1, keepdims=True)
    opened = source[points] + shift
    for upper, lower in ((1, 5), (2, 4)):
        middle = 0.5 * (source[eye[upper]] + source[eye[lower]])
        # lids meet near the lower one, which hardly moves in a blink
        meeting = middle + 0.25 * (source[eye[lower]] - source[eye[upper]])
        for lid in (upper, lower):
            opened[:, lid] = (meeting + ratio * (source[eye[lid]] - meeting)) + shift[:, 0]
    return np.asarray(opened)


def _eye_frame(faces: Array, eye: tuple[int, ...]) -> tuple[Array, Array]:
    """Centre (..., 2) and width (...) of an eye, from its corners: eyelid coordinates."""
    one, other = faces[..., eye[0], :], faces[..., eye[3], :]
    return 0.5 * (one + other), np.asarray(np.linalg.norm(other - one, axis=-1))


def _placed_pupil(
    source: Array, neutral: Array, shapes: Array, moved: Array, eye: tuple[int, ...], pupil: int
) -> Array:
    """The source's pupil, moved as the driver's moves in units of eye width."""
    centre, width = _eye_frame(shapes, eye)
    rest_centre, rest_width = _eye_frame(neutral, eye)
    gaze = (shapes[:, pupil] - centre) / width[:, None] - (neutral[pupil] - rest_centre) / rest_width
    own_centre, own_width = _eye_frame(source, eye)
    new_centre, _ = _eye_frame(moved, eye)
    return np.asarray(new_centre + (source[pupil] - own_centre) + gaze * own_width)


def _ordered_lips(faces: Array) -> Array:
    """Keep the inner lips from crossing: where the lower one would pass the upper, both meet halfway."""
    down = faces[:, layout.PARTS["jaw"][8]] - faces[:, 27]  # nose root to chin
    down = down / np.linalg.norm(down, axis=-1, keepdims=True)
    for upper, lower in layout.INNER_LIP_PAIRS:
        gap = ((faces[:, lower] - faces[:, upper]) * down).sum(-1, keepdims=True)
        correction = 0.5 * np.minimum(gap, 0.0) * down
        faces[:, upper] += correction
        faces[:, lower] -= correction
    return faces
