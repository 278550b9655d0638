"""From the 468 vertices of MediaPipe's face mesh, and its eye contours, to the `ibug70` layout.

Written for the person's right half (the image's left) and mirrored. A row lists vertices whose mean is the landmark;
a vertex named twice counts twice. Starting from the pairs in common use (168 and 6 for the nose root, 37 and 0 for the
upper lip, ...), each row was checked against the annotated stills and dlib's landmarks on 86 other faces, and changed
where the mean of two neighbours came nearer on both: brow points of iBUG lie half a step further in than the mesh's,
its upper lip lies lower, its inner mouth corners further in. The jaw is the mesh's own face oval, which follows
the bone, not the visible contour: expect it inside iBUG's contour at the chin and apart from it in turned faces.
"""

from __future__ import annotations

import numpy as np

from s2d.geometry import Array, Floats
from s2d.landmarks import layout

VERTICES = 468

_MIDDLE: dict[int, tuple[int, ...]] = {
    8: (152,),
    27: (168, 6),
    28: (197,),
    29: (5, 195),
    30: (4,),
    33: (2, 164),
    51: (0, 11),
    57: (17,),
    62: (13,),
    66: (14,),
}
_RIGHT: dict[int, tuple[tuple[int, int], ...]] = {
    # jaw: (vertex, its mirror)
    0: ((127, 356),),
    1: ((234, 454), (93, 323)),
    2: ((132, 361), (132, 361), (93, 323)),
    3: ((58, 288),),
    4: ((172, 397),),
    5: ((136, 365), (150, 379)),
    6: ((149, 378),),
    7: ((148, 377), (176, 400)),
    # brow
    17: ((70, 300), (46, 276)),
    18: ((63, 293), (63, 293), (105, 334)),
    19: ((105, 334), (66, 296)),
    20: ((66, 296), (107, 336)),
    21: ((107, 336), (55, 285)),
    # nose
    31: ((98, 327), (99, 328)),
    32: ((97, 326),),
    # mouth
    48: ((61, 291), (146, 375)),
    49: ((39, 269), (42, 272)),
    50: ((37, 267), (72, 302)),
    58: ((84, 314),),
    59: ((181, 405), (91, 321)),
    60: ((78, 308), (95, 324)),
    61: ((82, 312),),
    67: ((87, 317),),
}
# Points of the iris model's eye contour for landmarks 36 to 41. It sees the left eye mirrored: the same for the left.
_CONTOUR = (0, 11, 13, 8, 5, 3)
_RIGHT_EYE = list(layout.PARTS["right_eye"])

# mesh vertices that say where a face and its eyes are; right eye first, each (outer corner, inner corner)
EYE_CORNERS = ((33, 133), (263, 362))


def _weights() -> Array:
    """(68, 468) mean over the vertices of each row; the eyes' rows stay zero."""
    weights = np.zeros((68, VERTICES))
    for landmark, vertices in _MIDDLE.items():
        _add_mean(weights, landmark, vertices)
    for landmark, pairs in _RIGHT.items():
        _add_mean(weights, landmark, [right for right, _ in pairs])
        _add_mean(weights, int(layout.MIRROR[landmark]), [left for _, left in pairs])
    return weights


def _add_mean(weights: Array, landmark: int, vertices: tuple[int, ...] | list[int]) -> None:
    for vertex in vertices:
        weights[landmark, vertex] += 1 / len(vertices)


_WEIGHTS = _weights()


def to_ibug70(vertices: Floats, contours: Floats, pupils: Floats) -> Array:
    """Landmarks (70, 2) from mesh vertices (468, 2), eye contours (2, 71, 2) and pupils (2, 2), right eye first."""
    points = np.empty((layout.COUNT, 2))
    points[:68] = _WEIGHTS @ vertices
    points[_RIGHT_EYE] = contours[0, _CONTOUR]
    points[layout.MIRROR[_RIGHT_EYE]] = contours[1, _CONTOUR]
    points[[layout.RIGHT_PUPIL, layout.LEFT_PUPIL]] = pupils
    return points
