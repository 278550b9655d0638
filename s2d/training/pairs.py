"""Pairs of frames of one track, decoded straight from Parquet row groups.

A loaded sample holds bytes, not yet images: pictures uint8 as they were decoded, and how they are to be changed.
`finished` makes images of a batch of them, on the device that trains.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
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
from s2d.training.augment import Augmentation, Change, as_images, change_images
from s2d.training.sampling import Mixture, PairRule
from s2d.training.split import Span, spread

Landmarks = Literal["aligned", "raw"]
Sample = dict[str, Tensor]
ROLES = ("source", "driving", "next")

_REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}


@dataclass(frozen=True)
class Clip:
    """One track in memory: pictures still compressed."""

    times: Array
    """(T,) seconds."""
    points: Float32
    """(T, 70, 2) normalised, for training images of the store's size."""
    jpeg: list[bytes]
    usable: npt.NDArray[np.intp]
    """Positions, in order, where a face was detected and all of the 68 landmarks are known; at least one."""

    def within(self, span: Span) -> npt.NDArray[np.intp]:
        """Usable positions inside `span`, which may be none where it is a part of the track."""
        return self.usable[(self.usable >= span.start) & (self.usable < span.stop)]

    @property
    def bytes(self) -> int:
        """Memory it takes, nearly."""
        return sum(map(len, self.jpeg)) + self.points.nbytes


class ClipStore:
    """Tracks of some data sets; the latest used stay in memory, `limit` bytes of them and always `least` tracks.

    Threads may share one: each track is read by the first that asks for it, while the others wait for that one only.
    """

    def __init__(self, data: Sequence[Shards], landmarks: Landmarks, size: int, limit: int) -> None:
        self.data, self.landmarks, self.size, self.limit, self.least = tuple(data), landmarks, size, limit, 1
        self.stored = int(data[0].metadata["crop_size"])
        self._clips: OrderedDict[tuple[int, str], Clip] = OrderedDict()
        self._held = 0
        self._lock = Lock()
        self._reading: dict[tuple[int, str], Lock] = {}

    def clip(self, span: Span) -> Clip:
        """The whole track of `span`, from memory or from its row group. Raises S2DError where it cannot be used."""
        key = span.data, span.track_id
        with self._lock:
            gate = self._reading.setdefault(key, Lock())
        with gate:
            found = self._held_clip(key)
            return self._keep(key, self._read(span)) if found is None else found

    def _held_clip(self, key: tuple[int, str]) -> Clip | None:
        with self._lock:
            if key in self._clips:
                self._clips.move_to_end(key)
            return self._clips.get(key)

    def _keep(self, key: tuple[int, str], clip: Clip) -> Clip:
        with self._lock:
            if key in self._clips:
                return self._clips[key]
            self._clips[key] = clip
            self._held += clip.bytes
            while self._held > self.limit and len(self._clips) > self.least:
                gone, old = self._clips.popitem(last=False)
                self._held -= old.bytes
                self._reading.pop(gone, None)
        return clip

    def _read(self, span: Span) -> Clip:
        frames = self.data[span.data].frames(span.track_id)
        points = frames.aligned if self.landmarks == "aligned" else frames.raw
        usable = np.flatnonzero(np.isfinite(points[:, CONTOUR_68]).all((1, 2)) & (frames.score > 0))
        if frames.jpeg is None or not len(usable):
            why = "without pictures" if frames.jpeg is None else "without a detected face"
            remedy = "curate without --no-jpeg into another --out" if frames.jpeg is None else "curate its video again"
            raise S2DError(f"cannot train on track {span.track_id}", f"it is {why}", remedy)
        pixels = Crop(0, 0, self.stored).points(points, self.size)
        placed = to_normalized(pixels, self.size, self.size).astype(np.float32)
        return Clip(frames.time, placed, frames.jpeg, usable)

    def pictures(self, images: Image, clip: Clip, positions: Sequence[int]) -> None:
        """Fill `images` (F, S, S, 3) uint8 with those at `positions`. Raises S2DError where one is damaged."""
        try:
            for image, position in zip(images, positions, strict=True):
                decode_into(image, clip.jpeg[position], self.stored)
        except ValueError as error:
            raise S2DError("cannot read a stored crop", str(error), "curate the videos again") from error


def decode_into(image: Image, data: bytes, stored: int) -> None:
    """Fill `image` (S, S, 3) uint8 with the RGB of a stored crop (stored x stored JPEG), S <= stored, area-averaged.

    Halvings are done inside the JPEG decoder, on its frequencies: several times faster, and the grid stays centred.
    Raises ValueError when the bytes are no JPEG.
    """
    size = len(image)
    factor = next((f for f in _REDUCED if stored % f == 0 and stored // f >= size), 1)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED.get(factor, cv2.IMREAD_COLOR))
    if decoded is None:
        raise ValueError("these bytes are no JPEG picture")
    if decoded.shape[0] != size:
        decoded = cv2.resize(decoded, (size, size), interpolation=cv2.INTER_AREA)
    cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, dst=image)


class TrainingPairs(Dataset[Sample]):
    """Endless: sample n follows from (seed, n) alone. `consecutive` adds the frame after the driving one.

    A sample holds frames (F, S, S, 3) uint8 and points (F, 70, 2) normalised, NaN where not known: source, driving and
    perhaps the frame after; the points have gone through the change that mirrored () and colours (3, 4) are to make of
    the pictures, see `s2d.training.augment.Change`.
    """

    def __init__(
        self, store: ClipStore, spans: Sequence[Sequence[Span]], order: Mixture, seed: int, rule: PairRule,
        augmentation: Augmentation, consecutive: bool,
    ) -> None:  # fmt: skip
        self.store, self.spans, self.order, self.seed = store, spans, order, seed
        self.rule, self.augmentation, self.consecutive = rule, augmentation, consecutive

    def __len__(self) -> int:
        """Samples in one round over the tracks: what --trainer.overfit_batches takes its share of."""
        return self.order.round

    def __getitem__(self, number: int) -> Sample:
        """Sample `number`, which it also carries as `number`."""
        return {name: value[0] for name, value in self.batch([number]).items()}

    def batch(self, numbers: Sequence[int]) -> Sample:
        """Samples as a batch: each picture is decoded to its place there, and not moved again."""
        size = self.store.size
        frames = torch.empty((len(numbers), 2 + self.consecutive, size, size, 3), dtype=torch.uint8)
        points, changes = [], []
        for images, number in zip(frames.numpy(), numbers, strict=True):
            # drawing and decoding in turn: threads wait for each other where Python computes, so that must be brief
            clip, positions, marks, change = self._draw(number)
            self.store.pictures(images, clip, positions)
            points.append(marks)
            changes.append(change)
        return {
            "frames": frames,
            "points": torch.from_numpy(np.stack(points)),
            "mirrored": torch.tensor([change.mirrored for change in changes]),
            "colours": torch.from_numpy(np.stack([change.colours for change in changes]).astype(np.float32)),
            "number": torch.tensor(numbers),
        }

    def _draw(self, number: int) -> tuple[Clip, list[int], Float32, Change]:
        """What sample `number` is: its clip, the frames there, their landmarks as changed, and the change."""
        rng = np.random.default_rng([self.seed, 1, number])
        clip, usable = self._track(number)
        source, driving = (int(usable[place]) for place in self.rule.draw(clip.times[usable], rng))
        positions = [source, driving]
        if self.consecutive:  # at the end of a track the frame itself: it then asks for no change
            positions.append(driving + int(driving + 1 in usable))
        change = self.augmentation.draw(rng)
        return clip, positions, self.augmentation.disturb(change.points(clip.points[positions]), rng), change

    def _track(self, number: int) -> tuple[Clip, npt.NDArray[np.intp]]:
        """The clip of sample `number` and its usable frames: where its span has none, of the next track that has some.

        Only here, because to know it beforehand every track would have to be read. Raises S2DError when none has any.
        """
        data, track = self.order.track(number)
        spans = self.spans[data]
        for step in range(len(spans)):
            span = spans[(track + step) % len(spans)]
            clip = self.store.clip(span)
            if len(usable := clip.within(span)):
                return clip, usable
        why, remedy = "no track has a detected face in its part to train on", "raise data.until, lower data.val_share"
        raise S2DError("cannot train", why, remedy)


class ValidationPairs(Dataset[Sample]):
    """The same pairs every time: the first frame of each track, driven to frames evenly spread over its span.

    The held-out end of a track without a detected face is left out. Raises S2DError when all are.
    """

    def __init__(self, store: ClipStore, spans: Sequence[Span], pairs: int) -> None:
        self.store = store
        shares = [(span, min(count, max(1, span.stop - span.start - 1))) for span, count in spread(spans, pairs)]
        self.plan = [(span, k, count) for span, count in shares if self._shown(span) for k in range(count)]
        if spans and not self.plan:
            raise S2DError("cannot validate", "no held-out frame shows a detected face", "raise data.val_share")

    def _shown(self, span: Span) -> bool:
        """A whole track always has a face, and need not be read to know it."""
        return span.start == 0 or len(self.store.clip(span).within(span)) > 0

    def __len__(self) -> int:
        return len(self.plan)

    def positions(self, index: int) -> tuple[int, int]:
        """Frames of pair `index` within its track: source, driving."""
        span, k, count = self.plan[index]
        clip = self.store.clip(span)
        usable = clip.within(span)
        return int(clip.usable[0]), int(usable[round((k + 1) / count * (len(usable) - 1))])

    def __getitem__(self, index: int) -> Sample:
        """Pair `index`, not augmented."""
        return self.sample(self.plan[index][0], self.positions(index))

    def sample(self, span: Span, positions: Sequence[int]) -> Sample:
        """Frames of one track as they are stored."""
        clip, size = self.store.clip(span), self.store.size
        frames = torch.empty((len(positions), size, size, 3), dtype=torch.uint8)
        self.store.pictures(frames.numpy(), clip, positions)
        return {"frames": frames, "points": torch.from_numpy(clip.points[list(positions)])}


def finished(batch: Sample) -> Sample:
    """Images of a batch of loaded samples, on the device that it is on.

    Gives source and driving (B, 3, S, S) float32 in [0, 1] with source_points and driving_points (B, 70, 2), for a
    third frame next and next_points, and whatever else the batch holds.
    """
    images, points = as_images(batch["frames"]), batch["points"]
    if "mirrored" in batch:
        images = change_images(images, batch["mirrored"], batch["colours"].float())
    made = {name: value for name, value in batch.items() if name not in ("frames", "points", "mirrored", "colours")}
    for name, image, marks in zip(ROLES, images.unbind(1), points.unbind(1), strict=False):
        made |= {name: image.contiguous(), f"{name}_points": marks.contiguous()}
    return made
