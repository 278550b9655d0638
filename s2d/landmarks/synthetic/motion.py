"""What a synthetic face does: head, lids, mouth, gaze and camera as seeded functions of time."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from s2d.geometry import Array

BLINK_CLOSING, BLINK_SHUT, BLINK_OPENING = 0.09, 0.04, 0.16  # seconds; about those of spontaneous human blinks
SACCADE = 0.05
REACH = 60.0  # seconds for which blinks and glances are drawn; later they repeat


@dataclass(frozen=True)
class Variant:
    """One kind of clip. Lengths are in units of the distance between the outer eye corners."""

    yaw: float = 14.0
    """Largest turn to the side, degrees."""
    pitch: float = 8.0
    """Largest nod, degrees."""
    roll: float = 6.0
    """Largest tilt, degrees."""
    sway: float = 0.18
    """Largest shift of the head across the picture."""
    zoom: float = 0.06
    """Largest relative change of size."""
    tempo: float = 0.35
    """Middle frequency of the head's motion, Hz."""
    blink_every: float = 1.8
    """Mean seconds between blinks."""
    mouth: float = 0.16
    """Largest opening between the inner lips, on top of that in the still."""
    syllables: float = 2.2
    """Openings of the mouth per second of speech."""
    gaze: float = 0.045
    """Largest shift of a pupil to the side; half of that up or down."""
    glance_every: float = 0.8
    """Mean seconds between saccades."""
    shutter: float = 0.4
    """Exposure as a share of the frame time: motion blur."""
    noise: float = 1.5
    """Standard deviation of the sensor noise at mid-grey, 8-bit levels."""
    light: float = 1.0
    """Exposure gain."""
    occluder: bool = False
    """A dark microphone passes in front of the face."""
    missing: bool = False
    """Two stretches of frames whose detections are to be dropped (`SyntheticClip.dropped`); the picture is whole."""
    stutter: bool = False
    """Some frames repeat the one before, noise and all, as screen recordings and bad frame-rate conversion do."""
    cut: bool = False
    """In the middle a cut to another shot: the mirrored face, elsewhere, larger."""


VARIANTS: MappingProxyType[str, Variant] = MappingProxyType(
    {
        "calm": Variant(),
        "fast": Variant(yaw=22, pitch=11, roll=10, sway=0.35, zoom=0.1, tempo=0.9, mouth=0.2, syllables=4, shutter=0.6),
        "occluded": Variant(occluder=True),
        "low_light": Variant(light=0.3, noise=5.0, shutter=0.9),
        "missing": Variant(missing=True),
        "stutter": Variant(stutter=True),
        "cut": Variant(cut=True),
    }
)


class State(NamedTuple):
    """The scene at N instants; each field is (N,). Angles in degrees, lengths in inter-ocular units."""

    yaw: Array
    """Positive: turned to the image's right."""
    pitch: Array
    """Positive: looking up."""
    roll: Array
    """Positive: clockwise in the image."""
    shift_x: Array
    shift_y: Array
    zoom: Array
    """Factor, 1 at rest."""
    lids: Array
    """0 open as in the still, 1 closed."""
    mouth: Array
    gaze_x: Array
    gaze_y: Array
    pan_x: Array
    """Shift of the background."""
    pan_y: Array

    def at(self, index: int) -> State:
        """The single instant `index`; each field is then a scalar array."""
        return State(*(field[index] for field in self))


class Performance:
    """A seeded performance of a variant: `Performance(variant, seed)(times)` gives the `State` at those seconds."""

    def __init__(self, variant: Variant, seed: int) -> None:
        self.variant = variant
        rng = np.random.default_rng([seed, 0x5EED])
        self._waves = {name: _Wave(rng, variant.tempo) for name in ("yaw", "pitch", "roll", "x", "y", "zoom")}
        self._pan = [_Wave(rng, 0.12) for _ in range(2)]
        self._pauses, self._rhythm = _Wave(rng, 0.5), _Wave(rng, 0.6)
        self._blinks = np.concatenate([[rng.uniform(0.3, 0.8)], _intervals(rng, variant.blink_every)]).cumsum()
        self._glances = _intervals(rng, variant.glance_every).cumsum()
        self._targets = rng.uniform(-1, 1, (len(self._glances) + 1, 2)) * variant.gaze * [1, 0.5]

    def __call__(self, times: Array) -> State:
        variant, waves = self.variant, self._waves
        amplitudes = {"yaw": variant.yaw, "pitch": variant.pitch, "roll": variant.roll, "x": variant.sway}
        head = {name: amplitude * waves[name](times) for name, amplitude in amplitudes.items()}
        gaze = self._gaze(times)
        return State(
            yaw=head["yaw"],
            pitch=head["pitch"],
            roll=head["roll"],
            shift_x=head["x"],
            shift_y=0.6 * variant.sway * waves["y"](times),
            zoom=1 + variant.zoom * waves["zoom"](times),
            lids=self._lids(times),
            mouth=self._mouth(times),
            gaze_x=gaze[:, 0],
            gaze_y=gaze[:, 1],
            pan_x=0.25 * self._pan[0](times),
            pan_y=0.1 * self._pan[1](times),
        )

    def _lids(self, times: Array) -> Array:
        since = (times % REACH)[:, None] - self._blinks
        closing = smoothstep(since / BLINK_CLOSING)
        opening = smoothstep((since - BLINK_CLOSING - BLINK_SHUT) / BLINK_OPENING)
        return np.asarray((closing - opening).max(axis=1))

    def _mouth(self, times: Array) -> Array:
        phase = 2 * np.pi * self.variant.syllables * times + 1.5 * self._rhythm(times)
        speaking = smoothstep(0.8 + 2.0 * self._pauses(times))
        return self.variant.mouth * speaking * (0.5 - 0.5 * np.cos(phase))

    def _gaze(self, times: Array) -> Array:
        steps = smoothstep(((times % REACH)[:, None] - self._glances) / SACCADE)
        return np.asarray(self._targets[0] + steps @ np.diff(self._targets, axis=0))


class _Wave:
    """Three sines of random phase, within [-1, 1], around one frequency."""

    weights = np.array([0.5, 0.3, 0.2])

    def __init__(self, rng: np.random.Generator, tempo: float) -> None:
        self.frequencies = tempo * rng.uniform([0.5, 0.9, 1.5], [0.8, 1.3, 2.1])
        self.phases = rng.uniform(0, 2 * np.pi, 3)

    def __call__(self, times: Array) -> Array:
        return np.asarray(np.sin(2 * np.pi * times[:, None] * self.frequencies + self.phases) @ self.weights)


def _intervals(rng: np.random.Generator, mean: float) -> Array:
    """Enough intervals of 0.6 to 1.4 times the mean to fill REACH seconds."""
    return mean * rng.uniform(0.6, 1.4, int(REACH / mean / 0.6) + 1)


def smoothstep(x: Array) -> Array:
    """0 below 0, 1 above 1, 3x^2 - 2x^3 between.

    >>> smoothstep(np.array([-1.0, 0.5, 2.0]))
    array([0. , 0.5, 1. ])
    """
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))
