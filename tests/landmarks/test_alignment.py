"""Alignment against exact truth: what must get better, what must be kept, what must not be touched."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import skimage.data

from s2d.geometry import Array, Float32, Image
from s2d.landmarks import layout
from s2d.landmarks.alignment import Aligned, AlignmentParameters, align, estimate
from s2d.landmarks.solver import Links
from s2d.landmarks.synthetic import SyntheticClip, make_clip
from s2d.landmarks.tracking import Track
from tests.landmarks.moving_face import MovingFace, detected, flicker, moving_face, track_of


@pytest.fixture(scope="module")
def face(astronaut_points: Float32) -> MovingFace:
    return moving_face(astronaut_points)


@pytest.fixture(scope="module")
def aligned(face: MovingFace) -> Aligned:
    return align(detected(face.truth), iter(face.frames))


@pytest.fixture(scope="module")
def performance(astronaut_points: Float32) -> SyntheticClip:
    """45 frames with blinks and speech."""
    return make_clip(skimage.data.astronaut(), astronaut_points, frames=45, size=256, seed=3)


@pytest.fixture(scope="module")
def performed(performance: SyntheticClip) -> Aligned:
    return align(detected(performance.truth.astype(np.float64), 0.3), performance.frames())


def part(track: Track, start: int, stop: int) -> Track:
    cut = {name: getattr(track, name)[start:stop] for name in ("frames", "times", "raw", "valid", "score", "boxes")}
    return replace(track, **cut)


def slope(estimate: Array, truth: Array) -> float:
    return float(np.polyfit(truth, estimate, 1)[0])


def test_flicker_falls_to_a_third(face: MovingFace, aligned: Aligned) -> None:
    raw = detected(face.truth).raw
    assert flicker(aligned.points, face.truth) < flicker(raw, face.truth) / 3


def test_error_less_bias_falls_to_a_half(face: MovingFace, aligned: Aligned) -> None:
    def scatter(points: Float32) -> float:
        error = points - face.truth
        return float(np.linalg.norm(error - error.mean(axis=0), axis=-1).mean())

    assert scatter(aligned.points) < scatter(detected(face.truth).raw) / 2


def test_the_same_bytes_again(face: MovingFace, aligned: Aligned) -> None:
    again = align(detected(face.truth), iter(face.frames))
    assert again.points.tobytes() == aligned.points.tobytes()
    assert aligned.points.dtype == np.float32
    assert aligned.observed.all()


def test_flow_that_was_dragged_off_does_not_hold_the_jaw() -> None:
    parameters, count = AlignmentParameters(), 240
    detections = np.full((count, layout.COUNT, 2), 100.0)
    shift = np.zeros((count - 1, layout.COUNT, 2))
    shift[120:126, :17] = 5.0  # a hand passes: 30 pixels in all, and the flow agrees with itself
    links = {1: Links(shift, np.full(shift.shape[:2], 1 / 0.05**2))}
    points = estimate(detections, links, np.zeros((count - 2, layout.COUNT)), parameters)
    off = np.linalg.norm(points - detections, axis=-1)[:, :17].max(axis=1)
    assert off[[60, 185]].max() < 2.0


def test_a_gap_is_bridged_and_marked(face: MovingFace) -> None:
    raw = detected(face.truth).raw
    raw[10:16] = np.nan
    raw[3, 40] = np.nan
    result = align(track_of(raw), iter(face.frames))
    assert not result.observed[10:16].any()
    assert not result.observed[3, 40]
    assert result.observed.sum() == raw.shape[0] * 70 - 6 * 70 - 1
    error = np.linalg.norm(result.points - face.truth, axis=-1)
    assert np.isfinite(error).all()
    assert error[10:16].mean() < 0.5  # a third of it is the detections' own noise


def test_a_gap_hardly_changes_the_frames_around_it(face: MovingFace, aligned: Aligned) -> None:
    raw = detected(face.truth).raw
    raw[10:14] = np.nan
    result = align(track_of(raw), iter(face.frames))
    outside = np.r_[0:8, 16:24]
    assert np.abs(result.points - aligned.points)[outside].mean() < 0.1


def test_blinks_and_mouth_keep_their_size(performance: SyntheticClip, performed: Aligned) -> None:
    truth, points = performance.truth, performed.points
    assert layout.aperture(truth, layout.RIGHT_LIDS).min() < 0.3 * layout.aperture(truth, layout.RIGHT_LIDS).max()
    for pairs, least in ((layout.RIGHT_LIDS, 0.95), (layout.LEFT_LIDS, 0.95), (layout.INNER_LIP_PAIRS, 0.85)):
        assert least < slope(layout.aperture(points, pairs), layout.aperture(truth, pairs)) < 1.05


def test_lids_and_lips_tremble_less(performance: SyntheticClip, performed: Aligned) -> None:
    truth = performance.truth.astype(np.float64)
    moving = [*layout.PARTS["right_eye"], *layout.PARTS["left_eye"], *range(48, 68)]
    raw = detected(truth, 0.3).raw
    assert flicker(performed.points, truth, moving) < 0.7 * flicker(raw, truth, moving)


def test_what_passes_before_the_face_shows_in_the_frames_that_it_passes(astronaut_points: Float32) -> None:
    clip = make_clip(skimage.data.astronaut(), astronaut_points, frames=60, size=256, seed=3, variant="occluded")
    hidden = align(detected(clip.truth.astype(np.float64), 0.3), clip.frames()).hidden
    truth = 1 - clip.visible[:, :68].mean(axis=1)
    assert truth.max() > 0.1
    assert hidden.shape == (60,)
    assert np.corrcoef(hidden, truth)[0, 1] > 0.7
    assert hidden[truth > 0.1].mean() > 4 * hidden[truth == 0].mean()


def test_landmarks_that_something_covers_are_no_worse_than_raw(astronaut_points: Float32) -> None:
    """Where the microphone passes, the detector guesses: 3 pixels off, another guess every 5 frames."""
    clip = make_clip(skimage.data.astronaut(), astronaut_points, frames=50, size=256, seed=3, variant="occluded")
    covered = ~clip.visible
    covered[:, layout.RIGHT_PUPIL :] = False
    assert covered.sum() > 100
    truth = clip.truth.astype(np.float64)
    guesses = np.repeat(np.random.default_rng(0).normal(0, 3, (10, 70, 2)), 5, axis=0)
    raw = detected(truth).raw + np.where(covered[..., None], guesses, 0)
    result = align(track_of(raw.astype(np.float32)), clip.frames())
    before, after = (np.linalg.norm(points - truth, axis=-1) for points in (raw, result.points))
    assert after[covered].mean() < before[covered].mean() / 2
    assert after[~covered].mean() < before[~covered].mean()


def test_repeated_frames_get_the_same_landmarks(face: MovingFace) -> None:
    shown = np.repeat(np.arange(0, 24, 2), 2)  # every picture twice
    rng = np.random.default_rng(5)
    frames = []
    for number, index in enumerate(shown):
        change = rng.integers(-1, 2, face.frames[0].shape) if number % 2 else 0  # as coding leaves it
        frames.append(np.clip(face.frames[index].astype(int) + change, 0, 255).astype(np.uint8))
    result = align(detected(face.truth[shown]), iter(frames))
    steps = np.linalg.norm(np.diff(result.points, axis=0), axis=-1)
    assert steps[::2].max() < 0.05
    assert steps[1::2].mean() > 0.5


def test_pupils_that_a_detector_never_gives_stay_nan(face: MovingFace, aligned: Aligned) -> None:
    raw = detected(face.truth).raw
    raw[:, 68:] = np.nan
    result = align(track_of(raw), iter(face.frames))
    assert np.isnan(result.points[:, 68:]).all()
    assert not result.observed[:, 68:].any()
    np.testing.assert_allclose(result.points[:, :68], aligned.points[:, :68], atol=1e-3)


@pytest.mark.parametrize("absent", [8, 30, 36, 37, 45, 50, 61])
def test_a_landmark_that_a_detector_never_gives_spoils_no_other(
    face: MovingFace, aligned: Aligned, absent: int
) -> None:
    whole = detected(face.truth)
    raw = whole.raw.copy()
    raw[:, absent] = np.nan
    result = align(replace(whole, raw=raw, valid=np.isfinite(raw).all(axis=-1)), iter(face.frames))
    others = np.arange(layout.COUNT) != absent
    assert np.isnan(result.points[:, absent]).all()
    assert np.abs(result.points - aligned.points)[:, others].mean() < 0.05


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_tracks(face: MovingFace, count: int) -> None:
    track = part(detected(face.truth), 0, count)
    result = align(track, iter(face.frames[:count]))
    assert result.points.shape == (count, 70, 2)
    assert np.abs(result.points - face.truth[:count]).mean() < 0.6
    if count == 1:
        np.testing.assert_allclose(result.points, track.raw, atol=1e-3)


@pytest.mark.parametrize("count", [23, 25])
def test_frames_must_be_those_of_the_track(face: MovingFace, count: int) -> None:
    frames = [*face.frames, face.frames[-1]][:count]
    with pytest.raises(ValueError, match="landmarks"):
        align(detected(face.truth), iter(frames))


def test_frames_are_read_once_and_not_kept(face: MovingFace) -> None:
    alive: weakref.WeakSet[Image] = weakref.WeakSet()
    most = 0

    class Frame(np.ndarray):  # plain arrays take no weak references into a set
        __hash__ = object.__hash__

    def stream() -> Iterator[Image]:
        nonlocal most
        for image in face.frames:
            frame = image.copy().view(Frame)
            alive.add(frame)
            most = max(most, len(alive))
            yield frame

    align(detected(face.truth), stream())
    assert most <= 4


def test_parameters_are_plain_numbers() -> None:
    parameters = AlignmentParameters()
    text = json.dumps(parameters.as_dict())
    assert json.loads(text)["version"] == AlignmentParameters.version
    assert json.loads(text)["flow"]["steps"] == [1, 6]
    covered = sorted(k for part in parameters.parts for k in part.landmarks)
    assert covered == list(range(layout.COUNT))  # the table names each landmark exactly once
