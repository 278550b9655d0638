from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import skimage.data

from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.video import VideoReader, VideoWriter
from s2d.video.writer import exact_rate

from .conftest import decoded_by_pyav


def write(path: Path, frames: list[Image], fps: Fraction | float = 25, times=None, **options) -> Path:
    height, width = frames[0].shape[:2]
    with VideoWriter(path, width, height, fps, **options) as writer:
        for frame, time in zip(frames, times if times is not None else [None] * len(frames), strict=True):
            writer.write(frame, time)
    return path


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25), Fraction(15, 2), 60])
def test_a_frame_rate_is_kept_exactly(tmp_path: Path, texture: list[Image], fps: Fraction) -> None:
    _, times = decoded_by_pyav(write(tmp_path / "a.mp4", texture, fps))
    assert times == [number / Fraction(fps) for number in range(len(texture))]


def test_rates_given_as_floats_mean_what_people_mean() -> None:
    assert exact_rate(59.94) == Fraction(60000, 1001)
    assert exact_rate(23.98) == Fraction(24000, 1001)
    assert exact_rate(24) == 24
    assert float(exact_rate(26.4755)) == pytest.approx(26.4755, abs=1e-4)
    for wrong in (0, -25, float("nan"), 5000):
        with pytest.raises(S2DError, match="not a frame rate"):
            exact_rate(wrong)


def test_times_are_kept_to_a_tick_of_90_khz(tmp_path: Path, texture: list[Image]) -> None:
    times = 0.7 + np.cumsum(np.random.default_rng(1).uniform(0.001, 0.2, len(texture)))
    path = write(tmp_path / "a.mp4", texture, times=times)
    np.testing.assert_allclose(VideoReader(path).times, times, rtol=0, atol=0.5 / 90_000 + 1e-9)


def test_times_must_grow_and_be_given_for_all_frames_or_none(tmp_path: Path, texture: list[Image]) -> None:
    for times in ([0.0, 0.2, 0.2], [0.1, None], [None, 0.1], [-0.5]):
        with pytest.raises(ValueError, match="time"):
            write(tmp_path / "a.mp4", texture[: len(times)], times=times)
    assert list(tmp_path.iterdir()) == []


def test_colours_survive(tmp_path: Path) -> None:
    """Blurred, since halved chroma costs more on sharp edges; the matrix of BT.601 would cost 4 levels on average."""
    photo = cv2.GaussianBlur(skimage.data.astronaut()[:, :400], (0, 0), 5)
    back = VideoReader(write(tmp_path / "a.mp4", [photo] * 3)).frame(1)
    assert np.abs(back.astype(int) - photo).mean() < 2.0
    assert np.abs(back.astype(int).mean((0, 1)) - photo.mean((0, 1))).max() < 1.6


def test_stored_values_are_those_of_bt709(tmp_path: Path) -> None:
    """ITU-R BT.709-6, items 3.2 to 3.4: flat pure red, limited range."""
    red = np.full((64, 64, 3), (255, 0, 0), np.uint8)
    with av.open(str(write(tmp_path / "a.mp4", [red] * 2))) as container:
        frame = next(container.decode(video=0))
        codec = container.streams.video[0].codec_context
        tags = codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range
        planes = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:32, :32] for plane in frame.planes]
    assert tags == (1, 1, 1, 1)
    luma, blue, red_difference = 16 + 219 * 0.2126, 128 - 224 * 0.2126 / 1.8556, 128 + 224 * 0.5
    for plane, expected in zip(planes, (luma, blue, red_difference), strict=True):
        np.testing.assert_allclose(plane, expected, atol=1.0)


def test_odd_sizes_are_padded_by_their_edge(tmp_path: Path, texture: list[Image]) -> None:
    odd = [frame[:79, :95, 1:2].repeat(3, axis=2) for frame in texture[:5]]  # grey: nothing lost to halved chroma
    with VideoReader(write(tmp_path / "a.mp4", odd)) as reader:
        assert (reader.width, reader.height) == (96, 80)
        back = reader.frame(2).astype(int)
    assert np.abs(back[:79, :95] - odd[2]).mean() < 3
    assert np.abs(back[:79, 95] - odd[2][:, 94]).mean() < 6
    assert np.abs(back[79, :95] - odd[2][78]).mean() < 6


def test_the_same_frames_give_the_same_bytes(tmp_path: Path, texture: list[Image]) -> None:
    spaced_out = [np.repeat(frame, 2, axis=1)[:, ::2] for frame in texture]  # not contiguous, same values
    first = write(tmp_path / "a.mp4", texture, synthetic=True).read_bytes()
    assert write(tmp_path / "b.mp4", spaced_out, synthetic=True).read_bytes() == first


def test_the_same_bytes_also_in_a_size_that_blocks_do_not_fill(tmp_path: Path) -> None:
    """x264's macroblock tree differed in three of ten such runs: eight agreed by chance in one of fifteen."""
    noise = np.random.default_rng(0).integers(0, 255, (57, 57, 3), np.uint8)
    frames = [cv2.resize(np.roll(noise, t % 5, 0), (440, 440)) for t in range(40)]
    made = set()
    for _ in range(8):
        with VideoWriter(tmp_path / "x.mp4", 440, 440, 25) as writer:
            for frame in frames:
                writer.write(frame)
        made.add((tmp_path / "x.mp4").read_bytes())
    assert len(made) == 1


def test_the_index_stands_in_front_and_the_file_says_that_it_is_synthetic(tmp_path: Path, texture: list[Image]) -> None:
    made = write(tmp_path / "made.mp4", texture, synthetic=True)
    real = write(tmp_path / "real.mp4", texture)
    data = made.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(made)) as container:
        assert container.metadata["comment"] == "synthetic: made by s2d"
    with av.open(str(real)) as container:
        assert "comment" not in container.metadata


def fail_after_a_frame(path: Path, frame: Image) -> None:
    with VideoWriter(path, 96, 80, 25) as writer:
        writer.write(frame)
        assert len(list(path.parent.iterdir())) == 2  # the temporary, and what was there before
        raise RuntimeError("power cut")


def test_nothing_appears_when_the_block_fails(tmp_path: Path, texture: list[Image]) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"what was there before")
    with pytest.raises(RuntimeError, match="power cut"):
        fail_after_a_frame(path, texture[0])
    assert path.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "why"),
    [
        ("missing/a.mp4", (80, 96, 3), np.uint8, "No such file or directory"),
        ("a.avi", (80, 96, 3), np.uint8, ".avi is not written"),
        ("a.mp4", (80, 97, 3), np.uint8, r"a frame is \(80, 97, 3\)"),
        ("a.mp4", (80, 96), np.uint8, r"a frame is \(80, 96\)"),
        ("a.mp4", (80, 96, 3), np.float32, "float32"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path: Path, name: str, shape, dtype, why: str) -> None:
    with pytest.raises(S2DError, match=why) as caught, VideoWriter(tmp_path / name, 96, 80, 25) as writer:
        writer.write(np.zeros(shape, dtype))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_named(
    tmp_path: Path, texture: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(S2DError, match=r"cannot write the video .*a\.mp4: Permission denied"):
        VideoWriter(tmp_path / "a.mp4", 96, 80, 25).__enter__()


def test_a_full_disk_is_told_and_leaves_nothing(
    tmp_path: Path, texture: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("s2d.video.writer._sync", full)
    with pytest.raises(S2DError, match="No space left on device"):
        write(tmp_path / "a.mp4", texture)
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(S2DError, match="no frame was given"), VideoWriter(tmp_path / "a.mp4", 96, 80, 25):
        pass
    assert list(tmp_path.iterdir()) == []
