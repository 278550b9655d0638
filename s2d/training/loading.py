"""Batches ahead of training, by threads.

Threads, not processes: OpenCV decodes without Python's lock, so they do not wait for each other, nothing is copied or
passed on, they share the tracks in memory, and they start at once however large the data set is. Processes of torch's
DataLoader delivered half as many frames: of each, a third of the time went into handing it over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from s2d.training.pairs import Sample, TrainingPairs
from s2d.training.sampling import StreamSampler

AHEAD = 2  # batches that are made for each thread before they are asked for


class PairLoader(Sized):
    """An epoch of batches of training pairs, in the order of the sampler; may be iterated again for the next epoch."""

    def __init__(
        self, pairs: TrainingPairs, sampler: StreamSampler, batch_size: int, threads: int, pin: bool = False
    ) -> None:
        """`threads` 0 loads when a batch is asked for; `pin` makes batches that go to a GPU without a copy."""
        self.pairs, self.sampler, self.batch_size, self.threads, self.pin = pairs, sampler, batch_size, threads, pin

    def __len__(self) -> int:
        return len(self.sampler) // self.batch_size

    def __iter__(self) -> Iterator[Sample]:
        """What cannot be read raises S2DError when its batch is asked for."""
        numbers = iter(self.sampler)
        batches = (list(islice(numbers, self.batch_size)) for _ in range(len(self)))
        return self._ahead(batches) if self.threads else map(self._load, batches)

    def _ahead(self, batches: Iterator[list[int]]) -> Iterator[Sample]:
        pool = ThreadPoolExecutor(self.threads, "s2d-loader")
        try:
            coming: deque[Future[Sample]] = deque()
            for batch in batches:
                coming.append(pool.submit(self._load, batch))
                if len(coming) > AHEAD * self.threads:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _load(self, numbers: list[int]) -> Sample:
        batch = self.pairs.batch(numbers)
        return {name: value.pin_memory() for name, value in batch.items()} if self.pin else batch
