"""Geometry of a moving face: one map from the frame back to the still, and its exact inverse for the landmarks.

Everything here is in face units of the still: the origin midway between the outer eye corners, x along the line
between them, y down, z towards the camera, one unit = their distance.

still --express--> posed face --pose--> frame. Rendering needs the way back, `unpose` and then `unexpress`, at every
pixel. Both have closed forms but for one scalar equation per pixel (depth); the landmarks go forward: `express` solves
the monotone `unexpress` by bisection, `pose` is a formula. So truth and picture are two directions of the same map.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from s2d import geometry
from s2d.geometry import Array, Float32, Floats
from s2d.landmarks import layout
from s2d.landmarks.synthetic.motion import State, smoothstep

Mask = npt.NDArray[np.bool_]

HEAD_DEPTH, NOSE_DEPTH, BRIDGE_DEPTH = 1.2, 0.26, 0.06
NECK_DEPTH = -0.9  # the axis of rotation, behind the face
RIGID_BELOW_CHIN, NECK_LENGTH = 0.35, 1.3  # the head's motion fades out over the neck, below the lowest chin
UPPER_LID_SHARE = 0.85  # of a blink; the lower lid does the rest
UPPER_LIP_SHARE = 0.1  # of an opening; the lower lip and jaw do the rest
CHIN_SHARE, JAW_REACH = 0.8, 1.2
NEWTON_STEPS, BISECTIONS = 3, 40


@dataclass(frozen=True)
class Curve:
    """y as a function of x through landmarks (monotone cubic, constant beyond its ends)."""

    x: Array
    y: Array

    def __call__(self, x: Floats) -> Array:
        return np.interp(x, self.x, self.y)


@dataclass(frozen=True)
class Slit:
    """An opening in the skin, an eye or the mouth: two edges that slide up and down, skin that follows them.

    Above the upper edge the skin is carried along up to `above`, below the lower edge down to `below`.
    """

    upper: Curve
    lower: Curve
    above: float
    """Height over the upper edge where the skin rests again."""
    below: float
    """Depth under the lower edge where the skin rests again."""
    beside: float
    """How far beyond the corners skin moves."""
    landmarks: tuple[int, ...]
    """Landmarks that lie in the skin this opening moves."""

    @property
    def corners(self) -> tuple[float, float]:
        return float(self.upper.x[0]), float(self.upper.x[-1])


@dataclass(frozen=True)
class Eye(Slit):
    """An eye: both lids move, the eyeball turns behind them."""

    pupil: Array
    """(2,) in face units."""

    def slides(self, x: Floats, closure: Floats) -> tuple[Array, Array]:
        """How far down the upper and the lower lid are at columns x; `closure` 0 to 1."""
        height = closure * (self.lower(x) - self.upper(x))
        return UPPER_LID_SHARE * height, (UPPER_LID_SHARE - 1) * height

    def offset(self, x: Floats, y: Floats, closure: Floats, lower_side: Mask) -> Array:
        """What to add to y (after the blink) for the y of that skin in the still."""
        down, up = self.slides(x, closure)
        upper, lower = self.upper(x), self.lower(x)
        above = -down * smoothstep((y - upper + self.above) / (self.above + down))
        below = -up * smoothstep((lower + self.below - y) / (self.below - up))
        return np.where(lower_side, below, above)

    def look(self, points: Floats, gaze: Floats) -> Array:
        """Where on the still's eyeball the points (..., 2) of the turned eyeball lie; `gaze` (2,) moves the pupil."""
        left, right = self.corners
        distance = np.linalg.norm(points - (self.pupil + gaze), axis=-1)
        iris, rim = 0.2 * (right - left), 0.5 * (right - left)
        return points - gaze * smoothstep((rim - distance) / (rim - iris))[..., None]


@dataclass(frozen=True)
class Mouth(Slit):
    """A mouth: the lower lip takes the jaw with it."""

    chin: float
    """y of the chin in the still."""

    def slides(self, x: Floats, opening: Floats) -> tuple[Array, Array]:
        """How far down the upper and the lower lip are at columns x; `opening` in units."""
        left, right = self.corners
        middle, half = (left + right) / 2, (right - left) / 2
        profile = opening * np.maximum(0.0, 1 - ((x - middle) / half) ** 2)
        return -UPPER_LIP_SHARE * profile, (1 - UPPER_LIP_SHARE) * profile

    def offset(self, x: Floats, y: Floats, opening: Floats, lower_side: Mask) -> Array:
        """What to add to y (after the opening) for the y of that skin in the still."""
        up, down = self.slides(x, opening)
        middle = sum(self.corners) / 2
        chin = CHIN_SHARE * opening * np.maximum(0.0, 1 - ((x - middle) / JAW_REACH) ** 2) ** 2
        upper, lower = self.upper(x), self.lower(x)
        above = -up * smoothstep((y - upper + self.above) / (self.above + up))
        jaw = smoothstep((y - lower - down) / (self.chin + chin - lower - down))
        neck = smoothstep((y - self.chin - chin) / (NECK_LENGTH - chin))
        return np.where(lower_side, -down + (down - chin) * jaw + chin * neck, above)


class Head:
    """The face of one still in face units, and its maps. `points` (70, 2) are its landmarks in still pixels."""

    def __init__(self, points: Floats) -> None:
        corners = np.asarray(points, np.float64)[[layout.RIGHT_EYE_OUTER, layout.LEFT_EYE_OUTER]]
        self.to_units = geometry.similarity_fit(corners, np.array([[-0.5, 0.0], [0.5, 0.0]]))
        self.landmarks = geometry.apply(self.to_units, points)
        self.eyes = tuple(self._eye(lids, pupil) for lids, pupil in ((range(36, 42), 68), (range(42, 48), 69)))
        self.mouth = self._mouth()
        self._bumps = self._depth_bumps()
        self.pivot = np.array([0.0, self.landmarks[33, 1]])

    def _eye(self, lids: range, pupil: int) -> Eye:
        a, b, c, d, e, f = (self.landmarks[k] for k in lids)
        upper, lower = _edges(np.array([a, b, c, d]), np.array([a, f, e, d]))
        brow = self.landmarks[17:22] if pupil == layout.RIGHT_PUPIL else self.landmarks[22:27]
        above = max(0.08, 0.8 * float(min(b[1], c[1]) - brow[:, 1].mean()))
        return Eye(upper, lower, above, 0.15, 0.0, (*lids,), self.landmarks[pupil])

    def _mouth(self) -> Mouth:
        upper, lower = _edges(self.landmarks[60:65], self.landmarks[[60, 67, 66, 65, 64]])
        above = 0.8 * float(self.landmarks[62, 1] - self.landmarks[33, 1])
        skin = (*range(1, 16), *layout.PARTS["outer_lips"], *layout.PARTS["inner_lips"])
        chin = float(self.landmarks[8, 1])
        return Mouth(upper, lower, above, chin + NECK_LENGTH - float(lower.y.max()), JAW_REACH, skin, chin)

    def _depth_bumps(self) -> Array:
        """Rows of x, y, radius in x, radius in y, height, exponent: a dome for the head, two bumps for the nose."""
        width = float(np.ptp(self.landmarks[[0, 16], 0])) / 2
        bridge, tip = self.landmarks[27], self.landmarks[30]
        length = float(tip[1] - bridge[1])
        middle = self.landmarks[28]
        return np.array(
            [
                [0.0, middle[1], 0.9 * width, 0.95 * (self.landmarks[8, 1] - middle[1]), HEAD_DEPTH, 3.0],
                [*tip, 0.14, 0.16, NOSE_DEPTH, 2.0],
                [*((bridge + tip) / 2), 0.1, 0.5 * length, BRIDGE_DEPTH, 2.0],
            ]
        )

    def depth(self, points: Floats) -> tuple[Floats, Floats]:
        """Height (...,) of the posed face at points (..., 2), -HEAD_DEPTH at its far rim, and its slope (..., 2)."""
        height: Floats = np.full(points.shape[:-1], -HEAD_DEPTH, points.dtype)
        slope: Floats = np.zeros_like(points)
        for x, y, radius_x, radius_y, top, exponent in self._bumps.tolist():
            across, down = (points[..., 0] - x) / radius_x, (points[..., 1] - y) / radius_y
            square = across * across + down * down
            steepness = square ** (exponent / 2 - 1)
            bump = top * np.exp(-0.5 * steepness * square)
            height += bump
            slope[..., 0] -= exponent / 2 * bump * steepness * across / radius_x
            slope[..., 1] -= exponent / 2 * bump * steepness * down / radius_y
        return height, slope

    def pose(self, points: Array, states: State) -> Array:
        """Posed faces (T, N, 2) to the frame, both in face units: scaled orthographic, for points of the rigid head."""
        linear, towards, shift = self._camera(states)
        height = self.depth(points)[0] - NECK_DEPTH
        turned = np.einsum("...ij,...nj->...ni", linear, points - self.pivot)
        return np.asarray(turned + height[..., None] * towards[..., None, :] + shift[..., None, :])

    def unpose(self, grid: Float32, state: State) -> Float32:
        """Frame (H, W, 2) to posed face: the inverse of `pose` on the head; the torso rests.

        Along each line of sight solves z = depth(start - z per_depth) by Newton: at half resolution, then once more.
        """
        linear, towards, shift = self._camera(state)
        inverse = np.linalg.inv(linear)
        start = (grid - shift.astype(np.float32)) @ inverse.T.astype(np.float32) + self.pivot.astype(np.float32)
        per_depth = (inverse @ towards).astype(np.float32)
        half = cv2.resize(start, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        height = np.zeros(half.shape[:2], np.float32)
        for _ in range(NEWTON_STEPS):
            height = self._newton(half, height, per_depth)
        height = self._newton(start, cv2.resize(height, (grid.shape[1], grid.shape[0])), per_depth)
        posed = start - height[..., None] * per_depth
        below = (posed[..., 1] - np.float32(self.mouth.chin + RIGID_BELOW_CHIN)) / NECK_LENGTH
        return np.asarray(posed + (grid - posed) * smoothstep(below)[..., None], np.float32)

    def _newton(self, start: Float32, height: Float32, per_depth: Float32) -> Float32:
        value, slope = self.depth(start - height[..., None] * per_depth)
        return np.asarray(height - (height - value + np.float32(NECK_DEPTH)) / (1 + slope @ per_depth), np.float32)

    def _camera(self, state: State) -> tuple[Array, Array, Array]:
        """linear (..., 2, 2), towards (..., 2), shift (..., 2) of q = linear (x - pivot) + towards z + shift."""
        rotation = rotation_matrix(state.yaw, state.pitch, state.roll) * np.asarray(state.zoom)[..., None, None]
        return rotation[..., :2, :2], rotation[..., :2, 2], self.pivot + np.stack([state.shift_x, state.shift_y], -1)

    def slits(self, state: State) -> tuple[tuple[Eye | Mouth, Array], ...]:
        """The three openings with the amount by which each is moved."""
        return (self.eyes[0], state.lids), (self.eyes[1], state.lids), (self.mouth, state.mouth)

    def express(self, states: State) -> Array:
        """The still's landmarks on the posed faces (T, 70, 2): the skin's offsets inverted by bisection, gaze added."""
        moved = np.repeat(self.landmarks[None], len(states.yaw), axis=0)
        for slit, amount in self.slits(states):
            marks = list(slit.landmarks)
            x, target = self.landmarks[marks].T
            lower_side = target - slit.upper(x) > slit.lower(x) - target
            low, high = (np.broadcast_to(target + reach, moved[:, marks, 1].shape) for reach in (-1.0, 1.0))
            for _ in range(BISECTIONS):
                middle = (low + high) / 2
                too_far = middle + slit.offset(x, middle, amount[:, None], lower_side) > target
                low, high = np.where(too_far, low, middle), np.where(too_far, middle, high)
            moved[:, marks, 1] = (low + high) / 2
        moved[:, [layout.RIGHT_PUPIL, layout.LEFT_PUPIL]] += np.stack([states.gaze_x, states.gaze_y], -1)[:, None]
        return moved


def _edges(upper: Array, lower: Array) -> tuple[Curve, Curve]:
    """Both edges on one fine grid from corner to corner, the lower one never above the upper one."""
    x = np.linspace(upper[0, 0], upper[-1, 0], 129)
    above, below = (PchipInterpolator(*_increasing(edge).T)(x) for edge in (upper, lower))
    return Curve(x, above), Curve(x, np.maximum(above, below))


def _increasing(edge: Array) -> Array:
    """The same corners, with the points between them pushed into increasing x where a detector crossed them."""
    x = np.maximum.accumulate(np.clip(edge[:, 0], edge[0, 0], edge[-1, 0]))
    x = x + 1e-4 * np.arange(len(x))
    x = edge[0, 0] + (x - x[0]) * (edge[-1, 0] - edge[0, 0]) / (x[-1] - x[0])
    return np.stack([x, edge[:, 1]], axis=1)


def rotation_matrix(yaw: Floats | float, pitch: Floats | float, roll: Floats | float) -> Array:
    """Rotations (..., 3, 3) from degrees (...): yaw to the image's right, then pitch up, then roll clockwise.

    Axes: x right, y down, z towards the camera.

    >>> (rotation_matrix(90, 0, 0) @ [0, 0, 1]).round(6)
    array([1., 0., 0.])
    """
    angles = np.radians(np.stack(np.broadcast_arrays(yaw, pitch, roll)).astype(np.float64))
    (cy, cp, cr), (sy, sp, sr) = np.cos(angles), np.sin(angles)
    zero, one = np.zeros_like(cy), np.ones_like(cy)
    turn = _matrix([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    nod = _matrix([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
    tilt = _matrix([[cr, -sr, zero], [sr, cr, zero], [zero, zero, one]])
    return np.asarray(tilt @ nod @ turn)


def _matrix(rows: list[list[Array]]) -> Array:
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
