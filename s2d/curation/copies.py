"""Copies: videos that are, or look like, one that was kept before them.

Most equal files are told before any work (`duplicates.py`). Here are told those behind URLs, clips of equal
files, which would have tracks of the same names, and near copies, of which not a byte may be the same.

Settled when a video is published, in the order of the inputs, so that neither the number of workers nor a run that was
killed has a say. One comparison is a few machine words: 100,000 videos are compared with all before them in about two
minutes, which is nothing beside the days of their detection.

What is not told: a video that holds another one, or a part of it. It has another duration, and its fingerprint is of
all of it. To keep such from both sides of a split, give their files one identity (one folder).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from s2d.curation.duplicates import DUPLICATE
from s2d.curation.fingerprint import BITS, as_words, distances
from s2d.curation.limits import Filters
from s2d.curation.staging import Staged
from s2d.shards.reader import finished_shards, read_part
from s2d.shards.writer import part_path
from s2d.storage import Location

SAME_DURATION = 0.05  # a copy is as long as its original, but for this share; most takes of one session are not
COLUMNS = ["video", "outcome", "sha256", "span", "fingerprint", "seconds"]
SPAN = ("shot", "face", "start_frame", "end_frame", "frames")


class Copies:
    """The contents and fingerprints of the videos kept so far: a few hundred bytes each."""

    def __init__(self, filters: Filters) -> None:
        self._filters = filters.of_videos
        self._by_content: dict[tuple[str, str | None], str] = {}
        self._names: list[str] = []
        self._words = np.empty((BITS // 32, 64), np.uint32)
        self._seconds = np.empty(64)

    def add_published(self, out: Location) -> None:
        """Take in what the data set in the folder `out` has kept."""
        for shard in finished_shards(out):
            part = read_part(part_path(out, "videos", shard), COLUMNS)
            for row in part.to_pylist():
                if row["outcome"] == "kept":
                    self._add(row)

    def settle(self, result: Staged) -> Staged:
        """The same result; filtered, if it was kept, where an earlier video is it, or is too near.

        Only then is that video named. In all rows it would depend on what was there before: a video that is tried again
        after the others would make a data set of other bytes.
        """
        if result.video["outcome"] != "kept":
            return result
        original = self._by_content.get(_content(result.video))
        if original is not None:
            return _filtered(result, f"same content as {original}", {"reason": DUPLICATE, "value": None, "limit": None})
        nearest = self._nearest(result.video)
        refusal = self._filters.refused(nearest)
        if refusal is not None:
            result = replace(result, video={**result.video, **nearest})
            return _filtered(result, f"looks like {nearest['nearest_video']}: {refusal.detail}", refusal.as_dict())
        self._add(result.video)
        return result

    def _nearest(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Columns that name the most similar video of the same duration; of several, the first by name."""
        count = len(self._names)
        if not row.get("fingerprint") or not count:
            return {}
        apart = np.abs(self._seconds[:count] - row["seconds"])
        distance = distances(as_words(row["fingerprint"]), self._words[:, :count])
        distance[apart > SAME_DURATION * row["seconds"]] = np.inf
        least = float(distance.min())
        if least == np.inf:
            return {}
        return {
            "nearest_video": min(self._names[index] for index in np.flatnonzero(distance == least)),
            "nearest_distance": least,
        }

    def _add(self, row: Mapping[str, Any]) -> None:
        self._by_content[_content(row)] = row["video"]
        if not row.get("fingerprint"):
            return
        count = len(self._names)
        if count == len(self._seconds):
            self._words = np.concatenate([self._words, np.empty_like(self._words)], axis=1)
            self._seconds = np.concatenate([self._seconds, np.empty_like(self._seconds)])
        self._words[:, count], self._seconds[count] = as_words(row["fingerprint"]), row["seconds"]
        self._names.append(row["video"])


def _content(row: Mapping[str, Any]) -> tuple[str, str | None]:
    """What a video shows: a file by its hash, and the part of it."""
    return row["sha256"], row.get("span")


def _filtered(result: Staged, detail: str, why: dict[str, Any]) -> Staged:
    lost = [{name: track[name] for name in SPAN} | why for track in result.tracks]
    row = {**result.video, "outcome": "filtered", "detail": detail, "tracks": 0, "track_frames": 0, **why}
    row["filtered_tracks"] = [*row["filtered_tracks"], *lost]
    return replace(result, video=row, tracks=[])
