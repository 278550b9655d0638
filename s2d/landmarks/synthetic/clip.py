"""A synthetic clip: shots of a performing still, their frames and their truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from s2d.errors import S2DError
from s2d.geometry import Array, Float32, Floats, Image
from s2d.landmarks import layout
from s2d.landmarks.synthetic.motion import VARIANTS, Performance, State, Variant
from s2d.landmarks.synthetic.render import Placement, Shot, centred

FACE_SHARE = 0.22  # distance between the outer eye corners over the frame's size
STUTTER = 0.2  # share of frames that repeat the one before


@dataclass(frozen=True)
class SyntheticClip:
    """T frames of a face whose landmarks are known exactly. Landmarks are in frame pixels, `ibug70` order."""

    variant: Variant
    size: int
    """Width and height of the frames."""
    fps: float
    times: Array
    """(T,) seconds of the frames."""
    truth: Float32
    """(T, 70, 2) landmarks at the middle of each frame's exposure."""
    visible: npt.NDArray[np.bool_]
    """(T, 70) False for pupils under closed lids and for what an occluder hides."""
    dropped: npt.NDArray[np.bool_]
    """(T,) True where a benchmark is to drop the detection (variant "missing")."""
    states: State
    """What the head does, fields (T,): its angles are the truth for pose estimates."""
    cuts: tuple[int, ...]
    """First frame of each shot after the first."""
    _shots: tuple[Shot, ...]
    _moments: Array
    _seed: int

    def __len__(self) -> int:
        return len(self.times)

    @property
    def seed(self) -> int:
        """The seed it was made with."""
        return self._seed

    def frames(self) -> Iterator[Image]:
        """Render the frames (size, size, 3) in order, one at a time; the same bytes at each call."""
        bounds = (0, *self.cuts, len(self))
        for shot, start, stop in zip(self._shots, bounds, bounds[1:], strict=False):
            yield from self._shot_frames(shot, start, stop)

    def _shot_frames(self, shot: Shot, start: int, stop: int) -> Iterator[Image]:
        exposure = self.variant.shutter / self.fps
        samples = shot.samples(self._moments[start:stop], exposure)
        frame, shown = None, -1.0
        for index, count in enumerate(samples.tolist(), start):
            moment = float(self._moments[index])
            if frame is None or moment != shown:
                frame = shot.frame(moment + exposure * centred(count), np.random.default_rng([self._seed, index]))
                shown = moment
            yield frame.copy()


def make_clip(
    still: Image | None = None,
    points: Floats | None = None,
    *,
    frames: int = 90,
    fps: float = 30.0,
    size: int = 384,
    seed: int = 0,
    variant: str | Variant = "calm",
) -> SyntheticClip:
    """A clip of the face in `still` (H, W, 3), with landmarks `points` (70, 2) in its pixels.

    Without `points` they are detected with the mesh detector; without `still` it is scikit-image's astronaut.
    The same arguments give the same truth and the same frames. Frames are rendered only as they are asked for.
    Raises S2DError when the variant is unknown or no face with eyes and mouth is found in the still.
    """
    chosen = _variant(variant)
    still = astronaut() if still is None else still
    points = _detect(still) if points is None else np.asarray(points, np.float32)
    if points.shape != (layout.COUNT, 2) or not np.isfinite(points).all():
        raise S2DError("cannot make a synthetic clip", "not all 70 landmarks are given", "use the mesh detector")
    moments = _moments(chosen, frames, fps, seed)
    cuts = (frames // 2,) if chosen.cut else ()
    shots = tuple(_shot(still, points, chosen, size, seed, number) for number in range(len(cuts) + 1))
    parts = np.split(moments, cuts)
    truth, visible, states = zip(*(shot.truth(part) for shot, part in zip(shots, parts, strict=True)), strict=True)
    return SyntheticClip(
        variant=chosen,
        size=size,
        fps=fps,
        times=np.arange(frames) / fps,
        truth=np.concatenate(truth).astype(np.float32),
        visible=np.concatenate(visible),
        dropped=_dropped(chosen, frames),
        states=State(*(np.concatenate(field) for field in zip(*states, strict=True))),
        cuts=cuts,
        _shots=shots,
        _moments=moments,
        _seed=seed,
    )


def astronaut() -> Image:
    """The built-in still: Eileen Collins, NASA, public domain, (512, 512, 3)."""
    import skimage.data

    return np.asarray(skimage.data.astronaut())


def write_clip(clip: SyntheticClip, path: str | Path) -> None:
    """Write the clip as H.264 (marked as synthetic). Raises S2DError when `path` cannot be written."""
    from s2d.video import VideoWriter

    with VideoWriter(path, clip.size, clip.size, clip.fps, synthetic=True) as writer:
        for frame in clip.frames():
            writer.write(frame)


def _variant(variant: str | Variant) -> Variant:
    if isinstance(variant, Variant):
        return variant
    if variant not in VARIANTS:
        raise S2DError(f'cannot make a clip of variant "{variant}"', "unknown", f"use one of {', '.join(VARIANTS)}")
    return VARIANTS[variant]


def _detect(still: Image) -> Float32:
    from s2d.landmarks.detectors.factory import make_detector
    from s2d.landmarks.extract import largest_face

    return largest_face(still, make_detector("mesh"), "cannot make a synthetic clip").points


def _shot(still: Image, points: Floats, variant: Variant, size: int, seed: int, number: int) -> Shot:
    """Shot `number`: each second one is mirrored, off the middle and closer."""
    if number % 2:
        still = np.ascontiguousarray(still[:, ::-1])
        points = points[layout.MIRROR] * np.array([-1, 1]) + [still.shape[1] - 1, 0]
    scale = size * FACE_SHARE * (1.2 if number % 2 else 1.0)
    placement = Placement(scale, size * (0.58 if number % 2 else 0.5), size * 0.42)
    return Shot(still, points, Performance(variant, seed + 7919 * number), placement, size)


def _moments(variant: Variant, frames: int, fps: float, seed: int) -> Array:
    """The instant that each frame shows: its own time, or that of the frame before where the clip stutters."""
    shown = np.arange(frames)
    if variant.stutter:
        repeats = np.random.default_rng([seed, 0x57]).random(frames) < STUTTER
        shown = np.maximum.accumulate(np.where(repeats & (shown > 0), 0, shown))
    return shown / fps


def _dropped(variant: Variant, frames: int) -> npt.NDArray[np.bool_]:
    """Two gaps, of 3 frames at a third and of 8 frames at two thirds of the clip."""
    index = np.arange(frames)
    gaps = (abs(index - frames // 3) <= 1) | ((index >= frames * 2 // 3 - 4) & (index < frames * 2 // 3 + 4))
    return gaps & variant.missing
