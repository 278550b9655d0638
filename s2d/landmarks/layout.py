"""The `ibug70` layout: 68 landmarks in iBUG order (Sagonas et al. 2013) and two pupils.

"Right" and "left" are the person's own: the right eye (36 to 41) and right pupil (68) are on the image's left.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from s2d.geometry import Array, Float32, Floats

NAME = "ibug70"
COUNT = 70
RIGHT_PUPIL, LEFT_PUPIL = 68, 69
RIGHT_EYE_OUTER, LEFT_EYE_OUTER = 36, 45

PARTS: MappingProxyType[str, tuple[int, ...]] = MappingProxyType(
    {
        "jaw": tuple(range(0, 17)),
        "right_brow": tuple(range(17, 22)),
        "left_brow": tuple(range(22, 27)),
        "nose_bridge": tuple(range(27, 31)),
        "nose_base": tuple(range(31, 36)),
        "right_eye": tuple(range(36, 42)),
        "left_eye": tuple(range(42, 48)),
        "outer_lips": tuple(range(48, 60)),
        "inner_lips": tuple(range(60, 68)),
        "right_pupil": (RIGHT_PUPIL,),
        "left_pupil": (LEFT_PUPIL,),
    }
)
EYES = (PARTS["right_eye"], PARTS["left_eye"])  # corner, two on the upper lid, corner, two on the lower, each
CLOSED = frozenset({"right_eye", "left_eye", "outer_lips", "inner_lips"})  # parts drawn as polygons
INNER_FACE = tuple(range(17, 68))  # without the jaw, whose definition differs between detectors
CONTOUR_68 = tuple(range(68))
STEADY = (*range(17, 36), 36, 39, 42, 45)  # brows, nose, corners of the eyes: what moves with the head, and has texture
# (upper, lower) pairs whose distance is the opening
RIGHT_LIDS = ((37, 41), (38, 40))
LEFT_LIDS = ((43, 47), (44, 46))
INNER_LIP_PAIRS = ((61, 67), (62, 66), (63, 65))


def _mirror() -> npt.NDArray[np.intp]:
    order = np.arange(COUNT)
    order[0:17] = np.arange(16, -1, -1)
    order[17:27] = np.arange(26, 16, -1)
    order[31:36] = np.arange(35, 30, -1)
    order[36:42], order[42:48] = [45, 44, 43, 42, 47, 46], [39, 38, 37, 36, 41, 40]
    order[48:55], order[55:60] = np.arange(54, 47, -1), np.arange(59, 54, -1)
    order[60:65], order[65:68] = np.arange(64, 59, -1), np.arange(67, 64, -1)
    order[68:70] = [69, 68]
    return order


MIRROR = _mirror()  # points[..., MIRROR, :] re-labels the landmarks of a horizontally flipped image


def padded(points: Floats) -> Float32:
    """Landmarks (T, 68 or 70, 2) as (T, 70, 2) float32: pupils that are not there are NaN, half-known points too.

    Raises ValueError for another shape.

    >>> padded(np.zeros((5, 68, 2))).shape
    (5, 70, 2)
    """
    shape = np.shape(points)
    if len(shape) != 3 or shape[1] not in (RIGHT_PUPIL, COUNT) or shape[2] != 2:
        raise ValueError(f"landmarks must be (T, {RIGHT_PUPIL}, 2) or (T, {COUNT}, 2), not {tuple(shape)}")
    whole = np.full((shape[0], COUNT, 2), np.nan, np.float32)
    whole[:, : shape[1]] = points
    whole[~np.isfinite(whole).all(axis=-1)] = np.nan
    return whole


def interocular(points: Floats) -> Array:
    """Distance between the outer eye corners (36, 45) in the unit of `points`: (..., 70, 2) -> (...).

    The normaliser of the 300-W benchmark (Sagonas et al. 2013).

    >>> face = np.zeros((70, 2)); face[45] = [3.0, 4.0]
    >>> float(interocular(face))
    5.0
    """
    difference = np.asarray(points, np.float64)[..., RIGHT_EYE_OUTER, :] - points[..., LEFT_EYE_OUTER, :]
    return np.asarray(np.linalg.norm(difference, axis=-1))


def aperture(points: Floats, pairs: tuple[tuple[int, int], ...]) -> Array:
    """Mean opening over (upper, lower) pairs in the unit of `points`: (..., 70, 2) -> (...).

    >>> face = np.zeros((70, 2)); face[[66, 65, 67], 1] = 6.0
    >>> float(aperture(face, INNER_LIP_PAIRS))
    6.0
    """
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    difference = np.asarray(points, np.float64)[..., upper, :] - points[..., lower, :]
    return np.asarray(np.linalg.norm(difference, axis=-1).mean(axis=-1))
