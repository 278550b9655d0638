"""Pictures in and out: orientation, transparency, colours, and what is said about files that are none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as PillowImage

from s2d import images
from s2d.errors import S2DError


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def test_png_comes_back_exactly(tmp_path, picture):
    images.write_image(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.png"), picture)


def test_orientation_of_a_camera_is_respected(tmp_path, picture):
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # "turn clockwise to see it upright"
    PillowImage.fromarray(picture).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(images.read_image(tmp_path / "a.png"), np.rot90(picture, -1))


def test_transparency_is_laid_on_white(tmp_path):
    layer = np.zeros((2, 2, 4), np.uint8)
    layer[0, 0] = 10, 20, 30, 255
    PillowImage.fromarray(layer).save(tmp_path / "a.png")
    read = images.read_image(tmp_path / "a.png")
    assert read[0, 0].tolist() == [10, 20, 30]
    assert read[1, 1].tolist() == [255, 255, 255]


def test_grey_and_palette_pictures_become_rgb(tmp_path, picture):
    for mode in ("L", "P", "1", "CMYK"):
        PillowImage.fromarray(picture).convert(mode).save(tmp_path / "a.tif")
        assert images.read_image(tmp_path / "a.tif").shape == picture.shape


def test_grey_of_sixteen_bits_keeps_its_tones(tmp_path):
    tones = np.linspace(0, 65535, 64 * 48).reshape(48, 64)
    PillowImage.fromarray(tones.astype(np.uint16)).save(tmp_path / "a.png")
    read = images.read_image(tmp_path / "a.png")
    assert read.shape == (48, 64, 3)
    np.testing.assert_allclose(read, (tones / 257)[..., None].repeat(3, -1), atol=0.51)


def test_jpeg_keeps_colours_and_their_order():
    half = np.zeros((32, 32, 3), np.uint8)
    half[:, :15], half[:, 15:] = (220, 30, 40), (20, 60, 200)  # an odd edge: 4:2:0 would smear it
    back = images.decode_jpeg(images.encode_jpeg(half))
    assert np.abs(back.astype(int) - half).max() <= 12


def test_decode_of_no_jpeg_is_a_value_error():
    with pytest.raises(ValueError, match="no JPEG"):
        images.decode_jpeg(b"not a picture at all")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file"),
        (b"", "not a picture"),
        (b"hello, I am text", "not a picture"),
    ],
)
def test_what_is_no_picture_is_named(tmp_path, content, why):
    path = tmp_path / "portrait.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(S2DError, match=f"portrait.jpg.*{why}"):
        images.read_image(path)


def test_a_folder_is_no_missing_file(tmp_path):
    with pytest.raises(S2DError, match="it is a folder; name a picture in it"):
        images.read_image(tmp_path)


def test_truncated_picture_is_named(tmp_path, picture):
    images.write_image(tmp_path / "a.png", picture)
    path = tmp_path / "cut.png"
    path.write_bytes((tmp_path / "a.png").read_bytes()[:300])
    with pytest.raises(S2DError, match=r"cut\.png"):
        images.read_image(path)


def test_picture_that_would_fill_the_memory_is_refused(tmp_path, picture, monkeypatch):
    images.write_image(tmp_path / "a.png", picture)
    monkeypatch.setattr(images, "MAX_PIXELS", 12 * 20 - 1)
    with pytest.raises(S2DError, match="20 x 12 pixels"):
        images.read_image(tmp_path / "a.png")


def test_picture_that_cannot_be_written_is_named(tmp_path, picture):
    with pytest.raises(S2DError, match="nowhere"):
        images.write_image(tmp_path / "nowhere" / "a.png", picture)
