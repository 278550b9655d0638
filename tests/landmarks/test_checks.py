"""What is handed in wrong is one clear ValueError, wherever it is handed in."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.geometry import Float32
from s2d.landmarks import jitter
from s2d.landmarks.alignment import align
from s2d.landmarks.online import OnlineAligner
from s2d.landmarks.tracking import Track
from tests.landmarks.moving_face import MovingFace, moving_face

COUNT = 6
TIMES = np.arange(COUNT) / 25


@pytest.fixture(scope="module")
def face(astronaut_points: Float32) -> MovingFace:
    return moving_face(astronaut_points, COUNT)


def test_what_is_measured(face: MovingFace) -> None:
    points = face.truth
    with pytest.raises(ValueError, match=r"points must be \(T, 70, 2\) in ibug70; pad missing pupils with NaN"):
        jitter.measure(points[:, :68], TIMES)
    with pytest.raises(ValueError, match="points has 5 frames, but there are times for 6"):
        jitter.measure(points[1:], TIMES)
    with pytest.raises(ValueError, match="anchor has 5 frames"):
        jitter.measure(points, TIMES, anchor=points[1:])
    with pytest.raises(ValueError, match="truth must be"):
        jitter.compare({"mine": points}, TIMES, truth=points[0])
    with pytest.raises(ValueError, match="5 frames for landmarks of 6"):
        jitter.measure(points, TIMES, frames=face.frames[1:])
    with pytest.raises(ValueError, match="more frames than landmarks, which are of 6"):
        jitter.measure(points, TIMES, frames=[*face.frames, face.frames[0]])
    for times in (TIMES[::-1], np.zeros(COUNT), TIMES * np.nan):
        with pytest.raises(ValueError, match="finite and increase"):
            jitter.measure(points, times)
    assert jitter.measure(points, TIMES, frames=face.frames)["acceleration"] is not None


def test_what_is_aligned(face: MovingFace) -> None:
    track = Track.of_points(face.truth, TIMES)
    with pytest.raises(ValueError, match="5 frames for landmarks of 6"):
        align(track, face.frames[1:])
    with pytest.raises(ValueError, match="more frames than landmarks"):
        align(track, [*face.frames, face.frames[0]])
    for wrong in (face.frames[0][..., 0], face.frames[0] / 255.0):
        with pytest.raises(ValueError, match=r"frames must be \(H, W, 3\) RGB uint8"):
            align(track, [wrong] * COUNT)


def test_what_is_aligned_online(face: MovingFace) -> None:
    aligner, raw = OnlineAligner(), face.truth
    aligner.update(face.frames[0], raw[0], 0.0)
    with pytest.raises(ValueError, match=r"raw must be \(70, 2\)"):
        aligner.update(face.frames[1], raw[1, :68], 0.1)
    with pytest.raises(ValueError, match="uint8"):
        aligner.update(face.frames[1].astype(np.float32), raw[1], 0.1)
    with pytest.raises(ValueError, match="all must have one size"):
        aligner.update(face.frames[1][:100], raw[1], 0.1)
    for time in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="does not come after"):
            aligner.update(face.frames[1], raw[1], time)
    answer = aligner.update(face.frames[1], raw[1], 0.1)  # what was refused left no trace
    assert answer is not None
    assert answer.number == 1
    aligner.reset()
    assert aligner.update(face.frames[0][:150], raw[0], 0.0) is not None
