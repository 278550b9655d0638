from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import skimage.data

from s2d.curation import quality
from s2d.geometry import Crop
from s2d.landmarks.alignment import Aligned
from s2d.landmarks.layout import LEFT_EYE_OUTER, RIGHT_EYE_OUTER
from s2d.landmarks.tracking import Track
from s2d.shards.schema import FRAME_MEASURES, TRACKS

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
    meter.update(photo, np.array([30.0, 20.0, 69.0, 59.0]), photo)
    assert meter.of_frames()["brightness"] == pytest.approx([0.4])


def test_a_flat_face_has_no_sharpness():
    assert quality.sharpness(np.full((112, 112), 0.3)) == 0


@pytest.mark.parametrize("box", [[np.nan] * 4, [-50, -50, -10, -10], [600, 10, 700, 90], [20, 20, 10, 30]])
def test_frames_without_a_box_in_the_picture_have_no_value(photo, box):
    meter = quality.PictureMeter()
    meter.update(photo, FACE, photo)
    meter.update(photo, np.array(box, float), photo)
    for values in meter.of_frames().values():
        assert np.isfinite(values).tolist() == [True, False]


def motion_of(pictures, crop):
    meter = quality.PictureMeter()
    for picture in pictures:
        meter.update(picture, FACE, crop.image(picture, 256))
    return meter.motion()


def test_motion_is_the_standard_deviation_of_large_cells():
    """Half of the cells go from 100 to 120 and back: a deviation of 10 there, 10 / sqrt(2) over all."""
    dark = np.full((320, 320, 3), 100, np.uint8)
    bright = dark.copy()
    bright[:, :160] = 120
    assert motion_of([dark, bright] * 6, Crop(0, 0, 320)) == pytest.approx(10 / np.sqrt(2), rel=1e-3)
    assert motion_of([dark] * 5, Crop(0, 0, 320)) == 0
    assert np.isnan(motion_of([dark], Crop(0, 0, 320)))


def test_a_photo_with_grain_moves_less_than_a_face_that_shifts_by_a_pixel(photo):
    crop, rng = Crop(120, 20, 220), np.random.default_rng(0)
    grainy = [np.clip(photo + rng.normal(0, 4, photo.shape), 0, 255).astype(np.uint8) for _ in range(12)]
    shifting = [np.roll(photo, n % 2, axis=1) for n in range(12)]
    assert motion_of([photo] * 12, crop) == 0
    assert 0.05 < motion_of(grainy, crop) < 0.5 * motion_of(shifting, crop)


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


def measures_of(track, points):
    """All measures by frame, and of the track, of a face whose pictures are not at hand."""
    aligned = Aligned(points, track.valid, np.zeros(len(points)))
    pictures = {name: np.full(len(points), 0.3) for name in ("sharpness", "brightness")}
    frames = pictures | quality.of_frames(track, aligned)
    return frames, quality.of_track(track, points, frames)


def test_measures_fill_their_columns():
    track = a_track([[0, 0, 50, 80]] * 20, [1.0] * 20)
    still = np.repeat(track.raw[:1], 20, 0)
    frames, measures = measures_of(track, still)
    assert set(frames) == set(FRAME_MEASURES)
    assert all(values.shape == (20,) for values in frames.values())
    assert set(measures) <= set(TRACKS.names)
    assert measures["expression"] == pytest.approx(0, abs=1e-4)
    assert measures["jitter_aligned"] == pytest.approx(0, abs=1e-3)
    assert measures["jitter_raw"] > 10
    assert measures["yaw_min"] == pytest.approx(measures["yaw_max"])
    assert measures["abs_yaw"] == pytest.approx(abs(measures["yaw_max"]))


def test_the_mouth_that_opens_shows_in_its_range():
    track = a_track([[0, 0, 50, 80]] * 3, [1.0] * 3)
    points = np.repeat(track.raw[:1], 3, 0)
    for frame, opening in enumerate((0, 6, 30)):
        for upper, lower in ((61, 67), (62, 66), (63, 65)):
            points[frame, lower] = points[frame, upper] + (0, opening)
    frames, measures = measures_of(track, points)
    assert frames["mouth_open"] == pytest.approx([0, 0.1, 0.5])
    assert measures["mouth_open_min"] == pytest.approx(0)
    assert measures["mouth_open_max"] == pytest.approx(0.5)


def test_the_disagreement_is_the_mean_distance_in_percent_of_the_eyes_distance():
    """Eyes 60 apart; every detection 3 off in the second frame, half of them in the third, none in the fourth."""
    track = a_track([[0, 0, 50, 80]] * 4, [1.0, 1.0, 1.0, 0.0])
    points = np.repeat(track.raw[:1], 4, 0)
    track.raw[:3] = points[:3]
    track.raw[1] += (0, 3)
    track.raw[2, :35] += (3, 0)
    frames, measures = measures_of(track, points)
    assert frames["disagreement"] == pytest.approx([0, 5, 2.5, np.nan], nan_ok=True, abs=1e-4)
    assert measures["disagreement"] == pytest.approx(2.5, abs=1e-4)


def test_a_face_that_is_moved_turned_and_enlarged_has_no_expression():
    face = np.random.default_rng(1).uniform(0, 100, (70, 2))
    face[[RIGHT_EYE_OUTER, LEFT_EYE_OUTER]] = (20, 50), (80, 50)
    moved = np.stack(
        [(1 + t / 20) * face @ np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) + 9 * t for t in range(9)]
    )
    assert quality.expression_range(moved) == pytest.approx(0, abs=1e-9)
    assert np.isnan(quality.expression_range(moved[:1]))


def test_expression_grows_with_what_the_mouth_does():
    face = np.random.default_rng(1).uniform(0, 100, (70, 2))
    talk = np.repeat(face[None], 40, 0)
    talk[:, 48:68, 1] += 3 * np.sin(np.arange(40))[:, None]
    twice = talk + (talk - face)
    assert quality.expression_range(talk) > 1
    assert quality.expression_range(twice) == pytest.approx(2 * quality.expression_range(talk), rel=0.02)


def test_landmarks_that_are_never_known_give_nan_and_no_error():
    track = a_track([[0, 0, 50, 80]] * 5, [1.0] * 5)
    points = np.full((5, 70, 2), np.nan, np.float32)
    frames, measures = measures_of(track, points)
    assert np.isnan(frames["yaw"]).all()
    assert np.isnan([measures[name] for name in ("yaw_max", "abs_yaw", "expression", "disagreement")]).all()
