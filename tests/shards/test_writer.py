from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from s2d.errors import S2DError
from s2d.shards.reader import open_dataset
from s2d.shards.writer import WriteError, frame_table, shard_id, write_shard, writing
from tests.shards.conftest import PROVENANCE, track_content, track_row, video_row, write_example


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_same_content_gives_the_same_bytes(tmp_path):
    one, other = (bytes_of(write_example(tmp_path / name)) for name in ("one", "other"))
    assert len(one) == 6
    assert one == other


def test_one_row_group_per_track_sorted_by_frame(example):
    for part in (example / "frames").iterdir():
        tracks = pq.read_table(example / "tracks" / part.name)["track_id"].to_pylist()
        file = pq.ParquetFile(part)
        assert file.num_row_groups == len(tracks)
        for number, track in enumerate(tracks):
            group = file.read_row_group(number)
            assert set(group["track_id"].to_pylist()) == {track}
            assert group["frame"].to_pylist() == list(range(7, 7 + group.num_rows))


def test_every_column_is_compressed_with_zstd(example):
    part = next((example / "frames").iterdir())
    group = pq.ParquetFile(part).metadata.row_group(0)
    assert {group.column(number).compression for number in range(group.num_columns)} == {"ZSTD"}


def test_the_shards_name_depends_on_settings_names_and_content():
    rows = [video_row("a.mp4", 0, 0), video_row("b.mp4", 0, 0)]
    name = shard_id(PROVENANCE, rows)
    assert shard_id(PROVENANCE, rows) == name
    assert shard_id(PROVENANCE, rows[:1]) != name
    assert shard_id(PROVENANCE, [rows[0], rows[1] | {"sha256": "other"}]) != name


def test_a_shard_that_fails_half_way_leaves_nothing_to_be_read(tmp_path):
    def frames():
        yield frame_table("t-0", **track_content("t-0", 5))
        raise RuntimeError("the second track is broken")

    (tmp_path / "scratch").mkdir()
    rows = [track_row(f"t-{number}", "t.mp4", 5) for number in range(2)]
    with pytest.raises(RuntimeError, match="second track"):
        write_shard(tmp_path, PROVENANCE, [video_row("t.mp4", 2, 10)], rows, frames(), tmp_path / "scratch")
    assert not list(tmp_path.rglob("*.parquet"))


def test_the_videos_part_is_published_last(tmp_path, monkeypatch):
    order = []
    replace = Path.replace

    def noted(self, target):
        order.append(Path(target).parent.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    write_example(tmp_path / "data")
    assert order == ["frames", "tracks", "videos"] * 2


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path):
    with pytest.raises(WriteError, match=r"cannot write .*x: No space left on device; "), writing(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")


LIMITED = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.shards.conftest import PROVENANCE, track_content
from s2d.shards.writer import FramesWriter, WriteError, frame_table
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with FramesWriter(Path(sys.argv[1]), PROVENANCE) as writer:
        for number in range(20):
            writer.write(frame_table("t", **track_content(f"t-{{number}}", 40)))
except WriteError as error:
    sys.exit(f"one line: {{error}}")
"""


def test_arrows_own_write_errors_are_recognised(tmp_path):
    script = LIMITED.format(root=str(Path(__file__).parents[2]))
    command = [sys.executable, "-c", script, str(tmp_path / "frames")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stderr.startswith("one line: cannot write")
    assert done.returncode == 1


def test_a_write_error_is_a_users_error():
    assert issubclass(WriteError, S2DError)


def test_a_shard_without_any_track_is_fine(tmp_path):
    (tmp_path / "scratch").mkdir()
    write_shard(tmp_path, PROVENANCE, [video_row("x.mp4", 0, 0, reason="no")], [], iter(()), tmp_path / "scratch")
    dataset = open_dataset(tmp_path)
    assert len(dataset) == len(dataset.tracks()) == 0
    assert list(dataset.videos().reason) == ["no"]
