"""Landmarks drawn on pictures, and pictures laid side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from s2d.geometry import Floats, Image
from s2d.landmarks import layout

Colour = tuple[int, int, int]

COLOURS: MappingProxyType[str, Colour] = MappingProxyType(
    {
        "jaw": (120, 200, 255),
        "right_brow": (255, 190, 90),
        "left_brow": (255, 190, 90),
        "nose_bridge": (170, 255, 140),
        "nose_base": (170, 255, 140),
        "right_eye": (90, 255, 230),
        "left_eye": (90, 255, 230),
        "outer_lips": (255, 110, 130),
        "inner_lips": (255, 160, 200),
        "right_pupil": (255, 255, 255),
        "left_pupil": (255, 255, 255),
    }
)
FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel, so landmarks do not snap to the grid
PICTURE_WIDTH = 300  # up to here lines are one pixel wide
CAPTION_HEIGHT = 18


def draw_landmarks(
    image: Image,
    points: Floats,
    valid: npt.NDArray[np.bool_] | None = None,
    *,
    colour: Colour | None = None,
    lines: bool = True,
) -> Image:
    """A copy of RGB `image` (H, W, 3) with landmarks (70, 2) in its pixels, as dots joined part by part.

    Landmarks that are NaN, or not `valid` (70,), are left out with their lines. One `colour` for all, or one per part.
    """
    drawn = image.copy()
    shown = np.asarray(np.isfinite(points[:, 0]) & np.isfinite(points[:, 1]), bool)
    if valid is not None:
        shown &= valid
    thickness = max(1, round(max(image.shape[:2]) / PICTURE_WIDTH))
    places = np.round(np.where(shown[:, None], points, 0) * 2**FRACTION_BITS).astype(int)
    for part, members in layout.PARTS.items():
        chosen = colour or COLOURS[part]
        for start, end in _edges(part, members) if lines else []:
            if shown[start] and shown[end]:
                cv2.line(drawn, _pair(places[start]), _pair(places[end]), chosen, thickness, cv2.LINE_AA, FRACTION_BITS)
        for member in members:
            if shown[member]:
                radius = round(0.9 * thickness * 2**FRACTION_BITS)
                cv2.circle(drawn, _pair(places[member]), radius, chosen, cv2.FILLED, cv2.LINE_AA, FRACTION_BITS)
    return np.asarray(drawn)


def _edges(part: str, members: tuple[int, ...]) -> list[tuple[int, int]]:
    closing = [(members[-1], members[0])] if part in layout.CLOSED else []
    return [*pairwise(members), *closing]


def _pair(place: npt.NDArray[np.int_]) -> tuple[int, int]:
    return int(place[0]), int(place[1])


def contact_sheet(
    images: Sequence[Image], columns: int, *, captions: Sequence[str] = (), height: int | None = None, gap: int = 2
) -> Image:
    """RGB pictures in rows of `columns`, all scaled to `height` pixels (that of the first); missing cells are black.

    Each caption is printed above its picture. Raises ValueError without a picture.

    >>> contact_sheet([np.zeros((10, 20, 3), np.uint8)] * 3, 2).shape
    (22, 42, 3)
    """
    if not images:
        raise ValueError("a contact sheet needs at least one picture")
    height = height or images[0].shape[0]
    cells = [_resize(image, height) for image in images]
    cells = [_captioned(cell, caption) for cell, caption in zip(cells, captions, strict=False)] + cells[len(captions) :]
    tall, wide = max(cell.shape[0] for cell in cells), max(cell.shape[1] for cell in cells)
    rows = -(-len(cells) // columns)
    columns = min(columns, len(cells))
    sheet = np.zeros((rows * (tall + gap) - gap, columns * (wide + gap) - gap, 3), np.uint8)
    for index, cell in enumerate(cells):
        top, left = (tall + gap) * (index // columns), (wide + gap) * (index % columns)
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return sheet


def _resize(image: Image, height: int) -> Image:
    if image.shape[0] == height:
        return image
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    interpolation = cv2.INTER_AREA if height < image.shape[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=interpolation))


def _captioned(image: Image, caption: str) -> Image:
    band = np.zeros((CAPTION_HEIGHT, image.shape[1], 3), np.uint8)
    cv2.putText(band, caption, (3, CAPTION_HEIGHT - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    return np.concatenate([band, image])
