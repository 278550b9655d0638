"""Videos made on the spot, with known pixels and known presentation times."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from s2d.geometry import Image


def moving_texture(count: int, width: int = 96, height: int = 80) -> list[Image]:
    """A blurred random plane passing by, two pixels right and one down a frame: no two frames alike."""
    noise = np.random.default_rng(5).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    side = max(width + 2 * count, height + count) + 2
    plane = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    return [plane[number : number + height, 2 * number : 2 * number + width] for number in range(count)]


@pytest.fixture(scope="session")
def texture() -> list[Image]:
    """60 frames of `moving_texture`."""
    return moving_texture(60)


Encode = Callable[..., Path]


@pytest.fixture
def encode(tmp_path: Path) -> Encode:
    """A function that writes frames by PyAV, without any code of s2d; see `_encode`."""
    return lambda name, frames, **options: _encode(tmp_path / name, frames, **options)


def _encode(
    path: Path,
    frames: Iterable[Image],
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: Fraction | int = 25,
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    stamps: Iterable[int] | None = None,
    time_base: Fraction | None = None,
) -> Path:
    """Frames (H, W, 3) RGB to a file of the codec and pixel format; `stamps` in units of `time_base`, else 0, 1, ..."""
    frames = list(frames)
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        if time_base is not None:
            stream.codec_context.time_base = time_base
        for image, stamp in zip(frames, stamps or range(len(frames)), strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = stamp, time_base or 1 / Fraction(rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Overwrite the track header's matrix (ISO 14496-12, 8.3.2), whose rows are (a, b, u), (c, d, v), (x, y, w)."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4
    matrix = start + (52 if data[start] == 1 else 40)
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def decoded_by_pyav(path: Path) -> tuple[list[Image], list[Fraction]]:
    """All frames and presentation times as PyAV's plain decode loop gives them: the independent implementation."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        return [f.to_ndarray(format="rgb24") for f in frames], [f.pts * f.time_base for f in frames]
