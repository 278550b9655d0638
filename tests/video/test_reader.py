from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.video import VideoReader, VideoWriter, index, reader
from s2d.video.decoding import decode

from .conftest import Encode, decoded_by_pyav, moving_texture

KEYS_EVERY_12 = "keyint=12:min-keyint=12:bframes=3"
X265 = {"x265-params": f"{KEYS_EVERY_12}:log-level=none"}
KINDS = {
    "closed groups": ("a.mp4", "libx264", {"x264-params": KEYS_EVERY_12}),
    "open groups": ("a.mp4", "libx264", {"x264-params": f"{KEYS_EVERY_12}:open-gop=1"}),
    "one group": ("a.mp4", "libx264", {"x264-params": "keyint=1000:bframes=5:b-pyramid=normal"}),
    "gradual refresh": ("a.mp4", "libx264", {"x264-params": "keyint=12:intra-refresh=1"}),
    "HEVC, open groups": ("a.mov", "libx265", X265),
    "HEVC, closed groups": ("a.mp4", "libx265", {"x265-params": X265["x265-params"] + ":open-gop=0"}),
    "Matroska": ("a.mkv", "libx264", {"x264-params": KEYS_EVERY_12}),
    "transport stream": ("a.ts", "libx264", {"x264-params": KEYS_EVERY_12}),
    "MPEG-4 in AVI": ("a.avi", "mpeg4", {"bf": "2", "g": "12"}),
    "VP9": ("a.webm", "libvpx-vp9", {"g": "12", "cpu-used": "8", "deadline": "realtime"}),
}
CLIPS = ["cut_noface_to_face.mov", "no_face.mp4", "pexel_front.mp4", "portrait_d18.mp4"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, encode: Encode, texture: list[Image]) -> Path:
    """The same 60 frames in one of the ways that make seeking hard."""
    name, codec, options = KINDS[request.param]
    return encode(name, texture, codec=codec, options=options)


def test_every_way_of_reading_gives_the_same_frames(kind: Path, texture: list[Image]) -> None:
    expected, times = decoded_by_pyav(kind)
    with VideoReader(kind) as reader:
        np.testing.assert_allclose(reader.times, [float(time) for time in times], rtol=0, atol=1e-12)
        assert reader.fps == pytest.approx(25, abs=1e-6)
        np.testing.assert_array_equal(list(reader.frames()), expected)
        for number in (59, 0, 13, 11, 12, 24, 37):
            np.testing.assert_array_equal(reader.frame(number), expected[number])
            np.testing.assert_array_equal(list(reader.frames(number, number + 5)), expected[number : number + 5])
    assert np.abs(np.subtract(expected, texture, dtype=int)).mean() < 20  # and they are the frames that went in


@pytest.mark.media
@pytest.mark.parametrize("name", CLIPS)
def test_real_clips_agree_with_plain_decoding(media: Path, name: str) -> None:
    """Among them a variable frame rate in HEVC, and an edit list that hides three frames."""
    expected, times = decoded_by_pyav(media / "clips" / name)
    with VideoReader(media / "clips" / name) as reader:
        assert reader.times.tolist() == [float(time) for time in times]
        assert (np.diff(reader.times) > 0).all()
        assert all(np.array_equal(one, other) for one, other in zip(reader.frames(), expected, strict=True))
        last = len(reader) - 1
        np.testing.assert_array_equal(reader.frame(last // 2), expected[last // 2])


def test_variable_frame_rate(encode: Encode, texture: list[Image]) -> None:
    stamps = np.cumsum(np.random.default_rng(2).integers(1, 9000, len(texture))).tolist()
    path = encode("a.mp4", texture, stamps=stamps, time_base=Fraction(1, 90_000))
    with VideoReader(path) as reader:
        seconds = np.array(stamps) / 90_000
        np.testing.assert_allclose(np.diff(reader.times), np.diff(seconds), rtol=0, atol=1e-9)
        assert reader.fps == pytest.approx(59 / (seconds[-1] - seconds[0]))


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("odd.mp4", "libx264", "yuv444p"),
        ("ten_bit.mp4", "libx264", "yuv420p10le"),
        ("gray.mkv", "ffv1", "gray"),
        ("gray16.mkv", "ffv1", "gray16le"),
        ("alpha.mov", "png", "rgba"),
        ("prores_alpha.mov", "prores_ks", "yuva444p10le"),
        ("narrow.mp4", "libx264", "yuv420p"),
    ],
)
def test_any_pixel_format_comes_as_rgb(encode: Encode, name: str, codec: str, pixels: str) -> None:
    width, height = (48, 40) if name.startswith("narrow") else (97, 79) if "odd" in name else (96, 80)
    frames = [frame[:, :, 1:2].repeat(3, axis=2) for frame in moving_texture(8, width, height)]  # grey in all formats
    path = encode(name, frames, codec=codec, pixels=pixels)
    with VideoReader(path) as reader:
        back = list(reader.frames())
    assert (reader.width, reader.height, len(back)) == (width, height, 8)
    assert all(frame.shape == (height, width, 3) and frame.dtype == np.uint8 for frame in back)
    assert np.abs(np.subtract(back, frames, dtype=int)).mean() < 6


def test_too_large_a_picture_is_refused_by_the_header_alone(encode: Encode, texture: list[Image], monkeypatch) -> None:
    path = encode("a.mkv", texture[:2], codec="mjpeg", pixels="yuvj420p")
    monkeypatch.setattr(index, "MAX_PIXELS", 96 * 80 - 1)
    monkeypatch.setattr(index, "_scan", None)  # which decodes the first frame
    with pytest.raises(S2DError, match="frames of 96 x 80 pixels; shrink it first"):
        VideoReader(path)


def test_a_frame_that_is_suddenly_enormous_is_damage(encode: Encode, texture: list[Image]) -> None:
    path = encode("a.mov", texture[:9], codec="mjpeg", pixels="yuvj420p")
    data = bytearray(path.read_bytes())
    heads = [match.end() for match in re.finditer(rb"\xff\xc0\x00\x11\x08", data)]
    data[heads[5] : heads[5] + 4] = struct.pack(">HH", 15_000, 15_000)
    path.write_bytes(data)
    with pytest.raises(S2DError, match="frame 5 of 9 cannot be decoded"):
        list(VideoReader(path).frames())


def test_numbers_work_as_in_a_list(encode: Encode, texture: list[Image]) -> None:
    reader = VideoReader(encode("a.mp4", texture))
    everything = list(reader.frames())
    assert len(reader) == len(everything) == 60
    np.testing.assert_array_equal(reader.frame(-1), everything[-1])
    np.testing.assert_array_equal(list(reader.frames(-3)), everything[-3:])
    assert list(reader.frames(7, 7)) == list(reader.frames(70)) == []
    with pytest.raises(IndexError):
        reader.frame(60)
    one, other = reader.frames(3), reader.frames(40)  # runs do not disturb each other
    for offset in range(4):
        np.testing.assert_array_equal(next(one), everything[3 + offset])
        np.testing.assert_array_equal(next(other), everything[40 + offset])


SLOW_READER = """
import resource, sys, time
from s2d.video import VideoReader
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
reader = VideoReader(sys.argv[1])
frames = reader.frames()
next(frames)
before = peak()
for frame, _ in zip(frames, range(150)):
    time.sleep(.005)
print(peak() - before)
"""


def test_memory_stays_bounded_when_the_caller_is_slow(encode: Encode) -> None:
    """450 MB of frames decode in the time that the caller gives; it may hold 60 MB of them."""
    frames = moving_texture(10, 480, 320) * 100
    path = encode("a.mp4", frames, options={"preset": "ultrafast", "g": "1000"})
    done = subprocess.run([sys.executable, "-c", SLOW_READER, path], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 60
    assert done.stderr == ""


def hostile(folder: Path, encode: Encode, texture: list[Image]) -> dict[str, tuple[Path, str]]:
    """Every kind of file that is no video, with what its error must say."""
    (folder / "empty.mp4").touch()
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(50_000))
    (folder / "text.mov").write_text("I am a text", encoding="utf-8")
    (folder / "list.m3u8").write_text(
        "#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n", encoding="utf-8"
    )
    whole = encode("whole.mp4", texture).read_bytes()
    (folder / "headless.mp4").write_bytes(whole[: len(whole) // 2])  # PyAV writes the index last
    with av.open(str(folder / "sound.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    raw = encode("raw.h264", texture)
    picture = encode("still.png", texture[:1], codec="png", pixels="rgb24")
    return {
        "missing": (folder / "nothing.mp4", "no such file"),
        "folder": (folder, "a folder or a device"),
        "empty": (folder / "empty.mp4", "empty"),
        "noise": (folder / "noise.mp4", "not a video"),
        "text": (folder / "text.mov", "not a video"),
        "playlist": (folder / "list.m3u8", ""),
        "cut off before its index": (folder / "headless.mp4", "cut off before its index"),
        "sound": (folder / "sound.wav", "no video stream"),
        "no times": (raw, "no presentation times"),
        "picture": (picture, "a still picture"),
        "name too long": (folder / ("x" * 300), "File name too long"),
    }


def test_a_file_that_is_no_video_is_one_line(
    tmp_path: Path, encode: Encode, texture: list[Image], capfd: pytest.CaptureFixture[str]
) -> None:
    for what, (path, why) in hostile(tmp_path, encode, texture).items():
        with pytest.raises(S2DError) as caught:
            VideoReader(path)
        assert str(path) in str(caught.value), what
        assert why in str(caught.value), what
        assert "\n" not in str(caught.value), what
    assert capfd.readouterr() == ("", "")


def test_a_file_that_may_not_be_read_is_named(
    encode: Encode, texture: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode("a.mp4", texture)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    if os.geteuid() == 0:  # root may read everything
        monkeypatch.setattr(av, "open", refuse)
    else:
        path.chmod(0)
    with pytest.raises(S2DError, match="Permission denied"):
        VideoReader(path)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_video_cut_off_in_the_middle_gives_its_readable_part_and_then_says_so(
    tmp_path: Path, encode: Encode, container: str
) -> None:
    frames = moving_texture(120)
    whole = encode(f"whole.{container}", frames, options={"g": "15"}, muxer={"movflags": "+faststart"})
    expected = list(VideoReader(whole).frames())
    path = tmp_path / f"cut.{container}"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with VideoReader(path) as reader:
        readable = len(reader)
        assert 40 < readable < 100
        assert len(list(reader.frames(0, 10))) == 10
        run = reader.frames()
        for number in range(readable - 3):  # the last ones may be predicted from frames that are lost
            np.testing.assert_array_equal(next(run), expected[number])
        with pytest.raises(S2DError, match=rf"stops before frame {readable}: .*breaks off"):
            list(run)


@pytest.mark.parametrize("ahead", [0, 2**30], ids=["PyAV", "decord"])
def test_a_damaged_frame_is_named(
    encode: Encode, texture: list[Image], ahead: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("s2d.video.decoding.READ_AHEAD_BYTES", ahead)
    path = encode("a.mp4", texture, options={"x264-params": "bframes=0"})
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][30]
        start, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[start : start + size] = bytes(size)
    path.write_bytes(data)
    taken = []
    with pytest.raises(S2DError, match=r"frame (2\d|30) of 60 cannot be decoded \(damaged data\)"):
        taken.extend(VideoReader(path).frames())
    assert 25 <= len(taken) <= 30
    assert capfd.readouterr() == ("", "")


def test_a_stream_that_starts_in_the_middle_begins_at_its_first_key_frame(
    tmp_path: Path, encode: Encode, texture: list[Image]
) -> None:
    whole = encode("whole.ts", texture, options={"x264-params": KEYS_EVERY_12})
    data = whole.read_bytes()
    path = tmp_path / "tail.ts"
    path.write_bytes(data[: 188 * 3] + data[len(data) // 188 // 2 * 188 :])
    expected, times = decoded_by_pyav(whole)
    reader = VideoReader(path)
    assert 10 < len(reader) < 40
    assert reader.times.tolist() == [float(time) for time in times][-len(reader) :]
    np.testing.assert_array_equal(list(reader.frames()), expected[-len(reader) :])


def test_stamps_that_run_backwards_are_refused(tmp_path: Path, encode: Encode, texture: list[Image]) -> None:
    data = encode("once.flv", texture).read_bytes()
    twice = tmp_path / "twice.flv"
    twice.write_bytes(data + data[13:])  # without its header
    with pytest.raises(S2DError, match="time stamps jump back after frame 60"):
        VideoReader(twice)


def test_opening_does_not_decode(tmp_path: Path, texture: list[Image], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mp4"
    with VideoWriter(path, 96, 80, 25) as writer:
        for frame in texture * 20:
            writer.write(frame)
    monkeypatch.setattr("s2d.video.reader.decode", None)
    assert len(VideoReader(path)) == 1200


def test_frames_that_fit_are_decoded_once(
    encode: Encode, texture: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode("a.mp4", texture)
    expected = list(VideoReader(path).frames())
    runs: list[tuple[int, int]] = []

    def counted(video: index.VideoIndex, start: int, stop: int) -> Iterator[Image]:
        runs.append((start, stop))
        return decode(video, start, stop)

    monkeypatch.setattr(reader, "decode", counted)
    keeping = VideoReader(path, keep_bytes=sum(frame.nbytes for frame in expected))
    np.testing.assert_array_equal(list(keeping.frames()), expected)
    np.testing.assert_array_equal(list(keeping.frames(7, 20)), expected[7:20])
    assert runs == [(0, len(expected))]
    scarce = VideoReader(path, keep_bytes=expected[0].nbytes)
    assert len([*scarce.frames(), *scarce.frames()]) == 2 * len(expected)
    assert len(runs) == 3
