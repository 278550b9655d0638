"""Say what a data set holds: outcomes and reasons, tracks, how it was made, and how good the tracks are.

examples:
  s2d inspect DATASET
  s2d inspect DATASET --tracks      all of its tracks, not only the first 20
  s2d inspect DATASET/frames/part-0123456789abcdef.parquet --json
  s2d inspect DATASET --json | jq .settings > settings.json      for `s2d curate --config settings.json`
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from rich.table import Table

SHOWN = 20  # rows of the table of tracks, without --tracks
LONG = 300  # characters of a setting
TRACK_COLUMNS = ["track_id", "video", "frames", "seconds", "face_px"]
QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `s2d inspect`."""
    parser.add_argument("path", metavar="DIR|FILE", help="folder of a data set, or one part of its frames")
    parser.add_argument("--tracks", action="store_true", help=f"list all tracks (default: the first {SHOWN})")


def run(args: argparse.Namespace) -> None:
    """Print what there is."""
    from s2d.cli.output import emit
    from s2d.shards.reader import open_dataset

    dataset = open_dataset(args.path)
    result = describe(dataset.metadata, dataset.videos(), dataset.tracks())
    emit({"path": args.path, **result}, _tables(args.path, result, args.tracks), args.json)


def describe(metadata: dict[str, Any], videos: pd.DataFrame, tracks: pd.DataFrame) -> dict[str, Any]:
    """Figures of a data set as plain values, from its tables of videos and tracks."""
    from s2d.curation.config import settings_of
    from s2d.curation.figures import seconds_of
    from s2d.shards.schema import OUTCOMES

    reasons = videos[videos.reason != ""].value_counts(["outcome", "reason"]).reset_index(name="videos")
    reasons = reasons.sort_values(["videos", "outcome", "reason"], ascending=[False, True, True])
    return {
        "metadata": metadata,
        "settings": settings_of(metadata.get("config", {})),
        "videos": {name: int((videos.outcome == name).sum()) for name in OUTCOMES},
        "reasons": reasons.to_dict("records"),
        "filtered_tracks": _filtered_tracks(videos),
        "tracks": len(tracks),
        "identities": int(tracks["identity"].nunique()) if "identity" in tracks else None,
        "frames": int(tracks["frames"].sum()),
        "seconds": float(seconds_of(tracks).sum()) if "fps" in tracks else None,
        "quality": _quality(tracks),
        "video_quality": _video_quality(videos),
        "track_list": _track_list(tracks),
    }


def _track_list(tracks: pd.DataFrame) -> list[dict[str, Any]]:
    """What names and tells apart each track; a lone part of frames has only track_id and frames."""
    from s2d.curation.figures import seconds_of

    if "fps" in tracks:
        tracks = tracks.assign(seconds=seconds_of(tracks))
    listed: list[dict[str, Any]] = tracks[[name for name in TRACK_COLUMNS if name in tracks]].to_dict("records")
    return listed


def _filtered_tracks(videos: pd.DataFrame) -> dict[str, int]:
    """Number of tracks that were left out, by reason."""
    reasons = [track["reason"] for tracks in videos.filtered_tracks for track in tracks]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def _quality(tracks: pd.DataFrame) -> list[dict[str, Any]]:
    """Quantiles over tracks of each quality column, with its unit."""
    from s2d.shards.schema import TRACKS

    return _quantiles(tracks, list(TRACKS)[TRACKS.get_field_index("detector") + 1 :])


def _video_quality(videos: pd.DataFrame) -> list[dict[str, Any]]:
    """The same of what is measured of videos as a whole, kept or not."""
    from s2d.curation.limits import columns
    from s2d.shards.schema import VIDEOS

    return _quantiles(videos, [field for field in VIDEOS if field.nullable and field.name in columns()])


def _quantiles(rows_of: pd.DataFrame, fields: Sequence[pa.Field]) -> list[dict[str, Any]]:
    rows = []
    for field in fields:
        values = rows_of[field.name].dropna() if field.name in rows_of else rows_of.iloc[:0, 0]
        if len(values):
            quantiles = {f"q{round(100 * q)}": float(values.quantile(q)) for q in QUANTILES}
            rows.append({"column": field.name, "unit": field.metadata[b"unit"].decode(), **quantiles})
    return rows


def _tables(path: str, result: dict[str, Any], all_tracks: bool) -> list[Table | str]:
    from s2d.cli.output import table

    totals = [(name, result[name]) for name in ("tracks", "identities", "frames", "seconds")]
    shown: list[Table | str] = [table(path, ("", "total"), [row for row in totals if row[1] is not None])]
    if sum(result["videos"].values()):
        shown.append(table("Videos", ("outcome", "videos"), list(result["videos"].items())))
    if result["reasons"]:
        rows = [(row["reason"], row["outcome"], row["videos"]) for row in result["reasons"]]
        shown.append(table("Why not kept", ("reason", "outcome", "videos"), rows))
    if result["filtered_tracks"]:
        rows = list(result["filtered_tracks"].items())
        shown.append(table("Tracks left out, of all videos", ("reason", "tracks"), rows))
    shown += _tracks_table(result["track_list"], None if all_tracks else SHOWN)
    for title, name in (("Quality of the tracks", "quality"), ("The videos as a whole", "video_quality")):
        columns = ("column", "5 %", "median", "95 %", "unit")
        keys = ("column", "q5", "q50", "q95", "unit")
        rows = [tuple(row[key] for key in keys) for row in result[name]]
        shown += [table(title, columns, rows)] if rows else []
    settings = table("Settings, to be the same in what is added", ("", "setting"), _settings(result["settings"]))
    return [*shown, settings, table("Made by", ("", ""), _metadata(result["metadata"]))]


def _tracks_table(tracks: list[dict[str, Any]], most: int | None) -> list[Table | str]:
    """The first tracks, and how many more there are."""
    from s2d.cli.output import table

    if not tracks:
        return []
    shown: list[Table | str] = [table("Tracks", list(tracks[0]), [tuple(row.values()) for row in tracks[:most]])]
    if most is not None and len(tracks) > most:
        shown.append(f"... and {len(tracks) - most} more; --tracks shows all")
    return shown


def _settings(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """What `s2d curate` was asked for, each limit by itself."""
    from s2d.curation.config import in_words

    named = {**settings, **settings["filters"]}
    return [(name, in_words(value)) for name, value in named.items() if name != "filters"]


def _metadata(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """Metadata for people: what would fill the screen is only named."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in metadata.items()}
    return [(name, text if len(text) <= LONG else "long; --json prints it whole") for name, text in texts.items()]
