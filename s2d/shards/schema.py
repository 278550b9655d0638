"""The three tables of a data set: their columns, and the metadata that says how they were made.

    DIR/videos/part-<shard>.parquet    a row per source video: what became of it and why
    DIR/tracks/part-<shard>.parquet    a row per track: where it is and how good it is
    DIR/frames/part-<shard>.parquet    a row per frame: landmarks and, if wanted, the picture

Row i of a tracks part belongs to row group i of the frames part of the same shard. A shard counts only when its videos
part exists: it is written last. To add a column: add it here, fill it where the table's rows are made, and raise
SCHEMA_VERSION if an old reader would misread the file. A new nullable column needs no new version: older readers pass
over it, and `s2d.shards.reader` gives null for it where a part was written before it was thought of.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from s2d import __version__
from s2d.geometry import Floats
from s2d.landmarks import layout

SCHEMA_VERSION = "1"
TABLES = ("videos", "tracks", "frames")
OUTCOMES = ("kept", "filtered", "failed")
_SPLIT = "train, val or test, where the data set publishes a split; null elsewhere"
_PERCENT = "% of inter-ocular"
_PER_FRAME_2 = "% of inter-ocular / frame^2"
UNITS = {
    "points": "pixels (x, y) of the stored crop; (0, 0) is the centre of the top-left pixel",
    "time": "presentation time in seconds",
    "crop": "pixels of the video as displayed",
}


def _column(name: str, kind: pa.DataType, description: str, unit: str = "", nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description, "unit": unit})


def _measure(name: str, description: str, unit: str) -> pa.Field:
    """A quality column: null where the measure does not exist, such as a yaw without eyes."""
    return _column(name, pa.float32(), description, unit, nullable=True)


def _flat(kind: pa.DataType, count: int) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False), count)


_POINTS = _flat(pa.float32(), 2 * layout.COUNT)
_FLAGS = _flat(pa.bool_(), layout.COUNT)


_FILTERED_TRACK = pa.struct(
    [
        pa.field("shot", pa.int32(), nullable=False),
        pa.field("face", pa.int32(), nullable=False),
        pa.field("start_frame", pa.int64(), nullable=False),
        pa.field("end_frame", pa.int64(), nullable=False),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("limit", pa.float64()),
    ]
)

VIDEOS = pa.schema(
    [
        _column("video", pa.string(), "name in the data set: the input's name and the path below it"),
        _column("path", pa.string(), "path of the file as it was given"),
        _column("identity", pa.string(), "who is seen: by the recipe, or first folder below the input or file's name"),
        _column("split", pa.string(), _SPLIT, nullable=True),
        _column("span", pa.string(), "the part of the file, as in its name; null for all of it", nullable=True),
        _column("sha256", pa.string(), "hash of the file's content; null where it was not read", nullable=True),
        _column("bytes", pa.int64(), "size of the file", "byte"),
        _column("outcome", pa.string(), "kept, filtered or failed"),
        _column("reason", pa.string(), "why it was not kept, in words that repeat; empty when kept"),
        _column("detail", pa.string(), "why, for this very video: one sentence; empty when kept"),
        _column("value", pa.float64(), "measured value that the filter refused", nullable=True),
        _column("limit", pa.float64(), "the filter's limit for that value", nullable=True),
        _column("width", pa.int32(), "width as displayed", "pixel", nullable=True),
        _column("height", pa.int32(), "height as displayed", "pixel", nullable=True),
        _column("fps", pa.float64(), "average frame rate", "1/second", nullable=True),
        _column("frames", pa.int64(), "frames in the video or clip", "count", nullable=True),
        _column("seconds", pa.float64(), "duration of the video or clip", "second", nullable=True),
        _column("shots", pa.int32(), "shots between cuts", "count", nullable=True),
        _column("face_frames", pa.int64(), "frames in which a face was found", "count", nullable=True),
        _column("brief_faces", pa.int32(), "faces seen too briefly to make a track", "count", nullable=True),
        _column("bar_left", pa.int32(), "width of the black bar at the left edge", "pixel", nullable=True),
        _column("bar_top", pa.int32(), "height of the black bar at the top", "pixel", nullable=True),
        _column("bar_right", pa.int32(), "width of the black bar at the right edge", "pixel", nullable=True),
        _column("bar_bottom", pa.int32(), "height of the black bar at the bottom", "pixel", nullable=True),
        _column("bar_share", pa.float64(), "part of the picture that black bars cover", "0 to 1", nullable=True),
        _column("fingerprint", pa.string(), "what it looks like: s2d.curation.fingerprint, as hex", nullable=True),
        _column("nearest_video", pa.string(), "the kept video that it is a near copy of", nullable=True),
        _column("nearest_distance", pa.float64(), "differing bits of the two fingerprints", "0 to 1", nullable=True),
        _column("tracks", pa.int32(), "tracks kept", "count"),
        _column("track_frames", pa.int64(), "frames in the tracks kept", "count"),
        _column("filtered_tracks", pa.list_(_FILTERED_TRACK), "tracks found but not kept, and why"),
    ]
)

TRACKS = pa.schema(
    [
        _column("track_id", pa.string(), "unique name: file name, content hash, shot and face"),
        _column("video", pa.string(), "name of the video in the videos table"),
        _column("identity", pa.string(), "who is seen, as in the videos table"),
        _column("split", pa.string(), _SPLIT, nullable=True),
        _column("shot", pa.int32(), "number of the shot in its video, from 0"),
        _column("face", pa.int32(), "number of the track in its shot, from 0"),
        _column("start_frame", pa.int64(), "first frame number in the video"),
        _column("end_frame", pa.int64(), "last frame number in the video (inclusive)"),
        _column("start_time", pa.float64(), "presentation time of the first frame", "second"),
        _column("end_time", pa.float64(), "presentation time of the last frame", "second"),
        _measure("seconds", "duration of the track", "second"),
        _column("fps", pa.float64(), "average frame rate of the video", "1/second"),
        _column("frames", pa.int32(), "frames in the track", "count"),
        _column("crop_left", pa.int32(), "first column of the crop; may be negative", "video pixel"),
        _column("crop_top", pa.int32(), "first row of the crop; may be negative", "video pixel"),
        _column("crop_side", pa.int32(), "side of the square crop, before it is resampled", "video pixel"),
        _column("detector", pa.string(), "detector that found it"),
        _measure("face_px", "median of the longer side of the face box", "video pixel"),
        _measure("interocular_px", "median distance of the outer eye corners", "video pixel"),
        _measure("box_share", "share of detections in the box that the clip was published with", "0 to 1"),
        _measure("sharpness", "median over frames of s2d.curation.quality.sharpness", "1"),
        _measure("brightness", "median over frames of the face's mean luma", "0 to 1"),
        _measure("yaw_min", "smallest yaw; positive is to the image's right", "degree"),
        _measure("yaw_max", "largest yaw", "degree"),
        _measure("pitch_min", "smallest pitch; positive is upwards", "degree"),
        _measure("pitch_max", "largest pitch", "degree"),
        _measure("roll_min", "smallest roll; positive is clockwise as seen", "degree"),
        _measure("roll_max", "largest roll", "degree"),
        _measure("abs_yaw", "largest yaw to either side", "degree"),
        _measure("abs_pitch", "largest pitch, up or down", "degree"),
        _measure("abs_roll", "largest roll, either way", "degree"),
        _measure("mouth_open_min", "smallest opening between the inner lips", "inter-ocular"),
        _measure("mouth_open_max", "largest opening between the inner lips", "inter-ocular"),
        _measure("eye_open_min", "smallest opening of the lids, mean of both eyes", "inter-ocular"),
        _measure("eye_open_max", "largest opening of the lids, mean of both eyes", "inter-ocular"),
        _measure("valid_share", "share of frames in which the face was detected", "0 to 1"),
        _measure("score", "mean confidence of the detector over the frames where it found the face", "0 to 1"),
        _measure("disagreement", "median over frames of their disagreement", _PERCENT),
        _measure("hidden_share", "mean over frames of their hidden_share", "0 to 1"),
        _measure("motion", "change of the picture: s2d.curation.quality.PictureMeter", "grey level"),
        _measure("expression", "change of the face's shape: s2d.curation.quality.expression_range", _PERCENT),
        _measure("jitter_raw", "mean acceleration of the raw landmarks within the face", _PER_FRAME_2),
        _measure("jitter_aligned", "mean acceleration of the aligned landmarks within the face", _PER_FRAME_2),
    ]
)

FRAMES = pa.schema(
    [
        _column("track_id", pa.string(), "track that the frame belongs to"),
        _column("frame", pa.int64(), "frame number in the video"),
        _column("time", pa.float64(), "presentation time", "second"),
        _column("raw", _POINTS, "detected x0, y0, x1, ...; NaN where not found", "crop px"),
        _column("aligned", _POINTS, "after temporal alignment: x0, y0, ...", "crop px"),
        _column("score", pa.float32(), "confidence of the detector; 0 where it missed the face", "0 to 1"),
        _column("valid", _FLAGS, "true where raw is a detection"),
        _measure("sharpness", "fine detail of the face: s2d.curation.quality.sharpness", "1"),
        _measure("brightness", "mean luma of the face", "0 to 1"),
        _measure("yaw", "turn of the aligned landmarks; positive is to the image's right", "degree"),
        _measure("pitch", "positive is upwards", "degree"),
        _measure("roll", "positive is clockwise as seen", "degree"),
        _measure("mouth_open", "opening between the inner lips", "inter-ocular"),
        _measure("eye_open", "opening of the lids, mean of both eyes", "inter-ocular"),
        _measure("disagreement", "mean distance of raw and aligned landmarks", _PERCENT),
        _measure("hidden_share", "share of landmarks that something else passes over", "0 to 1"),
        _column("jpeg", pa.binary(), "the crop as a JPEG of crop_size x crop_size; null if not stored", nullable=True),
    ]
)

FRAME_MEASURES = tuple(field.name for field in FRAMES if field.nullable and field.name != "jpeg")

SCHEMAS: Mapping[str, pa.Schema] = {"videos": VIDEOS, "tracks": TRACKS, "frames": FRAMES}


@dataclass(frozen=True)
class Provenance:
    """How a data set was made; two folders with the same `config_hash` were made alike and may be joined."""

    detector: str
    """Name of the landmark detector."""
    detector_version: str
    """Version of its weights and decoding."""
    alignment: Mapping[str, Any]
    """Parameters of the temporal alignment."""
    crop_size: int
    """Side of the stored crop in pixels."""
    config: Mapping[str, Any]
    """Everything else that decides what is stored: filters, pictures or none."""

    def settings(self) -> dict[str, Any]:
        """All that must agree within one data set, flat, as plain JSON values; what is infinite is None."""
        made = {
            "schema_version": SCHEMA_VERSION,
            "layout": layout.NAME,
            "detector": self.detector,
            "detector_version": self.detector_version,
            "crop_size": self.crop_size,
            **{f"alignment.{name}": value for name, value in self.alignment.items()},
            **self.config,
        }
        return dict(json.loads(_json(made)))

    @cached_property
    def config_hash(self) -> str:
        """16 hexadecimal digits over `settings()`; asked for several times a video."""
        return hashlib.sha256(_json(self.settings()).encode()).hexdigest()[:16]

    def metadata(self, table: str) -> dict[str, str]:
        """Key-value metadata of a part of `table` (one of TABLES); read back by `read_metadata`."""
        return {
            "s2d.table": table,
            "s2d.schema_version": SCHEMA_VERSION,
            "s2d.layout": layout.NAME,
            "s2d.units": _json(UNITS),
            "s2d.detector": self.detector,
            "s2d.detector_version": self.detector_version,
            "s2d.alignment": _json(self.alignment),
            "s2d.crop_size": str(self.crop_size),
            "s2d.version": __version__,
            "s2d.config": _json(self.settings()),
            "s2d.config_hash": self.config_hash,
        }

    def schema(self, table: str) -> pa.Schema:
        """The table's schema with the metadata in it."""
        return SCHEMAS[table].with_metadata(self.metadata(table))


def _json(value: object) -> str:
    """JSON as RFC 8259 has it, which knows no infinite numbers: they are null. Raises ValueError for NaN."""
    return json.dumps(_finite(value), sort_keys=True, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and math.isinf(value) else value


_AS_JSON = frozenset({"units", "alignment", "config", "crop_size"})


def read_metadata(schema: pa.Schema) -> dict[str, Any]:
    """The `s2d.` entries of a schema's metadata without that prefix; empty for a file of another origin.

    >>> made = Provenance("mesh", "1", {"smooth": 2}, 256, {"min_face_px": 64})
    >>> back = read_metadata(made.schema("frames"))
    >>> back["table"], back["crop_size"], back["alignment"]
    ('frames', 256, {'smooth': 2})
    """
    entries = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    ours = {key.removeprefix("s2d."): value for key, value in entries.items() if key.startswith("s2d.")}
    return {key: json.loads(value) if key in _AS_JSON else value for key, value in ours.items()}


def flat_points(points: Floats) -> pa.Array:
    """Landmarks (T, 70, 2) as a column of fixed-size lists of 140 float32; NaN stays NaN."""
    values = np.ascontiguousarray(points, np.float32).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(values, pa.float32()), type=_POINTS)


def flat_flags(flags: np.typing.NDArray[np.bool_]) -> pa.Array:
    """Flags (T, 70) as a column of fixed-size lists of 70 booleans."""
    values = pa.array(np.ascontiguousarray(flags).reshape(-1), pa.bool_())
    return pa.FixedSizeListArray.from_arrays(values, type=_FLAGS)
