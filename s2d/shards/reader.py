"""Parquet in: a data set as tables of videos and tracks, and the frames of one track at a time.

The landmarks of all large faces, track by track:

    dataset = open_dataset("data/talking")
    for track_id in dataset.tracks().query("face_px > 200").track_id:
        frames = dataset.frames(track_id)
        print(track_id, frames.aligned.shape)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from s2d.errors import S2DError
from s2d.geometry import Float32
from s2d.landmarks import layout
from s2d.shards.schema import FRAME_MEASURES, SCHEMA_VERSION, TRACKS, VIDEOS, read_metadata
from s2d.shards.writer import part_path
from s2d.storage import Location, location, reaching
from s2d.wording import first_few

if TYPE_CHECKING:
    import pandas as pd

Given = TypeVar("Given")
Result = TypeVar("Result")

AGREE = ("layout", "schema_version", "crop_size")  # besides `Provenance.settings`, which must all agree
READERS = 8
PICTURELESS = ("frame", "time", "raw", "aligned", "score", "valid", *FRAME_MEASURES)


@dataclass(frozen=True)
class TrackFrames:
    """All T frames of one track, in order; landmarks in pixels of the stored crop."""

    track_id: str
    frame: npt.NDArray[np.int64]
    """(T,) frame numbers in the video."""
    time: npt.NDArray[np.float64]
    """(T,) presentation times in seconds."""
    raw: Float32
    """(T, 70, 2) detections; NaN where nothing was found."""
    aligned: Float32
    """(T, 70, 2) after temporal alignment; NaN where the detector never has that point."""
    valid: npt.NDArray[np.bool_]
    """(T, 70) True where `raw` is a detection."""
    score: Float32
    """(T,) confidence of the detector."""
    jpeg: list[bytes] | None
    """T pictures of the crop (see `s2d.images.decode_jpeg`); None where none are stored or none were asked for."""
    measures: Mapping[str, Float32]
    """Quality by frame, (T,) each, by the names and in the units of the schema's FRAME_MEASURES; NaN where unknown."""


class Dataset:
    """A data set on disk. Holds only an index of its tracks; may be pickled to other processes."""

    def __init__(self, metadata: dict[str, Any], shards: list[_Shard]) -> None:
        self.metadata = metadata
        """Layout, detector, alignment, crop_size, ... as in `s2d.shards.schema.Provenance`."""
        self._shards = shards
        self._index: dict[str, tuple[int, int]] = {}
        for number, shard in enumerate(shards):
            for row, track in enumerate(shard.track_ids):
                other, _ = self._index.setdefault(track, (number, row))
                if self._index[track] != (number, row):
                    raise _twice(track, shards[other].frames, shard.frames)

    def __len__(self) -> int:
        """Number of tracks."""
        return len(self._index)

    def videos(self) -> pd.DataFrame:
        """A row per source video, sorted by name; columns as in `s2d.shards.schema.VIDEOS`. A lone part has none."""
        files = [shard.videos for shard in self._shards if shard.videos]
        return _frame(files, VIDEOS, ["video"])

    def tracks(self) -> pd.DataFrame:
        """A row per track, sorted by video; columns as in `s2d.shards.schema.TRACKS`.

        A lone part of frames has only the columns track_id and frames.
        """
        files = [shard.tracks for shard in self._shards if shard.tracks]
        if not files:
            lengths = [count for shard in self._shards for count in shard.lengths]
            return _pandas(pa.table({"track_id": list(self._index), "frames": lengths}))
        return _frame(files, TRACKS, ["video", "shot", "face"])

    def row_group(self, track_id: str) -> tuple[Location, int]:
        """The frames part that holds a track, and the number of its row group there.

        Raises S2DError when the data set has no such track.
        """
        if track_id not in self._index:
            remedy = "`s2d inspect DATA --tracks` lists them all"
            raise S2DError(f"cannot find track {track_id}", self._instead_of(track_id), remedy)
        shard, row = self._index[track_id]
        return self._shards[shard].frames, row

    def _instead_of(self, track_id: str) -> str:
        """The tracks that begin like one that is not there; without any, the first."""
        near = [name for name in self._index if name.startswith(track_id)]
        if near:
            return f"the data set has none of exactly this name, did you mean {first_few(near)}?"
        return f"the data set has {len(self)}: {first_few(list(self._index)) or 'none at all'}"

    def frames(self, track_id: str, *, jpeg: bool = True) -> TrackFrames:
        """All frames of one track; without the pictures for `jpeg=False`, which is much quicker.

        Raises S2DError when there is no such track or its file is damaged.
        """
        path, row = self.row_group(track_id)
        columns = [*PICTURELESS, "jpeg"] if jpeg else list(PICTURELESS)
        return _track_frames(track_id, _guard(path, lambda: _read_group(path, row, columns)))


def open_dataset(path: str | Location) -> Dataset:
    """Open a data set's folder, or a single part file of its frames; a path, or a URL such as s3://bucket/data.

    Raises S2DError when there is none, it is damaged, it has another layout or schema version, or its parts were made
    by different detectors or with different settings.
    """
    place = location(path)
    with reaching(place):
        if place.is_dir():
            shards = _shards_of(place)
        elif place.is_file():
            shards = [_lone_part(place)]
        else:
            raise S2DError(f"cannot open the data set {path}", "no such file or folder", "make one with `s2d curate`")
    return Dataset(_common_metadata(shards), shards)


@dataclass(frozen=True)
class _Shard:
    videos: Location | None
    tracks: Location | None
    frames: Location
    track_ids: Sequence[str]
    metadata: dict[str, Any]
    lengths: Sequence[int] = ()


def finished_shards(folder: Location) -> list[str]:
    """Ids of the shards that are whole: those with a videos part, sorted."""
    with reaching(folder):
        return sorted(part.stem.removeprefix("part-") for part in (folder / "videos").glob("part-*.parquet"))


def read_part(path: Location, columns: list[str] | None = None) -> pa.Table:
    """A part of videos or tracks as a table; raises S2DError when it is damaged."""

    def read() -> pa.Table:
        with open_parquet(path) as file:
            return file.read(columns, use_threads=False)

    return _guard(path, read)


@contextmanager
def open_parquet(path: Location) -> Iterator[pq.ParquetFile]:
    """A part, for reading; row groups of a remote one are fetched as they are asked for."""
    if isinstance(path, Path):
        with pq.ParquetFile(path) as file:
            yield file
    else:
        with path.open() as source, pq.ParquetFile(source) as file:
            yield file


def _shards_of(folder: Location) -> list[_Shard]:
    found = finished_shards(folder)
    if not found:
        inside = folder.name in ("videos", "tracks", "frames") and finished_shards(folder.parent)
        remedy = f"give {folder.parent}" if inside else "make a data set of videos with `s2d curate`"
        raise S2DError(f"cannot open the data set {folder}", "nothing of one is in it", remedy)
    return _at_once(lambda shard: _whole_shard(folder, shard), found)


def _at_once(read: Callable[[Given], Result], what: Sequence[Given]) -> list[Result]:
    """`read` for each, in order; several at a time, because a data set has thousands of small parts."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(read, what))


def _whole_shard(folder: Location, shard: str) -> _Shard:
    videos, tracks, frames = (part_path(folder, table, shard) for table in ("videos", "tracks", "frames"))
    for part in (tracks, frames):
        if not part.is_file():
            raise _damaged(part, "it is missing")
    table = read_part(tracks, ["track_id"])
    metadata = _checked_metadata(tracks, table.schema, "tracks")
    return _Shard(videos, tracks, frames, table.column("track_id").to_pylist(), metadata)


def _lone_part(path: Location) -> _Shard:
    if not _is_parquet(path):
        raise S2DError(f"cannot open {path}", "it is no Parquet file", "give a folder made by `s2d curate`")

    def schema() -> pa.Schema:
        with open_parquet(path) as file:
            return file.schema_arrow

    def tracks() -> tuple[list[str], list[int]]:
        with open_parquet(path) as file:
            groups = range(file.num_row_groups)
            ids = [file.read_row_group(n, ["track_id"])["track_id"][0].as_py() for n in groups]
            return ids, [file.metadata.row_group(n).num_rows for n in groups]

    metadata = _checked_metadata(path, _guard(path, schema), "frames")
    ids, lengths = _guard(path, tracks)
    return _Shard(None, None, path, ids, metadata, lengths)


def _is_parquet(path: Location) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _checked_metadata(path: Location, schema: pa.Schema, table: str) -> dict[str, Any]:
    asked, metadata = f"cannot open {path}", read_metadata(schema)
    if "schema_version" not in metadata:
        raise S2DError(asked, "it is Parquet, but not from s2d", "give a folder made by `s2d curate`")
    if metadata["schema_version"] != SCHEMA_VERSION:
        why = f"schema version {metadata['schema_version']}, this s2d reads {SCHEMA_VERSION}"
        raise S2DError(asked, why, f"use s2d {metadata.get('version', 'of that time')} or curate again")
    if metadata["layout"] != layout.NAME:
        raise S2DError(asked, f"landmark layout {metadata['layout']}, not {layout.NAME}", "curate the videos again")
    if metadata["table"] != table:
        raise S2DError(asked, f"a part of {metadata['table']}, not of {table}", "give the data set's folder")
    return metadata


def _common_metadata(shards: Sequence[_Shard]) -> dict[str, Any]:
    first = shards[0].metadata
    ours = _settings(first)
    for shard in shards[1:]:
        theirs = _settings(shard.metadata)
        for name in sorted({*ours, *theirs}):
            was, now = ours.get(name), theirs.get(name)
            if was != now:
                plain = not isinstance(was, (list, dict)) and not isinstance(now, (list, dict))
                values = f"{now}, but {was} in" if plain else "another than in"
                remedy = "keep data sets of different makes in different folders"
                raise S2DError(f"cannot use {shard.frames}", f"{name} is {values} {shards[0].frames.name}", remedy)
    return {key: value for key, value in first.items() if key != "table"}


def _settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {**metadata.get("config", {}), **{key: metadata[key] for key in AGREE}}


def _twice(track: str, one: Location, other: Location) -> S2DError:
    remedy = "keep data sets of different makes in different folders"
    return S2DError(f"cannot use {other}", f"its track {track} is in {one.name} as well", remedy)


def _read_group(path: Location, row: int, columns: list[str]) -> pa.Table:
    with open_parquet(path) as file:
        return file.read_row_group(row, columns)


def _track_frames(track_id: str, table: pa.Table) -> TrackFrames:
    count = table.num_rows
    jpeg = table["jpeg"].to_pylist() if "jpeg" in table.column_names and not table["jpeg"].null_count else None
    return TrackFrames(
        track_id,
        frame=np.array(table["frame"].to_numpy()),
        time=np.array(table["time"].to_numpy()),
        raw=_flattened(table, "raw").reshape(count, layout.COUNT, 2),
        aligned=_flattened(table, "aligned").reshape(count, layout.COUNT, 2),
        valid=_flattened(table, "valid").reshape(count, layout.COUNT),
        score=np.array(table["score"].to_numpy()),
        jpeg=jpeg,
        measures={name: _measure(table, name) for name in FRAME_MEASURES},
    )


def _measure(table: pa.Table, name: str) -> Float32:
    """A nullable column, all NaN where the part was written before there was such a column."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan, np.float32)
    return np.array(table[name].to_numpy(), np.float32)


def _flattened(table: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.array(table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False))


def _frame(files: Sequence[Location], schema: pa.Schema, order: list[str]) -> pd.DataFrame:
    tables = _at_once(read_part, files)
    table = pa.concat_tables([_complete(part, schema).cast(schema) for part in tables] or [schema.empty_table()])
    return _pandas(table.sort_by([(name, "ascending") for name in order]).replace_schema_metadata(None))


def _complete(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of `schema`; those that an older s2d did not know are null."""
    for field in schema:
        if field.nullable and field.name not in part.column_names:
            part = part.append_column(field, pa.nulls(part.num_rows, field.type))
    return part.select(schema.names)


def _pandas(table: pa.Table) -> pd.DataFrame:
    made: pd.DataFrame = table.to_pandas()
    return made


def _guard(path: Location, read: Callable[[], Result]) -> Result:
    """Arrow's complaints about a damaged file as one line that names it; likewise those of a disk or a store."""
    with reaching(path):
        try:
            return read()
        except (pa.ArrowException, OSError, KeyError, IndexError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            if isinstance(error, OSError) and error.errno:  # Arrow's own have no number
                remedy = "check its permissions, the disk and the network"
                raise S2DError(f"cannot read {path}", error.strerror or why, remedy) from error
            raise _damaged(path, why) from error


def _damaged(path: Location, why: str) -> S2DError:
    name = path.name
    return S2DError(f"cannot read {path}", why, f"damaged: remove {name} from videos, tracks and frames, curate again")
