"""Flow at landmarks under motions that are known exactly."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.geometry import Array, Float32, apply
from s2d.landmarks.detectors.regions import Region
from s2d.landmarks.flow import FlowLinks, FlowParameters, measure_flow
from s2d.landmarks.stabilise import follow
from s2d.landmarks.tracking import crop_for
from tests.landmarks.moving_face import MovingFace, moving_face

STEADY = [*range(17, 36), 36, 39, 42, 45]
AREA = crop_for(np.array([[60.0, 60, 140, 150]]))
PARAMETERS = FlowParameters(steps=(1, 3), far_every=1)


@pytest.fixture(scope="module")
def face(astronaut_points: Float32) -> MovingFace:
    return moving_face(astronaut_points, count=8)


def measured(face: MovingFace) -> tuple[FlowLinks, Array]:
    """Links at the true landmarks, and these in crop pixels."""
    regions = follow(face.truth, PARAMETERS.size, 90.0)
    places = apply(np.stack([region.matrix(PARAMETERS.size) for region in regions]), face.truth)
    return measure_flow(iter(face.frames), regions, AREA, places, PARAMETERS), places


def test_displacements_are_true_to_a_fraction_of_a_pixel(face: MovingFace) -> None:
    links, places = measured(face)
    assert sorted(links.shift) == [1, 3]
    for step, shift in links.shift.items():
        error = np.linalg.norm(shift - (places[step:] - places[:-step]), axis=-1)[:, STEADY]
        assert shift.shape == (8 - step, 70, 2)
        assert np.sqrt((error**2).mean()) < 0.15
        assert links.trust[step][:, STEADY].mean() > 0.9
    assert not links.repeated.any()


def test_links_over_several_frames_begin_at_every_third_frame(face: MovingFace) -> None:
    regions, places = follow(face.truth, PARAMETERS.size, 90.0), np.full((8, 70, 2), 96.0)
    sparse = measure_flow(iter(face.frames), regions, AREA, places, FlowParameters(steps=(1, 3), far_every=3))
    dense = measure_flow(iter(face.frames), regions, AREA, places, PARAMETERS)
    np.testing.assert_array_equal(sparse.shift[1], dense.shift[1])
    np.testing.assert_array_equal(sparse.shift[3][::3], dense.shift[3][::3])
    np.testing.assert_array_equal(sparse.trust[3].any(axis=1), [True, False, False, True, False])


def test_fixed_crops_see_the_motion_of_the_frame(face: MovingFace) -> None:
    """The same region for all frames: shifts in the crop are those in the frame, times the crop's scale."""
    region = Region(100.0, 105.0, 130.0)
    matrix = region.matrix(PARAMETERS.size)
    places = apply(matrix, face.truth)
    links = measure_flow(iter(face.frames), [region] * 8, AREA, places, PARAMETERS)
    expected = (face.truth[1:] - face.truth[:-1]) * PARAMETERS.size / 130.0
    assert np.abs(links.shift[1] - expected)[:, STEADY].mean() < 0.15


def test_what_appears_from_nowhere_is_not_trusted(face: MovingFace) -> None:
    frames = [frame.copy() for frame in face.frames]
    frames[4][55:95, 55:145] = np.random.default_rng(0).integers(0, 255, (40, 90, 3))  # over the eyes, one frame
    covered, _ = measured(MovingFace(frames, face.truth))
    free, _ = measured(face)
    eyes = [37, 38, 40, 41, 43, 44, 46, 47]
    assert free.trust[1][3][eyes].mean() > 0.8
    assert covered.trust[1][3][eyes].mean() < 0.3
    assert covered.trust[3][3][eyes].mean() > 0.8  # from frame 3 to 6, past the covered one


def test_a_repeated_picture_stays_in_the_frame_while_the_crop_moves(face: MovingFace) -> None:
    frames = [*face.frames[:4], face.frames[3], *face.frames[5:]]
    regions = [Region(100.0 + t, 105.0, 130.0) for t in range(8)]
    places = apply(np.stack([region.matrix(PARAMETERS.size) for region in regions]), face.truth)
    links = measure_flow(iter(frames), regions, AREA, places, PARAMETERS)
    assert np.flatnonzero(links.repeated).tolist() == [4]
    np.testing.assert_allclose(links.shift[1][3], np.tile([-PARAMETERS.size / 130.0, 0], (70, 1)), atol=1e-9)


def test_stillness_is_no_repetition(face: MovingFace) -> None:
    """A face at rest in front of a noisy sensor is a slow motion, not a frame shown again."""
    rng = np.random.default_rng(1)
    noisy = [
        np.clip(face.frames[0] + rng.normal(0, 2, face.frames[0].shape), 0, 255).astype(np.uint8) for _ in range(8)
    ]
    links, _ = measured(MovingFace(noisy, np.repeat(face.truth[:1], 8, axis=0)))
    assert not links.repeated.any()


def test_landmarks_that_are_nowhere_disturb_nothing(face: MovingFace) -> None:
    regions = follow(face.truth, PARAMETERS.size, 90.0)
    _, places = measured(face)
    blind = places.copy()
    blind[:, 68:] = np.nan
    links = measure_flow(iter(face.frames), regions, AREA, blind, PARAMETERS)
    whole, _ = measured(face)
    np.testing.assert_array_equal(links.shift[1][:, :68], whole.shift[1][:, :68])
    assert np.isfinite(links.shift[1]).all()


def test_one_frame_has_no_links(face: MovingFace) -> None:
    links, _ = measured(MovingFace(face.frames[:1], face.truth[:1]))
    assert links.shift == {}
    assert links.repeated.tolist() == [False]
