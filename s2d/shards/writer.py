"""Parquet out: a shard appears whole or not at all, and the same content gives the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from s2d.errors import S2DError
from s2d.files import sync
from s2d.geometry import Float32, Floats
from s2d.shards.schema import FRAME_MEASURES, FRAMES, TABLES, Provenance, flat_flags, flat_points
from s2d.storage import Location, Remote

Row = Mapping[str, Any]


def part_path(folder: Location, table: str, shard: str) -> Location:
    """Where the part of `table` that belongs to `shard` stands."""
    return folder / table / f"part-{shard}.parquet"


def shard_id(provenance: Provenance, videos: Sequence[Row]) -> str:
    """Name of a shard, from how it was made and the content and names of its videos: 16 hexadecimal digits."""
    digest = hashlib.sha256(provenance.config_hash.encode())
    for row in videos:
        digest.update(f"\n{row['video']}\t{row['sha256']}".encode())
    return digest.hexdigest()[:16]


class WriteError(S2DError):
    """The disk refused: a fault of the output, never of the video that is being written."""


@contextmanager
def writing(path: Location) -> Iterator[None]:
    """Turn what the operating system says about writing `path` into a WriteError."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise WriteError(f"cannot write {path}", why, "mend that and give the same command again") from error


class FramesWriter:
    """A frames file: one row group per track, in the order of `write`. Memory: one track. Raises WriteError."""

    def __init__(self, path: Path, provenance: Provenance) -> None:
        self._path, self._schema = path, provenance.schema("frames")
        with writing(path):
            self._writer = _open(path, self._schema)

    def write(self, track: pa.Table) -> None:
        """Append all frames of one track (see `frame_table`)."""
        with writing(self._path):
            self._writer.write_table(track.cast(self._schema), row_group_size=max(1, track.num_rows))

    def __enter__(self) -> FramesWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with writing(self._path):
            self._writer.close()


def frame_table(
    track_id: str,
    frame: npt.NDArray[np.int64],
    time: npt.NDArray[np.float64],
    raw: Float32,
    aligned: Float32,
    score: Float32,
    valid: npt.NDArray[np.bool_],
    jpeg: Sequence[bytes] | None,
    measures: Mapping[str, Floats] = MappingProxyType({}),
) -> pa.Table:
    """Rows of FRAMES for one track: (T,) frame, time, score; (T, 70, 2) raw, aligned in crop pixels; (T, 70) valid.

    `measures`: (T,) values of FRAME_MEASURES by name; what is NaN or not given is stored as null.
    """
    columns = [
        pa.array([track_id] * len(frame), pa.string()),
        pa.array(frame, pa.int64()),
        pa.array(time, pa.float64()),
        flat_points(raw),
        flat_points(aligned),
        pa.array(score, pa.float32()),
        flat_flags(valid),
        *(_nullable(measures.get(name), len(frame)) for name in FRAME_MEASURES),
        pa.nulls(len(frame), pa.binary()) if jpeg is None else pa.array(jpeg, pa.binary()),
    ]
    return pa.Table.from_arrays(columns, schema=FRAMES)


def _nullable(values: Floats | None, count: int) -> pa.Array:
    if values is None:
        return pa.nulls(count, pa.float32())
    return pa.array(np.asarray(values, np.float32), pa.float32(), from_pandas=True)


def write_shard(
    folder: Location,
    provenance: Provenance,
    videos: Sequence[Row],
    tracks: Sequence[Row],
    frames: Iterable[pa.Table],
    scratch: Path,
) -> str:
    """Write one shard below `folder` and return its id; see `make_shard` and `publish_shard`. Raises WriteError."""
    shard = make_shard(provenance, videos, tracks, frames, scratch)
    publish_shard(folder, shard, scratch)
    return shard


def make_shard(
    provenance: Provenance,
    videos: Sequence[Row],
    tracks: Sequence[Row],
    frames: Iterable[pa.Table],
    scratch: Path,
) -> str:
    """Make the three parts of a shard in the folder `scratch`, flushed to the disk, and return the shard's id.

    `frames` gives one table per row of `tracks`, in that order. Raises WriteError.
    """
    shard = shard_id(provenance, videos)
    made = {table: scratch_path(scratch, table, shard) for table in TABLES}
    with FramesWriter(made["frames"], provenance) as writer:
        for table in frames:
            writer.write(table)
    _write_rows(made["tracks"], provenance.schema("tracks"), tracks)
    _write_rows(made["videos"], provenance.schema("videos"), videos)
    with writing(scratch):
        for path in made.values():
            sync(path)
    return shard


def publish_shard(folder: Location, shard: str, scratch: Path) -> None:
    """Rename the parts of a shard from `scratch` (on the same file system) into place, the videos part last.

    Where `folder` is remote they are put there instead, in the same order, see `s2d.storage`.

    Whatever moment the machine stops at, readers see the shard whole or not at all; what was renamed before it stopped
    may be missing in `scratch`. Raises WriteError.
    """
    with writing(folder):
        for name in ("frames", "tracks", "videos"):
            made = scratch_path(scratch, name, shard)
            if made.exists():
                _publish(made, part_path(folder, name, shard))


def scratch_path(scratch: Path, table: str, shard: str) -> Path:
    """Where the part of `table` stands until its shard is published."""
    return scratch / f"{table}-{shard}.tmp"


def _publish(made: Path, target: Location) -> None:
    if isinstance(target, Remote):
        target.take_in(made)
        return
    target.parent.mkdir(exist_ok=True)
    made.replace(target)
    sync(target.parent)  # or a power cut could keep the next part and lose this one


def _write_rows(path: Path, schema: pa.Schema, rows: Sequence[Row]) -> None:
    with writing(path), _open(path, schema) as writer:
        writer.write_table(pa.Table.from_pylist(list(rows), schema=schema), row_group_size=max(1, len(rows)))


def _open(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    # Fixed format choices, so that bytes depend on content alone. Dictionaries help repeated names only, and smallest
    # and largest values only where someone selects by them, not for landmarks and pictures.
    plain = [
        field.name for field in schema if not pa.types.is_nested(field.type) and not pa.types.is_binary(field.type)
    ]
    names = [name for name in plain if pa.types.is_string(schema.field(name).type)]
    return pq.ParquetWriter(
        path, schema, version="2.6", compression="zstd", use_dictionary=names, write_statistics=plain
    )
