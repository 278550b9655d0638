"""The LightningDataModule over one or several curated data sets."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from s2d.errors import S2DError
from s2d.shards.reader import Dataset as Shards
from s2d.shards.reader import finished_shards, open_dataset
from s2d.storage import location
from s2d.training.augment import Augmentation
from s2d.training.loading import PairLoader
from s2d.training.pairs import ClipStore, Landmarks, Sample, TrainingPairs, ValidationPairs, finished
from s2d.training.sampling import ClipOrder, Mixture, PairRule, StreamSampler, shares_of
from s2d.training.split import Span, Split, join_tracks, split_tracks

MIN_EPOCH = 4096  # pairs; an epoch is only bookkeeping here, and a shorter one would be mostly that
MIB = 2**20
SAME_LANDMARKS = ("layout", "detector")  # else they mean other places
MADE_ALIKE = (*SAME_LANDMARKS, "crop_size")
MUST_AGREE = (*MADE_ALIKE, "size", "landmarks", "seed", "visit", "window", "shares", "tracks")

_AUGMENTATION = Augmentation()
_RULE = PairRule()


class FaceDataModule(pl.LightningDataModule):
    """Pairs of frames of one face, from JPEG crops and landmarks in Parquet; see `s2d.training.pairs` for a batch."""

    def __init__(
        self,
        path: list[str] | str,
        size: int = 64,
        batch_size: int = 16,
        landmarks: Landmarks = "aligned",
        consecutive: bool = False,
        pair: PairRule = _RULE,
        augmentation: Augmentation = _AUGMENTATION,
        val_share: float = 0.15,
        val_identities: list[str] | None = None,
        val_pairs: int = 64,
        until: float = 1.0,
        visit: int = 32,
        window: int = 16,
        workers: int = 0,
        cache_mb: int = 256,
        seed: int = 0,
        weights: list[float] | None = None,
    ) -> None:
        """What to read and how.

        Args:
            path: folder of the data set, or several of one layout, detector and crop size. An identity that is in
                several of them is one person, and on one side only.
            size: side of the training images in pixels, at most that of the stored crops.
            batch_size: pairs per step and process.
            landmarks: which of the stored landmarks to train on.
            consecutive: also load the frame after the driving one, for the coherence loss.
            pair: how far apart the frames of a pair are.
            augmentation: what is changed in both.
            val_share: share of identities held out for validation (of a single identity: of each track).
            val_identities: names of the identities to hold out instead.
            val_pairs: pairs in a validation, at most; at least one per held-out track up to that number.
            until: share of every training track that is trained on, from its beginning; on what is left the same people
                can be tested, with `s2d evaluate --start`.
            visit: pairs drawn from a track before the next one is read.
            window: tracks read at a time, so that a batch shows several faces; fewer when so many of the longest would
                not fit into cache_mb, because samples go round them and each would be read anew for every sample.
            workers: threads that load ahead of training; 0 loads when a batch is asked for.
            cache_mb: memory for tracks held by every training process, in MiB.
            seed: of the order, the pairs and the augmentation.
            weights: of each of several data sets, relative to each other, in the pairs drawn; None draws by their
                numbers of tracks.

        Raises S2DError when a number cannot be meant.
        """
        super().__init__()
        self.paths = [path] if isinstance(path, str) else list(path)
        self.asked = f"cannot train on {', '.join(self.paths) or 'nothing'}"
        least = {"size": (size, 1), "batch_size": (batch_size, 1), "val_pairs": (val_pairs, 1), "visit": (visit, 1)}
        least |= {"window": (window, 1), "workers": (workers, 0), "cache_mb": (cache_mb, 0), "seed": (seed, 0)}
        wrong = [f"{name} is {value}, not {low} or more" for name, (value, low) in least.items() if value < low]
        wrong += [] if 0 <= val_share < 1 else [f"val_share is {val_share}, not from 0 to less than 1"]
        wrong += [] if 0 < until <= 1 else [f"until is {until}, not above 0 and at most 1"]
        wrong += _wrong_paths(self.paths, weights)
        if wrong:
            raise S2DError(self.asked, ", ".join(wrong), "change the --data options")
        self.weights, self.size, self.batch_size, self.landmarks = weights, size, batch_size, landmarks
        self.consecutive, self.pair, self.augmentation = consecutive, pair, augmentation
        self.val_share, self.val_identities, self.val_pairs = val_share, val_identities, val_pairs
        self.until, self.visit, self.window, self.workers = until, visit, window, workers
        self.cache_mb, self.seed = cache_mb, seed
        self.split: Split | None = None
        self._known = {"samples": 0, "batches": 0}
        """Samples that all processes together had trained on after that many batches."""

    def setup(self, stage: str | None = None) -> None:
        """Open the data sets and part them.

        Raises S2DError when one is missing, empty, without pictures, of another layout or too small for `size`, or they
        were not made alike.
        """
        if self.split is not None:
            return
        data = [open_dataset(path) for path in self.paths]
        self.provenance = _common_provenance(self.paths, data)
        tables = [_usable_tracks(shards, path) for path, shards in zip(self.paths, data, strict=True)]
        self.tracks = join_tracks(tables)
        if (stored := int(self.provenance["crop_size"])) < self.size:
            why = f"crops of {stored} px, smaller than data.size {self.size}"
            raise S2DError(self.asked, why, "lower data.size or curate again")
        self.split = split_tracks(self.tracks, self.val_share, self.val_identities, self.asked)
        store = ClipStore(data, self.landmarks, self.size, self.cache_mb * MIB)
        begun = [replace(span, stop=max(2, round(self.until * span.stop))) for span in self.split.train]
        spans, order = self._order(begun, store)
        self.training_pairs = TrainingPairs(
            store, spans, order, self.seed, self.pair, self.augmentation, self.consecutive
        )
        self.validation_pairs = ValidationPairs(store, self.split.validation, self.val_pairs)

    def _order(self, spans: Sequence[Span], store: ClipStore) -> tuple[list[list[Span]], Mixture]:
        """The training spans by data set, where it has any, and in which order they are visited."""
        longest = max(spans, key=lambda span: span.stop)
        fitting = store.limit // store.clip(longest).bytes  # complains now rather than in a worker
        store.least = max(1, min(self.window, fitting))
        parted = [[span for span in spans if span.data == number] for number in range(len(self.paths))]
        used = [number for number, part in enumerate(parted) if part]
        shares = shares_of([self.weights[n] if self.weights else len(parted[n]) for n in used])
        windows = [max(1, store.least * share // sum(shares)) for share in shares]
        orders = [
            ClipOrder(len(parted[n]), self.visit, window, self.seed) for n, window in zip(used, windows, strict=True)
        ]
        return [parted[n] for n in used], Mixture(tuple(orders), shares)

    def train_dataloader(self) -> PairLoader:
        """An endless stream in epochs of whole rounds over the tracks; goes on where the trainer stands."""
        replicas, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        rounds = -(-MIN_EPOCH // self.training_pairs.order.round)
        per_process = max(1, rounds * self.training_pairs.order.round // (self.batch_size * replicas)) * self.batch_size
        sampler = StreamSampler(per_process, self._position, replicas, rank)
        return PairLoader(self.training_pairs, sampler, self.batch_size, self.workers, torch.cuda.is_available())

    def on_after_batch_transfer(self, batch: Sample, dataloader_idx: int) -> Sample:
        """Images of the bytes that were loaded, now that they are where the model is, in the precision it trains in.

        The trainer converted the batch before, when its images were bytes.
        """
        made: Sample = self.trainer.precision_plugin.convert_input(finished(batch)) if self.trainer else finished(batch)
        return made

    def val_dataloader(self) -> DataLoader[Sample]:
        """The same held-out pairs every time; few enough for the training process itself."""
        return DataLoader(self.validation_pairs, self.batch_size)

    def _position(self) -> int:
        """Samples that all processes together have trained on so far; with --trainer.overfit_batches always none."""
        if self.trainer is None or vars(self.trainer).get("overfit_batches"):
            return 0
        since = self._batches() - self._known["batches"]
        return self._known["samples"] + since * self.batch_size * self.trainer.world_size

    def _batches(self) -> int:
        """Batches that each process has trained on so far, before it was resumed too."""
        if self.trainer is None:
            return 0
        return int(self.trainer.fit_loop.epoch_loop.batch_progress.total.state_dict()["processed"])

    def state_dict(self) -> dict[str, Any]:
        """How far it is in the stream, and what a resumed run must agree with; batches may be of another size then."""
        return {**self.identity(), "samples": self._position(), "batches": self._batches()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Raises S2DError when the checkpoint was trained on data of another make."""
        self.check_resumed(state_dict)
        self._known = {name: int(state_dict[name]) for name in ("samples", "batches")}

    def check_resumed(self, state_dict: Mapping[str, Any]) -> None:
        """Raises S2DError when a run with this state was on data of another make, or in another order."""
        mine = self.identity()
        for key in MUST_AGREE:
            if state_dict.get(key) != mine[key]:
                why = f"{key} is {mine[key]}, but {state_dict.get(key)} in the checkpoint"
                why = "the tracks it trains on differ" if key == "tracks" else why
                remedy = "resume with the data and options it began with"
                raise S2DError(self.asked.replace("train", "resume", 1), why, remedy)

    def check_landmarks(self, trained_on: Mapping[str, str], asked: str) -> None:
        """Raises S2DError, opening with `asked`, when weights were trained on landmarks of another make."""
        for key in SAME_LANDMARKS:
            if key in trained_on and trained_on[key] != self.provenance[key]:
                why = f"{key} was {trained_on[key]} there, but is {self.provenance[key]} in {', '.join(self.paths)}"
                raise S2DError(asked, why, "curate the videos as they were for those weights, or train from the start")

    def identity(self) -> dict[str, Any]:
        """What decides which pictures and landmarks come in which order: plain values."""
        order = self.training_pairs.order
        window = sum(part.window for part in order.orders)
        stream: dict[str, Any] = {"seed": self.seed, "visit": self.visit, "window": window}
        tracks = [[(span.track_id, span.start, span.stop) for span in spans] for spans in self.training_pairs.spans]
        stream |= {"shares": list(order.shares), "tracks": _digest(tracks)}
        return {**self.provenance, "size": self.size, "landmarks": self.landmarks, **stream}

    def identity_of(self, span: Span) -> str:
        """Who is seen in a track."""
        return str(self._row(span)["identity"])

    def rate(self, span: Span) -> float:
        """Average frames a second of the video that a track is from."""
        return float(self._row(span)["fps"])

    def _row(self, span: Span) -> Mapping[str, Any]:
        here = (self.tracks["data"] == span.data) & (self.tracks["track_id"] == span.track_id)
        return dict(self.tracks[here].iloc[0])

    def content_hashes(self) -> dict[str, str]:
        """For each data set 16 hexadecimal digits of its content: of its shards, which are named by theirs."""
        return {path: content_hash(path) for path in self.paths}


def content_hash(path: str) -> str:
    """16 hexadecimal digits that follow from the settings and videos of the data set in a folder or behind a URL."""
    return _digest(finished_shards(location(path)))


def _digest(plain: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]


def _wrong_paths(paths: Sequence[str], weights: Sequence[float] | None) -> list[str]:
    wrong = [] if paths else ["path names no data set"]
    wrong += [f"{path} is named twice" for path in sorted(set(paths)) if paths.count(path) > 1]
    if weights is not None:
        wrong += [f"there are {len(weights)} weights for {len(paths)} data sets"] if len(weights) != len(paths) else []
        wrong += [f"the weight {weight} is not above 0" for weight in weights if not 0 < weight < math.inf]
    return wrong


def _common_provenance(paths: Sequence[str], data: Sequence[Shards]) -> dict[str, str]:
    """MADE_ALIKE of the data sets. Raises S2DError where they differ."""
    first, *others = [{key: str(shards.metadata[key]) for key in MADE_ALIKE} for shards in data]
    for path, other in zip(paths[1:], others, strict=True):
        for key in MADE_ALIKE:
            if other[key] != first[key]:
                why = f"{key} is {other[key]}, but {first[key]} in {paths[0]}"
                raise S2DError(f"cannot train on {path} beside {paths[0]}", why, "curate them alike")
    return first


def _usable_tracks(shards: Shards, path: str) -> pd.DataFrame:
    """The table of tracks. Raises S2DError when there are none."""
    asked, tracks = f"cannot train on {path}", shards.tracks()
    if "identity" not in tracks:
        raise S2DError(asked, "a single frames part does not say who is seen", "give the data set's folder")
    if tracks.empty:
        raise S2DError(asked, "no video in it has a usable face", "see `s2d inspect` for the reasons")
    return tracks
