"""Clips as a user meets them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import skimage.data

from s2d.errors import S2DError
from s2d.geometry import Float32
from s2d.landmarks import layout
from s2d.landmarks.synthetic import VARIANTS, SyntheticClip, Variant, make_clip, write_clip

SMALL = {"frames": 12, "fps": 10.0, "size": 96}


def clip(points: Float32, **options: object) -> SyntheticClip:
    return make_clip(skimage.data.astronaut(), points, **{**SMALL, **options})


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_each_variant_gives_frames_and_truth(astronaut_points: Float32, variant: str) -> None:
    made = clip(astronaut_points, variant=variant)
    frames = list(made.frames())
    assert len(frames) == len(made) == 12
    assert all(frame.shape == (96, 96, 3) and frame.dtype == np.uint8 for frame in frames)
    assert made.truth.shape == (12, 70, 2)
    assert made.truth.dtype == np.float32
    assert np.isfinite(made.truth).all()
    assert made.visible.shape == (12, 70)
    np.testing.assert_allclose(np.diff(made.times), 0.1)
    inside = (made.truth > 0) & (made.truth < 95)
    assert inside.all()


def test_a_face_so_small_that_its_eyes_lie_between_pixels(astronaut_points: Float32) -> None:
    made = clip(astronaut_points, size=16, frames=6)
    assert [frame.shape for frame in made.frames()] == [(16, 16, 3)] * 6


def test_same_seed_same_bytes_other_seed_other_clip(astronaut_points: Float32) -> None:
    first, second, other = (clip(astronaut_points, seed=seed, frames=3) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.truth, second.truth)
    np.testing.assert_array_equal(list(first.frames()), list(second.frames()))
    np.testing.assert_array_equal(list(first.frames()), list(first.frames()))  # may be asked for again
    assert abs(first.truth - other.truth).max() > 1


def test_background_moves_by_itself(astronaut_points: Float32) -> None:
    """The corner of the picture does not follow the head."""
    still = replace(VARIANTS["calm"], noise=0.0, yaw=0, pitch=0, roll=0, sway=0, zoom=0)
    frames = np.array(list(clip(astronaut_points, variant=still, frames=8).frames()), np.float32)
    assert abs(frames[-1] - frames[0])[5:60, :12].max() > 6
    assert abs(frames[-1] - frames[0])[20:26, 40:56].max() < 2  # the forehead rests


def test_stutter_repeats_frames_and_truth(astronaut_points: Float32) -> None:
    made = clip(astronaut_points, variant="stutter", frames=30, size=64)
    frames = list(made.frames())
    same = [bool((a == b).all()) for a, b in pairwise(frames)]
    np.testing.assert_array_equal(same, (made.truth[1:] == made.truth[:-1]).all(axis=(1, 2)))
    assert 2 < sum(same) < 15


def test_cut_jumps_once(astronaut_points: Float32) -> None:
    made = clip(astronaut_points, variant="cut")
    assert made.cuts == (6,)
    steps = np.linalg.norm(np.diff(made.truth[:, 30], axis=0), axis=-1) / layout.interocular(made.truth).mean()
    assert int(np.argmax(steps)) == 5
    scale = layout.interocular(made.truth)
    assert scale[6:].min() > scale[:6].max()


def test_mirrored_shot_keeps_sides(astronaut_points: Float32) -> None:
    """After the cut the face is mirrored, but landmark 36 is still on the image's left."""
    made = clip(astronaut_points, variant="cut")
    assert (made.truth[:, 36, 0] < made.truth[:, 45, 0]).all()
    assert (made.truth[:, 68, 0] < made.truth[:, 69, 0]).all()


def test_missing_marks_two_gaps(astronaut_points: Float32) -> None:
    made = clip(astronaut_points, variant="missing", frames=90)
    edges = np.flatnonzero(np.diff(made.dropped.astype(int)))
    np.testing.assert_array_equal(np.diff(edges), [3, 24, 8])
    assert not clip(astronaut_points, frames=90).dropped.any()


def test_large_still_is_shrunk_to_the_same_clip(astronaut_points: Float32) -> None:
    """The same face at three times the resolution: the same truth, nearly the same picture."""
    import cv2

    still = skimage.data.astronaut()
    large = cv2.resize(still, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    made = make_clip(large, (astronaut_points + 0.5) * 3 - 0.5, **SMALL)
    reference = clip(astronaut_points)
    np.testing.assert_allclose(made.truth, reference.truth, atol=1e-3)
    difference = np.float32(next(made.frames())) - np.float32(next(reference.frames()))
    assert abs(difference).mean() < 3.0


def test_wrong_requests_say_what_to_do(astronaut_points: Float32) -> None:
    with pytest.raises(S2DError, match="use one of calm, fast"):
        clip(astronaut_points, variant="wild")
    holes = astronaut_points.copy()
    holes[68:] = np.nan
    with pytest.raises(S2DError, match="70 landmarks"):
        clip(holes)


def test_written_clip_reads_back(astronaut_points: Float32, tmp_path: Path) -> None:
    from s2d.video import VideoReader

    made = clip(astronaut_points, variant=Variant(noise=0.0))
    write_clip(made, tmp_path / "clip.mp4")
    with VideoReader(tmp_path / "clip.mp4") as reader:
        assert (reader.width, reader.height, len(reader)) == (96, 96, 12)
        np.testing.assert_allclose(reader.times - reader.times[0], made.times, atol=1e-3)
        for written, frame in zip(reader.frames(), made.frames(), strict=True):
            assert abs(written.astype(float) - frame).mean() < 4
