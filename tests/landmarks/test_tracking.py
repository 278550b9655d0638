"""Physical stories: faces that walk, cross, vanish, blink into being; what the tracks and their crops make of them."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.geometry import Float32
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.tracking import Track, Tracks, build_tracks, crop_for

FPS = 25.0


def face(x: float, y: float = 100.0, size: float = 80.0, score: float = 0.9, identity: float = 0.0) -> Face:
    """A face centred at (x, y); its first landmark carries its identity."""
    box = np.float32([x - size / 2, y - size / 2, x + size / 2, y + size / 2])
    points = np.full((70, 2), [x, y], np.float32)
    points[0, 0] = identity
    points[68:] = np.nan
    return Face(box, points, score, np.isfinite(points).all(axis=-1))


def tracks(detections: list[list[Face]], shots: list[tuple[int, int]] | None = None, **options: float) -> Tracks:
    times = 10.0 + np.arange(len(detections)) / FPS
    return build_tracks(detections, times, shots or [(0, len(detections))], **options)


def only(found: Tracks) -> Track:
    assert len(found.kept) == 1
    return found.kept[0]


def test_a_walking_face_is_one_track() -> None:
    track = only(tracks([[face(100 + 3 * t)] for t in range(20)]))
    assert track.frames.tolist() == list(range(20))
    np.testing.assert_allclose(track.times, 10 + np.arange(20) / FPS)
    np.testing.assert_allclose(track.raw[:, 30, 0], 100 + 3 * np.arange(20))
    assert track.valid[:, :68].all()
    assert not track.valid[:, 68:].any()
    assert np.isnan(track.raw[:, 68:]).all()


def test_passing_faces_keep_their_identities() -> None:
    frames = [[face(60 + 10 * t, 100, identity=1), face(260 - 10 * t, 150, identity=2)] for t in range(20)]
    shuffled = [pair[::-1] if t % 3 else pair for t, pair in enumerate(frames)]
    found = tracks(shuffled)
    assert [np.unique(track.raw[:, 0, 0]).tolist() for track in found.kept] in ([[1.0], [2.0]], [[2.0], [1.0]])


def test_a_short_gap_is_bridged_and_a_long_one_is_not() -> None:
    seen = [[face(100)]] * 10
    track = only(tracks([*seen, *[[]] * 11, *seen]))
    assert len(track.frames) == 31
    gap = slice(10, 21)
    assert np.isnan(track.raw[gap]).all()
    assert np.isnan(track.boxes[gap]).all()
    assert not track.valid[gap].any()
    assert (track.score[gap] == 0).all()
    apart = tracks([*seen, *[[]] * 13, *seen])
    assert [track.frames[0] for track in apart.kept] == [0, 23]


def test_a_cut_splits_a_face_that_stays_where_it_is() -> None:
    found = tracks([[face(100)]] * 20, [(0, 8), (8, 20)])
    assert [(track.shot, track.face, len(track.frames)) for track in found.kept] == [(0, 0, 8), (1, 0, 12)]


def test_false_detections_start_nothing() -> None:
    steady = [[face(100)] for _ in range(30)]
    steady[3].append(face(400))  # a blip of one frame
    for t in range(30):
        steady[t] += [face(300, score=0.2), face(250, size=8)]
    found = tracks(steady)
    assert only(found).raw[0, 30, 0] == 100
    assert found.dropped == 1  # the blip; weak and tiny ones are no faces at all


def test_a_chance_row_of_detections_is_dropped() -> None:
    rare = [[face(100)] if t % 6 == 0 else [] for t in range(60)]
    assert tracks(rare) == Tracks([], 1)


def test_a_weak_detection_continues_a_track() -> None:
    frames = [[face(100, score=0.9 if t < 5 else 0.2)] for t in range(10)]
    assert len(only(tracks(frames)).frames) == 10


def test_a_jump_or_a_sudden_growth_is_another_face() -> None:
    assert len(tracks([*[[face(100)]] * 8, *[[face(200)]] * 8]).kept) == 2
    assert len(tracks([*[[face(100)]] * 8, *[[face(100, size=160)]] * 8]).kept) == 2


def test_long_tracks_are_chopped_into_equal_pieces() -> None:
    found = tracks([[face(100)]] * 250, max_seconds=4.0)
    assert [len(track.frames) for track in found.kept] == [83, 83, 84]
    assert [track.face for track in found.kept] == [0, 1, 2]
    assert np.concatenate([track.frames for track in found.kept]).tolist() == list(range(250))
    assert all(track.times[-1] - track.times[0] <= 4.0 for track in found.kept)


def test_one_frame_is_a_track_when_asked_for() -> None:
    assert len(only(tracks([[face(100)]], min_frames=1)).frames) == 1


def test_crop_is_one_square_around_all_boxes_with_hair() -> None:
    track = only(tracks([[face(100 + 3 * t)] for t in range(20)]))
    crop = track.crop
    assert crop.left < 60
    assert crop.left + crop.side > 157 + 40
    assert crop.top < 60 - 0.45 * 80
    assert crop.top + crop.side > 140


def test_stray_boxes_do_not_widen_the_crop() -> None:
    steady = np.tile([100.0, 100, 200, 200], (50, 1))
    stray = steady.copy()
    stray[[0, 20, 21, 22, 49]] = [0, 0, 400, 400]
    stray[30:35] = np.nan
    assert crop_for(stray) == crop_for(steady)


def test_a_lasting_move_does_widen_the_crop() -> None:
    boxes = np.tile([100.0, 100, 200, 200], (50, 1))
    boxes[20:30] += [80, 0, 80, 0]
    assert crop_for(boxes).side > crop_for(boxes[:20]).side


def test_no_box_no_crop() -> None:
    with pytest.raises(ValueError, match="at least one"):
        crop_for(np.full((3, 4), np.nan))


def test_track_of_own_points(astronaut_points: Float32) -> None:
    points = np.repeat(astronaut_points[None, :68], 6, axis=0) + np.arange(6)[:, None, None]
    points[2] = np.nan
    points[4, 0] = np.nan
    track = Track.of_points(points, np.arange(6) / 25)
    assert track.raw.shape == (6, 70, 2)
    np.testing.assert_array_equal(track.raw[:, :68], points.astype(np.float32))
    np.testing.assert_array_equal(track.valid.sum(axis=1), [68, 68, 0, 68, 67, 68])
    np.testing.assert_array_equal(track.score, [1, 1, 0, 1, 1, 1])
    np.testing.assert_array_equal(np.isfinite(track.boxes[:, 0]), track.score > 0)
    np.testing.assert_allclose(track.boxes[1, 2:], points[1].max(axis=0), rtol=1e-6)
    for wrong in (points[:, :67], points * np.nan):
        with pytest.raises(ValueError, match="landmarks"):
            Track.of_points(wrong, np.arange(6) / 25)
    with pytest.raises(ValueError, match="5 times for 6 frames"):
        Track.of_points(points, np.arange(5) / 25)
