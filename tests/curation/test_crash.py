"""A few moments of benchmarks/crash.py, with a stand-in for decoding and detecting."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.crash import disturb, trials


def command(inputs: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "tests.curation.curation_fakes", str(inputs), str(out), "0.1", "retry"]


def test_a_retry_killed_robbed_of_a_worker_or_out_of_space_is_ended_by_the_same_command(films, tmp_path):
    runs = trials(tmp_path, command, films, [films / "00.mp4", films / "06.mp4"])
    found = disturb(tmp_path, runs[1:], moments=3, seed=3, mount=False)
    assert all(moment["reads"] and moment["identical"] for moment in found), found
    assert [moment["kind"] for moment in found if moment["hit"]] == ["parent", "worker", "disk"]
