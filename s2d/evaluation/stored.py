"""Methods of landmark tracking compared on a curated data set: stored landmarks, stored crops, no detector.

"raw" and "aligned" are measured as they are stored; any other method runs on the stored raw landmarks. Everything is
in pixels of the stored crop, whose frames are the stored JPEGs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from s2d import progress
from s2d.errors import S2DError
from s2d.geometry import Crop, Float32, Image
from s2d.images import decode_jpeg
from s2d.landmarks.comparison import METHODS, Comparison, Footage, Frames, Method, compare_track
from s2d.landmarks.layout import CONTOUR_68
from s2d.landmarks.tracking import Track
from s2d.shards.reader import Dataset, TrackFrames, open_dataset
from s2d.storage import location

MOST_TRACKS = 20


def is_dataset(path: str | Path) -> bool:
    """Whether this can only be a data set: a folder, or a Parquet file, which is a part of its frames."""
    place = location(path)
    return place.suffix == ".parquet" or place.is_dir()


def choose_tracks(dataset: Dataset, track_id: str | None = None, most: int = MOST_TRACKS) -> list[str]:
    """The track that is asked for, or all; of more than `most`, that many, evenly spread over the data set.

    Raises S2DError when there is no such track, or none at all.
    """
    if track_id is not None:
        dataset.row_group(track_id)
        return [track_id]
    ids = [str(name) for name in dataset.tracks()["track_id"]]
    if not ids:
        raise S2DError("cannot measure the data set", "it holds no tracks", "curate a video with a face into it")
    return [ids[index] for index in np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(int)]


def compare_dataset(
    path: str | Path,
    methods: Mapping[str, Method] = METHODS,
    *,
    track_id: str | None = None,
    most: int = MOST_TRACKS,
) -> Comparison:
    """All methods on tracks of a data set's folder or frames file, chosen by `choose_tracks`.

    Without stored pictures there are no figures against the picture. Raises S2DError when it is no data set, there is
    no such track, its file is damaged, or a method needs pictures that are not stored. Memory: one track.
    """
    dataset = open_dataset(path)
    return compare_stored(dataset, choose_tracks(dataset, track_id, most), methods)


def compare_stored(dataset: Dataset, track_ids: Sequence[str], methods: Mapping[str, Method] = METHODS) -> Comparison:
    """All methods on these tracks of an open data set; errors as in `compare_dataset`."""
    compared = (
        compare_track(stored_footage(dataset, name), methods)
        for name in progress.track(track_ids, "measuring tracks", len(track_ids))
    )
    return Comparison([track for track in compared if track is not None])


def stored_footage(dataset: Dataset, track_id: str) -> Footage:
    """One track as the methods see it; its pictures are read from the file each time that they are asked for.

    Raises S2DError when its times do not increase.
    """
    rows = dataset.frames(track_id)
    if not (np.diff(rows.time) > 0).all():
        path, _ = dataset.row_group(track_id)
        raise S2DError(f"cannot measure {track_id}", "its times do not increase", f"{path} is damaged")
    track = Track(
        shot=0,
        face=0,
        frames=rows.frame,
        times=rows.time,
        raw=np.where(rows.valid[..., None], rows.raw, np.float32(np.nan)),
        valid=rows.valid,
        score=rows.score,
        boxes=_boxes(rows.raw),
        crop=Crop(0, 0, int(dataset.metadata["crop_size"])),
    )
    stored = {"raw": track.raw, "aligned": rows.aligned}
    return Footage(track_id, track, _pictures(dataset, rows), stored=stored)


def _boxes(raw: Float32) -> Float32:
    """(T, 70, 2) to boxes (T, 4) around the 68 points; NaN where any is missing."""
    outline = raw[:, list(CONTOUR_68)]
    return np.concatenate([outline.min(axis=1), outline.max(axis=1)], axis=1)


def _pictures(dataset: Dataset, rows: TrackFrames) -> Frames | None:
    return None if rows.jpeg is None else lambda: _decoded(dataset, rows.track_id)


def _decoded(dataset: Dataset, track_id: str) -> Iterator[Image]:
    try:
        yield from map(decode_jpeg, dataset.frames(track_id).jpeg or [])
    except ValueError as error:
        path, _ = dataset.row_group(track_id)
        raise S2DError(f"cannot read a picture of {track_id}", str(error), f"{path} is damaged") from error
