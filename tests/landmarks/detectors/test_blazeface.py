from __future__ import annotations

import numpy as np
import pytest

from s2d.landmarks.detectors.blazeface import LEFT_EYE, RIGHT_EYE, BlazeFace, _anchors, _letterbox, _merge

from .conftest import SEEN


@pytest.fixture(scope="module")
def near() -> BlazeFace:
    return BlazeFace("face_detection_short_range.tflite", [(8, 2), (16, 6)], 1)


def test_anchors_are_cell_centres_row_by_row() -> None:
    anchors = _anchors(128, 16, 6)
    assert anchors.shape == (8 * 8 * 6, 2)
    np.testing.assert_array_equal(anchors[:7], [[8, 8]] * 6 + [[24, 8]])


def test_letterbox_keeps_the_aspect_and_says_where_the_frame_lies() -> None:
    image, scale, corner = _letterbox(np.full((50, 200, 3), 9, np.uint8), 128)
    np.testing.assert_array_equal(scale, [128 / 200, 32 / 50])
    np.testing.assert_array_equal(corner, [0, 48])
    assert image[48:80].min() == 9
    assert image[:48].max() == image[80:].max() == 0


def test_overlapping_candidates_become_their_weighted_mean() -> None:
    def candidate(x: float) -> np.ndarray:
        return np.array([[x, 0.0], [x + 10, 10.0]] + [[x, 5.0]] * 6)

    merged = _merge(np.stack([candidate(0), candidate(50), candidate(2)]), np.array([0.6, 0.7, 0.9]))
    assert [score for _, score in merged] == [0.9, 0.7]
    assert merged[0][0][0, 0] == pytest.approx((2 * 0.9 + 0 * 0.6) / 1.5)
    assert merged[1][0][0, 0] == 50


def test_eyes_of_the_sample_face(near: BlazeFace, astronaut: np.ndarray) -> None:
    (face,) = near.find(astronaut, 0.5)
    assert face.score > 0.8
    np.testing.assert_allclose(face.keypoints[RIGHT_EYE], SEEN[68], atol=5)
    np.testing.assert_allclose(face.keypoints[LEFT_EYE], SEEN[69], atol=5)


@pytest.mark.parametrize(("top", "left"), [(0, 120), (90, 0), (64, 64)])
def test_keypoints_stay_on_the_face_when_the_frame_grows(
    near: BlazeFace, astronaut: np.ndarray, top: int, left: int
) -> None:
    (plain,) = near.find(astronaut, 0.5)
    frame = np.pad(astronaut, ((top, 0), (left, 0), (0, 0)))
    (moved,) = near.find(frame, 0.5)
    reach = 2.5 * max(frame.shape) / 128  # the model sees 128 pixels and scatters by one of them
    np.testing.assert_allclose(moved.keypoints - [left, top], plain.keypoints, atol=reach)


def test_best_first_and_never_below_the_minimum(near: BlazeFace, astronaut: np.ndarray) -> None:
    pair = np.concatenate([astronaut[:300, 60:360], astronaut[:300, 100:400]], axis=1)
    scores = [face.score for face in near.find(pair, 0.5)]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)
    assert min(scores) >= 0.5
    assert near.find(np.zeros((90, 160, 3), np.uint8), 0.5) == []
