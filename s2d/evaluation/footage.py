"""Clips to evaluate on: one track of a data set as pictures and landmarks, the first frame of the track as source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from s2d.errors import S2DError
from s2d.geometry import Array, Crop, Float32, to_normalized
from s2d.images import decode_jpeg
from s2d.landmarks.layout import CONTOUR_68
from s2d.shards.reader import Dataset, TrackFrames

Landmarks = Literal["aligned", "raw"]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Clip:
    """N driving frames of one person and a source; pictures in [0, 1], points normalised, NaN where not known."""

    track_id: str
    identity: str
    fps: float
    """Of the video; the driving frames may be further apart."""
    times: Array
    """(N,) presentation times in seconds."""
    source: Tensor
    """(3, S, S) the first frame of the track that shows a face."""
    source_points: Tensor
    """(70, 2)."""
    images: Tensor
    """(N, 3, S, S)."""
    points: Tensor
    """(N, 70, 2)."""

    def __len__(self) -> int:
        """Number of driving frames."""
        return len(self.times)


@dataclass(frozen=True)
class Part:
    """Which frames of a track: those after its share `start`, `frames` of them at most."""

    start: float = 0.0
    """0 for the whole track; 0.8 for its last fifth."""
    frames: int = 60
    consecutive: bool = False
    """Neighbouring frames from the start on, instead of evenly spread ones."""

    def positions(self, usable: Positions, total: int) -> Positions:
        """Of the usable positions (ascending) of a track of `total` frames, those that drive.

        Never the very first, which is the source; at least the last, though it be before the share `start`.

        >>> Part(0.5, 3).positions(np.arange(9), 9)
        array([4, 6, 8])
        """
        first = min(max(1, int(np.searchsorted(usable, round(self.start * total)))), len(usable) - 1)
        inside = usable[first:]
        if self.consecutive:
            return inside[: self.frames]
        chosen = np.linspace(0, len(inside) - 1, min(self.frames, len(inside))).round().astype(int)
        return np.asarray(inside[chosen])


def read_clip(dataset: Dataset, track_id: str, size: int, part: Part, landmarks: Landmarks = "aligned") -> Clip:
    """One track at `size` pixels. Raises S2DError when it holds no pictures, or fewer than two frames with a face."""
    frames = dataset.frames(track_id)
    usable = _usable(frames)
    if frames.jpeg is None or len(usable) < 2:
        why = "it holds no pictures" if frames.jpeg is None else "fewer than two of its frames show a face"
        raise S2DError(f"cannot evaluate on track {track_id}", why, "curate the video again, with pictures")
    chosen = np.concatenate([usable[:1], part.positions(usable, len(frames.time))])
    points = frames.aligned if landmarks == "aligned" else frames.raw
    images = torch.stack([_picture(frames.jpeg[place], size, track_id) for place in chosen])
    marks = torch.from_numpy(normalised(points[chosen], int(dataset.metadata["crop_size"]), size))
    times = frames.time
    fps = (len(times) - 1) / max(float(times[-1] - times[0]), 1e-9)
    who = identities(dataset)[track_id]
    return Clip(track_id, who, fps, times[chosen[1:]], images[0], marks[0], images[1:], marks[1:])


def identities(dataset: Dataset) -> dict[str, str]:
    """Who is seen, by track id. Raises S2DError for a lone part of frames, which does not say."""
    tracks = dataset.tracks()
    if "identity" not in tracks:
        remedy = "give the data set's folder"
        raise S2DError("cannot evaluate", "a single frames part does not say who is seen", remedy)
    return dict(zip(tracks["track_id"], tracks["identity"], strict=True))


def normalised(points: Float32, stored: int, size: int) -> Float32:
    """Pixels (..., 70, 2) of a stored crop to normalised coordinates of the same square at `size` pixels."""
    return to_normalized(Crop(0, 0, stored).points(points, size), size, size).astype(np.float32)


def tracks_of(dataset: Dataset, people: Sequence[str] | None = None) -> list[str]:
    """Tracks of these people, or of everyone. Raises S2DError for an unknown name or an empty data set."""
    known = identities(dataset)
    unknown = sorted(set(people or ()) - set(known.values()))
    if unknown or not known:
        why = f"it has no identity {unknown[0]!r}" if unknown else "it holds no tracks"
        some = ", ".join(sorted(set(known.values()))[:10]) or "none"
        raise S2DError("cannot evaluate on the data set", why, f"its identities: {some}")
    return [track for track, who in known.items() if people is None or who in people]


def _usable(frames: TrackFrames) -> Positions:
    """Positions where a face was detected and all of the 68 landmarks are known."""
    known = np.isfinite(frames.aligned[:, list(CONTOUR_68)]).all((1, 2))
    return np.flatnonzero(known & np.isfinite(frames.raw[:, list(CONTOUR_68)]).all((1, 2)) & (frames.score > 0))


def _picture(data: bytes, size: int, track_id: str) -> Tensor:
    try:
        image = decode_jpeg(data)
    except ValueError as error:
        raise S2DError(f"cannot read a picture of {track_id}", str(error), "curate the video again") from error
    if len(image) < size:
        remedy = f"evaluate at {len(image)} px or less, or curate larger crops"
        raise S2DError("cannot evaluate", f"crops of {len(image)} px, smaller than {size}", remedy)
    small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(small.transpose(2, 0, 1))).float() / 255
