"""The LightningDataModule over a curated data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from s2d.errors import S2DError
from s2d.shards.reader import Dataset as Shards
from s2d.shards.reader import open_dataset
from s2d.training.augment import Augmentation
from s2d.training.pairs import ClipStore, Landmarks, Sample, TrainingPairs, ValidationPairs
from s2d.training.sampling import ClipOrder, PairRule, StreamSampler
from s2d.training.split import Split, split_tracks

MIN_EPOCH = 4096  # pairs; an epoch is only bookkeeping here, and a shorter one would be mostly that
MUST_AGREE = ("layout", "detector", "size", "landmarks", "seed", "visit", "window")

_AUGMENTATION = Augmentation()
_RULE = PairRule()


class FaceDataModule(pl.LightningDataModule):
    """Pairs of frames of one face, from JPEG crops and landmarks in Parquet; see `s2d.training.pairs` for a batch."""

    def __init__(
        self,
        path: str,
        size: int = 64,
        batch_size: int = 16,
        landmarks: Landmarks = "aligned",
        consecutive: bool = False,
        pair: PairRule = _RULE,
        augmentation: Augmentation = _AUGMENTATION,
        val_share: float = 0.15,
        val_identities: list[str] | None = None,
        val_pairs: int = 64,
        visit: int = 32,
        window: int = 16,
        workers: int = 0,
        cache_mb: int = 256,
        seed: int = 0,
    ) -> None:
        """What to read and how.

        Args:
            path: folder of the data set.
            size: side of the training images in pixels, at most that of the stored crops.
            batch_size: pairs per step and process.
            landmarks: which of the stored landmarks to train on.
            consecutive: also load the frame after the driving one, for the coherence loss.
            pair: how far apart the frames of a pair are.
            augmentation: what is changed in both.
            val_share: share of identities held out for validation (of a single identity: of each track).
            val_identities: names of the identities to hold out instead.
            val_pairs: pairs in a validation, at most; at least one per held-out track up to that number.
            visit: pairs drawn from a track before the next one is read.
            window: tracks read at a time, so that a batch shows several faces; fewer when so many of the longest would
                not fit into cache_mb, because samples go round them and each would be read anew for every sample.
            workers: processes that load; 0 loads in the training process.
            cache_mb: memory for tracks held by every loading process, in MiB.
            seed: of the order, the pairs and the augmentation.

        Raises S2DError when a number cannot be meant.
        """
        super().__init__()
        least = {"size": (size, 1), "batch_size": (batch_size, 1), "val_pairs": (val_pairs, 1), "visit": (visit, 1)}
        least |= {"window": (window, 1), "workers": (workers, 0), "cache_mb": (cache_mb, 0), "seed": (seed, 0)}
        wrong = [f"{name} is {value}, not {low} or more" for name, (value, low) in least.items() if value < low]
        wrong += [] if 0 <= val_share < 1 else [f"val_share is {val_share}, not from 0 to less than 1"]
        if wrong:
            raise S2DError(f"cannot train on {path}", ", ".join(wrong), "change the --data options")
        self.path, self.size, self.batch_size, self.landmarks = path, size, batch_size, landmarks
        self.consecutive, self.pair, self.augmentation = consecutive, pair, augmentation
        self.val_share, self.val_identities, self.val_pairs = val_share, val_identities, val_pairs
        self.visit, self.window, self.workers = visit, window, workers
        self.cache_mb, self.seed = cache_mb, seed
        self.split: Split | None = None
        self._known = {"samples": 0, "batches": 0}
        """Samples that all processes together had trained on after that many batches."""

    def setup(self, stage: str | None = None) -> None:
        """Open the data set and part it.

        Raises S2DError when it is missing, empty, without pictures, of another layout or too small for `size`.
        """
        if self.split is not None:
            return
        asked = f"cannot train on {self.path}"
        shards = open_dataset(self.path)
        self.stored = _usable_crop(shards, self.size, asked)
        self.split = split_tracks(shards.tracks(), self.val_share, self.val_identities, asked)
        self.provenance = {key: str(shards.metadata[key]) for key in ("layout", "detector", "crop_size")}
        store = ClipStore(shards, self.landmarks, self.cache_mb * 2**20)
        longest = max(self.split.train, key=lambda span: span.stop)
        fitting = store.limit // store.clip(longest.track_id).bytes  # complains now rather than in a worker
        store.least = max(1, min(self.window, fitting))
        order = ClipOrder(len(self.split.train), self.visit, store.least, self.seed)
        self.training_pairs = TrainingPairs(
            store, self.size, self.stored, self.split.train, order, self.pair, self.augmentation, self.consecutive
        )
        validation = self.split.validation
        self.validation_pairs = ValidationPairs(store, self.size, self.stored, validation, self.val_pairs)

    def train_dataloader(self) -> DataLoader[Sample]:
        """An endless stream in epochs of whole rounds over the tracks; goes on where the trainer stands."""
        replicas, rank = (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        rounds = -(-MIN_EPOCH // self.training_pairs.order.round)
        per_process = max(1, rounds * self.training_pairs.order.round // (self.batch_size * replicas)) * self.batch_size
        sampler = StreamSampler(per_process, self._position, replicas, rank)
        return DataLoader(
            self.training_pairs,
            self.batch_size,
            sampler=sampler,
            drop_last=True,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=_one_thread,
            pin_memory=torch.cuda.is_available(),
        )

    def val_dataloader(self) -> DataLoader[Sample]:
        """The same held-out pairs every time; few enough for the training process itself."""
        return DataLoader(self.validation_pairs, self.batch_size)

    def _position(self) -> int:
        """Samples that all processes together have trained on so far."""
        if self.trainer is None:
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
        return {**self._identity(), "samples": self._position(), "batches": self._batches()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Raises S2DError when the checkpoint was trained on data of another make."""
        mine = self._identity()
        for key in MUST_AGREE:
            if state_dict.get(key) != mine[key]:
                why = f"{key} is {mine[key]}, but {state_dict.get(key)} in the checkpoint"
                raise S2DError(f"cannot resume on {self.path}", why, "resume with the data and options it began with")
        self._known = {name: int(state_dict[name]) for name in ("samples", "batches")}

    def _identity(self) -> dict[str, Any]:
        order = self.training_pairs.order
        stream = {"seed": order.seed, "visit": order.visit, "window": order.window}
        return {**self.provenance, "size": self.size, "landmarks": self.landmarks, **stream}


def _one_thread(_: int) -> None:
    cv2.setNumThreads(0)  # a worker is itself the parallelism


def _usable_crop(shards: Shards, size: int, asked: str) -> int:
    """Side of the stored crops; S2DError when they will not do for training images of `size`."""
    tracks = shards.tracks()
    if "identity" not in tracks:
        raise S2DError(asked, "a single frames part does not say who is seen", "give the data set's folder")
    if tracks.empty:
        raise S2DError(asked, "no video in it has a usable face", "see `s2d inspect` for the reasons")
    stored = int(shards.metadata["crop_size"])
    if stored < size:
        raise S2DError(asked, f"crops of {stored} px, smaller than data.size {size}", "lower data.size or curate again")
    return stored
