"""Landmarks in pixels of the photo move it by as many pixels, whatever the size of the model and of the batch."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.animation.painter import Painter
from s2d.animation.source import SourceFace
from s2d.geometry import Crop, Float32
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.extract import largest_face
from s2d.landmarks.synthetic.clip import astronaut
from s2d.landmarks.tracking import crop_for
from s2d.models.animator import Animator, AnimatorConfig


@pytest.fixture(scope="module")
def points() -> Float32:
    return largest_face(astronaut(), make_detector(), "cannot test").points


def ramp(points: Float32, size: int) -> SourceFace:
    """The astronaut's landmarks on a picture whose red and green tell the position: 1 per 512th of the side."""
    crop = crop_for(np.concatenate([points[:68].min(0), points[:68].max(0)])[None])
    place = (np.arange(size) + 0.5) / size * 255
    picture = np.zeros((size, size, 3))
    picture[..., 0], picture[..., 1] = place[None], place[:, None]
    return SourceFace(picture.round().astype(np.uint8), crop.points(points, size), picture, Crop(0, 0, size))


@pytest.mark.parametrize("size", [128, 300])
@pytest.mark.parametrize("side", [64, 128])
def test_a_shift_by_a_twentieth_of_the_side_moves_the_face_by_just_that(points: Float32, size: int, side: int):
    """A half pixel of the model, mistaken for one of the photo, would be .5 / 64 of the side: 2 of 255."""
    face = ramp(points, size)
    made = Painter(Animator(AnimatorConfig(size=side)).eval(), face).paint(face.points[None] + np.float32(size / 20))
    middle = face.points[27:36].mean(0) + size / 20
    x, y = middle.round().astype(int)
    moved = face.image[y - 8 : y + 8, x - 8 : x + 8].astype(float) - made[0, y - 8 : y + 8, x - 8 : x + 8]
    np.testing.assert_allclose(moved[..., :2].mean(axis=(0, 1)), 255 / 20, atol=0.3)


def test_a_face_that_stays_is_the_photo_itself(points: Float32):
    face = ramp(points, 200)
    made = Painter(Animator().eval(), face).paint(face.points[None])
    assert abs(made[0].astype(int) - face.image).max() <= 1


def test_frames_are_those_painted_one_by_one(points: Float32):
    face = ramp(points, 96)
    painter = Painter(Animator().eval(), face)
    driving = face.points[None] + np.linspace(0, 9, 10, dtype=np.float32)[:, None, None]
    together = np.stack(list(painter.frames(driving)))
    alone = np.concatenate([painter.paint(driving[i : i + 1]) for i in range(10)])
    assert together.shape == (10, 96, 96, 3)
    assert abs(together.astype(int) - alone).max() <= 1


def test_an_animator_that_knows_no_pupils_shows_none_of_their_motion(points: Float32):
    """An ablation is to be one at any size, though whites and irises are drawn at the picture's own."""
    face = ramp(points, 200)
    looking = face.points.copy()
    looking[68:] += 3
    made = {
        pupils: Painter(Animator(AnimatorConfig(pupils=pupils)).eval(), face).paint(np.stack([face.points, looking]))
        for pupils in (True, False)
    }
    assert abs(made[True][1].astype(int) - made[True][0]).max() > 10
    np.testing.assert_array_equal(made[False][1], made[False][0])
