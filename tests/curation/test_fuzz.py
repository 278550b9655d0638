"""A small run of benchmarks/fuzz.py: odd and broken files through the real pipeline, detector and executor."""

from __future__ import annotations

from benchmarks.fuzz import fuzz
from s2d.curation.executors import LocalExecutor


def test_odd_and_broken_files_each_have_an_outcome_and_the_run_goes_on(tmp_path):
    result, summary = fuzz(tmp_path, [], 44, 7, LocalExecutor(2, timeout=30, memory_gb=2), huge=False)
    assert result["files"] == 44
    assert result["frames_read_back"]
    assert result["ended_by_executor"] == {}
    assert result["surprises"] == []
    assert max(result["largest_mb"].values()) < 1000
    rows = summary.videos.set_index("video")
    for name in ("plain.mp4", "plain.mkv", "ten_bits.mp4", "odd_size.mp4", "alpha.mov", "turned.mp4"):
        assert rows.outcome[f"in/{name}"] in ("kept", "filtered"), f"{name} is a whole video"
    for name in ("empty.mp4", "sound.mp4", "raw_absurd.y4m", "only_index.mp4", "every_jpeg_absurd.mov"):
        assert rows.outcome[f"in/{name}"] == "failed", f"{name} is none"
