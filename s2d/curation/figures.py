"""A data set in figures, as plain values of bounded size however many tracks there are: what `s2d report` shows.

Limits are read from the settings in the data set's metadata: `min_` or `max_` before the name of a column.
Quality columns are, besides the lengths, whatever numbers stand in `s2d.shards.schema.TRACKS` behind "detector", with
their unit and description: a new column needs no line here, except in BETTER where one end of it is the good one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from s2d.curation.limits import Limit
from s2d.geometry import Array
from s2d.shards.schema import OUTCOMES, TRACKS, VIDEOS

if TYPE_CHECKING:
    import pandas as pd

LOW, HIGH = "low", "high"
BETTER: Mapping[str, str] = MappingProxyType(
    {
        "frames": HIGH,
        "seconds": HIGH,
        "face_px": HIGH,
        "interocular_px": HIGH,
        "sharpness": HIGH,
        "valid_share": HIGH,
        "score": HIGH,
        "disagreement": LOW,
        "hidden_share": LOW,
        "jitter_raw": LOW,
        "jitter_aligned": LOW,
    }
)
OF_VIDEOS = ("seconds", "height", "fps")  # columns of the videos table that are shown, too
BINS = 32
TAIL = 0.005  # share of values at either end that may lie beyond the bins; they are counted in the outermost
REASONS = 20  # that are listed, the rest in one row
EXAMPLES, MOST_EXAMPLES = 6, 90  # files listed of each reason, and of all
LARGEST = 10  # identities listed
GRID = 72  # cells along each side in which pairs of jitter are counted
REST = "all other reasons"


@dataclass(frozen=True)
class Histogram:
    """How the finite values of one column are spread; what lies beyond the edges is counted in the outermost bins."""

    column: str
    unit: str
    description: str
    edges: list[float]
    kept: list[int]
    filtered: list[int]
    """Tracks that a limit on this column refused."""
    known: int
    """Kept tracks that have a value."""
    missing: int
    least: float
    q5: float
    median: float
    q95: float
    most: float
    limits: list[float]
    """The run's filters on this column."""


def describe(metadata: dict[str, Any], videos: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, Any]:
    """All figures but those of single tracks, from the metadata and the tables of a `Dataset`."""
    tracks = tracks.assign(seconds=seconds_of(tracks))
    limits = _limits(metadata.get("config", {}))
    refused = _refused(videos, limits)
    return {
        "metadata": metadata,
        "totals": _totals(videos, tracks),
        "outcomes": _outcomes(videos),
        "reasons": _reasons(videos),
        "not_kept": _not_kept(videos),
        "filtered_tracks": _filtered_tracks(refused),
        "identities": _identities(tracks),
        "videos": _known(_of_videos(videos, name, limits) for name in _video_columns(limits)),
        "quality": _known(_quality(tracks, name, refused, limits) for name in measures()),
        "jitter": _jitter(tracks),
    }


def seconds_of(tracks: pd.DataFrame) -> pd.Series[float]:
    """How long each row of a tracks table lasts; by the average rate where an older s2d has not stored it."""
    seconds: pd.Series[float] = tracks["seconds"].astype(float).fillna(tracks["frames"] / tracks["fps"])
    return seconds


def _limits(settings: Mapping[str, Any]) -> list[Limit]:
    columns = {*TRACKS.names, *VIDEOS.names}
    return [
        Limit(name[4:], float(value), name.startswith("min_"))
        for name, value in settings.items()
        if name.startswith(("min_", "max_")) and name[4:] in columns and isinstance(value, (int, float))
    ]


def _known(histograms: Iterable[Histogram | None]) -> list[dict[str, Any]]:
    return [asdict(made) for made in histograms if made is not None]


def measures() -> list[str]:
    """Names of the columns of numbers by which tracks can be compared: their lengths and all quality columns."""
    behind = list(TRACKS)[TRACKS.get_field_index("detector") + 1 :]
    return ["frames", "seconds", *(field.name for field in behind if _is_number(field.type))]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def extremes(tracks: pd.DataFrame, column: str, each: int) -> tuple[list[int], list[int]]:
    """Rows with the lowest and with the highest values of a column, the most extreme first, at most `each`.

    No row is in both lists; rows without a value are in neither. Ties go by the order of the table.
    """
    values = _numbers(tracks[column])
    order = np.argsort(values, kind="stable")[: int(np.isfinite(values).sum())]
    lowest = order[: min(each, -(-len(order) // 2))]
    highest = order[::-1][: min(each, len(order) // 2)]
    return lowest.tolist(), highest.tolist()


def _totals(videos: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, Any]:
    return {
        "files": len(videos),
        "source_seconds": float(videos["seconds"].sum()),
        "tracks": len(tracks),
        "frames": int(tracks["frames"].sum()),
        "seconds": float(tracks["seconds"].sum()),
        "identities": int(tracks["identity"].nunique()),
    }


def _outcomes(videos: pd.DataFrame) -> list[dict[str, Any]]:
    counts = {name: int((videos.outcome == name).sum()) for name in OUTCOMES}
    return [{"outcome": name, "files": count, "share": _share(count, len(videos))} for name, count in counts.items()]


def _reasons(videos: pd.DataFrame) -> list[dict[str, Any]]:
    """By outcome, the commonest first; beyond REASONS the rest of an outcome is one row."""
    counted = videos[videos.outcome != "kept"].value_counts(["outcome", "reason"]).reset_index(name="files")
    counted = counted.sort_values(["files", "outcome", "reason"], ascending=[False, False, True])
    counted.loc[counted.index[REASONS:], "reason"] = REST
    rows = counted.groupby(["outcome", "reason"], sort=False)["files"].sum().reset_index()
    return [
        {"outcome": row.outcome, "reason": row.reason, "files": int(row.files), "share": _share(row.files, len(videos))}
        for name in OUTCOMES
        for row in rows[rows.outcome == name].itertuples()
    ]


def _not_kept(videos: pd.DataFrame) -> list[dict[str, Any]]:
    """Examples of each reason, failed files first; every reason comes before the next example of the same."""
    others = videos[videos.outcome != "kept"]
    others = others.assign(nth=others.groupby(["outcome", "reason"]).cumcount())
    chosen = others[others.nth < EXAMPLES].sort_values(["nth", "outcome", "reason", "video"]).head(MOST_EXAMPLES)
    chosen = chosen.sort_values(["outcome", "reason", "video"])
    chosen = chosen[["video", "outcome", "reason", "detail", "value", "limit"]].astype(object)
    rows: list[dict[str, Any]] = chosen.where(chosen.notna(), None).to_dict("records")
    return rows


@dataclass(frozen=True)
class _Refused:
    """Tracks left out for one reason, of all videos."""

    reason: str
    limit: float
    tracks: int
    values: Array
    """Those that are known."""
    frames: int
    column: str | None
    """What the limit is on; None where the settings do not tell."""


def _refused(videos: pd.DataFrame, limits: Sequence[Limit]) -> list[_Refused]:
    """By reason and limit, sorted."""
    grouped: dict[tuple[str, float], list[Any]] = {}
    for listed in videos["filtered_tracks"]:
        for track in listed:
            known = np.nan if track["limit"] is None else float(track["limit"])
            grouped.setdefault((track["reason"], known), []).append(track)
    found = []
    for (reason, limit), tracks in sorted(grouped.items(), key=lambda item: item[0]):
        values = np.array([track["value"] for track in tracks], np.float64)
        values = values[np.isfinite(values)]
        column = next((own.column for own in limits if (own.reason, own.value) == (reason, limit)), None)
        found.append(_Refused(reason, limit, len(tracks), values, sum(track["frames"] for track in tracks), column))
    return found


def _filtered_tracks(refused: Sequence[_Refused]) -> list[dict[str, Any]]:
    return [
        {
            "reason": group.reason,
            "column": group.column,
            "limit": group.limit,
            "tracks": group.tracks,
            "frames": group.frames,
            "least": float(group.values.min()) if len(group.values) else None,
            "median": float(np.median(group.values)) if len(group.values) else None,
            "most": float(group.values.max()) if len(group.values) else None,
        }
        for group in refused
    ]


def _identities(tracks: pd.DataFrame) -> dict[str, Any]:
    """Frames per identity: the largest by name, and how they are spread."""
    grouped = tracks.groupby("identity").agg(
        tracks=("track_id", "size"), frames=("frames", "sum"), seconds=("seconds", "sum")
    )
    grouped = grouped.reset_index().sort_values(["frames", "identity"], ascending=[False, True])
    field = pa.field("frames", pa.int64(), metadata={"unit": "count", "description": "frames of one identity"})
    spread = _histogram("frames", field, _numbers(grouped["frames"]), np.empty(0))
    total = int(grouped["frames"].sum())
    largest = [{**row, "share": _share(row["frames"], total)} for row in grouped.head(LARGEST).to_dict("records")]
    return {"count": len(grouped), "largest": largest, "frames": asdict(spread) if spread else None}


def _video_columns(limits: Sequence[Limit]) -> list[str]:
    limited = (limit.column for limit in limits if limit.column not in TRACKS.names)
    return list(dict.fromkeys([*OF_VIDEOS, *limited]))


def _of_videos(videos: pd.DataFrame, name: str, limits: Sequence[Limit]) -> Histogram | None:
    """What a limit on videos has refused stands in the column like the rest."""
    values = _numbers(videos[name])
    own = [limit for limit in limits if limit.column == name and name not in TRACKS.names]
    beyond = np.array([any(limit.is_broken_by(value) for limit in own) for value in values.tolist()], bool)
    return _histogram(name, VIDEOS.field(name), values[~beyond], values[beyond], own)


def _quality(tracks: pd.DataFrame, name: str, refused: Sequence[_Refused], limits: Sequence[Limit]) -> Histogram | None:
    left_out = np.concatenate([np.empty(0), *(group.values for group in refused if group.column == name)])
    own = [limit for limit in limits if limit.column == name]
    return _histogram(name, TRACKS.field(name), _numbers(tracks[name]), left_out, own)


def _meaning(field: pa.Field) -> tuple[str, str]:
    return field.metadata[b"unit"].decode(), field.metadata[b"description"].decode()


def _histogram(
    column: str, field: pa.Field, values: Array, left_out: Array, limits: Sequence[Limit] = ()
) -> Histogram | None:
    """None where no value is known."""
    unit, description = _meaning(field)
    known = values[np.isfinite(values)]
    together = np.concatenate([known, left_out])
    if not len(together):
        return None
    edges = np.linspace(0, 1, BINS + 1) if unit == "0 to 1" and np.ptp(together) == 0 else _edges(together)
    least, q5, median, q95, most = np.quantile(known, (0, 0.05, 0.5, 0.95, 1)).tolist() if len(known) else [np.nan] * 5
    return Histogram(
        column=column,
        unit=unit,
        description=description,
        edges=edges.tolist(),
        kept=_counts(known, edges),
        filtered=_counts(left_out, edges),
        known=len(known),
        missing=len(values) - len(known),
        least=least,
        q5=q5,
        median=median,
        q95=q95,
        most=most,
        limits=[limit.value for limit in limits],
    )


def _edges(values: Array) -> Array:
    """Edges of BINS equal bins, or of as many as there are whole numbers; from tail to tail.

    A single value stands in the middle of its bins.
    """
    low = float(np.quantile(values, TAIL, method="lower"))
    high = float(np.quantile(values, 1 - TAIL, method="higher"))
    if (values == np.round(values)).all() and 0 < high - low < BINS:
        return np.arange(low, high + 2) - 0.5
    if low == high:
        reach = 0.5 * max(abs(low), 1e-3)
        return np.linspace(low - reach, high + reach, BINS + 2)  # an odd number: the value is in the middle of one
    return np.linspace(low, high, BINS + 1)


def _counts(values: Array, edges: Array) -> list[int]:
    counted, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return [int(count) for count in counted]


def _jitter(tracks: pd.DataFrame) -> dict[str, Any] | None:
    """Raw against aligned on the same bins, and in pairs; None where no track has both."""
    raw, aligned = _numbers(tracks["jitter_raw"]), _numbers(tracks["jitter_aligned"])
    both = np.isfinite(raw) & np.isfinite(aligned)
    raw, aligned = raw[both], aligned[both]
    if not len(raw):
        return None
    most = float(np.quantile(np.concatenate([raw, aligned]), 1 - TAIL, method="higher")) or 1.0
    edges = np.linspace(0.0, most, BINS + 1)
    return {
        "tracks": len(raw),
        "unit": _meaning(TRACKS.field("jitter_raw"))[0],
        "raw_median": float(np.median(raw)),
        "aligned_median": float(np.median(aligned)),
        "calmer": int((aligned < raw).sum()),
        "edges": edges.tolist(),
        "raw": _counts(raw, edges),
        "aligned": _counts(aligned, edges),
        "pairs": _pairs(raw, aligned, most),
    }


def _pairs(raw: Array, aligned: Array, most: float) -> list[tuple[float, float, int]]:
    """(raw, aligned, count) at the middles of the cells of a grid that hold any track."""
    cells = [np.minimum(values / most * GRID, GRID - 1).astype(int) for values in (raw, aligned)]
    counted = np.bincount(cells[0] * GRID + cells[1], minlength=GRID * GRID)
    scale = most / GRID
    return [
        ((cell // GRID + 0.5) * scale, (cell % GRID + 0.5) * scale, int(counted[cell]))
        for cell in np.flatnonzero(counted).tolist()
    ]


def _numbers(column: pd.Series[Any]) -> Array:
    """As float64; null and infinity as NaN."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
