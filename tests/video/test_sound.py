"""A beep of known begin and end, kept in its place beside other pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.video import VideoWriter
from s2d.video.sound import Sound

RATE = 44_100
SECONDS = 4.0
BEEP = 2.0, 2.5  # seconds; 440 Hz, silence elsewhere
FORMATS = [("aac", "mp4"), ("libmp3lame", "mp4"), ("pcm_s16le", "mov"), ("libopus", "mkv"), ("aac", "ts")]


def make_video(path: Path, codec: str, rate: int = RATE, delay: float = 0.0, seconds: float = SECONDS) -> Path:
    """Grey pictures at 25 frames a second, and the beep; the sound begins `delay` seconds after the pictures."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 64
        sound = container.add_stream(codec, rate=rate, layout="stereo")
        for number in range(round(seconds * 25)):
            picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 90, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        second = np.arange(round(delay * rate), round(seconds * rate)) / rate
        wave = 0.5 * np.sin(2 * np.pi * 440 * second) * ((second >= BEEP[0]) & (second < BEEP[1]))
        samples = np.ascontiguousarray(np.repeat((wave * 32767).astype(np.int16), 2)[None])
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, round(delay * rate), Fraction(1, rate)
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def write_with(path: Path, sound: Sound, seconds: float) -> Path:
    """Pictures at uneven times, as from a telephone, with this sound."""
    times = np.cumsum(np.tile([0.0, 0.05, 0.02, 0.05], 1000))
    with VideoWriter(path, 64, 64, 25, sound=sound) as writer:
        for time in np.unique(times[times < seconds]):
            writer.write(np.full((64, 64, 3), 90, np.uint8), float(time))
    return path


def heard(path: Path) -> tuple[float, float, float]:
    """First and last second of the beep, and the last of all sound, in a file's own time."""
    with av.open(str(path)) as container:
        first, last, end = np.inf, -np.inf, 0.0
        for frame in container.decode(audio=0):
            level = abs(frame.to_ndarray().astype(np.float32))
            level = level.reshape(-1, 2).max(1) if not frame.format.is_planar else level.max(0)
            level = level / (32768 if frame.format.name.startswith("s16") else 1)
            seconds = float(frame.pts * frame.time_base) + np.arange(len(level)) / frame.sample_rate
            loud = seconds[level > 0.1]
            if len(loud):
                first, last = min(first, loud[0]), max(last, loud[-1])
            end = seconds[-1]
    return first, last, end


@pytest.mark.parametrize(("codec", "ending"), FORMATS)
@pytest.mark.parametrize("start", [0.0, 1.24])
def test_the_beep_stays_where_it_was(tmp_path: Path, codec: str, ending: str, start: float):
    source = make_video(tmp_path / f"in.{ending}", codec, 48_000 if codec == "libopus" else RATE)
    with av.open(str(source)) as container:  # a transport stream begins at 1.4 s or so
        zero = float(container.streams.video[0].start_time * container.streams.video[0].time_base)
    before = heard(source)
    sound = Sound(source, zero + start, zero + start + 2.4)
    made = write_with(tmp_path / "out.mp4", sound, 2.4)
    assert sound.copied == (codec in ("aac", "libmp3lame") and ending == "mp4")
    first, last, end = heard(made)
    assert first == pytest.approx(before[0] - zero - start, abs=0.004)
    assert last == pytest.approx(min(2.4, before[1] - zero - start), abs=0.03)
    assert end == pytest.approx(2.4, abs=0.06)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_that_begins_late_or_ends_early_stays_in_step(tmp_path: Path, codec: str):
    source = make_video(tmp_path / "in.mov", codec, delay=0.7, seconds=3.0)
    first, last, end = heard(write_with(tmp_path / "out.mp4", Sound(source, 0.4, 3.9), 3.5))
    assert first == pytest.approx(1.6, abs=0.004)
    assert last == pytest.approx(2.1, abs=0.03)
    assert end == pytest.approx(2.6, abs=0.06)


@pytest.mark.parametrize(("codec", "rate"), [("aac", 44_100), ("pcm_s16le", 8_000)])
def test_same_sound_same_bytes(tmp_path: Path, codec: str, rate: int):
    source = make_video(tmp_path / "in.mov", codec, rate)
    one, other = (write_with(tmp_path / name, Sound(source, 0, 3), 3.0) for name in ("one.mp4", "other.mp4"))
    assert one.read_bytes() == other.read_bytes()


def test_copied_packets_are_the_same_bytes(tmp_path: Path):
    source = make_video(tmp_path / "in.mp4", "aac")
    made = write_with(tmp_path / "out.mp4", Sound(source, 0, SECONDS), SECONDS)
    packets = []
    for path in (source, made):
        with av.open(str(path)) as container:
            packets.append([bytes(packet) for packet in container.demux(audio=0) if packet.size])
    assert packets[0][: len(packets[1])] == packets[1]
    assert len(packets[1]) >= SECONDS * RATE / 1024 - 1


def test_a_video_without_sound_has_none(tmp_path: Path):
    with VideoWriter(tmp_path / "mute.mp4", 64, 64, 25) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    sound = Sound(tmp_path / "mute.mp4", 0, 1)
    assert not sound.codec
    with av.open(str(write_with(tmp_path / "out.mp4", sound, 1.0))) as container:
        assert not container.streams.audio


def test_damaged_sound_is_told_in_one_line_and_leaves_nothing(tmp_path: Path):
    source = make_video(tmp_path / "in.mkv", "flac")
    data = bytearray(source.read_bytes())
    for at in range(len(data) // 3, len(data), 7):
        data[at] ^= 0xFF
    source.write_bytes(data)
    with pytest.raises(S2DError, match=r"in\.mkv.*--no-audio") as error:
        write_with(tmp_path / "out.mp4", Sound(source, 0, SECONDS), SECONDS)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]
