from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import skimage.data

from s2d.curation import quality
from s2d.geometry import Crop
from s2d.landmarks.layout import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from s2d.landmarks.tracking import Track
from s2d.shards.schema import TRACKS

FACE = np.array([170.0, 70.0, 280.0, 200.0])  # around the astronaut's face


@pytest.fixture(scope="module")
def photo():
    return np.asarray(skimage.data.astronaut())


def measured(photo, box=FACE):
    luma = quality.face_luma(photo, box)
    return quality.sharpness(luma), luma.mean()


def test_blur_lowers_sharpness_step_by_step(photo):
    values = [measured(photo)[0]]
    values += [measured(cv2.GaussianBlur(photo, None, sigma))[0] for sigma in (0.7, 1.5, 3.0, 6.0)]
    assert all(after < 0.8 * before for before, after in pairwise(values))


def test_sharpness_does_not_depend_on_contrast_or_brightness(photo):
    pale = (photo * 0.5 + 90).astype(np.uint8)
    assert measured(pale)[0] == pytest.approx(measured(photo)[0], rel=0.1)


def test_sharpness_does_not_depend_on_the_size_of_a_face_that_shows_its_detail(photo):
    """Four times as many pixels of the same picture, smooth in between: shrunk to the patch it is the same again."""
    larger = cv2.resize(photo, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    box = np.concatenate([FACE[:2] * 4 - 1.5 + 3, FACE[2:] * 4 + 1.5 + 3])
    assert measured(larger, box)[0] == pytest.approx(measured(photo)[0], rel=0.15)


def test_a_small_face_that_must_be_enlarged_counts_as_blurred(photo):
    smaller = cv2.resize(photo, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    assert measured(smaller, FACE / 4)[0] < 0.5 * measured(photo)[0]


def test_brightness_is_the_mean_luma_of_the_face():
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[20:60, 30:70] = 102
    meter = quality.PictureMeter()
    meter.update(photo, np.array([30.0, 20.0, 69.0, 59.0]))
    assert meter.measures()["brightness"] == pytest.approx(0.4)


def test_a_flat_face_has_no_sharpness():
    assert quality.sharpness(np.full((112, 112), 0.3)) == 0


@pytest.mark.parametrize("box", [[np.nan] * 4, [-50, -50, -10, -10], [600, 10, 700, 90], [20, 20, 10, 30]])
def test_frames_without_a_box_in_the_picture_are_skipped(photo, box):
    meter = quality.PictureMeter()
    meter.update(photo, np.array(box, float))
    assert np.isnan(meter.measures()["sharpness"])
    assert np.isnan(meter.measures()["brightness"])


def test_a_box_half_outside_counts_its_inside(photo):
    assert quality.face_luma(photo, np.array([-40.0, -40.0, 60.0, 60.0])).shape == (112, 112)


def a_track(boxes, score, eyes=60.0):
    count = len(boxes)
    raw = np.random.default_rng(0).uniform(0, 100, (count, 70, 2)).astype(np.float32)
    raw[:, RIGHT_EYE_OUTER], raw[:, LEFT_EYE_OUTER] = (10, 50), (10 + eyes, 50)
    valid = np.repeat(np.array(score, np.float32)[:, None] > 0, 70, 1)
    raw[~valid] = np.nan
    times = np.arange(count) / 25
    return Track(
        0,
        0,
        np.arange(count),
        times,
        raw,
        valid,
        np.array(score, np.float32),
        np.array(boxes, np.float32),
        Crop(0, 0, 9),
    )


def test_measures_of_detections_skip_missed_frames():
    boxes = [[0, 0, 50, 80], [np.nan] * 4, [0, 0, 90, 60], [0, 0, 100, 120]]
    measures = quality.of_detections(a_track(boxes, [0.8, 0.0, 0.6, 1.0]))
    assert measures == pytest.approx({"face_px": 90, "interocular_px": 60, "valid_share": 0.75, "score": 0.8})


def test_motion_measures_fill_their_columns():
    track = a_track([[0, 0, 50, 80]] * 20, [1.0] * 20)
    still = np.repeat(track.raw[:1], 20, 0)
    measures = quality.of_motion(track, still)
    assert set(measures) <= set(TRACKS.names)
    assert measures["jitter_aligned"] == pytest.approx(0, abs=1e-3)
    assert measures["jitter_raw"] > 10
    assert measures["yaw_min"] == pytest.approx(measures["yaw_max"])


def test_the_mouth_that_opens_shows_in_its_range():
    track = a_track([[0, 0, 50, 80]] * 3, [1.0] * 3)
    points = np.repeat(track.raw[:1], 3, 0)
    for frame, opening in enumerate((0, 6, 30)):
        for upper, lower in ((61, 67), (62, 66), (63, 65)):
            points[frame, lower] = points[frame, upper] + (0, opening)
    measures = quality.of_motion(track, points)
    assert measures["mouth_open_min"] == pytest.approx(0)
    assert measures["mouth_open_max"] == pytest.approx(0.5)


def test_landmarks_that_are_never_known_give_nan_and_no_error():
    track = a_track([[0, 0, 50, 80]] * 5, [1.0] * 5)
    points = np.full((5, 70, 2), np.nan, np.float32)
    assert np.isnan(quality.of_motion(track, points)["yaw_max"])
