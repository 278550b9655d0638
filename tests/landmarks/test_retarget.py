"""A face that rotates, blinks, speaks and looks aside, put on another face."""

from __future__ import annotations

import numpy as np
import pytest

from s2d import geometry
from s2d.errors import S2DError
from s2d.geometry import Array, Floats
from s2d.landmarks import layout
from s2d.landmarks.retarget import FARTHEST_GAZE, LIDS_CLOSED, LIPS_CLOSED, MOST_CLOSED, lips_closed, retarget
from tests.landmarks.drawn_face import face, jaw_dropped, lowered, moved, resting, wide_face


def test_a_driver_at_rest_leaves_the_source_alone():
    np.testing.assert_allclose(retarget(wide_face(), resting()), wide_face()[None].repeat(20, 0), atol=1e-3)


def test_head_motion_is_carried_over_in_units_of_the_face():
    driving = resting()
    driving[-1] = moved(face(), 1.0, 0.2, (10.0, 0.0))
    source = moved(face(), 2.0, 0.0, (50, 50))
    expected = moved(source, 1.0, 0.2, (20.0, 0.0))
    np.testing.assert_allclose(retarget(source, driving)[-1], expected, atol=1e-3)


def test_own_face_driven_by_itself_returns_to_where_the_driver_is():
    driving = resting()
    driving[-1] = moved(face(), 1.1, -0.1, (5, 3))
    driving[-2, 60:68, 1] += 0
    np.testing.assert_allclose(retarget(face(), driving), driving, atol=1e-3)


@pytest.mark.parametrize("lids", [layout.RIGHT_LIDS, layout.LEFT_LIDS])
def test_a_closed_driver_closes_the_eyes_of_any_source(lids: tuple[tuple[int, int], ...]):
    driving = resting()
    for upper, lower in (*layout.RIGHT_LIDS, *layout.LEFT_LIDS):
        driving[-1, upper] = driving[-1, lower]
    source = wide_face()
    result = retarget(source, driving)
    width = np.linalg.norm(source[39] - source[36])
    assert layout.aperture(result[-1], lids) == pytest.approx(LIDS_CLOSED * width, rel=0.02)  # as a detector has it
    assert layout.aperture(result[0], lids) == pytest.approx(layout.aperture(source, lids), rel=1e-3)


def test_lids_that_detectors_take_for_closed_are_closed_and_half_way_from_there_is_half_open():
    driving = resting()
    driving[-1] = lowered(face(), LIDS_CLOSED * 32)
    driving[-2] = lowered(face(), (LIDS_CLOSED * 32 + 10) / 2)
    result = retarget(wide_face(), driving)
    for lids in (layout.RIGHT_LIDS, layout.LEFT_LIDS):
        closed = LIDS_CLOSED * np.linalg.norm(wide_face()[39] - wide_face()[36])
        opening = (layout.aperture(result, lids) - closed) / (layout.aperture(wide_face(), lids) - closed)
        np.testing.assert_allclose(opening[[-1, -2, 0]], [0, 0.5, 1], atol=0.01)


def eyes_open(faces: Floats, source: Floats) -> Array:
    """Openings (..., 2) beyond what detectors leave, as a share of the source's."""
    openings = []
    for lids, (first, second) in ((layout.RIGHT_LIDS, (36, 39)), (layout.LEFT_LIDS, (42, 45))):
        gap = LIDS_CLOSED * np.linalg.norm(source[second] - source[first])
        openings.append((layout.aperture(faces, lids) - gap) / (layout.aperture(source, lids) - gap))
    return np.stack(openings, axis=-1)


def blinking(least: float, frames: int) -> Floats:
    """Eyes open .31 of their width at rest, in the last frames `least`."""
    driving = np.concatenate([resting(), resting()])
    driving[-frames:] = lowered(face(), least * 32)
    return driving


@pytest.mark.parametrize(("least", "share"), [(0.10, 0), (0.13, 0), (0.15, 0.19), (0.17, 0.39)])
def test_blinks_that_a_detector_sees_half_of_close_the_eyes(least: float, share: float):
    """Behind glasses it leaves more between closed lids: up to .14 is shut, and from there it fades to what is seen."""
    opening = eyes_open(retarget(wide_face(), blinking(least, 2))[-1], wide_face())
    np.testing.assert_allclose(opening, share, atol=0.02)


SEEN = (0.13 - LIDS_CLOSED) / (10 / 32 - LIDS_CLOSED)  # of eyes that are .13 open and not known to be shut


def with_lids(*openings: float) -> Floats:
    """Eyes open .31 of their width for most of the time, and in between as asked, frame by frame."""
    driving = np.concatenate([resting()] * 6)
    start = len(driving) // 2
    for place, opening in enumerate(openings, start):
        driving[place] = lowered(face(), opening * 32) if np.isfinite(opening) else np.nan
    return driving


def middle_open(*openings: float, rate: float = 30.0) -> Array:
    """How far the lids of the frame of the first of them are open (2,)."""
    driving = with_lids(*openings)
    moved = retarget(wide_face(), driving, times=np.arange(len(driving)) / rate)
    return eyes_open(moved[len(driving) // 2], wide_face())


@pytest.mark.parametrize(
    ("frames", "rate", "opening"),
    [
        (6, 30.0, 0.0),
        (8, 30.0, 0.58 * SEEN),
        (9, 30.0, SEEN),
        (12, 60.0, 0.0),
        (20, 60.0, SEEN),
        (2, 12.0, 0.0),
        (4, 12.0, SEEN),
    ],
)
def test_eyes_that_look_down_stay_open(frames: int, rate: float, opening: float):
    """Lids are as low, but for longer than a blink, whatever the frame rate."""
    np.testing.assert_allclose(middle_open(*[0.13] * frames, rate=rate), opening, atol=0.03)


def test_without_times_there_are_thirty_frames_a_second():
    driving = with_lids(*[0.13] * 9)
    opening = eyes_open(retarget(wide_face(), driving)[len(driving) // 2], wide_face())
    np.testing.assert_allclose(opening, SEEN, atol=0.02)


def test_a_blink_is_found_beside_eyes_that_look_down_lower():
    down = [0.12] * 10
    np.testing.assert_allclose(middle_open(0.13, 0.13, 0.3, 0.3, *down), 0, atol=0.03)


def test_a_frame_without_lids_does_not_end_a_look_down():
    opening = middle_open(*[0.13] * 5, np.nan, *[0.13] * 5)
    np.testing.assert_allclose(opening, SEEN, atol=0.02)


def test_one_eye_that_is_low_for_a_moment_is_no_blink_behind_glasses():
    driving = with_lids(0.13, 0.13)
    place, lids = len(driving) // 2, [place for pair in layout.LEFT_LIDS for place in pair]
    driving[place : place + 2, lids] = face()[lids]
    opening = eyes_open(retarget(wide_face(), driving)[place], wide_face())
    np.testing.assert_allclose(opening, [SEEN, 1], atol=0.03)


def test_eyes_that_are_hardly_open_do_not_blink_when_they_tremble():
    narrow = np.stack([lowered(face(), 0.16 * 32)] * 5)
    narrow[-1] = lowered(face(), 0.12 * 32)
    opening = eyes_open(retarget(wide_face(), narrow)[-1], wide_face())
    np.testing.assert_allclose(opening, (0.12 - LIDS_CLOSED) / (0.16 - LIDS_CLOSED), atol=0.02)


def test_a_wink_closes_the_eye_that_winks():
    driving = resting()
    lids = [place for pair in layout.LEFT_LIDS for place in pair]
    driving[-1, lids] = lowered(face(), LIDS_CLOSED * 32)[lids]
    np.testing.assert_allclose(eyes_open(retarget(wide_face(), driving)[-1], wide_face()), [1, 0], atol=0.02)


def test_where_the_neutral_face_is_given_nothing_is_taken_for_a_blink():
    """These frames need not be all of the driver's."""
    opening = eyes_open(retarget(wide_face(), blinking(0.13, 2), neutral=face())[-1], wide_face())
    np.testing.assert_allclose(opening, (0.13 - LIDS_CLOSED) / (10 / 32 - LIDS_CLOSED), atol=0.02)


@pytest.mark.parametrize("aperture", [2.0, 5.0])
def test_eyes_of_the_photo_that_are_not_open_blink_from_where_they_are(aperture: float):
    source = lowered(face(), aperture)
    driving = resting()
    driving[-1] = lowered(face(), 0)
    opening = layout.aperture(retarget(source, driving), layout.LEFT_LIDS)
    np.testing.assert_allclose(opening[[0, -1]], [aperture, min(aperture, LIDS_CLOSED * 32)], atol=0.05)


def test_an_eye_that_turns_away_gets_narrower_but_not_lower():
    driving = resting()
    left = [*layout.PARTS["left_eye"], layout.LEFT_PUPIL]
    driving[-1, left, 0] = 234 + 0.8 * (driving[-1, left, 0] - 234)
    result = retarget(wide_face(), driving)
    widths = np.linalg.norm(result[:, 45] - result[:, 42], axis=-1)
    assert 0.75 < widths[-1] / widths[0] < 0.85
    openings = layout.aperture(result, layout.LEFT_LIDS)
    assert openings[-1] / openings[0] == pytest.approx(1, abs=0.03)


def test_pupils_stay_between_the_corners_of_the_eye():
    driving = resting()
    driving[-1, 68:70, 0] += 30
    result = retarget(wide_face(), driving)[-1]
    across = (result[39] - result[36]) / np.sum((result[39] - result[36]) ** 2)
    assert (result[68] - result[36]) @ across == pytest.approx(0.5 + FARTHEST_GAZE, abs=0.01)


def test_a_mouth_that_is_open_in_the_photo_closes_with_the_driver_and_opens_no_further_than_its():
    source, driving = jaw_dropped(face(), 15), resting()
    driving[-1] = jaw_dropped(face(), 15)
    opening = layout.aperture(retarget(source, driving), layout.INNER_LIP_PAIRS)
    assert opening[0] <= 0.05 * 50
    assert opening[-1] == pytest.approx(15.5, abs=1.6)


def test_lips_that_the_detector_lays_on_each_other_close_an_open_mouth():
    driving = resting()
    for upper, lower in layout.INNER_LIP_PAIRS:
        driving[:, lower] = driving[:, upper] + [0.0, 0.15]
    opening = layout.aperture(retarget(jaw_dropped(face(), 15), driving), layout.INNER_LIP_PAIRS)
    assert opening[0] <= 0.015 * 50


def test_a_shout_in_the_photo_stays_ajar():
    """Its mouth is 50 wide and opens by 42; the corners of so round a mouth would tear."""
    opening = layout.aperture(retarget(jaw_dropped(face(), 42), resting()), layout.INNER_LIP_PAIRS)
    assert opening[0] == pytest.approx(42.5 - MOST_CLOSED * 50, abs=0.1)


def test_a_driver_that_never_closes_its_mouth_opens_that_of_the_source():
    opening = layout.aperture(retarget(face(), jaw_dropped(resting(), 15)), layout.INNER_LIP_PAIRS)
    assert opening[0] == pytest.approx(15.5 - LIPS_CLOSED * 50 + 0.5, abs=0.1)


def test_closed_lips_are_left_alone():
    np.testing.assert_array_equal(lips_closed(face()), face())


def test_the_mouth_opens_in_units_of_its_own_width():
    driving = resting()
    driving[-1, [55, 56, 57, 58, 59, 65, 66, 67], 1] += 10
    source = moved(face(), 2.0, 0.0, (0, 0))
    gained = layout.aperture(retarget(source, driving)[-1], layout.INNER_LIP_PAIRS)
    assert gained == pytest.approx(21.0, abs=0.1)  # twice the driver's 10 and twice the resting 0.5


def test_gaze_moves_in_eyelid_coordinates():
    driving = resting()
    driving[-1, 68:70, 0] += 0.1 * 32  # a tenth of the eye's width
    source = moved(face(), 3.0, 0.0, (0, 0))
    shift = retarget(source, driving)[-1, 68] - source[68]
    np.testing.assert_allclose(shift, [0.1 * 96, 0.0], atol=1e-2)


def test_lips_never_cross():
    driving = resting()
    driving[:-1, 65:68, 1] += 8  # the driver rests with its mouth open, and closes it at the end
    driving[-1] = face()
    result = retarget(face(), driving)
    for upper, lower in layout.INNER_LIP_PAIRS:
        assert (result[:, lower, 1] - result[:, upper, 1] >= -1e-3).all()


def test_pupils_that_nobody_saw_stay_unknown_and_harm_nothing():
    driving = resting()
    driving[:, 68:70] = np.nan
    result = retarget(wide_face(), driving)
    assert np.isnan(result[:, 68:70]).all()
    assert np.isfinite(result[:, :68]).all()


def test_absolute_mode_is_the_driver_itself():
    np.testing.assert_array_equal(retarget(wide_face(), resting(), "absolute"), resting().astype(np.float32))


def test_unknown_mode_and_empty_driver_are_told_in_one_line():
    with pytest.raises(S2DError, match="choose one of relative, absolute"):
        retarget(face(), resting(), "sideways")
    with pytest.raises(S2DError, match="no frame has all 68"):
        retarget(face(), np.full((4, 70, 2), np.nan))


def test_units_do_not_matter():
    driving = resting()
    driving[-1] = moved(face(), 1.05, 0.05, (4, 4))
    driving[3, 65:68, 1] += 12
    np.testing.assert_allclose(
        retarget(wide_face() / 256, driving / 99), retarget(wide_face(), driving) / 256, atol=1e-5
    )
    assert geometry.similarity_fit(driving[0], driving[-1]).shape == (2, 3)
