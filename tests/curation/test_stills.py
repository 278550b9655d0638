"""Photos as a data set: exact landmarks on the pixels they mark, a person each, the same bytes again, one bad photo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

from s2d.cli import main
from s2d.curation import stills
from s2d.curation.executors import LocalExecutor
from s2d.curation.stills import Made, Recipe, curate_stills
from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.images import decode_jpeg, write_image
from s2d.landmarks import layout
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.synthetic import make_clip
from s2d.shards.reader import open_dataset
from tests.training.conftest import make_dataset  # noqa: F401 - a fixture

POINTS = np.loadtxt(Path(__file__).parents[1] / "landmarks" / "astronaut.csv", delimiter=",", dtype=np.float32)
SMALL = Recipe(frames=12, size=96, crop_size=64, fps=10.0, seed=3)


class KnownFace:
    """Finds the astronaut in the astronaut, and nobody in a black picture; as the real one, it cannot be pickled."""

    name, version = "mesh", "known"

    def __init__(self) -> None:
        self.lock = Lock()

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        return [[Face.of_points(POINTS, 1.0)] if frame.any() else [] for frame in frames]


class Here:
    """Runs the work in this process."""

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        for item in items:
            yield item, function(item)


@pytest.fixture(autouse=True)
def known_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stills, "make_detector", lambda name: KnownFace())


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for name, picture in (("ann", astronaut()), ("bob", astronaut()), ("nobody", np.zeros((64, 64, 3), np.uint8))):
        write_image(folder / f"{name}.png", picture)
    return sorted(folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet"))}


def test_landmarks_are_the_truth_in_crop_pixels(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seeds = []
    monkeypatch.setattr(
        stills, "make_clip", lambda *of, seed, **how: seeds.append(seed) or make_clip(*of, seed=seed, **how)
    )
    curate_stills(photos[:1], tmp_path, SMALL, Here())
    dataset = open_dataset(tmp_path)
    row = dataset.tracks().set_index("video").loc["ann/fast-1"]
    clip = make_clip(astronaut(), POINTS, frames=12, size=96, fps=10.0, seed=seeds[1], variant="fast")
    scale = 64 / row.crop_side
    expected = (clip.truth - [row.crop_left, row.crop_top] + 0.5) * scale - 0.5
    frames = dataset.frames(row.track_id)
    np.testing.assert_allclose(frames.aligned, expected, atol=1e-3)
    np.testing.assert_array_equal(frames.valid, clip.visible)
    assert np.isnan(frames.raw[~clip.visible]).all()
    np.testing.assert_array_equal(frames.raw[clip.visible], frames.aligned[clip.visible])
    assert frames.jpeg is not None
    assert decode_jpeg(frames.jpeg[0]).shape == (64, 64, 3)
    np.testing.assert_allclose(frames.time, np.arange(12) / 10)


def test_the_picture_is_of_the_frame_whose_landmarks_stand_beside_it(photos: list[Path], tmp_path: Path):
    """An iris is darker than the white beside it, wherever the eye has gone to."""
    curate_stills(photos[:1], tmp_path, Recipe(("fast",), 1, frames=12, size=384, crop_size=256, fps=10.0), Here())
    dataset = open_dataset(tmp_path)
    frames = dataset.frames(dataset.tracks().track_id[0])
    assert frames.jpeg is not None
    luma = [decode_jpeg(jpeg).mean(axis=-1) for jpeg in frames.jpeg]
    pupils = [(n, x, y) for n in range(12) for x, y in frames.raw[n, layout.RIGHT_PUPIL :] if np.isfinite(x)]
    dark = [luma[n][round(float(y)), round(float(x))] for n, x, y in pupils]
    forehead = [
        luma[n][round(float(y)), round(float(x))] for n in range(12) for x, y in [frames.aligned[n, 27] - [0, 20]]
    ]
    assert len(pupils) > 12
    assert np.mean(dark) < 0.6 * np.mean(forehead)


def test_each_photo_is_a_person_and_makes_its_clips(photos: list[Path], tmp_path: Path):
    made = curate_stills(photos, tmp_path, SMALL, Here())
    assert [(one.photo, one.clips, one.written) for one in made] == [
        ("ann", 2, True),
        ("bob", 2, True),
        ("nobody", 0, True),
    ]
    dataset = open_dataset(tmp_path)
    videos = dataset.videos()
    assert list(videos.identity) == ["ann", "ann", "bob", "bob", "nobody", "nobody"]
    assert list(videos.video[:4]) == ["ann/calm-0", "ann/fast-1", "bob/calm-0", "bob/fast-1"]
    assert list(videos.outcome) == ["kept"] * 4 + ["failed"] * 2
    assert set(videos.reason[4:]) == {"no face found in the picture"}
    tracks = dataset.tracks()
    assert list(tracks.frames) == [12] * 4
    assert tracks[["face_px", "abs_yaw", "motion", "eye_open_min"]].notna().all().all()


def test_eyes_close_and_mouths_open(photos: list[Path], tmp_path: Path):
    curate_stills(photos[:1], tmp_path, Recipe(frames=60, size=64, crop_size=32, fps=15.0), Here())
    tracks = open_dataset(tmp_path).tracks()
    assert (tracks.eye_open_min < 0.4 * tracks.eye_open_max).all()
    assert (tracks.mouth_open_max - tracks.mouth_open_min > 0.1).all()


def test_a_cut_makes_two_tracks(photos: list[Path], tmp_path: Path):
    curate_stills(photos[:1], tmp_path, Recipe(("cut",), 1, frames=20, size=96, crop_size=64), Here())
    tracks = open_dataset(tmp_path).tracks()
    assert tracks[["shot", "start_frame", "end_frame"]].to_numpy().tolist() == [[0, 0, 9], [1, 10, 19]]


def test_a_second_run_has_nothing_to_do_and_a_new_photo_is_added(photos: list[Path], tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    curate_stills(photos[:1], one, SMALL, Here())
    before = contents(one)
    assert curate_stills(photos[:1], one, SMALL, Here()) == [Made("ann", 2, "", False)]
    assert contents(one) == before
    curate_stills(photos, one, SMALL, Here())
    curate_stills(photos, other, SMALL, Here())
    assert contents(one) == contents(other)
    nobody = curate_stills(photos, one, SMALL, Here())[2]
    assert (nobody.clips, nobody.written) == (0, False)
    assert nobody.problem.startswith("no face found in the picture; give one with")


def test_another_photo_of_a_known_name_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """As curation does with a video that has changed: the data set keeps what it has clips of."""
    monkeypatch.setattr("s2d.curation.executors.LocalExecutor", lambda workers: Here())
    still, out, held = tmp_path / "stills", tmp_path / "out", []
    still.mkdir()
    command = ["synth", "--format", "parquet", "--out", str(out), "--frames", "3", "--size", "64"]
    for pictures in ((astronaut(), astronaut()), (astronaut()[:, :400], astronaut()[:, :401])):
        for name, picture in zip(("ann", "bob"), pictures, strict=True):
            write_image(still / f"{name}.png", picture)
        assert main([*command, "--still", str(still), "--clips", "1", "--crop-size", "32"]) == 0
        held.append(contents(out))
    assert held[0] == held[1]
    told = " ".join(capsys.readouterr().out.split())
    assert "2 photos are not what" in told
    assert "name new photos differently" in told
    recipe = Recipe(clips=1, frames=3, size=64, crop_size=32)
    made = curate_stills([still / "ann.png", still / "bob.png"], out, recipe, Here())
    assert [(one.clips, one.written, one.changed) for one in made] == [(1, False, True)] * 2


def test_a_photo_that_failed_is_looked_at_again_when_it_has_changed(tmp_path: Path):
    """The broken one stays an outcome of the videos table; once there are clips of the name, they are kept."""
    photo, out, nobody = tmp_path / "bob.png", tmp_path / "out", np.zeros((64, 64, 3), np.uint8)
    recipe, made = Recipe(clips=1, frames=3, size=64, crop_size=32), []
    for picture in (nobody, astronaut(), astronaut(), nobody):
        write_image(photo, picture)
        made += curate_stills([photo], out, recipe, Here())
    assert [(one.clips, one.written, one.changed) for one in made] == [
        (0, True, False), (1, True, False), (1, False, False), (1, False, True),
    ]  # fmt: skip
    dataset = open_dataset(out)
    assert sorted(dataset.videos().outcome) == ["failed", "kept"]
    assert list(dataset.tracks().identity) == ["bob"]


def test_what_cannot_be_meant(photos: list[Path], tmp_path: Path):
    with pytest.raises(S2DError, match="two are called ann"):
        curate_stills([photos[0], photos[0]], tmp_path, SMALL, Here())
    with pytest.raises(S2DError, match='variant "wild"'):
        curate_stills(photos, tmp_path, Recipe(("wild",)), Here())
    curate_stills(photos[2:], tmp_path, SMALL, Here())


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("crop_size", 128, "crop_size 64, this run has 128"),
        ("variants", ("calm",), r'recipe.variants \["calm", "fast"\], this run has \["calm"\]'),
        ("clips", 3, "recipe.clips 2, this run has 3"),
        ("frames", 13, "recipe.frames 12, this run has 13"),
        ("size", 128, "recipe.size 96, this run has 128"),
        ("fps", 12, "recipe.fps 10.0, this run has 12.0"),
        ("seed", 4, "recipe.seed 3, this run has 4"),
    ],
)
def test_clips_of_another_recipe_are_not_mixed_in(
    photos: list[Path], tmp_path: Path, name: str, other: object, said: str
):
    curate_stills(photos[2:], tmp_path, SMALL, Here())
    before = contents(tmp_path)
    with pytest.raises(S2DError, match=said):
        curate_stills(photos[2:], tmp_path, replace(SMALL, **{name: other}), Here())
    assert contents(tmp_path) == before
    same = replace(SMALL, variants=["calm", "fast"], fps=10)
    assert [one.written for one in curate_stills(photos[2:], tmp_path, same, Here())] == [False]


def test_a_photo_added_in_front_leaves_those_behind_it_as_they_are(photos: list[Path], tmp_path: Path):
    curate_stills(photos[1:2], tmp_path, SMALL, Here())
    before = contents(tmp_path)
    assert [one.written for one in curate_stills(photos[:2], tmp_path, SMALL, Here())] == [True, False]
    after = contents(tmp_path)
    assert {name: after[name] for name in before} == before
    tracks = open_dataset(tmp_path).tracks().set_index("video")
    assert tracks.motion["ann/calm-0"] != tracks.motion["bob/calm-0"], "the same picture, moved otherwise"


def test_other_processes_go_on_with_a_data_set(photos: list[Path], tmp_path: Path):
    curate_stills(photos[2:], tmp_path, SMALL, Here())
    assert [one.written for one in curate_stills(photos[2:], tmp_path, SMALL, LocalExecutor(1))] == [False]


def test_training_takes_it_beside_real_clips(photos: list[Path], tmp_path: Path, make_dataset: Any):  # noqa: F811
    from s2d.training.datamodule import FaceDataModule

    curate_stills(photos, tmp_path, Recipe(frames=12, size=96, crop_size=128), Here())
    real = make_dataset(detector="mesh")
    data = FaceDataModule([str(real), str(tmp_path)], weights=[1.0, 1.0], size=32, batch_size=8)
    data.setup()
    assert len(data.split.train) + len(data.split.validation) == 3 + 4  # type: ignore[union-attr]
    batch = next(iter(data.train_dataloader()))
    assert batch["points"].isfinite().all()


def test_the_command(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("s2d.curation.executors.LocalExecutor", lambda workers: Here())
    command = ["synth", "--format", "parquet", "--out", str(tmp_path / "out"), "--frames", "3", "--size", "64"]
    assert main([*command, "--still", str(photos[0].parent), "--clips", "1", "--crop-size", "32"]) == 0
    assert "nobody" in capsys.readouterr().out
    assert open_dataset(tmp_path / "out").metadata["crop_size"] == 32
    assert main([*command, "--still", str(photos[2]), "--clips", "1", "--crop-size", "32"]) == 1
    assert "no face found" in capsys.readouterr().err
    assert main(["synth", "--out", str(tmp_path / "clips"), "--crop-size", "32"]) == 2
    assert "add --format parquet" in capsys.readouterr().err
