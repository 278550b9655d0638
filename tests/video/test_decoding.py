from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import decord
import numpy as np
import pytest
from decord._ffi.base import DECORDLimitReachedError

from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.video import decoding
from s2d.video.index import index_video

from .conftest import Encode

WEIGHTS = {"BT.601": (5, 0.299, 0.114), "BT.709": (1, 0.2126, 0.0722)}  # H.273 code, red, blue


def palette(patches: int = 8, side: int = 16) -> Image:
    """Random flat patches, large enough that halved chroma leaves their middles alone."""
    colours = np.random.default_rng(3).integers(0, 256, (patches, patches, 3))
    return np.kron(colours, np.ones((side, side, 1), int)).astype(np.uint8)


def middles(image: Image, side: int = 16) -> Image:
    return image[side // 2 :: side, side // 2 :: side]


def encode_values(path: Path, image: Image, matrix: str, full: bool) -> Path:
    """RGB to Y'CbCr by the formulas of BT.601 and BT.709, losslessly to H.264."""
    code, red, blue = WEIGHTS[matrix]
    rgb = image / 255.0
    luma = rgb @ (red, 1 - red - blue, blue)
    chroma = [(rgb[..., 2] - luma) / (2 - 2 * blue), (rgb[..., 0] - luma) / (2 - 2 * red)]
    scale_y, scale_c, black = (255, 255, 0) if full else (219, 224, 16)
    planes = [black + scale_y * luma, *(128 + scale_c * part[::2, ::2] for part in chroma)]
    values = [np.clip(np.round(plane), 0, 255).astype(np.uint8) for plane in planes]
    height, width = image.shape[:2]
    frame = av.VideoFrame.from_ndarray(
        np.concatenate([plane.ravel() for plane in values]).reshape(-1, width), "yuv420p"
    )
    frame.color_range, frame.colorspace = 2 if full else 1, code
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.color_range, stream.codec_context.colorspace = 2 if full else 1, code
        for frame.pts in range(4):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", WEIGHTS)
def test_both_decoders_know_colour_matrix_and_range(tmp_path: Path, matrix: str, full: bool) -> None:
    image = palette()
    index = index_video(encode_values(tmp_path / "a.mp4", image, matrix, full))
    for decoder in (decoding._with_decord, decoding._with_av):
        error = np.abs(middles(next(decoder(index, 1, 2))).astype(int) - middles(image))
        assert error.mean() < 1.5
        assert error.max() <= 4


@pytest.mark.parametrize("options", [{}, {"g": "12", "bf": "3"}, {"x264-params": "keyint=12:open-gop=1"}])
def test_both_decoders_agree_to_the_last_bit(encode: Encode, texture: list[Image], options: dict[str, str]) -> None:
    index = index_video(encode("a.mp4", texture, options=options))
    for start in (0, 5):
        runs = decoding._with_decord(index, start, 60), decoding._with_av(index, start, 60)
        np.testing.assert_array_equal(*(list(run) for run in runs))


@pytest.mark.media
@pytest.mark.parametrize("name", ["pexel_front.mp4", "portrait_d0.mp4", "portrait_d19.mp4"])
def test_both_decoders_agree_on_real_clips(media: Path, name: str) -> None:
    index = index_video(media / "clips" / name)
    assert decoding._suits_decord(index, 0, len(index))
    runs = decoding._with_decord(index, 0, len(index)), decoding._with_av(index, 0, len(index))
    assert all(np.array_equal(one, other) for one, other in zip(*runs, strict=True))


class Spy:
    """Counts how often decord is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._real = decord.VideoReader
        monkeypatch.setattr(decord, "VideoReader", self)

    def __call__(self, *args: object, **options: object) -> object:
        self.calls += 1
        return self._real(*args, **options)


class LosesAFrame:
    """A decord that finds at the end of the file that it has given one frame too few."""

    def __init__(self, *_: object, **options: object) -> None:
        assert options["fault_tol"] < 0.001
        self.given = 0

    def seek_accurate(self, number: int) -> None:
        self.given = number

    def next(self) -> object:
        self.given += 1
        if self.given == 60:
            raise DECORDLimitReachedError("duplicate frames that are corrupted and recovered from nearest frames")
        return decord.nd.array(np.zeros((80, 96, 3), np.uint8))


def test_a_frame_that_decord_loses_is_an_error(
    encode: Encode, texture: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_video(encode("a.mp4", texture))
    monkeypatch.setattr(decord, "VideoReader", LosesAFrame)
    with pytest.raises(S2DError, match="frame 59 of 60 cannot be decoded"):
        list(decoding.decode(index, 0, 60))


class SeesFourChannels(LosesAFrame):
    """A decord on a processor where FFmpeg pads the rows by a third."""

    def next(self) -> object:
        return decord.nd.array(np.zeros((80, 96, 4), np.uint8))


def test_a_frame_of_another_shape_is_not_taken_from_decord(
    encode: Encode, texture: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_video(encode("a.mp4", texture))
    expected = list(decoding._with_av(index, 0, 60))
    monkeypatch.setattr(decord, "VideoReader", SeesFourChannels)
    np.testing.assert_array_equal(list(decoding.decode(index, 0, 60)), expected)


def take(run: Iterator[Image], count: int) -> None:
    for _ in range(count):
        next(run)


def test_decord_is_asked_only_where_it_is_exact_and_bounded(
    encode: Encode, texture: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_video(encode("a.mp4", texture, options={"x264-params": "keyint=20:min-keyint=20"}))
    spy = Spy(monkeypatch)
    take(decoding.decode(index, 0, 60), 3)
    take(decoding.decode(index, 10, 60), 3)
    assert spy.calls == 2
    take(decoding.decode(index, 0, 20), 3)  # a third of what it would decode ahead
    take(decoding.decode(index, 25, 60), 3)  # behind the first group of pictures, where it would have to seek
    monkeypatch.setattr(decoding, "READ_AHEAD_BYTES", 60 * 96 * 80 * 3 - 1)
    take(decoding.decode(index, 0, 60), 3)
    assert spy.calls == 2


@pytest.mark.parametrize("stamp", [-512, 100, 10**9, None])
def test_the_first_frame_must_bear_a_stamp_of_the_index(
    encode: Encode, texture: list[Image], stamp: int | None
) -> None:
    """Or it would be numbered by the nearest stamp, and all frames after it with it."""
    index = index_video(encode("a.mp4", texture[:8]))
    frame = av.VideoFrame(96, 80, "yuv420p")
    frame.pts = int(index.stamps[3])
    assert decoding._number(index, frame, -1) == 3
    frame.pts = stamp
    with pytest.raises(S2DError, match=f"the decoder gave the frame of stamp {stamp} instead"):
        decoding._number(index, frame, -1)


def test_a_decoder_without_stamps_is_told_of(
    encode: Encode, texture: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = index_video(encode("a.mp4", texture[:30], options={"g": "12"}))
    monkeypatch.setattr(decoding, "_decoded", lambda *_: iter([av.VideoFrame(96, 80, "yuv420p")]))
    with pytest.raises(S2DError, match="frame 0 of 30 cannot be decoded"):
        next(decoding._with_av(index, 20, 30))
