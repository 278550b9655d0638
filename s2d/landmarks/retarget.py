"""Cross-identity motion: the driver's movement, on the source's own face shape, part by part.

Driving landmarks are split into head motion (a similarity per frame, from points that expression hardly moves) and what
remains in head coordinates. Both are relative to the driver's neutral face, so that the source keeps its own shape. Two
things are not, because closed is closed for everybody: lids open by their share of the driver's usual opening, down to
what detectors leave between closed ones, and lips by the driver's opening in units of the mouth's width, also where the
photo shows an open mouth or the driver never closes its own. Pupils move in coordinates of the eye, everything else in
units of the face.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from s2d import geometry
from s2d.errors import UsageError
from s2d.geometry import Array, Float32, Floats
from s2d.landmarks import layout
from s2d.landmarks.neutral import neutral_face, to_pose

Complex = npt.NDArray[np.complex128]

MODES = ("relative", "absolute")
MOUTH = layout.PARTS["outer_lips"] + layout.PARTS["inner_lips"]
MOUTH_CORNERS = (48, 54)
MAX_MOUTH_SCALE = 1.5  # a source with a tiny or wide mouth must not exaggerate
LIPS_CLOSED = 0.01  # opening over mouth width that detectors still give closed lips
MOST_CLOSED = 0.55  # mouth widths that lips are brought together by at most: beyond, the round corners of a shout tear
# of an opening: what the upper lip rises by, and the chin falls; medians of real clips
UPPER_SHARE, CHIN_SHARE = 0.3, 0.5
# landmarks that follow the opening at each inner pair, with their share of it
UPPER_LIP = {61: (49, 50), 62: (51,), 63: (52, 53)}
LOWER_LIP = {67: (58, 59), 66: (57,), 65: (55, 56)}
CHIN = {4: 0.2, 5: 0.35, 6: 0.7, 7: 1.0, 8: 1.0, 9: 1.0, 10: 0.7, 11: 0.35, 12: 0.2}  # of the chin's fall
LIDS_CLOSED = 0.08  # opening over eye width that detectors leave closed lids: .05, and more in a blink of two frames
SHUT, FADE = 0.16, 0.02  # what they leave at most, as behind glasses, and below that until it counts in full
HALF = 0.5  # of the opening at rest, that a blink goes below
LOW = 0.25  # of its depth: so near to its deepest it stays for a moment
BRIEF, LONG = 0.22, 0.3  # seconds of that moment up to which it surely is a blink, and from which on it is none
RATE = 30.0  # frames a second where times are not known
LEAST_REST = 0.05  # opening beyond that, over eye width, of a driver that never opens its eyes
MAX_OPENNESS = 1.6  # wider than any surprise; beyond it the driver's neutral was measured on half-closed eyes
MEETING = 0.25  # of the opening, from below, is where lids meet: the lower one hardly moves in a blink
FARTHEST_GAZE = 0.42  # of the width of the eye, from its middle: no eye without glasses was seen to look further


class _Eye(NamedTuple):
    """One eye of the layout: contour from the left corner clockwise."""

    contour: tuple[int, ...]
    lids: tuple[tuple[int, int], ...]
    pupil: int


EYES = (
    _Eye(layout.PARTS["right_eye"], layout.RIGHT_LIDS, layout.RIGHT_PUPIL),
    _Eye(layout.PARTS["left_eye"], layout.LEFT_LIDS, layout.LEFT_PUPIL),
)


def check_mode(mode: str) -> None:
    """Raises UsageError for an unknown mode of `retarget`."""
    if mode not in MODES:
        raise UsageError(f"retargeting mode {mode!r}", "there is no such mode", f"choose one of {', '.join(MODES)}")


def retarget(
    source: Floats, driving: Floats, mode: str = "relative", neutral: Array | None = None, times: Array | None = None
) -> Float32:
    """Landmarks that put the driver's motion on the source's face.

    `source` (70, 2) and `driving` (T, 70, 2) may be in different pixel units. Returns (T, 70, 2) in the source's
    units; points that the source or the driver never has stay NaN. Mode "relative" moves the source from where it is
    as the driver moves from its neutral face; eyes that are closed in the source stay closed, having nothing to show.
    "absolute" returns the driving landmarks as they are, for a driver whose crop already shows the source's person.
    `neutral` (70, 2) is the driver's face at rest where it is known already, as in a live picture; by default it is
    found among the driving frames. `times` (T,) are those of the frames, in seconds, by which blinks are told from eyes
    that look down; without them there are 30 a second.

    Raises UsageError for an unknown mode, S2DError for a driver without a single complete face.
    """
    check_mode(mode)
    if mode == "absolute":
        return np.asarray(driving, dtype=np.float32)
    own: Array = np.asarray(source, dtype=np.float64)
    faces: Array = np.asarray(driving, dtype=np.float64)
    given = neutral is not None  # then these frames need not be all of the driver's, or hold a blink
    neutral = neutral_face(faces) if neutral is None else neutral
    heads = to_pose(neutral, faces)
    shapes = geometry.apply(geometry.invert(heads), faces)  # each frame's face, in the pose of the neutral one
    to_source = geometry.similarity_fit(neutral[: layout.RIGHT_PUPIL], own[: layout.RIGHT_PUPIL])
    rest, shapes = geometry.apply(to_source, neutral), geometry.apply(to_source, shapes)
    times = np.arange(len(faces)) / RATE if times is None else times
    gaps = np.full(len(EYES), LIDS_CLOSED) if given else _closed_lids(rest, shapes, times)
    moved = _moved_shape(own, rest, shapes, gaps)
    return geometry.apply(_conjugate(to_source, heads), moved).astype(np.float32)


def _conjugate(to_source: Array, heads: Array) -> Array:
    """Head motions (T, 2, 3) of the driver, carried over into the source's coordinates: S A S^-1."""
    square = np.concatenate([heads, np.broadcast_to([[[0.0, 0.0, 1.0]]], (len(heads), 1, 3))], axis=1)
    carry = np.vstack([to_source, [0.0, 0.0, 1.0]])
    return np.asarray((carry @ square @ np.linalg.inv(carry))[:, :2])


def _moved_shape(source: Array, neutral: Array, shapes: Array, gaps: Array) -> Array:
    """The source's face with each frame's expression, before head motion; all in source units.

    `gaps` (2,) is what the driver's eyes have open when they are shut, over their width.
    """
    base, rest = lips_closed(source), lips_closed(neutral)
    moved = base + (shapes - rest)
    mouth = list(MOUTH)
    moved[:, mouth] = _scaled_mouth(base, rest, shapes)
    for eye, gap in zip(EYES, gaps.tolist(), strict=True):
        _move_eye(moved, source, neutral, shapes, eye, _openness(neutral, shapes, eye, gap))
    return _ordered_lips(moved)


def lips_closed(face: Array) -> Array:
    """A face (70, 2) with its lips as good as closed and its chin up; unchanged where they are closed already.

    Those of a shout are brought together by MOST_CLOSED of the mouth's width and stay ajar.
    """
    closed: Array = face.copy()
    down = _down(face)
    width = float(np.linalg.norm(face[MOUTH_CORNERS[1]] - face[MOUTH_CORNERS[0]]))
    excess = []
    for upper, lower in layout.INNER_LIP_PAIRS:
        opening = float((face[lower] - face[upper]) @ down)
        gap = min(max(opening - LIPS_CLOSED * width, 0.0), MOST_CLOSED * width)
        closed[[upper, *UPPER_LIP[upper]]] += UPPER_SHARE * gap * down
        closed[[lower, *LOWER_LIP[lower]]] -= (1 - UPPER_SHARE) * gap * down
        excess.append(gap)
    fall = CHIN_SHARE * float(np.mean(excess))
    closed[list(CHIN)] -= fall * np.array(list(CHIN.values()))[:, None] * down
    return closed


def _scaled_mouth(source: Array, rest: Array, shapes: Array) -> Array:
    """Lip motion in units of the mouth's own width; the mouth's centre moves in units of the face."""
    mouth = list(MOUTH)
    widths = [np.linalg.norm(face[MOUTH_CORNERS[1]] - face[MOUTH_CORNERS[0]]) for face in (source, rest)]
    scale = np.clip(widths[0] / max(widths[1], 1e-6), 1 / MAX_MOUTH_SCALE, MAX_MOUTH_SCALE)
    motion = shapes[:, mouth] - rest[mouth]
    centre = motion.mean(axis=1, keepdims=True)
    return np.asarray(source[mouth] + centre + scale * (motion - centre))


def _move_eye(moved: Array, source: Array, neutral: Array, shapes: Array, eye: _Eye, openness: Array) -> None:
    """Put contour and pupil of an eye on `moved` (T, 70, 2), between the corners that are there already.

    Lids open by the driver's `openness` (T,). Pupils move in coordinates of the eye: real along the line through its
    corners, in widths, from the middle; imaginary across it, in widths at rest, since a turned head makes an eye
    narrower but not lower.
    """
    width, rest_width = _width(source, eye), _width(neutral, eye)
    own = _in_eye(source, eye, width)
    placed = np.repeat(own[None], len(shapes), axis=0)
    apart = max(float(layout.aperture(source, eye.lids)) / float(width), 1e-6)
    closed = min(LIDS_CLOSED / apart, 1.0)  # share of the source's opening at which its lids have met
    for upper, lower in ((1, 5), (2, 4)):
        meeting = own[lower] + MEETING * (own[upper] - own[lower])
        for lid in (upper, lower):
            placed[:, lid] = meeting + (closed + openness * (1 - closed)) * (own[lid] - meeting)
    gaze = own[-1] + _in_eye(shapes, eye, rest_width)[:, -1] - _in_eye(neutral, eye, rest_width)[-1]
    farthest = max(FARTHEST_GAZE, abs(own[-1].real)) if np.isfinite(own[-1]) else np.nan
    placed[:, -1] = np.clip(gaze.real, -farthest, farthest) + 1j * gaze.imag
    middle, axis = _frame(moved, eye)
    there = (
        middle[:, None] + (placed.real * abs(axis)[:, None] + 1j * placed.imag * width) * (axis / abs(axis))[:, None]
    )
    moved[:, [*eye.contour, eye.pupil]] = np.stack([there.real, there.imag], axis=-1)


def _openness(neutral: Array, shapes: Array, eye: _Eye, gap: float) -> Array:
    """How far open an eye is (T,): 0 closed, when it has no more than `gap` open, 1 as at rest."""
    width = float(_width(neutral, eye))
    rest = max(float(layout.aperture(neutral, eye.lids)) / width - gap, LEAST_REST)
    return np.clip((layout.aperture(shapes, eye.lids) / width - gap) / rest, 0.0, MAX_OPENNESS)


def _closed_lids(neutral: Array, shapes: Array, times: Array) -> Array:
    """What the eyes have open in their nearest blink, over their widths (2,): more than of bare eyes behind glasses.

    A blink is brief and both eyes take part; who looks down has the lids as low for longer, and sees. Towards SHUT, and
    from BRIEF to LONG, it gives way to what bare eyes have. A frame without lids is as its neighbours are.
    """
    faces = np.concatenate([neutral[None], shapes])
    rest, *openings = np.stack([layout.aperture(faces, eye.lids) / _width(neutral, eye) for eye in EYES], axis=-1)
    known = np.isfinite(openings).all(axis=-1)
    if not known.any():
        return np.full(len(EYES), LIDS_CLOSED)
    seen = np.stack([np.interp(times, times[known], side[known]) for side in np.transpose(openings)], axis=-1)
    lengths = np.diff(times, append=times[-1] + (np.median(np.diff(times)) if len(times) > 1 else 1 / RATE))
    found = [_blink(seen[run], lengths[run], rest) for run in _runs((seen < HALF * rest).all(axis=-1))]
    least, brief = min(found, key=lambda blink: (blink[1] == 0, blink[0].mean()), default=(rest, 0.0))
    share = brief * np.clip((SHUT - least) / FADE, 0, 1)
    return np.asarray(LIDS_CLOSED + share * np.maximum(least - LIDS_CLOSED, 0))


def _blink(openings: Array, lengths: Array, rest: Array) -> tuple[Array, float]:
    """The least openings (2,) of frames (T, 2) with low lids, and how brief they are: 1 as a blink, 0 as a look down.

    `lengths` (T,) of the frames in seconds; `rest` (2,) what the eyes have open at rest.
    """
    together = openings.mean(axis=-1)
    place = int(np.argmin(together))
    low = together < together[place] + LOW * (float(rest.mean()) - together[place])
    lasts = next(float(lengths[run].sum()) for run in _runs(low) if run.start <= place < run.stop)
    return openings[place], float(np.clip((LONG - lasts) / (LONG - BRIEF), 0, 1))


def _runs(chosen: npt.NDArray[np.bool_]) -> list[slice]:
    """Where frames in a row are chosen (T,)."""
    ends = np.flatnonzero(np.diff(chosen.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    return [slice(int(start), int(stop)) for start, stop in ends]


def _in_eye(faces: Array, eye: _Eye, width: Array) -> Complex:
    """Contour and pupil (..., 7) of faces (..., 70, 2) in coordinates of the eye, across it in units of `width`."""
    middle, axis = (value[..., None] for value in _frame(faces, eye))
    points = faces[..., [*eye.contour, eye.pupil], :]
    local = (points[..., 0] + 1j * points[..., 1] - middle) / (axis / abs(axis))
    return np.asarray(local.real / abs(axis) + 1j * local.imag / width)


def _frame(faces: Array, eye: _Eye) -> tuple[Complex, Complex]:
    """Middle between the corners of an eye, and the way from the left to the right one, as complex numbers (...)."""
    left, right = (faces[..., corner, 0] + 1j * faces[..., corner, 1] for corner in (eye.contour[0], eye.contour[3]))
    return np.asarray((left + right) / 2), np.asarray(right - left)


def _width(faces: Array, eye: _Eye) -> Array:
    return np.asarray(abs(_frame(faces, eye)[1]))


def _down(faces: Array) -> Array:
    """Unit vectors (..., 2) from the root of the nose to the chin."""
    down = faces[..., layout.PARTS["jaw"][8], :] - faces[..., 27, :]
    return np.asarray(down / np.linalg.norm(down, axis=-1, keepdims=True))


def _ordered_lips(faces: Array) -> Array:
    """Keep the inner lips from crossing: where the lower one would pass the upper, both meet halfway."""
    down = _down(faces)
    for upper, lower in layout.INNER_LIP_PAIRS:
        gap = ((faces[:, lower] - faces[:, upper]) * down).sum(-1, keepdims=True)
        correction = 0.5 * np.minimum(gap, 0.0) * down
        faces[:, upper] += correction
        faces[:, lower] -= correction
    return faces
