from __future__ import annotations

import numpy as np
import pytest

from s2d.video import VideoReader
from s2d.video.orientation import Orientation

from .conftest import Encode, set_display_matrix

RED, GREEN, BLUE, WHITE = (250, 5, 5), (5, 250, 5), (5, 5, 250), (250, 250, 250)


def quadrants() -> np.ndarray:
    """Red and green above, blue and white below: 96 wide, 64 high."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48], picture[:32, 48:], picture[32:, :48], picture[32:, 48:] = RED, GREEN, BLUE, WHITE
    return picture


def corners(image: np.ndarray) -> list[str]:
    """Names of the colours near the corners: top left, top right, bottom left, bottom right."""
    names = {"red": RED, "green": GREEN, "blue": BLUE, "white": WHITE}
    picked = [image[8, 8], image[8, -9], image[-9, 8], image[-9, -9]]
    return [min(names, key=lambda name: abs(np.subtract(names[name], pixel, dtype=int)).sum()) for pixel in picked]


@pytest.mark.parametrize(
    ("matrix", "rotation", "size", "expected"),
    [
        ((1, 0, 0, 1), 0, (96, 64), ["red", "green", "blue", "white"]),
        ((0, 1, -1, 0), 90, (64, 96), ["blue", "red", "white", "green"]),
        ((-1, 0, 0, -1), 180, (96, 64), ["white", "blue", "green", "red"]),
        ((0, -1, 1, 0), 270, (64, 96), ["green", "white", "red", "blue"]),
        ((-1, 0, 0, 1), 0, (96, 64), ["green", "red", "white", "blue"]),
    ],
    ids=["upright", "90", "180", "270", "mirrored"],
)
def test_a_telephone_video_comes_upright(encode: Encode, matrix, rotation, size, expected) -> None:
    path = encode("turned.mp4", [quadrants()] * 4, options={"crf": "4"})
    set_display_matrix(path, *matrix)
    with VideoReader(path) as reader:
        assert (reader.width, reader.height, reader.rotation) == (*size, rotation)
        frame = reader.frame(2)
        assert frame.shape == (size[1], size[0], 3)
        assert frame.flags.c_contiguous
        assert corners(frame) == expected


def test_turning_agrees_with_numpy() -> None:
    image = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    for orientation, expected in [
        (Orientation(True, flip_columns=True), np.rot90(image, -1)),
        (Orientation(False, True, True), np.rot90(image, 2)),
        (Orientation(True, flip_rows=True), np.rot90(image, 1)),
    ]:
        np.testing.assert_array_equal(orientation.upright(image), expected)
        assert orientation.size(6, 4) == (expected.shape[1], expected.shape[0])
