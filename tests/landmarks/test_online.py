"""Alignment frame by frame: better than raw, late by exactly the lag, blind to the future, and unmoved by cuts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from s2d.geometry import Float32
from s2d.landmarks.alignment import align
from s2d.landmarks.online import OnlineAligner, OnlineFrame
from tests.landmarks.moving_face import MovingFace, detected, flicker, moving_face


@pytest.fixture(scope="module")
def face(astronaut_points: Float32) -> MovingFace:
    return moving_face(astronaut_points)


def run(face: MovingFace, raw: Float32, lag: int) -> list[OnlineFrame]:
    aligner = OnlineAligner(lag)
    found = [
        aligner.update(frame, points, t / 25) for t, (frame, points) in enumerate(zip(face.frames, raw, strict=True))
    ]
    return [frame for frame in found if frame is not None] + aligner.finish()


@pytest.mark.parametrize("lag", [0, 2])
def test_flicker_falls_and_every_frame_is_answered_once(face: MovingFace, lag: int) -> None:
    raw = detected(face.truth).raw
    frames = run(face, raw, lag)
    assert [frame.number for frame in frames] == list(range(len(raw)))
    assert [frame.time for frame in frames] == [t / 25 for t in range(len(raw))]
    points = np.stack([frame.points for frame in frames])
    assert points.dtype == np.float32
    assert flicker(points, face.truth) < flicker(raw, face.truth) / 2


def test_not_far_from_the_offline_aligner(face: MovingFace) -> None:
    track = detected(face.truth)
    offline = align(track, iter(face.frames)).points
    online = np.stack([frame.points for frame in run(face, track.raw, 3)])
    apart = np.linalg.norm(online - offline, axis=-1).mean()
    assert apart < np.linalg.norm(track.raw - offline, axis=-1).mean()


def test_answers_come_late_by_the_lag(face: MovingFace) -> None:
    raw, aligner = detected(face.truth).raw, OnlineAligner(lag=2)
    answers = [aligner.update(face.frames[t], raw[t], t / 25) for t in range(5)]
    assert [None if frame is None else frame.number for frame in answers] == [None, None, 0, 1, 2]
    assert [frame.number for frame in aligner.finish()] == [3, 4]
    assert aligner.finish() == []


def test_the_future_has_no_influence_on_what_was_answered(face: MovingFace) -> None:
    raw = detected(face.truth).raw
    other = raw.copy()
    other[8:] += 30
    first, second = (np.stack([frame.points for frame in run(face, points, 0)[:8]]) for points in (raw, other))
    np.testing.assert_array_equal(first, second)


def test_a_gap_is_bridged_and_marked(face: MovingFace) -> None:
    raw = detected(face.truth).raw.copy()
    raw[10:13] = np.nan
    frames = run(face, raw, 1)
    assert not np.stack([frame.observed for frame in frames])[10:13].any()
    error = np.linalg.norm(np.stack([frame.points for frame in frames])[10:13] - face.truth[10:13], axis=-1)
    assert error.mean() < 4.0


def test_nothing_before_the_first_face(face: MovingFace) -> None:
    raw = detected(face.truth).raw.copy()
    raw[:3] = np.nan
    frames = run(face, raw, 0)
    assert frames[0].number == 3
    assert np.isfinite(frames[0].points).all()


def test_a_face_that_walks_across_a_still_frame_is_no_repeated_picture(face: MovingFace) -> None:
    """Where the face was at first nothing changes any more once it has gone on."""
    frames, truth = [], face.truth.copy()
    for t, picture in enumerate(face.frames):
        frame = np.full((220, 760, 3), 90, np.uint8)
        frame[10:210, 22 * t : 22 * t + 200] = picture
        truth[t] += [22 * t, 10]
        frames.append(frame)
    points = np.stack([frame.points for frame in run(MovingFace(frames, truth), detected(truth).raw, 0)])
    assert np.linalg.norm(points - truth, axis=-1).mean(axis=1).max() < 1.5


def test_a_cut_that_nobody_announced_is_survived(astronaut_points: Float32) -> None:
    """Another picture, the face elsewhere and larger, and no `reset`: after a window of frames all is well again."""
    face = moving_face(astronaut_points, count=40)
    frames, truth = [cv2.copyMakeBorder(f, 0, 60, 0, 60, cv2.BORDER_REPLICATE) for f in face.frames], face.truth.copy()
    for t in range(12, 40):
        enlarge = np.array([[1.3, 0, -10], [0, 1.3, -40.0]])
        frames[t] = cv2.warpAffine(255 - frames[t], enlarge, (260, 260))
        truth[t] = 1.3 * truth[t] + [-10, -40]
    points = np.stack([frame.points for frame in run(MovingFace(frames, truth), detected(truth).raw, 0)])
    error = np.linalg.norm(points - truth, axis=-1).mean(axis=1)
    assert error[12:14].max() > 5
    assert error[36:].max() < 1


@pytest.mark.parametrize("absent", [36, 37, 61])
def test_a_landmark_that_is_missing_at_first_spoils_no_other(face: MovingFace, absent: int) -> None:
    raw = detected(face.truth).raw.copy()
    whole = np.stack([frame.points for frame in run(face, raw, 0)])
    raw[:4, absent] = np.nan
    points = np.stack([frame.points for frame in run(face, raw, 0)])
    assert np.isnan(points[:4, absent]).all()
    assert np.isfinite(points[4:]).all()
    others = np.arange(70) != absent
    assert np.abs(points - whole)[:, others].mean() < 0.1


def test_reset_forgets_everything(face: MovingFace) -> None:
    raw, aligner = detected(face.truth).raw, OnlineAligner()
    for t in range(6):
        aligner.update(face.frames[t], raw[t] + 40, t / 25)
    aligner.reset()
    again = [aligner.update(face.frames[t], raw[t], t / 25) for t in range(4)]
    fresh = run(face, raw, 0)[:4]
    for one, other in zip(again, fresh, strict=True):
        assert one is not None
        assert one.number == other.number
        np.testing.assert_array_equal(one.points, other.points)


@pytest.mark.parametrize("lag", [-1, 4])
def test_an_impossible_lag(lag: int) -> None:
    with pytest.raises(ValueError, match="lag"):
        OnlineAligner(lag)
