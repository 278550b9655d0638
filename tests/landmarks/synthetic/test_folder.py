"""A folder of clips: names, turns, and a second run that has nothing to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage.data

from s2d.errors import S2DError
from s2d.geometry import Float32
from s2d.images import write_image
from s2d.landmarks.synthetic import clip as clip_module
from s2d.landmarks.synthetic import make_clip, read_truth, write_clips
from s2d.landmarks.synthetic.folder import find_stills
from s2d.video import VideoReader

TINY = {"frames": 3, "size": 64, "fps": 25.0}


@pytest.fixture(autouse=True)
def known_face(astronaut_points: Float32, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_module, "_detect", lambda still: astronaut_points)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_clips_with_their_truth(tmp_path: Path, astronaut_points: Float32) -> None:
    made = write_clips(tmp_path / "new" / "clips", 3, variants=["calm", "fast"], seed=7, **TINY)
    assert [clip.video.name for clip in made] == ["calm-7.mp4", "fast-8.mp4", "calm-9.mp4"]
    assert all(clip.written for clip in made)
    assert len(contents(tmp_path / "new" / "clips")) == 6
    truth = read_truth(made[1].truth)
    same = make_clip(skimage.data.astronaut(), astronaut_points, seed=8, variant="fast", **TINY)
    np.testing.assert_array_equal(truth.truth, same.truth)
    with VideoReader(made[1].video) as reader:
        assert (len(reader), reader.width, reader.height) == (3, 64, 64)
        np.testing.assert_allclose(reader.times, truth.times, atol=1e-3)


def test_second_run_leaves_all_as_it_is(tmp_path: Path) -> None:
    first = write_clips(tmp_path, 2, **TINY)
    before, stamp = contents(tmp_path), first[0].video.stat().st_mtime_ns
    again = write_clips(tmp_path, 2, **TINY)
    assert [clip.written for clip in again] == [False, False]
    assert first[0].video.stat().st_mtime_ns == stamp
    assert contents(tmp_path) == before


@pytest.mark.parametrize("lost", ["calm-0.parquet", "calm-0.mp4"])
def test_what_is_missing_or_damaged_is_made_again_to_the_same_bytes(tmp_path: Path, lost: str) -> None:
    write_clips(tmp_path, 1, **TINY)
    before = contents(tmp_path)
    (tmp_path / lost).write_bytes(b"damaged")
    assert write_clips(tmp_path, 1, **TINY)[0].written
    assert contents(tmp_path) == before


def test_other_options_give_another_clip(tmp_path: Path) -> None:
    write_clips(tmp_path, 1, **TINY)
    assert write_clips(tmp_path, 1, **{**TINY, "frames": 4})[0].written
    assert len(read_truth(tmp_path / "calm-0.parquet")) == 4


def test_stills_of_a_folder_are_taken_in_turn(tmp_path: Path) -> None:
    stills = tmp_path / "stills"
    stills.mkdir()
    (stills / "notes.txt").touch()
    for name, shade in (("b.png", 255), ("a.png", 0)):
        picture = skimage.data.astronaut()
        picture[:40] = shade
        write_image(stills / name, picture)
    assert [path.name for path in find_stills(stills)] == ["a.png", "b.png"]
    made = write_clips(tmp_path / "out", 3, variants=["calm"], still=stills, **TINY)
    assert [Path(clip.still).name for clip in made] == ["a.png", "b.png", "a.png"]
    assert read_truth(made[1].truth).metadata["still"] == "b.png"


def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(S2DError, match="use one of calm"):
        write_clips(tmp_path, 1, variants=["wild"], **TINY)
    with pytest.raises(S2DError, match="not a frame rate"):
        write_clips(tmp_path, 1, **{**TINY, "fps": 0.0})
    with pytest.raises(S2DError, match="no such file"):
        write_clips(tmp_path, 1, still=tmp_path / "none.png", **TINY)
    (tmp_path / "empty").mkdir()
    with pytest.raises(S2DError, match="holds no pictures"):
        write_clips(tmp_path, 1, still=tmp_path / "empty", **TINY)
    (tmp_path / "file").touch()
    with pytest.raises(S2DError, match="cannot write"):
        write_clips(tmp_path / "file" / "clips", 1, **TINY)
    assert [path.name for path in tmp_path.glob("calm*")] == []


def test_still_without_a_face_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(still: object) -> Float32:
        raise S2DError("cannot make a synthetic clip", "no face found in the picture", "give another")

    monkeypatch.setattr(clip_module, "_detect", blind)
    write_image(tmp_path / "wall.png", np.zeros((50, 50, 3), np.uint8))
    with pytest.raises(S2DError, match=r"of .*wall.png: no face"):
        write_clips(tmp_path / "out", 1, still=tmp_path / "wall.png", **TINY)
