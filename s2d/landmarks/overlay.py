"""Methods of landmark tracking on the picture itself, side by side: points, and trails of where they just were.

The view follows the face without trembling with it: a slow, smooth window that holds the face's box. Trails have the
head's motion taken out, so that what is left of a trail is lids, lips, gaze, and jitter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, median_filter

from s2d import progress
from s2d.errors import S2DError
from s2d.geometry import Array, Floats, Image, apply, invert
from s2d.landmarks import layout
from s2d.landmarks.comparison import ComparedTrack
from s2d.landmarks.detectors.regions import Region, cut
from s2d.landmarks.palette import bright, colours
from s2d.landmarks.stabilise import fill_gaps, follow
from s2d.video import VideoWriter
from s2d.video.writer import FORMATS

PANEL = 512  # pixels
TRAIL = 8  # frames
SPAN = 0.6  # seconds over which the view is smoothed, to either side
SPIKE_FRAMES = 9  # a box that lasts less than half of these does not move the view
STEADY_SIZE, STEADY_EYES = 192, 90.0  # of the frame of reference in which trails are drawn
FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel
MOST_IN_A_ROW = 3
RADIUS, RIM = 0.0048, 0.0022  # of a point and of the dark rim around it, as a share of the panel
TRAIL_WIDTH = 280  # pixels of a panel for each pixel of a trail's width
LEAST_RADIUS = 1.9  # pixels, on small panels
AREAS: MappingProxyType[str, tuple[tuple[int, ...], float, float]] = MappingProxyType(
    {  # landmarks that the view holds, the margin around them as a share of their box, its height over its width
        "face": (layout.CONTOUR_68, 0.14, 1.0),
        "eyes": (tuple(range(36, 48)), 0.15, 0.45),
        "mouth": (tuple(range(48, 68)), 0.35, 0.8),
    }
)


def check_overlay(path: str | Path) -> None:
    """Raise S2DError when no video is written by a name such as `path`."""
    if Path(path).suffix.lower() not in FORMATS:
        raise S2DError(f"cannot write the overlay {path}", "not the name of a video", "name it .mp4")


def write_overlay(track: ComparedTrack, methods: Sequence[str], path: str | Path, *, panel: int = PANEL) -> None:
    """Write a video (H.264) of the track's frames, one panel of `panel` pixels per method, more than three in rows.

    Memory: one frame. Raises S2DError when no pictures are stored, or `path` cannot be written.
    """
    frames = _frames(track)
    overlay = Overlay(track, methods, panel=panel)
    width, height = overlay.size
    path = Path(path)
    fps = (len(track.times) - 1) / float(track.times[-1] - track.times[0]) if len(track.times) > 1 else 25.0
    # a synthetic clip stays marked as one
    with VideoWriter(path, width, height, fps, synthetic=track.truth is not None) as writer:
        drawn = progress.track(frames, f"drawing {path.name}", len(track.times))
        for index, (frame, moment) in enumerate(zip(drawn, track.times - track.times[0], strict=True)):
            writer.write(overlay.draw(index, frame), float(moment))


def _frames(track: ComparedTrack) -> Iterator[Image]:
    if track.frames is None:
        raise S2DError(f"cannot draw on {track.name}", "no pictures are stored", "curate the videos with pictures")
    return track.frames()


class Overlay:
    """Draws any frame of a compared track: `draw(index, frame)` gives the panels of all methods in one picture."""

    def __init__(self, track: ComparedTrack, methods: Sequence[str], *, panel: int = PANEL, area: str = "face") -> None:
        members, margin, shape = AREAS[area]
        self.panel, self.methods = panel, tuple(methods)
        self._height = round(panel * shape)
        self._columns = min(len(self.methods), MOST_IN_A_ROW)
        if len(self.methods) == MOST_IN_A_ROW + 1:
            self._columns = 2
        points = {name: np.asarray(track.points[name], np.float64) for name in self.methods}
        self._views = steady_view(list(points.values()), track.times, members, margin)
        regions = follow(next(iter(points.values())), STEADY_SIZE, STEADY_EYES)
        self._steady = np.stack([region.matrix(STEADY_SIZE) for region in regions])
        self._inside = {name: apply(self._steady, followed) for name, followed in points.items()}
        self._colours = {name: bright(colour) for name, colour in colours(self.methods).items()}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self._columns * self.panel, math.ceil(len(self.methods) / self._columns) * self._height

    def draw(self, index: int, frame: Image) -> Image:
        """The panels (height, width, 3) for frame `index` of the track, given as (H, W, 3) RGB."""
        width, height = self.size
        picture = np.zeros((height, width, 3), np.uint8)
        seen = self._look(index, frame)
        for number, name in enumerate(self.methods):
            row, column = divmod(number, self._columns)
            top, left = row * self._height, column * self.panel
            picture[top : top + self._height, left : left + self.panel] = self._panel(index, seen, name)
        picture[:, self.panel :: self.panel] //= 4  # a line between panels
        picture[self._height :: self._height] //= 4
        return picture

    def panels(self, index: int, frame: Image) -> list[Image]:
        """The panel of each method by itself."""
        seen = self._look(index, frame)
        return [self._panel(index, seen, name) for name in self.methods]

    def _look(self, index: int, frame: Image) -> Image:
        """The frame in the view, (height, panel, 3)."""
        region = self._views[index]
        if region.side > self.panel:
            whole = cut(frame, region, self.panel, cv2.BORDER_CONSTANT).round()
            above = (self.panel - self._height) // 2
            return np.asarray(whole[above : above + self._height], np.uint8)
        size = (self.panel, self._height)
        return np.asarray(cv2.warpAffine(frame, self._matrix(index), size, flags=cv2.INTER_CUBIC))

    def _matrix(self, index: int) -> Array:
        """Affine (2, 3) from frame pixels to the panel: the middle rows of a square, where the panel is lower."""
        matrix = self._views[index].matrix(self.panel)
        matrix[1, 2] -= (self.panel - self._height) // 2
        return matrix

    def _panel(self, index: int, seen: Image, name: str) -> Image:
        radius, rim = max(LEAST_RADIUS, RADIUS * self.panel), max(1.0, RIM * self.panel)
        size = (self._height, self.panel)
        first = max(0, index - TRAIL)
        onto_frame = invert(self._steady[index])
        places = apply(self._matrix(index), apply(onto_frame, self._inside[name][first : index + 1]))
        drawn = _blend(seen, _trails(places, size), self._colours[name])
        drawn = _blend(drawn, _dots(places[-1], size, radius + rim), (20, 20, 20))
        drawn = _blend(drawn, _dots(places[-1], size, radius), self._colours[name])
        return _labelled(drawn, name, self._colours[name])


def steady_view(tracks: Sequence[Floats], times: Array, members: Sequence[int], margin: float) -> list[Region]:
    """Squares of T frames that hold the landmarks `members` of all `tracks` (T, 70, 2), and hardly move.

    The middle of the landmarks' box and the size that holds it are smoothed over about a second; `margin` is a share of
    that size. Boxes that stray for a few frames count for nothing, frames without a box take that of their neighbours.
    """
    held = np.concatenate([np.asarray(points, np.float64)[:, list(members)] for points in tracks], axis=1)
    known = np.asarray(np.isfinite(held).all(axis=-1, keepdims=True))
    low = np.where(known, held, np.inf).min(axis=1)
    high = np.where(known, held, -np.inf).max(axis=1)
    boxes = np.concatenate([low, high], axis=1)
    boxes = fill_gaps(np.where(np.isfinite(boxes), boxes, np.nan))
    boxes = median_filter(boxes, size=(SPIKE_FRAMES, 1), mode="nearest")
    sigma = SPAN / float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    middle = gaussian_filter1d((boxes[:, :2] + boxes[:, 2:]) / 2, sigma, axis=0, mode="nearest", truncate=3)
    reach = np.maximum(middle - boxes[:, :2], boxes[:, 2:] - middle).max(axis=1)
    # a Gaussian over the largest values within its own reach is never below the value itself: the box stays inside
    half = gaussian_filter1d(maximum_filter1d(reach, 2 * round(3 * sigma) + 1), sigma, mode="nearest", truncate=3)
    sides = 2 * (1 + margin) * half
    return [Region(x, y, max(side, 2.0)) for (x, y), side in zip(middle.tolist(), sides.tolist(), strict=True)]


def _trails(places: Array, size: tuple[int, int]) -> Image:
    """How much of a trail's colour each pixel takes, `size` (H, W) 0 to 255: `places` (N, 70, 2), oldest first."""
    mask = np.zeros(size, np.uint8)
    fixed, thickness = _fixed(places), max(1, round(size[1] / TRAIL_WIDTH))
    shown = np.isfinite(places[..., 0] + places[..., 1])
    for age in range(len(places) - 1):
        strength = round(255 * 0.85 * (age + 1) / len(places))
        for member in np.flatnonzero(shown[age] & shown[age + 1]):
            start, end = fixed[age, member].tolist(), fixed[age + 1, member].tolist()
            cv2.line(mask, start, end, strength, thickness, cv2.LINE_AA, FRACTION_BITS)
    return mask


def _dots(places: Array, size: tuple[int, int], radius: float) -> Image:
    """How much of a point's colour each pixel takes, `size` (H, W) 0 to 255: discs with exact centres and soft edges.

    OpenCV's small circles are diamonds whose shape depends on where between pixels they are.
    """
    mask = np.zeros(size, np.uint8)
    shown = places[np.isfinite(places).all(axis=-1)]
    reach = np.arange(-math.ceil(radius + 1), math.ceil(radius + 1) + 1)
    x, y = np.round(shown[:, 0, None]) + reach, np.round(shown[:, 1, None]) + reach
    distance = np.hypot(x[:, None] - shown[:, 0, None, None], y[:, :, None] - shown[:, 1, None, None])
    share = np.round(255 * np.clip(radius + 0.5 - distance, 0, 1)).astype(np.uint8)
    columns, rows = np.broadcast_arrays(x[:, None].astype(int), y[:, :, None].astype(int))
    inside = (columns >= 0) & (columns < size[1]) & (rows >= 0) & (rows < size[0])
    np.maximum.at(mask, (rows[inside], columns[inside]), share[inside])
    return mask


def _fixed(places: Array) -> npt.NDArray[np.int64]:
    """Pixels in OpenCV's fixed point; NaN becomes 0."""
    return np.asarray(np.round(np.where(np.isfinite(places), places, 0) * 2**FRACTION_BITS), np.int64)


def _blend(picture: Image, mask: Image, colour: tuple[int, int, int]) -> Image:
    """A copy of `picture` with as much of `colour` as `mask` (0 to 255) says."""
    blended = picture.copy()
    touched = mask > 0
    share = mask[touched, None].astype(np.float32) / 255
    below = picture[touched].astype(np.float32)
    blended[touched] = (below + share * (np.array(colour, np.float32) - below)).round().astype(np.uint8)
    return np.asarray(blended)


def _labelled(picture: Image, text: str, colour: tuple[int, int, int]) -> Image:
    """`text` on a dark plate in the top-left corner."""
    plate, ink = _label(text, max(9, round(picture.shape[1] / 24)))
    height, width = plate.shape
    corner = picture[:height, :width]
    visible = np.s_[: corner.shape[0], : corner.shape[1]]  # a long name on a small panel is cut off
    corner[:] = _blend(_blend(corner, plate[visible], (16, 16, 16)), ink[visible], colour)
    return picture


@lru_cache(maxsize=32)
def _label(text: str, height: int) -> tuple[Image, Image]:
    """Masks (h, w) of a plate and of the words on it, letters `height` pixels high."""
    import matplotlib

    font = ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf"), height)
    left, _, right, _ = font.getbbox(text)
    pad = height // 2
    size = round(right - left + 2 * pad), round(1.3 * height + pad)
    ink = PillowImage.new("L", size)
    ImageDraw.Draw(ink).text((pad - left, size[1] / 2), text, fill=255, font=font, anchor="lm")
    return np.full((size[1], size[0]), 170, np.uint8), np.asarray(ink)
