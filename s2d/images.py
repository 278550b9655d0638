"""Still images in and out: RGB uint8 arrays, EXIF orientation respected."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageOps, UnidentifiedImageError

from s2d.errors import S2DError
from s2d.geometry import Image

CAPTION = 14  # pixels that a caption is high
MAX_PIXELS = 100_000_000  # a 10,000 x 10,000 picture; beyond that a header lies or nobody needs it


def read_image(path: str | Path) -> Image:
    """Read a picture as (H, W, 3) RGB uint8; transparency is laid on white.

    Raises S2DError when there is no such file, it is no picture, or it is damaged.
    """
    asked = f"cannot read the image {path}"
    if not Path(path).is_file():
        if Path(path).is_dir():
            raise S2DError(asked, "it is a folder", "name a picture in it")
        raise S2DError(asked, "no such file", "check the path")
    try:
        with PillowImage.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise S2DError(asked, f"{picture.width} x {picture.height} pixels", "shrink it first")
            upright = _eight_bits(ImageOps.exif_transpose(picture)).convert("RGBA")
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        PillowImage.DecompressionBombError,
    ) as error:
        why = "not a picture" if isinstance(error, UnidentifiedImageError) else str(error)
        raise S2DError(asked, why, "give a readable JPEG or PNG") from error
    white = PillowImage.new("RGBA", upright.size, "white")
    return np.asarray(PillowImage.alpha_composite(white, upright).convert("RGB"))


def _eight_bits(picture: PillowImage.Image) -> PillowImage.Image:
    """Greys of 16 bits as 8, which Pillow would clip: all but the darkest became white."""
    if not picture.mode.startswith("I"):
        return picture
    return PillowImage.fromarray((np.asarray(picture).clip(0, 65535) / 257).round().astype(np.uint8))


def encode_jpeg(image: Image, quality: int = 95) -> bytes:
    """RGB uint8 (H, W, 3) to JPEG bytes, 4:4:4 so that lips and irises keep their colour edges."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return bytes(data)


def decode_jpeg(data: bytes) -> Image:
    """JPEG bytes to RGB uint8 (H, W, 3). Raises ValueError when they are no JPEG."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("these bytes are no JPEG picture")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def write_image(path: str | Path, image: Image) -> None:
    """Write RGB uint8 (H, W, 3) by the extension of `path`; raises S2DError when it cannot be written."""
    try:
        PillowImage.fromarray(image).save(path)
    except (OSError, ValueError) as error:
        raise S2DError(f"cannot write {path}", str(error), "choose a writable .png or .jpg path") from error


def caption(text: str, width: int) -> Image:
    """A word above a picture: (CAPTION, width, 3), black on white."""
    strip = np.full((CAPTION, width, 3), 255, np.uint8)
    cv2.putText(strip, text, (1, CAPTION - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return strip
