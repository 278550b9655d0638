"""One shot of a synthetic clip: frames rendered from layers, and the landmarks' exact places in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s2d.geometry import Array, Float32, Floats, Image
from s2d.landmarks import layout
from s2d.landmarks.synthetic.head import Eye, Head, Mask, Mouth
from s2d.landmarks.synthetic.layers import take_apart
from s2d.landmarks.synthetic.motion import Performance, State

BLUR_STEP = 1.5  # pixels a landmark may move between two samples of one exposure
MOST_SAMPLES = 9
MICROPHONE_HEAD, MICROPHONE_STICK, MICROPHONE_REACH = 0.24, 0.09, 1.5  # radii and half the path, in face units
MICROPHONE_SECONDS = 2.5  # for one pass from side to side


Window = tuple[slice, slice]
Shown = tuple[Eye | Mouth, Window, Float32]  # an opening, its part of the frame, how much of its inside shows there


@dataclass(frozen=True)
class Placement:
    """Where the resting face is in the frame: pixels per face unit and the pixel midway between the eye corners."""

    scale: float
    x: float
    y: float

    def to_frame(self, points: Floats) -> Array:
        """Face units (..., 2) to frame pixels."""
        return np.asarray(points * self.scale + [self.x, self.y])


class Shot:
    """A face (still and landmarks) that performs, seen by a camera of `size` x `size` pixels."""

    def __init__(self, still: Image, points: Floats, performance: Performance, place: Placement, size: int) -> None:
        self.head, self.performance, self.place = Head(points), performance, place
        self._layers = take_apart(still, self.head, place.scale)
        y, x = np.mgrid[:size, :size]
        self._grid = np.stack([(x - place.x) / place.scale, (y - place.y) / place.scale], -1).astype(np.float32)

    def truth(self, times: Array) -> tuple[Array, Mask, State]:
        """Landmarks (T, 70, 2) in frame pixels at the middle of each exposure, whether each can be seen, the states."""
        states = self.performance(times)
        posed = self.head.express(states)
        points = self.place.to_frame(self.head.pose(posed, states))
        visible = np.ones(points.shape[:2], bool)
        for eye, pupil in zip(self.head.eyes, (layout.RIGHT_PUPIL, layout.LEFT_PUPIL), strict=True):
            visible[:, pupil] = _openness(eye, posed[:, pupil], states.lids) > 0
        if self.performance.variant.occluder:
            visible &= np.array([self._microphone(*moment) < 0 for moment in zip(points, times.tolist(), strict=True)])
        return points, visible, states

    def samples(self, times: Array, exposure: float) -> npt.NDArray[np.int64]:
        """(T,) how many instants to average, so that no landmark jumps between them; odd, to keep the middle."""
        start, end = (self.truth(times + half)[0] for half in (-exposure / 2, exposure / 2))
        moved = np.linalg.norm(end - start, axis=-1).max(axis=1)
        pairs = np.ceil((moved / BLUR_STEP - 0.5) / 2).clip(0)
        return np.asarray(np.minimum(MOST_SAMPLES, 1 + 2 * pairs), np.int64)

    def frame(self, moments: Array, rng: np.random.Generator) -> Image:
        """The frame exposed at `moments` (N,), with sensor noise from `rng`."""
        variant, states = self.performance.variant, self.performance(moments)
        instants = [self._instant(states.at(index)) for index in range(len(moments))]
        light = np.asarray(np.mean(instants, axis=0), np.float32)
        if variant.occluder:
            light = self._behind_microphone(light, float(moments.mean()))
        return _sensed(light * np.float32(variant.light), variant.noise, rng)

    def _instant(self, state: State) -> Float32:
        """The scene (size, size, 3) float32 with an infinitely short exposure."""
        posed = self.head.unpose(self._grid, state)
        skin, covers = self._skin(posed, state)
        person = self._layers.sample(self._layers.person, skin)
        colour, alpha = person[..., :3], person[..., 3:]
        for opening, (rows, columns), cover in covers:
            part: Floats = posed[rows, columns]
            if isinstance(opening, Eye):
                part = opening.look(part, np.array([state.gaze_x, state.gaze_y], np.float32))
            inside = self._layers.sample(self._layers.inside, part)
            colour[rows, columns] += cover[..., None] * (inside - colour[rows, columns])
        pan = np.array([state.pan_x, state.pan_y], np.float32)
        return colour + (1 - alpha) * self._layers.sample(self._layers.background, self._grid + pan)

    def _skin(self, posed: Float32, state: State) -> tuple[Float32, list[Shown]]:
        """Where on the still's skin each pixel of the posed face lies; per opening its window and how much shows."""
        skin, covers = posed.copy(), []
        for slit, amount in self.head.slits(state):
            if amount == 0 and isinstance(slit, Mouth):
                continue  # inside and outside are the same still
            window = _window(posed, slit)
            x, y = posed[window][..., 0], posed[window][..., 1]
            down, up = slit.slides(x, amount)
            top, bottom = slit.upper(x) + down, slit.lower(x) + up
            skin[window][..., 1] += slit.offset(x, y, amount, y > (top + bottom) / 2)
            cover = np.clip(np.minimum(y - top, bottom - y) * self.place.scale, 0, 1)
            covers.append((slit, window, cover.astype(np.float32)))
        return skin, covers

    def _behind_microphone(self, light: Float32, time: float) -> Float32:
        inside = self._microphone(self.place.to_frame(self._grid), time)
        cover = np.clip(inside + 0.5, 0, 1)[..., None]
        mesh = 45 + 25 * np.sin(inside / 1.5) + 15 * np.sin(self._grid.sum(-1) * 60)
        return np.asarray(light * (1 - cover) + mesh[..., None] * cover, np.float32)

    def _microphone(self, points: Floats, time: float) -> Array:
        """Distance in pixels by which frame points (..., 2) lie inside the microphone (negative outside)."""
        swing = -np.cos(np.pi * time / MICROPHONE_SECONDS)
        tip = self.place.to_frame(np.array([MICROPHONE_REACH * swing, 0.55 - 0.25 * np.cos(2 * swing)]))
        end = tip + self.place.scale * np.array([0.5, 3.0])
        axis = end - tip
        along = np.clip((points - tip) @ axis / (axis @ axis), 0, 1)
        stick = MICROPHONE_STICK * self.place.scale - np.linalg.norm(points - tip - along[..., None] * axis, axis=-1)
        head = MICROPHONE_HEAD * self.place.scale - np.linalg.norm(points - tip, axis=-1)
        return np.asarray(np.maximum(stick, head))


def _sensed(light: Float32, noise: float, rng: np.random.Generator) -> Image:
    """Light (H, W, 3) in 0..255 with sensor noise, partly that of photons (grows with the root of the light)."""
    deviation = np.float32(noise) * np.sqrt(0.25 + 0.75 / 128 * light)
    noisy = light + deviation * rng.standard_normal(light.shape, np.float32)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def centred(count: int) -> Array:
    """`count` instants that stand for an exposure of 1 around 0.

    >>> centred(2)
    array([-0.25,  0.25])
    """
    return (np.arange(count) + 0.5) / count - 0.5


def _openness(slit: Eye | Mouth, points: Array, amount: Array) -> Array:
    """How far posed points (..., 2) are inside the opening, in face units; negative under the skin."""
    x, y = points[..., 0], points[..., 1]
    down, up = slit.slides(x, amount)
    return np.minimum(y - slit.upper(x) - down, slit.lower(x) + up - y)


def _window(posed: Float32, slit: Eye | Mouth) -> Window:
    """Rows and columns of the frame that this opening can change."""
    left, right = slit.corners
    top, bottom = slit.upper.y.min() - slit.above, slit.lower.y.max() + slit.below
    x, y = posed[..., 0], posed[..., 1]
    here = (x > left - slit.beside) & (x < right + slit.beside) & (y > top) & (y < bottom)
    return _extent(here.any(axis=1)), _extent(here.any(axis=0))


def _extent(used: Mask) -> slice:
    found = np.flatnonzero(used)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)
