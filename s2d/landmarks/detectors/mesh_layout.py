"""From the 478 vertices of MediaPipe's face mesh, the last ten of them the irises', to the `ibug70` layout.

Written for the person's right half (the image's left) and mirrored. A row lists vertices whose mean is the landmark;
a vertex named twice counts twice. Starting from the pairs in common use (33 and 263 for the outer eye
corners, 37 and 0 for the upper lip, ...), each row was checked against dlib's landmarks on the faces of many people,
and changed where another vertex, or the mean of two, came clearly nearer: brow points of iBUG lie half a step further
in than the mesh's, and its inner eye corners do not reach the caruncle. The jaw is the mesh's own face oval, which
follows the bone, not the visible contour: expect it apart from iBUG's in turned faces.
"""

from __future__ import annotations

import numpy as np

from s2d.geometry import Array, Floats
from s2d.landmarks import layout

VERTICES = 478

_MIDDLE: dict[int, tuple[int, ...]] = {
    8: (152,),
    27: (168,),
    28: (197, 6),
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
    1: ((234, 454), (234, 454), (137, 366)),
    2: ((132, 361), (137, 366)),
    3: ((58, 288), (177, 401)),
    4: ((172, 397), (138, 367)),
    5: ((136, 365),),
    6: ((149, 378), (149, 378), (150, 379)),
    7: ((148, 377), (176, 400)),
    # brow
    17: ((70, 300), (46, 276)),
    18: ((63, 293), (63, 293), (105, 334)),
    19: ((105, 334), (66, 296)),
    20: ((66, 296), (107, 336)),
    21: ((107, 336), (55, 285)),
    # nose
    31: ((240, 460), (75, 305)),
    32: ((97, 326),),
    # eye
    36: ((33, 263),),
    37: ((160, 387), (159, 386)),
    38: ((158, 385),),
    39: ((155, 382), (173, 398)),
    40: ((153, 380),),
    41: ((144, 373),),
    # mouth
    48: ((61, 291),),
    49: ((39, 269), (42, 272)),
    50: ((37, 267),),
    58: ((84, 314),),
    59: ((181, 405), (91, 321)),
    60: ((78, 308), (95, 324)),
    61: ((82, 312),),
    67: ((87, 317),),
}
_PUPILS = {layout.RIGHT_PUPIL: 468, layout.LEFT_PUPIL: 473}  # the first of each iris's five: its middle

OUTER_CORNERS = 33, 263  # vertices of the right and the left eye that say how a face lies


def _weights() -> Array:
    """(70, 478) mean over the vertices of each row."""
    weights = np.zeros((layout.COUNT, VERTICES))
    for landmark, vertices in _MIDDLE.items():
        _add_mean(weights, landmark, vertices)
    for landmark, pairs in _RIGHT.items():
        _add_mean(weights, landmark, [right for right, _ in pairs])
        _add_mean(weights, int(layout.MIRROR[landmark]), [left for _, left in pairs])
    for landmark, vertex in _PUPILS.items():
        _add_mean(weights, landmark, (vertex,))
    return weights


def _add_mean(weights: Array, landmark: int, vertices: tuple[int, ...] | list[int]) -> None:
    for vertex in vertices:
        weights[landmark, vertex] += 1 / len(vertices)


_WEIGHTS = _weights()


def to_ibug70(vertices: Floats) -> Array:
    """Landmarks (70, 2) from mesh vertices (478, 2)."""
    return np.asarray(_WEIGHTS @ vertices)
