"""The truth of a synthetic clip as a file: Parquet beside its video, readable with nothing but pandas.

A row per frame: frame, time (seconds), points (140 float32: x0, y0, x1, ... in pixels of the frame, (0, 0) the centre
of the top-left pixel), visible (70 booleans), dropped (a benchmark is to lose this frame's detection), and the head's
yaw, pitch and roll in degrees. The file's metadata names layout, variant, seed and the version of s2d.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from s2d import __version__
from s2d.errors import S2DError
from s2d.files import whole_file
from s2d.geometry import Array, Float32
from s2d.landmarks import layout
from s2d.landmarks.synthetic.clip import SyntheticClip
from s2d.landmarks.synthetic.motion import VARIANTS

TABLE, SCHEMA_VERSION = "truth", "1"
SUFFIX = ".parquet"
CUSTOM = "custom"  # name of a variant that is not in VARIANTS
PREFIX = "s2d."


def _column(name: str, kind: pa.DataType, description: str, unit: str = "") -> pa.Field:
    return pa.field(name, kind, nullable=False, metadata={"description": description, "unit": unit})


def _flat(kind: pa.DataType, count: int) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False), count)


SCHEMA = pa.schema(
    [
        _column("frame", pa.int64(), "frame number in the video"),
        _column("time", pa.float64(), "presentation time", "second"),
        _column("points", _flat(pa.float32(), 2 * layout.COUNT), "true x0, y0, x1, ...", "frame px"),
        _column("visible", _flat(pa.bool_(), layout.COUNT), "false under closed lids and behind an occluder"),
        _column("dropped", pa.bool_(), "true where a benchmark is to lose the detection"),
        _column("yaw", pa.float32(), "turn of the head; positive is to the image's right", "degree"),
        _column("pitch", pa.float32(), "nod of the head; positive is upwards", "degree"),
        _column("roll", pa.float32(), "tilt of the head; positive is clockwise as seen", "degree"),
    ]
)


@dataclass(frozen=True)
class Truth:
    """What a truth file holds: T frames of exactly known landmarks, in frame pixels."""

    times: Array
    """(T,) seconds."""
    truth: Float32
    """(T, 70, 2) landmarks, `ibug70` order."""
    visible: npt.NDArray[np.bool_]
    """(T, 70) False for what no picture shows."""
    dropped: npt.NDArray[np.bool_]
    """(T,) True where a benchmark is to drop the detection."""
    angles: Float32
    """(T, 3) yaw, pitch and roll of the head, degrees."""
    metadata: Mapping[str, str]
    """layout, variant, seed, version, ... without their prefix."""

    def __len__(self) -> int:
        return len(self.times)


def truth_path(video: str | Path) -> Path:
    """Where the truth of a video stands: beside it, same stem."""
    return Path(video).with_suffix(SUFFIX)


def variant_name(clip: SyntheticClip) -> str:
    """The clip's variant as VARIANTS names it, else "custom"."""
    return next((name for name, variant in VARIANTS.items() if variant == clip.variant), CUSTOM)


def write_truth(clip: SyntheticClip, path: str | Path, extra: Mapping[str, str] | None = None) -> None:
    """Write the truth of `clip`, with `extra` entries in the metadata; same clip, same bytes.

    Raises S2DError when `path` cannot be written.
    """
    columns = [
        pa.array(np.arange(len(clip)), pa.int64()),
        pa.array(clip.times, pa.float64()),
        _lists(clip.truth.astype(np.float32), "points"),
        _lists(clip.visible, "visible"),
        pa.array(clip.dropped, pa.bool_()),
        *(pa.array(values.astype(np.float32)) for values in (clip.states.yaw, clip.states.pitch, clip.states.roll)),
    ]
    facts = {
        "table": TABLE,
        "schema_version": SCHEMA_VERSION,
        "layout": layout.NAME,
        "variant": variant_name(clip),
        "seed": str(clip.seed),
        "size": str(clip.size),
        "fps": repr(float(clip.fps)),
        "version": __version__,
        **(extra or {}),
    }
    schema = SCHEMA.with_metadata({PREFIX + name: value for name, value in facts.items()})
    with whole_file(Path(path)) as temporary:
        # fixed format choices: bytes depend on content alone
        pq.write_table(
            pa.Table.from_arrays(columns, schema=schema), temporary, version="2.6", compression="zstd",
            use_dictionary=False,
        )  # fmt: skip


def _lists(values: npt.NDArray[Any], name: str) -> pa.Array:
    kind = SCHEMA.field(name).type
    flat = pa.array(np.ascontiguousarray(values).reshape(-1), kind.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def is_truth(path: str | Path) -> bool:
    """Whether this file is Parquet and says that it is the truth of a synthetic clip; any other file is not."""
    return truth_metadata(path).get("table") == TABLE


def truth_metadata(path: str | Path) -> dict[str, str]:
    """The `s2d.` entries of a Parquet file's metadata without that prefix; empty for any other file, or for none."""
    try:
        entries = pq.read_schema(path).metadata or {}
    except (pa.ArrowException, OSError):
        return {}
    named = {key.decode(): value.decode() for key, value in entries.items() if key.startswith(PREFIX.encode())}
    return {name.removeprefix(PREFIX): value for name, value in named.items()}


def read_truth(path: str | Path) -> Truth:
    """Read what `write_truth` wrote.

    Raises S2DError when there is no such file, it is damaged or something else, or has another layout.
    """
    asked = f"cannot read the truth {path}"
    if not Path(path).is_file():
        raise S2DError(asked, "no such file", "make clips with `s2d synth`")
    try:
        table = pq.ParquetFile(path).read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise S2DError(asked, str(error).splitlines()[0], "make it again with `s2d synth`") from error
    metadata = truth_metadata(path)
    if metadata.get("table") != TABLE or not set(SCHEMA.names) <= set(table.column_names):
        raise S2DError(asked, "it is not the truth of a synthetic clip", "make clips with `s2d synth`")
    if metadata.get("layout") != layout.NAME:
        raise S2DError(asked, f"landmark layout {metadata.get('layout')}, not {layout.NAME}", "make it again")
    count = table.num_rows
    return Truth(
        times=_values(table, "time"),
        truth=_flattened(table, "points").reshape(count, layout.COUNT, 2),
        visible=_flattened(table, "visible").reshape(count, layout.COUNT),
        dropped=_values(table, "dropped"),
        angles=np.stack([_values(table, name) for name in ("yaw", "pitch", "roll")], axis=-1),
        metadata=metadata,
    )


def _values(table: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.array(table[name].to_numpy())


def _flattened(table: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.array(table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False))
