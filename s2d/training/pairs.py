"""Pairs of frames of one track, decoded straight from Parquet row groups."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from s2d.errors import S2DError
from s2d.geometry import Array, Crop, Float32, Image, to_normalized
from s2d.landmarks.layout import CONTOUR_68
from s2d.shards.reader import Dataset as Shards
from s2d.training.augment import NONE, Augmentation
from s2d.training.sampling import ClipOrder, PairRule
from s2d.training.split import Span, spread

Landmarks = Literal["aligned", "raw"]
Sample = dict[str, Tensor]

_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


@dataclass(frozen=True)
class Clip:
    """One track in memory: pictures still compressed."""

    times: Array
    """(T,) seconds."""
    points: Float32
    """(T, 70, 2) pixels of the stored crop."""
    jpeg: list[bytes]
    usable: npt.NDArray[np.intp]
    """Positions, in order, where a face was detected and all of the 68 landmarks are known; at least one."""

    def within(self, span: Span) -> npt.NDArray[np.intp]:
        """Usable positions inside `span`; where it has none, the last before it, else the very first."""
        inside = self.usable[(self.usable >= span.start) & (self.usable < span.stop)]
        before = self.usable[self.usable < span.start]
        return inside if len(inside) else before[-1:] if len(before) else self.usable[:1]

    @property
    def bytes(self) -> int:
        """Memory it takes, nearly."""
        return sum(map(len, self.jpeg)) + self.points.nbytes


class ClipStore:
    """Tracks of one data set; the latest used stay in memory, `limit` bytes of them and always `least` tracks."""

    def __init__(self, shards: Shards, landmarks: Landmarks, limit: int) -> None:
        self.shards, self.landmarks, self.limit, self.least = shards, landmarks, limit, 1
        self._clips: OrderedDict[str, Clip] = OrderedDict()
        self._held = 0

    def clip(self, track_id: str) -> Clip:
        """The track, from memory or from its row group. Raises S2DError where it cannot be used."""
        if track_id in self._clips:
            self._clips.move_to_end(track_id)
            return self._clips[track_id]
        clip = self._clips[track_id] = self._read(track_id)
        self._held += clip.bytes
        while self._held > self.limit and len(self._clips) > self.least:
            self._held -= self._clips.popitem(last=False)[1].bytes
        return clip

    def _read(self, track_id: str) -> Clip:
        frames = self.shards.frames(track_id)
        points = frames.aligned if self.landmarks == "aligned" else frames.raw
        usable = np.flatnonzero(np.isfinite(points[:, CONTOUR_68]).all((1, 2)) & (frames.score > 0))
        if frames.jpeg is None or not len(usable):
            why = "without pictures" if frames.jpeg is None else "without a detected face"
            remedy = "curate without --no-jpeg into another --out" if frames.jpeg is None else "curate its video again"
            raise S2DError(f"cannot train on track {track_id}", f"it is {why}", remedy)
        return Clip(frames.time, points, frames.jpeg, usable)


def decode_at(data: bytes, size: int, stored: int) -> Image:
    """A stored crop (stored x stored JPEG) as RGB uint8 (size, size, 3), size <= stored, area-averaged.

    Halvings are done inside the JPEG decoder, on its frequencies: several times faster, and the grid stays centred.
    Raises ValueError when the bytes are no JPEG.
    """
    factor = next((f for f in _REDUCED if stored % f == 0 and stored // f >= size), 1)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED.get(factor, cv2.IMREAD_COLOR))
    if image is None:
        raise ValueError("these bytes are no JPEG picture")
    if image.shape[0] != size:
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


class PairDataset(Dataset[Sample]):
    """Pairs at `size` pixels. Subclasses say which frames; this class reads, scales and augments them.

    A sample holds source and driving (3, S, S) in [0, 1], source_points and driving_points (70, 2) normalised, NaN
    where not known; with a third frame also next and next_points.
    """

    def __init__(self, store: ClipStore, size: int, stored: int) -> None:
        self.store, self.size, self.stored = store, size, stored

    def sample(
        self, clip: Clip, positions: Sequence[int], augmentation: Augmentation, rng: np.random.Generator
    ) -> Sample:
        """Frames at `positions` (source, driving and perhaps next), changed alike."""
        images = [self._image(clip, position) for position in positions]
        points = [self._points(clip, position) for position in positions]
        images, points = augmentation.apply(images, points, rng)
        sample: Sample = {}
        for name, image, marks in zip(("source", "driving", "next"), images, points, strict=False):
            sample[name] = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
            sample[f"{name}_points"] = torch.from_numpy(marks)
        return sample

    def _image(self, clip: Clip, position: int) -> Float32:
        try:
            image = decode_at(clip.jpeg[position], self.size, self.stored)
        except ValueError as error:
            raise S2DError("cannot read a stored crop", str(error), "curate the videos again") from error
        return np.asarray(image / np.float32(255))

    def _points(self, clip: Clip, position: int) -> Float32:
        pixels = Crop(0, 0, self.stored).points(clip.points[position], self.size)
        return to_normalized(pixels, self.size, self.size).astype(np.float32)


class TrainingPairs(PairDataset):
    """Endless: sample n follows from (seed, n) alone. `consecutive` adds the frame after the driving one."""

    def __init__(
        self, store: ClipStore, size: int, stored: int, spans: Sequence[Span], order: ClipOrder, rule: PairRule,
        augmentation: Augmentation, consecutive: bool,
    ) -> None:  # fmt: skip
        super().__init__(store, size, stored)
        self.spans, self.order, self.rule = spans, order, rule
        self.augmentation, self.consecutive = augmentation, consecutive

    def __len__(self) -> int:
        """Samples in one round over the tracks: what --trainer.overfit_batches takes its share of."""
        return self.order.round

    def __getitem__(self, number: int) -> Sample:
        """Sample `number`, which it also carries as `number`."""
        rng = np.random.default_rng([self.order.seed, 1, number])
        span = self.spans[self.order.track(number)]
        clip = self.store.clip(span.track_id)
        usable = clip.within(span)
        source, driving = (int(usable[place]) for place in self.rule.draw(clip.times[usable], rng))
        positions = [source, driving]
        if self.consecutive:  # at the end of a track the frame itself: it then asks for no change
            positions.append(driving + int(driving + 1 in usable))
        sample = self.sample(clip, positions, self.augmentation, rng)
        sample["number"] = torch.tensor(number)
        return sample


class ValidationPairs(PairDataset):
    """The same pairs every time: the first frame of each track, driven to frames evenly spread over its span."""

    def __init__(self, store: ClipStore, size: int, stored: int, spans: Sequence[Span], pairs: int) -> None:
        super().__init__(store, size, stored)
        shares = [(span, min(count, max(1, span.stop - span.start - 1))) for span, count in spread(spans, pairs)]
        self.plan = [(span, k, count) for span, count in shares for k in range(count)]

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, index: int) -> Sample:
        """Pair `index`, not augmented."""
        span, k, count = self.plan[index]
        clip = self.store.clip(span.track_id)
        usable = clip.within(span)
        driving = usable[round((k + 1) / count * (len(usable) - 1))]
        return self.sample(clip, [int(clip.usable[0]), int(driving)], NONE, np.random.default_rng(0))
