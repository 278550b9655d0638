"""One stored track as a piece of HTML: its figures, pictures with its landmarks, and how calm it is."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from s2d import charts
from s2d.errors import S2DError
from s2d.geometry import Crop, Image, square_crop
from s2d.images import decode_jpeg, encode_jpeg
from s2d.landmarks.draw import draw_landmarks
from s2d.landmarks.layout import LEFT_EYE_OUTER
from s2d.landmarks.palette import COLOURS, bright
from s2d.landmarks.trembling import stabilise
from s2d.page import embedded
from s2d.shards.reader import Dataset, TrackFrames

FACTS = ("jitter_raw", "jitter_aligned", "face_px", "frames")
PICTURES = 4
SIDE = 220  # pixels of a picture
QUALITY = 82
GROUND = 32  # grey of a picture that is not stored
MARGIN = 0.12  # around the landmarks, share of their extent
TRACED = 120  # frames
STILL = 2.0  # percent of the inter-ocular distance that the height of a curve spans at least
RAW, ALIGNED = bright(COLOURS["raw"]), bright(COLOURS["aligned"])


def shown_columns(by: str) -> list[str]:
    """Columns of the tracks table that the card of a track chosen by the column `by` needs."""
    return list(dict.fromkeys(["track_id", "video", "start_time", "end_time", by, *FACTS]))


def card(dataset: Dataset, by: str, track: Mapping[str, Any]) -> str:
    """The card of a row of the tracks table (`shown_columns`); its name is a link to itself.

    Reads the row group of that track. Raises S2DError when it or a picture in it is damaged.
    """
    rows = dataset.frames(track["track_id"])
    place = html.escape(f"{by}-{track['track_id']}".replace(" ", "-"))
    pictures = "".join(
        embedded(picture, f"{track['track_id']}, frame {rows.frame[index]} at {rows.time[index]:.2f} s, with landmarks")
        for index, picture in thumbnails(dataset, rows, PICTURES)
    )
    facts = ", ".join(f"{name} {figure(track[name])}" for name in dict.fromkeys([by, *FACTS]))
    seen = f"{track['video']}, {track['start_time']:.2f} to {track['end_time']:.2f} s"
    return (
        f'<article id="{place}"><h4><a href="#{place}">{html.escape(track["track_id"])}</a></h4>'
        f"<p>{html.escape(seen)}<br>{html.escape(facts)}</p>"
        f'<div class="strip">{pictures}</div>{_motion(rows)}</article>'
    )


def figure(value: object) -> str:
    """A cell of a table of tracks for people; a dash where there is no value."""
    if isinstance(value, (int, float, np.number)):
        return charts.short(float(value)) if np.isfinite(value) else "-"
    return "-" if value is None else str(value)


def thumbnails(dataset: Dataset, rows: TrackFrames, count: int) -> list[tuple[int, bytes]]:
    """(index, JPEG of SIDE x SIDE) of `count` frames of a track, evenly spread; fewer where the track is shorter.

    All show the same part of the crop: the square around the landmarks. Aligned landmarks are joined, raw ones are
    dots on them. Where no pictures are stored the ground is plain. Raises S2DError when a picture is damaged.
    """
    chosen = np.unique(np.linspace(0, len(rows.frame) - 1, count + 2)[1:-1].round().astype(int)).tolist()
    view = _view(rows, chosen, int(dataset.metadata["crop_size"]))
    pictures = zip(chosen, _pictures(dataset, rows, chosen), strict=True)
    return [(index, encode_jpeg(_drawn(rows, index, picture, view), QUALITY)) for index, picture in pictures]


def _view(rows: TrackFrames, chosen: Sequence[int], size: int) -> Crop:
    """The square of the stored crop that holds the aligned landmarks of the chosen frames; all of it without any."""
    points = rows.aligned[chosen].reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=-1)]
    if not len(points):
        return Crop(0, 0, size)
    return square_crop(np.concatenate([points.min(axis=0), points.max(axis=0)])[None], MARGIN)


def _pictures(dataset: Dataset, rows: TrackFrames, chosen: Sequence[int]) -> Iterator[Image]:
    size = int(dataset.metadata["crop_size"])
    for index in chosen:
        if rows.jpeg is None:
            yield np.full((size, size, 3), GROUND, np.uint8)
            continue
        try:
            yield decode_jpeg(rows.jpeg[index])
        except (ValueError, cv2.error) as error:
            path, _ = dataset.row_group(rows.track_id)
            raise S2DError(f"cannot read a picture of {rows.track_id}", str(error), f"{path} is damaged") from error


def _drawn(rows: TrackFrames, index: int, picture: Image, view: Crop) -> Image:
    aligned, raw = view.points(rows.aligned[index], SIDE), view.points(rows.raw[index], SIDE)
    drawn = draw_landmarks(view.image(picture, SIDE), aligned, colour=ALIGNED)
    return draw_landmarks(drawn, raw, rows.valid[index], colour=RAW, lines=False)


def _motion(rows: TrackFrames) -> str:
    """Height of one corner of the eyes within the face, over the middle of the track; upwards is up."""
    start = max(0, (len(rows.frame) - TRACED) // 2)
    shown = slice(start, start + TRACED)
    tracks = {"raw": np.where(rows.valid[..., None], rows.raw, np.nan), "aligned": rows.aligned}
    heights = {name: -100 * stabilise(points)[0][shown, LEFT_EYE_OUTER, 1] for name, points in tracks.items()}
    return charts.traces(heights, "Motion of the left eye's outer corner, raw and aligned", least=STILL)
