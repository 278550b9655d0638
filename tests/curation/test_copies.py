"""Near copies: which video is filtered, and that it is the same one whatever the workers do."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s2d.curation.clip import Clip
from s2d.curation.copies import Copies
from s2d.curation.executors import LocalExecutor
from s2d.curation.fingerprint import BITS
from s2d.curation.limits import parse_filters
from s2d.curation.pipeline import run
from s2d.curation.plan import Source, find_sources
from s2d.curation.staging import FOLDER, Staged, Staging, claimed
from s2d.shards.reader import open_dataset
from tests.curation.conftest import contents
from tests.curation.curation_fakes import PROVENANCE, FakeWork, InProcess


def looks(seed: int, flipped: int = 0) -> str:
    """A random fingerprint by `seed`, with its first bits flipped."""
    bits = np.random.default_rng(seed).integers(0, 2, BITS)
    bits[:flipped] ^= 1
    return np.packbits(bits).tobytes().hex()


def staged(name: str, fingerprint: str | None, seconds: float = 4.0, outcome: str = "kept") -> Staged:
    row = {"video": name, "outcome": outcome, "reason": "", "detail": "", "filtered_tracks": []}
    row |= {"sha256": f"hash of {name}", "span": None}
    row |= {"fingerprint": fingerprint, "seconds": seconds, "tracks": 1, "track_frames": 9}
    track = {"shot": 2, "face": 1, "start_frame": 3, "end_frame": 11, "frames": 9, "face_px": 90.0}
    return Staged(row, [track], Path("none"))


def settled(*results: Staged, **filters: float | None) -> list[Mapping[str, object]]:
    copies = Copies(parse_filters(filters))
    return [copies.settle(result).video for result in results]


def test_a_near_copy_is_filtered_with_reason_value_limit_and_its_tracks():
    near = Copies(parse_filters())
    near.settle(staged("a", looks(0)))
    copy = near.settle(staged("b", looks(0, 44)))
    row = copy.video
    assert (row["outcome"], row["reason"], row["value"], row["limit"]) == ("filtered", "near duplicate", 0.125, 0.2)
    assert row["detail"] == "looks like a: nearest_distance is 0.125, the least is 0.2"
    assert (row["nearest_video"], row["nearest_distance"], row["tracks"], row["track_frames"]) == ("a", 0.125, 0, 0)
    assert row["filtered_tracks"] == [
        {"shot": 2, "face": 1, "start_frame": 3, "end_frame": 11, "frames": 9}
        | {"reason": "near duplicate", "value": 0.125, "limit": 0.2}
    ]
    assert list(copy.frame_tables()) == []


def test_others_are_kept_and_are_as_they_would_be_alone():
    videos = staged("a", looks(0)), staged("b", looks(1)), staged("c", looks(1, 100))
    assert settled(*videos) == [settled(video)[0] for video in videos]
    assert settled(videos[0])[0]["outcome"] == "kept"


def test_the_limit_is_a_filter_like_others():
    pair = staged("a", looks(0)), staged("b", looks(0, 44))
    assert [row["outcome"] for row in settled(*pair, min_nearest_distance=None)] == ["kept", "kept"]
    assert [row["outcome"] for row in settled(*pair, min_nearest_distance=0.1)] == ["kept", "kept"]
    assert settled(*pair, min_nearest_distance=0.126)[1]["outcome"] == "filtered"


def test_only_videos_that_were_kept_have_copies():
    rows = settled(staged("a", looks(0), outcome="filtered"), staged("b", looks(0)), staged("c", looks(0, 60)))
    assert [row["outcome"] for row in rows] == ["filtered", "kept", "filtered"]
    chain = settled(staged("a", looks(0)), staged("b", looks(0, 60)), staged("c", looks(0, 120)))
    assert [row["outcome"] for row in chain] == ["kept", "filtered", "kept"], "a filtered copy has no copies itself"


def test_a_copy_is_as_long_as_its_original():
    rows = settled(staged("a", looks(0), 10), staged("b", looks(0), 10.6), staged("c", looks(0), 10.4))
    assert [row["outcome"] for row in rows] == ["kept", "kept", "filtered"]
    assert "nearest_video" not in rows[1]


def test_a_video_without_a_fingerprint_is_left_alone():
    assert [row["outcome"] for row in settled(staged("a", None), staged("b", None))] == ["kept", "kept"]


def test_a_clip_of_an_equal_file_is_a_duplicate_whatever_the_filters(tmp_path):
    """Their tracks have the same names; but other parts of the file are no copies."""
    (tmp_path / "films").mkdir()
    for name in ("a", "b"):
        (tmp_path / "films" / f"{name}.mp4").write_text("kept 2")
    a, b = find_sources([tmp_path / "films"], tmp_path / "out")
    sources = [replace(source, clip=clip) for clip in (Clip(0, 1), Clip(1, 2)) for source in (a, b)]
    sources = [replace(source, video=f"{source.video}#{source.stem}") for source in sources]
    found = []
    for again in (sources[:2], sources):
        with claimed(tmp_path / "out"):
            staging = Staging(tmp_path / "out" / FOLDER, PROVENANCE)
            none = parse_filters({"min_nearest_distance": None})
            found = run(again, staging, FakeWork(staging), InProcess(), 1, filters=none).videos.to_dict("records")
    assert [row["outcome"] for row in found] == ["kept", "filtered"] * 2
    assert (found[1]["reason"], found[1]["detail"]) == ("duplicate", "same content as films/a.mp4#a#0.0-1.0")
    assert [track["reason"] for track in found[1]["filtered_tracks"]] == ["duplicate"] * 2
    assert len(open_dataset(tmp_path / "out")) == 4


def test_of_equally_near_ones_the_first_name_is_given():
    rows = settled(staged("m", looks(0), 10), staged("c", looks(0), 10.6), staged("z", looks(0), 10.3))
    assert [row["outcome"] for row in rows] == ["kept", "kept", "filtered"]
    assert rows[2]["nearest_video"] == "c"


def test_a_hundred_thousand_videos_are_compared_in_little_time():
    copies = Copies(parse_filters())
    for number in range(100_000):
        row = {"video": str(number), "sha256": str(number), "span": None}
        copies._add(row | {"fingerprint": "00" * (BITS // 8), "seconds": 4.0})
    start = time.process_time()
    for seed in range(20):
        assert copies.settle(staged(f"x{seed}", looks(seed))).video["outcome"] == "kept"
    assert (time.process_time() - start) / 20 < 0.02


class Lookalikes(FakeWork):
    """`like N` in a file gives it the fingerprint N, all but as many bits as the file's name is long."""

    def __call__(self, source: Source) -> str:
        outcome = super().__call__(source)
        kept = self.staging.load(source)
        words = Path(source.path).read_text().split()
        if kept is not None and "like" in words:
            fingerprint = looks(int(words[words.index("like") + 1]), len(Path(source.path).stem))
            self.staging.store(source, kept.video | {"fingerprint": fingerprint, "seconds": 4.0}, kept.tracks)
        return outcome


@pytest.fixture
def family(tmp_path):
    """Twelve films in four shards; of those that look alike, only the first may be kept."""
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}{'x' * number}.mp4").write_text(f"kept 1 number {number} like {number % 5}")
    return folder


def make(family: Path, out: Path, executor: object, work: type[FakeWork] = Lookalikes) -> Path:
    with claimed(out):
        staging = Staging(out / FOLDER, PROVENANCE)
        run(find_sources([family], out), staging, work(staging), executor, 3)
    return out


def test_the_same_copies_are_filtered_by_one_worker_or_two_or_in_any_order(family, tmp_path):
    made = [
        make(family, tmp_path / name, executor)
        for name, executor in (("a", InProcess()), ("b", LocalExecutor(1)), ("c", LocalExecutor(2)))
    ]
    assert list(open_dataset(made[0]).videos().outcome) == ["kept"] * 5 + ["filtered"] * 7
    assert contents(made[0]) == contents(made[1]) == contents(made[2])


class Interrupted(InProcess):
    """Stops after so many videos, as if it were killed."""

    def __init__(self, videos: int) -> None:
        self.videos = videos

    def map(self, function, items):
        for number, answer in enumerate(super().map(function, items)):
            if number == self.videos:
                raise KeyboardInterrupt
            yield answer


def test_wherever_a_run_was_stopped_the_next_one_ends_with_the_same_bytes(family, tmp_path):
    undisturbed = contents(make(family, tmp_path / "undisturbed", InProcess()))
    for videos in range(1, 12):
        out = tmp_path / f"stopped-{videos}"
        with pytest.raises(KeyboardInterrupt):
            make(family, out, Interrupted(videos))
        assert contents(make(family, out, InProcess())) == undisturbed


def test_a_copy_that_is_added_later_is_filtered_against_what_the_data_set_has(family, tmp_path):
    out = make(family, tmp_path / "out", InProcess())
    before = contents(out)
    (family / "aa.mp4").write_text("kept 1 new like 3")
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    make(family, out, InProcess())
    row = open_dataset(out).videos().set_index("video").loc["films/aa.mp4"]
    assert (row.outcome, row.nearest_video) == ("filtered", "films/03xxx.mp4")
    assert before.items() <= contents(out).items()
