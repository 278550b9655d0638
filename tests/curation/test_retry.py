"""`--retry failed`: the shard of a video that failed is made anew, and is what a fresh run would have made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from s2d.curation import retry
from s2d.shards.reader import open_dataset
from tests.curation.conftest import contents
from tests.curation.curation_fakes import fake_curate


@pytest.fixture
def mended(films, tmp_path):
    """A data set made while two videos were broken; the files are whole now. Gives its folder and the fresh one."""
    fake_curate([films], tmp_path / "out")
    (films / "01.mp4").write_text("kept 2 now")
    (films / "05.mp4").write_text("kept 1 now")
    fake_curate([films], tmp_path / "fresh")
    return tmp_path / "out", tmp_path / "fresh"


def test_the_data_set_becomes_what_a_fresh_run_makes(films, mended):
    out, fresh = mended
    before = contents(out)
    summary = fake_curate([films], out, retry_failed=True)
    assert (summary.new, summary.changed) == (2, [])
    assert contents(out) == contents(fresh)
    untouched = [name for name, content in contents(out).items() if before.get(name) == content]
    assert len([name for name in untouched if name.startswith("frames")]) == 2, "shards without a failure stay"


def test_without_being_asked_nothing_is_tried_again(films, mended):
    out, _ = mended
    before = contents(out)
    assert fake_curate([films], out).new == 0
    assert contents(out) == before


def test_what_fails_again_leaves_the_bytes_as_they_were(films, tmp_path):
    fake_curate([films], tmp_path / "out")
    before = contents(tmp_path / "out")
    assert fake_curate([films], tmp_path / "out", retry_failed=True).new == 2
    assert contents(tmp_path / "out") == before


def test_only_videos_among_the_inputs_are_tried_again(films, mended):
    out, _ = mended
    before = contents(out)
    only = films.parent / "only" / "films"
    only.mkdir(parents=True)
    shutil.copy(films / "01.mp4", only)
    assert fake_curate([only], out, retry_failed=True).new == 1
    rows = open_dataset(out).videos().set_index("video")
    assert (rows.outcome["films/01.mp4"], rows.outcome["films/05.mp4"]) == ("kept", "failed")
    assert len(before) == len(contents(out))


def test_a_copy_of_a_video_that_failed_is_judged_anew(films, tmp_path):
    shutil.copy(films / "01.mp4", films / "07.mp4")
    fake_curate([films], tmp_path / "out")
    (films / "01.mp4").write_text("kept 2 now")
    fake_curate([films], tmp_path / "out", retry_failed=True)
    fake_curate([films], tmp_path / "fresh")
    rows = open_dataset(tmp_path / "out").videos().set_index("video")
    assert (rows.outcome["films/01.mp4"], rows.outcome["films/07.mp4"]) == ("kept", "failed")
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_new_files_may_come_with_it(films, mended):
    out, fresh = mended
    (films / "99.mp4").write_text("kept 1 late")
    fake_curate([films], out, retry_failed=True)
    fake_curate([films], fresh)
    assert contents(out) == contents(fresh)


STEPS = 9  # changes of the folder in the exchange of a shard that gets another name, and some of what follows


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("same_name", [True, False])
def test_stopped_at_any_step_of_an_exchange_the_same_command_ends_it(films, tmp_path, monkeypatch, step, same_name):
    fake_curate([films], tmp_path / "out")
    if not same_name:
        (films / "01.mp4").write_text("kept 2 now")
        (films / "05.mp4").write_text("kept 1 now")
    fake_curate([films], tmp_path / "fresh")
    _stop_in_exchange(films, tmp_path / "out", step, monkeypatch)
    dataset = open_dataset(tmp_path / "out")
    assert all(len(dataset.frames(track).frame) == 5 for track in dataset.tracks().track_id)
    (films / "00 new.mp4").write_text("kept 1 new")  # it would move all others, if a shard had been lost
    fake_curate([films], tmp_path / "out", retry_failed=True)
    after, fresh = contents(tmp_path / "out"), contents(tmp_path / "fresh")
    assert fresh.items() <= after.items()
    assert len(after) == len(fresh) + 3


class Stopped(BaseException):
    """The end of a process, as far as this can be had within one."""


def _stop_in_exchange(films: Path, out: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop before the unlink or rename number `step` that follows the note of the first exchange."""
    real, left = {name: getattr(Path, name) for name in ("unlink", "replace")}, [step]

    def counting(name: str):
        def count(path: Path, *arguments, **options):
            if left[0] == 0:
                raise Stopped
            left[0] -= 1
            return real[name](path, *arguments, **options)

        return count

    def begin(*arguments):
        with monkeypatch.context() as patch:
            for name in real:
                patch.setattr(Path, name, counting(name))
            finish(*arguments)

    finish = retry.finish_exchange
    with monkeypatch.context() as patch:
        patch.setattr(retry, "finish_exchange", begin)
        with pytest.raises(Stopped):
            fake_curate([films], out, retry_failed=True)
