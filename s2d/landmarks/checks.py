"""What callers hand in, looked at before it is used: each check is cheap and raises one clear ValueError."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from s2d.geometry import Floats, Image
from s2d.landmarks.layout import COUNT


def check_points(points: Floats, name: str = "points", frames: int | None = None) -> None:
    """Raise ValueError unless these are landmarks (T, 70, 2) of that many `frames`, if it is known how many."""
    shape = np.shape(points)
    if shape[1:] != (COUNT, 2) or len(shape) != 3:
        why = f"{name} must be (T, {COUNT}, 2) in ibug70; pad missing pupils with NaN"
        raise ValueError(f"{why} (these are {shape})")
    if frames is not None and len(points) != frames:
        raise ValueError(f"{name} has {len(points)} frames, but there are times for {frames}")


def check_times(times: npt.ArrayLike, frames: int | None = None) -> None:
    """Raise ValueError unless these are times (T,) in seconds that increase, of that many `frames` if given."""
    values = np.asarray(times, np.float64)
    if values.ndim != 1:
        raise ValueError(f"times must be (T,) seconds (these are {values.shape})")
    if frames is not None and len(values) != frames:
        raise ValueError(f"{len(values)} times for {frames} frames; give one time, in seconds, for each frame")
    if not (np.isfinite(values).all() and (np.diff(values) > 0).all()):
        raise ValueError("times must be finite and increase from frame to frame")


def check_frame(frame: Image, shape: tuple[int, ...] | None = None) -> None:
    """Raise ValueError unless this is a picture (H, W, 3) of 8 bits, of the same `shape` as before if that is given."""
    array: npt.NDArray[Any] = np.asarray(frame)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ValueError(f"frames must be (H, W, 3) RGB uint8 (this is {array.shape} {array.dtype})")
    if shape is not None and array.shape != shape:
        raise ValueError(f"a frame of {array.shape} after one of {shape}; all must have one size")


def checked_frames(frames: Iterable[Image], count: int) -> Iterator[Image]:
    """The same frames, one by one; ValueError for a frame that is none, and when they are not `count`."""
    shape, number = None, 0
    for number, frame in enumerate(frames, 1):
        check_frame(frame, shape)
        if number > count:
            raise ValueError(f"more frames than landmarks, which are of {count}")
        shape = frame.shape
        yield frame
    if number < count:
        raise ValueError(f"{number} frames for landmarks of {count}")
