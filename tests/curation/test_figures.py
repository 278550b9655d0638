"""Figures of a data set: counts, shares, spreads and extremes that are known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from s2d.curation.figures import EXAMPLES, MOST_EXAMPLES, REASONS, REST, describe, extremes, measures
from s2d.shards.reader import open_dataset
from tests.curation.report_data import FACES, HOSTILE, write_data


@pytest.fixture
def figures(tmp_path: Path) -> dict[str, Any]:
    dataset = open_dataset(write_data(tmp_path / "data"))
    return describe(dataset.metadata, dataset.videos(), dataset.tracks())


def column(figures: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in figures["quality"] if row["column"] == name)


def test_totals_and_outcomes(figures: dict[str, Any]) -> None:
    assert figures["totals"] == {
        "files": 10, "source_seconds": 12.0, "tracks": 6, "frames": 36, "seconds": pytest.approx(36 / 25),
        "identities": 2,
    }  # fmt: skip
    assert [(row["outcome"], row["files"], row["share"]) for row in figures["outcomes"]] == [
        ("kept", 6, 0.6), ("filtered", 1, 0.1), ("failed", 3, 0.3),
    ]  # fmt: skip


def test_reasons_and_examples(figures: dict[str, Any]) -> None:
    assert [(row["outcome"], row["reason"], row["files"]) for row in figures["reasons"]] == [
        ("filtered", "face too small", 1), ("failed", "not a video", 2), ("failed", HOSTILE, 1),
    ]  # fmt: skip
    assert [row["video"] for row in figures["not_kept"]] == ["c/x.mp4", "c/0.mp4", "c/1.mp4", "c/small.mp4"]
    assert figures["not_kept"][-1]["value"] == 50.0
    assert figures["not_kept"][0]["value"] is None


def test_tracks_left_out_with_their_values(figures: dict[str, Any]) -> None:
    assert figures["filtered_tracks"] == [
        {
            "reason": "face too small", "column": "face_px", "limit": 64.0, "tracks": 2, "frames": 29,
            "least": 40.0, "median": 45.0, "most": 50.0,
        }
    ]  # fmt: skip


def test_spread_of_a_column_with_what_its_limit_refused(figures: dict[str, Any]) -> None:
    face = column(figures, "face_px")
    assert (sum(face["kept"]), sum(face["filtered"]), face["limits"]) == (6, 2, [64.0])
    assert (face["least"], face["median"], face["most"]) == (min(FACES), 130.0, max(FACES))
    assert face["edges"][0] == 40.0
    assert len(face["edges"]) == len(face["kept"]) + 1
    assert (face["unit"], face["description"]) == ("video pixel", "median of the longer side of the face box")


def test_limits_from_the_settings_of_any_column_and_end(tmp_path: Path) -> None:
    dataset = open_dataset(write_data(tmp_path / "data"))
    settings = {"min_face_px": 64.0, "max_face_px": 170, "max_height": 400, "max_nothing": 1, "min_sharpness": None}
    figures = describe({"config": settings}, dataset.videos(), dataset.tracks())
    assert column(figures, "face_px")["limits"] == [64.0, 170.0]
    assert column(figures, "sharpness")["limits"] == []
    height = next(row for row in figures["videos"] if row["column"] == "height")
    assert (height["limits"], sum(height["kept"]), sum(height["filtered"])) == ([400.0], 0, 6)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"min_face_px": 64.0, "min_frames": 15}, "face_px"),
        ({"min_interocular_px": 64.0, "min_face_px": 64.0}, "face_px"),  # either would refuse 40 and 50
        ({"min_interocular_px": 64.0, "min_face_px": 50.0}, None),
        ({}, None),
    ],
)
def test_column_of_a_limit_by_its_reason_and_value(
    tmp_path: Path, settings: dict[str, Any], expected: str | None
) -> None:
    dataset = open_dataset(write_data(tmp_path / "data"))
    (row,) = describe({"config": settings}, dataset.videos(), dataset.tracks())["filtered_tracks"]
    assert (row["column"], row["tracks"]) == (expected, 2)


def test_unknown_values_are_counted_and_unknown_columns_left_out(figures: dict[str, Any]) -> None:
    assert (column(figures, "sharpness")["known"], column(figures, "sharpness")["missing"]) == (5, 1)
    assert "yaw_min" not in {row["column"] for row in figures["quality"]}
    assert "yaw_min" in measures()


def test_jitter_in_pairs(figures: dict[str, Any]) -> None:
    jitter = figures["jitter"]
    assert (jitter["tracks"], jitter["calmer"], jitter["raw_median"], jitter["aligned_median"]) == (6, 5, 3.5, 1.75)
    assert sum(count for *_, count in jitter["pairs"]) == 6
    assert sum(jitter["raw"]) == sum(jitter["aligned"]) == 6
    cell = 7.0 / 72
    assert min(abs(x - 6) + abs(y - 7) for x, y, _ in jitter["pairs"]) <= 1.01 * cell


def test_frames_of_identities(figures: dict[str, Any]) -> None:
    assert figures["identities"]["count"] == 2
    first, second = figures["identities"]["largest"]
    assert (first["identity"], first["tracks"], first["frames"], first["share"]) == ("a", 5, 30, pytest.approx(5 / 6))
    assert second["identity"] == "b"


def test_extremes_do_not_overlap_and_know_no_missing_values() -> None:
    tracks = pd.DataFrame({"value": [3.0, np.nan, 1.0, 2.0, np.inf, 5.0, 4.0]})
    assert extremes(tracks, "value", 2) == ([2, 3], [5, 6])
    assert extremes(tracks, "value", 9) == ([2, 3, 0], [5, 6])
    assert extremes(tracks.head(1), "value", 2) == ([0], [])
    assert extremes(tracks.iloc[1:2], "value", 2) == ([], [])


def test_nothing_kept(tmp_path: Path) -> None:
    dataset = open_dataset(write_data(tmp_path / "data", kept=False))
    figures = describe(dataset.metadata, dataset.videos(), dataset.tracks())
    assert figures["totals"]["tracks"] == 0
    assert figures["quality"] == []
    assert figures["jitter"] is None
    assert figures["identities"]["largest"] == []


def test_size_is_bounded_however_many_reasons_there_are(tmp_path: Path) -> None:
    dataset = open_dataset(write_data(tmp_path / "data", kept=False))
    videos = dataset.videos()
    many = pd.concat([videos.head(1)] * 1000, ignore_index=True)
    many["video"] = [f"{n}.mp4" for n in range(1000)]
    many["reason"] = [f"reason {n if n < 600 else 0}" for n in range(1000)]
    figures = describe(dataset.metadata, many, dataset.tracks())
    assert len(figures["not_kept"]) == MOST_EXAMPLES
    assert sum(row["reason"] == "reason 0" for row in figures["not_kept"]) <= EXAMPLES
    assert len({row["reason"] for row in figures["not_kept"]}) > MOST_EXAMPLES - EXAMPLES
    assert len(figures["reasons"]) == REASONS + 1
    assert figures["reasons"][0]["files"] == 401
    assert figures["reasons"][-1] == {"outcome": "failed", "reason": REST, "files": 580, "share": 0.58}
    assert sum(row["files"] for row in figures["reasons"]) == 1000


@pytest.mark.parametrize(
    ("name", "values", "bins"),
    [
        ("sharpness", [1.0, 1.0], 33),
        ("score", [1.0, 1.0], 32),
        ("score", [0.0, 1.0, 1.0], 2),
        ("score", [0.5, 0.25], 32),
    ],
)
def test_bins_of_few_values(tmp_path: Path, name: str, values: list[float], bins: int) -> None:
    dataset = open_dataset(write_data(tmp_path / "data"))
    tracks = dataset.tracks().head(len(values)).assign(**{name: values})
    found = column(describe(dataset.metadata, dataset.videos(), tracks), name)
    assert len(found["kept"]) == bins
    assert sum(found["kept"]) == len(values)


def test_what_is_never_above_one_is_not_drawn_as_if_it_could_be(tmp_path: Path) -> None:
    dataset = open_dataset(write_data(tmp_path / "data"))
    found = column(describe(dataset.metadata, dataset.videos(), dataset.tracks().assign(score=1.0)), "score")
    assert (found["edges"][0], found["edges"][-1]) == (0, 1)


def test_a_few_that_lie_far_out_do_not_squeeze_the_rest(tmp_path: Path) -> None:
    dataset = open_dataset(write_data(tmp_path / "data"))
    tracks = pd.concat([dataset.tracks()] * 100, ignore_index=True)
    tracks["sharpness"] = np.linspace(0, 1, len(tracks))
    tracks.loc[0, "sharpness"] = 1e6
    sharpness = column(describe(dataset.metadata, dataset.videos(), tracks), "sharpness")
    assert sharpness["edges"][-1] == pytest.approx(1.0, abs=0.01)
    assert sharpness["most"] == 1e6
    assert sum(sharpness["kept"]) == 600


def test_a_track_lasts_as_long_as_is_stored_or_else_by_its_rate(tmp_path: Path) -> None:
    dataset = open_dataset(write_data(tmp_path / "data"))
    tracks = dataset.tracks().assign(seconds=[2.0, None, None, None, None, None])
    figures = describe(dataset.metadata, dataset.videos(), tracks)
    assert figures["totals"]["seconds"] == pytest.approx(2 + 5 * 6 / 25)
