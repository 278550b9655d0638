"""A photo moved by a clip of known motion, end to end with the real detector."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from s2d.animation import driver
from s2d.animation.animate import animate
from s2d.animation.driver import load_driver
from s2d.animation.source import LARGEST_SIZE, LEAST_SIZE, load_source
from s2d.cli import main
from s2d.errors import S2DError, UsageError
from s2d.geometry import Crop
from s2d.images import read_image, write_image
from s2d.landmarks import layout
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.detectors.mesh import MeshDetector
from s2d.landmarks.retarget import retarget
from s2d.landmarks.synthetic import make_clip, write_clip
from s2d.landmarks.synthetic.clip import astronaut
from s2d.models.runtime import load_runtime
from s2d.video import VideoReader

FRAMES = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("animation")
    write_image(made / "photo.png", astronaut())
    write_clip(make_clip(frames=FRAMES, size=256, variant="fast"), made / "clip.mp4")
    return made


def frames_of(path: Path) -> np.ndarray:
    with VideoReader(path) as reader:
        return np.stack(list(reader.frames()))


@pytest.fixture(scope="module")
def moved(folder: Path) -> np.ndarray:
    animate(folder / "photo.png", folder / "clip.mp4", folder / "moved.mp4", size=192)
    return frames_of(folder / "moved.mp4")


def test_has_the_drivers_frames_at_the_asked_size(folder: Path, moved: np.ndarray):
    assert moved.shape == (FRAMES, 192, 192, 3)
    with VideoReader(folder / "moved.mp4") as made, VideoReader(folder / "clip.mp4") as driver:
        np.testing.assert_allclose(made.times, driver.times, atol=1e-3)


def test_the_face_follows_the_driver(folder: Path, moved: np.ndarray):
    detector = make_detector("mesh")
    driver = load_driver(folder / "clip.mp4", detector, 192)
    found = np.stack([faces[0].points for faces in detector.detect(list(moved))])
    nose, driving = found[:, 30], driver.points[:, 30]
    for axis in range(2):
        assert np.corrcoef(nose[:, axis], driving[:, axis])[0, 1] > 0.9
    mouth = layout.aperture(found, layout.INNER_LIP_PAIRS)
    assert np.corrcoef(mouth, layout.aperture(driver.points, layout.INNER_LIP_PAIRS))[0, 1] > 0.7


def test_the_background_stays(moved: np.ndarray):
    corner = moved[:, :20, :20].astype(float)
    assert abs(corner - corner.mean(0)).mean() < 2.0  # of 255: what H.264 leaves


def test_same_input_same_bytes(folder: Path, moved: np.ndarray):
    animate(folder / "photo.png", folder / "clip.mp4", folder / "again.mp4", size=192)
    assert (folder / "again.mp4").read_bytes() == (folder / "moved.mp4").read_bytes()


def test_frames_of_one_moment_follow_each_other_by_a_tick(folder: Path):
    """A driver whose file repeats a stamp, in a clock finer than the writer's: 40 ms a frame, but for the fourth."""
    times = np.arange(8) / 25
    times[3] = times[2] + 1e-6
    driver = folder / "stutter.mkv"
    _with_times(folder / "clip.mp4", driver, times)
    with VideoReader(driver) as reader:
        assert 0 < reader.times[3] - reader.times[2] < 1 / 90_000
    animate(folder / "photo.png", driver, folder / "stuttering.mp4", size=64)
    with VideoReader(folder / "stuttering.mp4") as made:
        np.testing.assert_allclose(made.times, np.where(np.arange(8) == 3, times[2] + 1 / 90_000, times), atol=1e-5)
        assert (np.diff(made.times) > 0).all()


def _with_times(clip: Path, target: Path, times: np.ndarray) -> None:
    """The first frames of a clip, at these seconds, in a file with a clock of a nanosecond."""
    billion = 10**9
    with av.open(str(target), "w", format="mov") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, billion)
        for image, time in zip(frames_of(clip), times, strict=False):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(time * billion), Fraction(1, billion)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_side_by_side_shows_source_driver_and_result(folder: Path):
    made = animate(folder / "photo.png", folder / "clip.mp4", folder / "side.mp4", size=128, side_by_side=True)
    frames = frames_of(folder / "side.mp4").astype(float)
    assert frames.shape == (FRAMES, 128, 384, 3)
    assert not made.trained
    source = load_source(folder / "photo.png", make_detector("mesh"), 128).image
    assert abs(frames[:, :, :128] - source).mean() < 4
    assert frames[:, :, 128:256].std(axis=0).mean() > 2 * frames[:, :, :128].std(axis=0).mean()


def test_the_driver_is_shown_without_what_is_beyond_its_frame():
    frame = np.full((60, 80, 3), 200, np.uint8)
    crop = Crop(-20, -10, 100)
    shown = driver._black_beyond(crop.image(frame, 50), crop, frame)[..., 0]
    wanted = np.zeros((50, 50))
    wanted[5:35, 10:50] = 200
    np.testing.assert_array_equal(shown, wanted)
    inside = Crop(10, 5, 40)
    np.testing.assert_array_equal(driver._black_beyond(inside.image(frame, 40), inside, frame), frame[:40, :40])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "missing.png"}, "no such file"),
        ({"driving": "missing.mp4"}, "no such file"),
        ({"out": "moved.gif"}, "ends in .mp4"),
        ({"size": 63}, "even number"),
        ({"track": "shot9-face9"}, "choose one of shot0-face0"),
        ({"mode": "sideways"}, "choose one of relative, absolute"),
        ({"checkpoint": "photo.png"}, "photo.png"),
    ],
)
def test_wrong_input_is_told_in_one_line_and_leaves_nothing(folder: Path, change: dict[str, object], message: str):
    arguments: dict[str, object] = {"source": "photo.png", "driving": "clip.mp4", "out": "wrong.mp4", "size": 64}
    arguments |= change
    for name in ("source", "driving", "out", "checkpoint"):
        if name in arguments:
            arguments[name] = folder / str(arguments[name])
    with pytest.raises(S2DError, match=message) as error:
        animate(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert not (folder / "wrong.mp4").exists()


def test_missing_folders_of_the_result_are_made(folder: Path, tmp_path: Path):
    made = animate(folder / "photo.png", folder / "clip.mp4", tmp_path / "new" / "er" / "moved.mp4", size=64)
    assert made.out.stat().st_size > 0
    assert list(made.out.parent.iterdir()) == [made.out]


@pytest.mark.parametrize("out", ["photo.png/moved.mp4", "folder.mp4"])
def test_a_place_that_cannot_be_written_is_told_before_the_driver_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, out: str
):
    (folder / "folder.mp4").mkdir(exist_ok=True)
    monkeypatch.setattr("s2d.animation.animate.load_driver", lambda *_: pytest.fail("the work has begun"))
    with pytest.raises(S2DError, match="cannot write"):
        animate(folder / "photo.png", folder / "clip.mp4", folder / out)


def test_the_driver_is_not_written_over(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("s2d.animation.animate.load_driver", lambda *_: pytest.fail("the work has begun"))
    with pytest.raises(S2DError, match=r"clip\.mp4: it is what is to be read"):
        animate(folder / "photo.png", folder / "clip.mp4", folder / "clip.mp4")


@pytest.mark.parametrize(
    ("name", "runtime", "remedy"),
    [
        ("trained.onnx", "torch", "leave out --runtime torch"),
        (
            "best.safetensors",
            "onnx",
            "it is a checkpoint, .*; leave out --runtime onnx, or make an .onnx",
        ),
        ("last.ckpt", "onnx", "leave out --runtime onnx"),
    ],
)
def test_a_file_of_the_other_runtime_is_not_called_damaged(folder: Path, name: str, runtime: str, remedy: str):
    with pytest.raises(UsageError, match=rf"runtime {runtime} with {name}: .*{remedy}"):
        animate(folder / "photo.png", folder / "clip.mp4", folder / "x.mp4", checkpoint=name, runtime=runtime)


@pytest.mark.parametrize("name", ["ONNX", "tensorrt", ""])
def test_an_unknown_runtime_is_not_taken_for_torch(name: str):
    with pytest.raises(UsageError, match=f"runtime '{name}': there is no such runtime; choose one of torch, onnx"):
        load_runtime(None, name)


def test_the_driver_is_followed_as_everywhere_else(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Data sets, live previews and animations are to have the same landmarks of the same video."""
    shots: list[MeshDetector] = []
    follow = MeshDetector.follow
    monkeypatch.setattr(MeshDetector, "follow", lambda self: shots.append(self) or follow(self))
    animate(folder / "photo.png", folder / "clip.mp4", folder / "followed.mp4", size=64)
    assert shots


def test_the_help_says_which_sizes_there_are(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["animate", "--help"])
    assert f"{LEAST_SIZE} to {LARGEST_SIZE}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("size", [0, 101, 4096])
def test_a_size_that_suits_no_video_is_wrong_usage(folder: Path, size: int, capsys: pytest.CaptureFixture[str]):
    paths = ["--source", folder / "photo.png", "--driving", folder / "clip.mp4", "--out", folder / "wrong.mp4"]
    assert main(["animate", *map(str, paths), "--size", str(size)]) == 2
    assert capsys.readouterr().err.endswith("give an even number, 64 to 2048\n")


def test_a_picture_without_a_face_is_named(folder: Path):
    write_image(folder / "grey.png", np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(S2DError, match=r"grey\.png.*no face"):
        animate(folder / "grey.png", folder / "clip.mp4", folder / "wrong.mp4")


@pytest.fixture(scope="module")
def family(folder: Path) -> Path:
    """Two faces, the larger one to the right, in a photo of odd sides."""
    head = astronaut()[:300, 120:360]
    photo = np.full((513, 813, 3), 90, np.uint8)
    photo[:480, 400:784] = cv2.resize(head, (384, 480), interpolation=cv2.INTER_CUBIC)
    photo[100:475, 40:340] = cv2.resize(head, (300, 375), interpolation=cv2.INTER_CUBIC)
    write_image(folder / "family.png", photo)
    return folder / "family.png"


def test_pasted_back_the_photo_keeps_its_size_and_moves_nowhere_but_in_the_face(folder: Path, family: Path):
    made = animate(family, folder / "clip.mp4", folder / "pasted.mp4", paste_back=True)
    frames = frames_of(folder / "pasted.mp4").astype(int)
    assert frames.shape == (FRAMES, 514, 814, 3)
    assert (made.width, made.height) == (814, 514)
    crop = load_source(family, make_detector("mesh"), whole=True).crop
    face = np.zeros((514, 814), bool)
    face[max(0, crop.top) : crop.top + crop.side, crop.left : crop.left + crop.side] = True
    change = abs(frames - frames[0]).max(axis=(0, 3))
    assert np.percentile(change[~face], 99) <= 8  # what H.264 leaves
    assert np.percentile(change[face], 90) > 40
    still = abs(frames[:, :513, :813] - read_image(family).astype(int)).max(axis=(0, 3))
    assert np.percentile(still[~face[:513, :813]], 95) <= 16


@pytest.mark.parametrize(("face", "right"), [(1, True), (2, False)])
def test_the_face_of_this_number_moves(folder: Path, family: Path, face: int, right: bool):
    crop = load_source(family, make_detector("mesh"), face=face).crop
    assert (crop.left + crop.side / 2 > 400) == right


def test_fewer_faces_than_asked_for_are_told(folder: Path, family: Path):
    with pytest.raises(S2DError, match="only 2 faces were found in it, not 3; choose a lower --face"):
        animate(family, folder / "clip.mp4", folder / "wrong.mp4", face=3)
    with pytest.raises(S2DError, match="only one face was found"):
        animate(folder / "photo.png", folder / "clip.mp4", folder / "wrong.mp4", face=2)


def test_panels_and_pasting_back_exclude_each_other(folder: Path):
    with pytest.raises(UsageError, match="ask for one of them"):
        animate(folder / "photo.png", folder / "clip.mp4", folder / "x.mp4", side_by_side=True, paste_back=True)
    with pytest.raises(UsageError, match="counted from 1"):
        animate(folder / "photo.png", folder / "clip.mp4", folder / "x.mp4", face=0)
    with pytest.raises(UsageError, match="there is no such mode; choose one of relative, absolute"):
        animate("no photo", "no driver", folder / "x.mp4", mode="Relative")  # before anything is read


@pytest.fixture(scope="module")
def loud(folder: Path) -> Path:
    """The driving clip with a second of noise."""
    with av.open(str(folder / "clip.mp4")) as given, av.open(str(folder / "loud.mov"), "w") as container:
        pictures = container.add_stream_from_template(given.streams.video[0])
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = pictures
                container.mux(packet)
        noise = np.random.default_rng(2).integers(-9000, 9000, (1, 16_000), dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return folder / "loud.mov"


def test_the_drivers_sound_is_kept_for_as_long_as_the_pictures_last(folder: Path, loud: Path):
    made = animate(folder / "photo.png", loud, folder / "sounding.mp4", size=64)
    assert made.sound == "encoded anew"
    with av.open(str(made.out)) as container:
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert len(samples) / 16_000 == pytest.approx(FRAMES / made.fps, abs=0.07)
    assert samples.std() > 0.05
    again = animate(folder / "photo.png", loud, folder / "sounding-again.mp4", size=64)
    assert again.out.read_bytes() == made.out.read_bytes()


def test_the_sound_is_left_out_when_asked(folder: Path, loud: Path, capsys: pytest.CaptureFixture[str]):
    out = folder / "silent.mp4"
    words = ["--source", folder / "photo.png", "--driving", loud, "--out", out, "--size", 64, "--no-audio", "--json"]
    assert main(["animate", *map(str, words)]) == 0
    assert json.loads(capsys.readouterr().out)["sound"] == "none"
    with av.open(str(out)) as container:
        assert not container.streams.audio


@pytest.mark.parametrize(("ending", "missed", "most"), [(".npy", False, 0.01), (".csv", True, 3.0)])
def test_landmarks_alone_drive(folder: Path, moved: np.ndarray, ending: str, missed: bool, most: float):
    """The clip's landmarks from a file, in pixels of another size, move the photo as the clip does.

    A missed frame is bridged; it changes the others a little through the neutral face. From one frame of this clip to
    the next the pictures differ by 7 to 15, and by 2 where x264 has decided otherwise on almost the same pixels.
    """
    driving = folder / "clip.mp4"
    driver = load_driver(driving, make_detector("mesh"), 192)
    points = 3.0 * driver.points + 40
    points[11] = np.nan if missed else points[11]
    file = folder / f"mine{ending}"
    np.save(file, points) if ending == ".npy" else np.savetxt(file, points.reshape(FRAMES, -1), delimiter=",")
    made = animate(folder / "photo.png", file, folder / "by-points.mp4", size=192, fps=driver.fps)
    assert (made.frames, made.fps, made.sound) == (FRAMES, pytest.approx(driver.fps), "none")
    assert abs(frames_of(made.out).astype(int) - moved).mean(axis=(1, 2, 3)).max() < 5
    face = load_source(folder / "photo.png", make_detector("mesh"), 192).points
    targets = [retarget(face, load_driver(path, make_detector("mesh"), 192).points) for path in (driving, file)]
    np.testing.assert_allclose(*targets, atol=most)  # pixels
    with VideoReader(made.out) as reader:
        np.testing.assert_allclose(reader.times, driver.times, atol=1e-4)


def test_landmark_files_go_beside_black_panels_and_at_25_by_default(folder: Path):
    np.save(folder / "contour.npy", load_driver(folder / "clip.mp4", make_detector("mesh"), 192).points[:, :68])
    made = animate(folder / "photo.png", folder / "contour.npy", folder / "x.mp4", size=64, side_by_side=True)
    assert made.fps == pytest.approx(25)
    middle = frames_of(made.out)[:, :, 64:128]
    assert np.median(middle) < 20
    assert middle.max() > 100


@pytest.mark.parametrize(
    ("width", "mode", "noted"), [(1.0, "absolute", False), (1.25, "absolute", True), (1.25, "relative", False)]
)
def test_another_face_s_landmarks_as_they_are_are_noted(
    folder: Path, capsys: pytest.CaptureFixture[str], width: float, mode: str, noted: bool
):
    """The photo's own person drives it, and somebody with a wider face."""
    points = load_driver(folder / "clip.mp4", make_detector("mesh"), 192).points[:4]
    np.save(folder / "other.npy", points * [width, 1.0])
    words = ["--source", folder / "photo.png", "--driving", folder / "other.npy", "--out", folder / "noted.mp4"]
    assert main(["animate", *map(str, words), "--size", "64", "--mode", mode]) == 0
    advised = "for another person, give --mode relative"
    assert (advised in capsys.readouterr().out) == noted
    assert main(["animate", *map(str, words), "--size", "64", "--mode", mode, "--json"]) == 0
    assert (advised in "".join(json.loads(capsys.readouterr().out)["notes"])) == noted


def test_what_the_photo_lacks_is_told_a_line_each_before_the_driver_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    """So that a user may stop; this driver is not even there, and the notes are out."""
    small = cv2.resize(astronaut()[40:240, 120:320], (150, 150), interpolation=cv2.INTER_AREA)
    write_image(folder / "small.png", small)
    words = ["--source", folder / "small.png", "--driving", folder / "missing.mp4", "--out", folder / "noted.mp4"]
    assert main(["animate", *map(str, words)]) == 1
    told = capsys.readouterr()
    small_face, outside = told.out.splitlines()
    assert small_face.startswith("note: the face is small in the photo, ")
    assert outside.startswith("note: ")
    assert "beyond the photo" in outside
    assert told.err.count("\n") == 1
    assert main(["animate", *map(str, words), "--json"]) == 1
    assert capsys.readouterr().out == ""


def test_what_the_driver_lacks_is_told_before_anything_is_painted(folder: Path, monkeypatch: pytest.MonkeyPatch):
    np.save(folder / "wide.npy", load_driver(folder / "clip.mp4", make_detector("mesh"), 192).points[:4] * [1.25, 1.0])
    told: list[str] = []
    monkeypatch.setattr("s2d.animation.animate.Painter.paint", lambda *_: pytest.fail(f"painted, {len(told)} told"))
    with pytest.raises(pytest.fail.Exception, match="painted, 2 told"):
        animate(folder / "photo.png", folder / "wide.npy", folder / "x.mp4", size=64, mode="absolute", tell=told.append)
    assert "the face is small" in told[0]
    assert "give --mode relative" in told[1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--driving", "clip.mp4", "--fps", "25"], 2, "it has its own times"),
        (["--driving", "steady.npy", "--fps", "0"], 2, "no frame rate"),
        (["--driving", "steady.npy", "--track", "a"], 2, "one track without a name"),
        (["--driving", "missing.npy"], 1, "no such file"),
        (["--driving", "flat.npy"], 1, "give an array"),
        (["--driving", "clip.mp4", "--face", "2"], 1, "only one face was found"),
        (["--driving", "talks"], 1, "it holds videos (0.mp4, 1.MOV, 2.webm) and is no data set; give one of them"),
        (["--driving", "many"], 1, "it holds videos (0.mp4, 1.mp4, 2.mp4, 3.mp4, 4.mp4 and 1 more)"),
        (["--driving", "notes"], 1, "nothing of one is in it; make a data set of videos"),
        (["--driving", "clip.mp4", "--runtime", "onnx"], 2, "no exported model is given"),
        (["--driving", "clip.mp4", "--out", "made.avi"], 2, "choose a path that ends in .mp4"),
    ],
)
def test_what_does_not_fit_together_is_told_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words, code, message
):
    monkeypatch.chdir(folder)
    np.save("steady.npy", np.ones((3, 70, 2)) * np.arange(140).reshape(70, 2))
    np.save("flat.npy", np.ones((3, 5)))
    many = [f"many/{number}.mp4" for number in range(6)]
    for file in map(Path, ["talks/0.mp4", "talks/1.MOV", "talks/2.webm", "talks/notes.txt", "notes/a.txt", *many]):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert main(["animate", "--source", "photo.png", "--out", "wrong.mp4", "--size", "64", *words]) == code
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not (folder / "wrong.mp4").exists()
