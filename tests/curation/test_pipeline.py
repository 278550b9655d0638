"""The pipeline with a stand-in for decoding and detecting: outcomes, order, bytes, and death at any moment."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from s2d.curation.clip import Clip
from s2d.curation.config import CurationConfig
from s2d.curation.executors import LocalExecutor
from s2d.curation.pipeline import curate
from s2d.curation.plan import find_sources
from s2d.curation.staging import claimed
from s2d.errors import S2DError, UsageError
from s2d.shards.reader import open_dataset
from tests.curation.conftest import ORDERS, contents
from tests.curation.curation_fakes import PROVENANCE, fake_curate, fake_curate_sources


def test_every_input_has_an_outcome(films, tmp_path):
    (films / "readme.txt").write_text("no film")
    (films / "zz.mp4").write_text("kept 2")
    summary = fake_curate([films], tmp_path / "out")
    outcomes = dict(zip(summary.videos.video, summary.videos.outcome, strict=True))
    expected = {f"films/{number:02}.mp4": order.split()[0] for number, order in enumerate(ORDERS)}
    expected |= {"films/05.mp4": "failed", "films/readme.txt": "failed", "films/zz.mp4": "filtered"}
    assert outcomes == expected
    assert (summary.new, summary.changed) == (12, [])


def test_a_dead_workers_video_has_failed_and_says_how(films, tmp_path):
    summary = fake_curate([films], tmp_path / "out")
    row = summary.videos.set_index("video").loc["films/05.mp4"]
    assert row.reason == "worker died"
    assert "exit code 1" in row.detail


def test_tracks_stand_beside_their_frames(films, tmp_path):
    fake_curate([films], tmp_path / "out")
    dataset = open_dataset(tmp_path / "out")
    assert len(dataset) == 9
    for track in dataset.tracks().itertuples():
        frames = dataset.frames(track.track_id)
        assert len(frames.frame) == track.frames
    assert list(dataset.videos().track_frames) == [5 * count for count in dataset.videos().tracks]


def test_the_same_bytes_from_one_worker_or_two_and_twice(films, tmp_path):
    made = []
    for name, executor in (("one", LocalExecutor(1)), ("two", LocalExecutor(2)), ("again", None)):
        fake_curate([films], tmp_path / name, executor)
        made.append(contents(tmp_path / name))
    assert len([name for name in made[0] if name.endswith(".parquet")]) == 12
    assert made[0] == made[1] == made[2]
    assert {name.split("/")[0] for name in made[0]} == {"videos", "tracks", "frames", ".lock"}


def test_the_second_time_there_is_nothing_to_do(films, tmp_path):
    fake_curate([films], tmp_path / "out")
    before = contents(tmp_path / "out")
    summary = fake_curate([films], tmp_path / "out")
    assert summary.new == 0
    assert len(summary.videos) == 10
    assert contents(tmp_path / "out") == before


def test_new_files_are_added_and_old_shards_left_alone(films, tmp_path):
    fake_curate([films], tmp_path / "out")
    before = contents(tmp_path / "out")
    (films / "00-new.mp4").write_text("kept 2 new")
    assert fake_curate([films], tmp_path / "out").new == 1
    after = contents(tmp_path / "out")
    assert before.items() <= after.items()
    assert len(open_dataset(tmp_path / "out").videos()) == 11


def test_a_copy_of_an_old_video_is_a_duplicate_in_a_later_run(films, tmp_path):
    fake_curate([films], tmp_path / "out")
    shutil.copy(films / "00.mp4", films / "copy.mp4")
    row = fake_curate([films], tmp_path / "out").videos.set_index("video").loc["films/copy.mp4"]
    assert (row.outcome, row.reason, row.detail) == ("filtered", "duplicate", "same content as films/00.mp4")


def test_a_file_that_has_changed_is_named_and_left_as_it_was(films, tmp_path):
    fake_curate([films], tmp_path / "out")
    before = contents(tmp_path / "out")
    (films / "01.mp4").write_text("kept 1 at last")
    summary = fake_curate([films], tmp_path / "out")
    assert summary.changed == ["films/01.mp4"]
    assert contents(tmp_path / "out") == before


def test_other_settings_are_refused_each_with_both_values(films, tmp_path):
    fake_curate([films], tmp_path / "out")
    other = dataclasses.replace(PROVENANCE, detector_version="2", config={"max_abs_yaw": 45.0, "min_frames": 9})
    with pytest.raises(S2DError) as raised:
        fake_curate([films], tmp_path / "out", provenance=other)
    assert raised.value.why == (
        "it was made with detector_version 1, this run has 2; with max_abs_yaw off, this run has 45.0; "
        "with min_frames 1, this run has 9"
    )
    assert "inspect" in raised.value.remedy
    many = dataclasses.replace(PROVENANCE, config={f"min_{name}": 1 for name in "abcdef"})
    with pytest.raises(S2DError, match=r"with min_d off, this run has 1; and 3 more differ; give the same "):
        fake_curate([films], tmp_path / "out", provenance=many)


def test_a_full_disk_stops_the_run_and_is_no_videos_fault(films, tmp_path):
    fake_curate([films], tmp_path / "undisturbed")
    (films / "07.mp4").write_text("disk")
    with pytest.raises(S2DError, match="No space left"):
        fake_curate([films], tmp_path / "out")
    assert "films/07.mp4" not in set(open_dataset(tmp_path / "out").videos().video)
    (films / "07.mp4").write_text(ORDERS[7])
    fake_curate([films], tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_a_second_run_at_the_same_time_is_refused(films, tmp_path):
    with claimed(tmp_path / "out"), pytest.raises(S2DError, match="another run is writing there"):
        fake_curate([films], tmp_path / "out")


def test_orphans_of_a_run_killed_between_renames_are_removed(films, tmp_path):
    fake_curate([films], tmp_path / "out")
    before = contents(tmp_path / "out")
    victim = sorted((tmp_path / "out" / "videos").iterdir())[1]
    victim.unlink()
    (tmp_path / "out" / "frames" / "part-0123456789abcdef.parquet").write_text("orphan")
    fake_curate([films], tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_whole_results_of_a_killed_run_are_used_and_others_made_again(films, tmp_path):
    """Stop by a full disk at the end; then spoil one staged result and mark another."""
    (films / "09.mp4").write_text("disk")
    with pytest.raises(S2DError):
        fake_curate([films], tmp_path / "out", per_shard=20)
    staged = {
        json.loads(path.read_text())["video"]["video"]: path for path in (tmp_path / "out/.staging").glob("*.json")
    }
    assert len(staged) == 9
    spoilt = staged["films/00.mp4"].with_suffix(".frames")
    spoilt.write_bytes(spoilt.read_bytes()[:-1])
    marked = staged["films/01.mp4"]
    marked.write_text(marked.read_text().replace("said failed", "marked"))
    (films / "09.mp4").write_text(ORDERS[9])
    assert fake_curate([films], tmp_path / "out", per_shard=20).new == 2  # 00 and 09; eight are taken over
    dataset = open_dataset(tmp_path / "out")
    assert dataset.videos().set_index("video").reason["films/01.mp4"] == "marked"
    assert len(dataset.frames("00-1").frame) == 5
    assert not (tmp_path / "out" / ".staging").exists()


def test_a_result_is_not_taken_over_for_another_person_split_or_clip(films, tmp_path):
    """As when a run is stopped, the recipe is mended, and the run goes on."""
    (films / "09.mp4").write_text("disk")
    sources = find_sources([films], tmp_path / "out")
    with pytest.raises(S2DError):
        fake_curate_sources(sources, tmp_path / "out", per_shard=20)
    (films / "09.mp4").write_text(ORDERS[9])
    first, second, third, *_ = sources = find_sources([films], tmp_path / "out")
    mended = replace(first, identity="ann"), replace(second, split="test"), replace(third, clip=Clip(0, 1))
    summary = fake_curate_sources([*mended, *sources[3:]], tmp_path / "out", per_shard=20)
    assert summary.new == 4  # these and 09
    assert (summary.videos.identity[0], summary.videos.split[1], summary.videos.span[2]) == ("ann", "test", "0.0-1.0")


def test_killed_at_any_moment_it_is_a_smaller_data_set_and_ends_with_the_same_bytes(films, tmp_path):
    fake_curate([films], tmp_path / "undisturbed")
    out, rng, pause = tmp_path / "out", random.Random(5), 0.05
    command = [sys.executable, "-m", "tests.curation.curation_fakes", str(films), str(out), str(pause)]
    kills = 0
    while kills < 4:
        run = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
        _wait_for_work(out, run)
        time.sleep(rng.uniform(0, 0.4))
        run.send_signal(signal.SIGKILL)
        kills += run.wait() == -signal.SIGKILL
        _assert_readable(out)
        if run.returncode == 0:
            shutil.rmtree(out)
    fake_curate([films], out)
    assert contents(out) == contents(tmp_path / "undisturbed")


def _wait_for_work(out: Path, run: subprocess.Popen) -> None:
    deadline = time.monotonic() + 30
    while run.poll() is None and time.monotonic() < deadline:
        if list((out / ".staging").glob("*.json")) if (out / ".staging").exists() else False:
            return
        time.sleep(0.01)


def _assert_readable(out: Path) -> None:
    if not list((out / "videos").glob("*.parquet")):
        return
    dataset = open_dataset(out)
    for track in dataset.tracks().track_id:
        assert len(dataset.frames(track).frame) == 5


def test_a_folder_that_cannot_be_written_is_one_line(films, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(S2DError, match="cannot write"):
        fake_curate([films], tmp_path / "file" / "out")


def test_a_file_in_the_place_of_the_folder_is_named_as_such(films, tmp_path):
    (tmp_path / "README.md").write_text("in the way")
    with pytest.raises(S2DError, match=r"cannot curate into .*README.md: it is a file; give a folder"):
        curate([films], tmp_path / "README.md")


def test_a_crop_of_any_size_is_not_possible():
    assert CurationConfig(crop_size=2048).crop_size == 2048
    for size, says in ((2049, "the most is 2048"), (15, "the least is 16")):
        with pytest.raises(UsageError, match=says):
            CurationConfig(crop_size=size)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_line(films, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(S2DError, match="Permission denied"):
        fake_curate([films], tmp_path / "locked" / "out")
