"""The overlay: points exactly where they are, a view that holds the face and does not tremble with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.geometry import Float32, Image, apply
from s2d.landmarks import layout
from s2d.landmarks.comparison import ComparedTrack
from s2d.landmarks.overlay import AREAS, TRAIL, Overlay, _dots, check_overlay, steady_view, write_overlay
from s2d.landmarks.palette import bright, colours
from s2d.video import VideoReader

COUNT = 20
SIZE = (240, 320)  # of a frame


def moving_face(points: Float32) -> Float32:
    """The astronaut's landmarks at a third of their size, drifting to the right by two pixels a frame."""
    drift = np.arange(COUNT)[:, None, None] * np.array([2.0, 0.5])
    return ((points - points.min(axis=0)) / 1.5 + [60, 70] + drift).astype(np.float32)


def grey_frames() -> Iterator[Image]:
    for _ in range(COUNT):
        yield np.full((*SIZE, 3), 90, np.uint8)


@pytest.fixture
def track(astronaut_points: Float32) -> ComparedTrack:
    true = moving_face(astronaut_points)
    trembling = true + np.random.default_rng(0).normal(0, 1.0, true.shape).astype(np.float32)
    points = {"raw": trembling, "aligned": true}
    return ComparedTrack("face", np.arange(COUNT) / 25, points, None, {}, grey_frames)


def coloured(picture: Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Weight (H, W) of a colour over the grey frame, from the channel in which it differs most."""
    channel = int(np.argmax(np.abs(np.array(colour) - 90)))
    return np.clip((picture[..., channel] - 90.0) / (colour[channel] - 90.0), 0, None)


@pytest.mark.parametrize("place", [(20.0, 20.0), (20.5, 20.0), (20.25, 20.75), (19.6, 20.1)])
def test_a_point_is_drawn_where_it_is(place: tuple[float, float]) -> None:
    """Its centre of mass is its place to a fiftieth of a pixel, and its mass does not depend on the place."""
    mask = _dots(np.array([place]), (40, 41), 2.4).astype(float)
    y, x = np.mgrid[:40, :41]
    assert (mask * x).sum() / mask.sum() == pytest.approx(place[0], abs=0.02)
    assert (mask * y).sum() / mask.sum() == pytest.approx(place[1], abs=0.02)
    assert mask.sum() / 255 == pytest.approx(np.pi * 2.4**2, rel=0.03)


def test_points_beyond_the_picture_or_unknown_are_left_out() -> None:
    mask = _dots(np.array([[-9.0, 3.0], [np.nan, np.nan], [0.0, 39.0]]), (40, 41), 2.0)
    assert mask[39, 0] == 255
    assert (mask[:30] == 0).all()


def test_points_of_a_panel_are_those_of_its_method(track: ComparedTrack) -> None:
    """The nose bridge, which no other point is near: its drawn centre maps back to the landmark."""
    overlay = Overlay(track, ["aligned"], panel=400)
    frame = next(grey_frames())
    picture = overlay.draw(0, frame)
    region = steady_view([track.points["aligned"]], track.times, *AREAS["face"][:2])[0]
    x, y = apply(region.matrix(400), track.points["aligned"][0, 28:29])[0]
    left, top = round(x) - 5, round(y) - 5
    weight = coloured(picture, bright(colours(["aligned"])["aligned"]))[top : top + 11, left : left + 11]
    rows, columns = np.mgrid[top : top + 11, left : left + 11]
    assert (weight * columns).sum() / weight.sum() == pytest.approx(x, abs=0.25)
    assert (weight * rows).sum() / weight.sum() == pytest.approx(y, abs=0.25)


def test_view_holds_the_face_and_fills_the_panel(track: ComparedTrack) -> None:
    """All points stay inside, the face takes most of the panel, and the view never jumps."""
    regions = steady_view(list(track.points.values()), track.times, *AREAS["face"][:2])
    places = np.stack([apply(region.matrix(100), track.points["aligned"][t]) for t, region in enumerate(regions)])
    outline = places[:, list(layout.CONTOUR_68)]
    assert outline.min() > 0
    assert outline.max() < 99
    assert np.ptp(outline, axis=1).max(axis=1).min() > 55
    middles = np.array([[region.x, region.y, region.side] for region in regions])
    assert np.abs(np.diff(middles, n=2, axis=0)).max() < 0.5  # the raw points accelerate by several pixels


def test_view_bridges_gaps_and_ignores_spikes(track: ComparedTrack) -> None:
    points = track.points["aligned"].copy()
    points[5:8] = np.nan
    points[12] += 100
    regions = steady_view([points], track.times, *AREAS["face"][:2])
    clean = steady_view([track.points["aligned"]], track.times, *AREAS["face"][:2])
    for one, other in zip(regions, clean, strict=True):
        assert abs(one.x - other.x) < 2
        assert abs(one.side - other.side) < 4


def test_trails_show_jitter_but_not_the_motion_of_the_head(track: ComparedTrack) -> None:
    """A face that only drifts leaves hardly a trail; a trembling one does; and they are not drawn before they exist."""
    frame = next(grey_frames())
    amount = {}
    for name in ("raw", "aligned"):
        overlay = Overlay(track, [name], panel=300)
        tint = bright(colours([name])[name])
        first, later = (float(coloured(overlay.draw(t, frame), tint).sum()) for t in (0, TRAIL + 2))
        amount[name] = later - first
    assert amount["raw"] > 4 * max(amount["aligned"], 1.0)


@pytest.mark.parametrize(
    ("count", "size"), [(1, (64, 64)), (2, (128, 64)), (3, (192, 64)), (4, (128, 128)), (5, (192, 128))]
)
def test_panels_stand_in_rows(track: ComparedTrack, count: int, size: tuple[int, int]) -> None:
    names = [f"method{number}" for number in range(count)]
    many = replace(track, points=dict.fromkeys(names, track.points["raw"]))
    overlay = Overlay(many, names, panel=64)
    assert overlay.size == size
    assert overlay.draw(3, next(grey_frames())).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("area", list(AREAS))
def test_areas_show_their_landmarks(track: ComparedTrack, area: str) -> None:
    overlay = Overlay(track, ["raw", "aligned"], panel=200, area=area)
    panels = overlay.panels(10, next(grey_frames()))
    assert [panel.shape for panel in panels] == [(round(200 * AREAS[area][2]), 200, 3)] * 2
    members = track.points["aligned"][10, list(AREAS[area][0])]
    places = apply(overlay._matrix(10), members)
    assert (places > 0).all()
    assert (places < [199, panels[0].shape[0] - 1]).all()


def test_large_faces_are_averaged(track: ComparedTrack) -> None:
    """A panel smaller than the face shows fine stripes as grey, not as a moire."""
    stripes = np.zeros((*SIZE, 3), np.uint8)
    stripes[:, ::2] = 200
    panel = cv2.cvtColor(Overlay(track, ["aligned"], panel=40).draw(0, stripes), cv2.COLOR_RGB2GRAY)
    assert abs(float(np.median(panel[10:])) - 100) < 15


def test_written_video_has_every_frame_at_its_time(track: ComparedTrack, tmp_path: Path) -> None:
    times = np.cumsum(np.r_[7.0, np.tile([0.03, 0.05], COUNT)])[:COUNT]
    write_overlay(replace(track, times=times), ["raw", "aligned"], tmp_path / "overlay.mp4", panel=128)
    with VideoReader(tmp_path / "overlay.mp4") as reader:
        assert (len(reader), reader.width, reader.height) == (COUNT, 256, 128)
        np.testing.assert_allclose(reader.times - reader.times[0], times - times[0], atol=1e-3)
    write_overlay(replace(track, times=times), ["raw", "aligned"], tmp_path / "again.mp4", panel=128)
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "overlay.mp4").read_bytes()


def test_memory_is_that_of_a_frame(track: ComparedTrack, tmp_path: Path) -> None:
    """Frames are dropped as soon as they are drawn."""
    import gc
    import weakref

    alive: list[weakref.ref[Image]] = []
    most = 0

    def frames() -> Iterator[Image]:
        nonlocal most
        for frame in grey_frames():
            alive.append(weakref.ref(frame))
            gc.collect()
            most = max(most, sum(reference() is not None for reference in alive))
            yield frame

    write_overlay(replace(track, frames=frames), ["raw", "aligned"], tmp_path / "overlay.mp4", panel=64)
    assert len(alive) == COUNT
    assert most <= 4


def test_mistakes(track: ComparedTrack, tmp_path: Path) -> None:
    with pytest.raises(S2DError, match="no pictures are stored"):
        write_overlay(replace(track, frames=None), ["raw"], tmp_path / "overlay.mp4")
    with pytest.raises(S2DError, match=r"name it \.mp4"):
        check_overlay("overlay.gif")
    with pytest.raises(S2DError, match="cannot write"):
        write_overlay(track, ["raw"], tmp_path / "none" / "overlay.mp4", panel=64)
    assert list(tmp_path.iterdir()) == []
