"""The user is told of a source or a driver that animation cannot do well by, and of nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from s2d.animation.advice import of_driver, of_photo
from s2d.animation.source import SourceFace
from s2d.geometry import Crop, Float32
from tests.models.conftest import draw_face, head_turned, jaw_dropped, lids_closed, turned

MESH = "mesh"


def pixels(face: object) -> Float32:
    """Of a drawn face in a square of 200 pixels."""
    return np.asarray(face[0].numpy() * 100 + 100, np.float32)  # type: ignore[index]


@pytest.fixture
def source() -> SourceFace:
    picture, photo = np.zeros((200, 200, 3), np.uint8), np.zeros((500, 600, 3), np.uint8)
    return SourceFace(picture, pixels(draw_face()), photo, Crop(50, 80, 400))


def test_a_face_at_rest_needs_no_advice(source: SourceFace):
    assert of_photo(source, MESH) == []
    assert of_driver(source.points, np.repeat(source.points[None], 5, 0), "absolute") == []


@pytest.mark.parametrize(("side", "said"), [(191, True), (192, False)])
def test_a_face_that_is_small_in_the_photo_is_called_that(source: SourceFace, side: int, said: bool):
    small = replace(source, crop=Crop(50, 80, side))
    assert ("small in the photo, 191 pixels" in "".join(of_photo(small, MESH))) == said


@pytest.mark.parametrize(
    ("crop", "said"), [(Crop(-8, 110, 400), ""), (Crop(0, 140, 400), "10% of"), (Crop(-40, 0, 400), "10% of")]
)
def test_a_square_that_reaches_beyond_the_photo_is_told_of(source: SourceFace, crop: Crop, said: str):
    beyond = replace(source, crop=crop)
    told = of_photo(beyond, MESH)
    assert told[0].startswith(said) if said else told == []
    assert of_photo(beyond, MESH, pasted=True) == []


@pytest.mark.parametrize(("degrees", "said"), [(55, ""), (65, "65 degrees"), (180, "180 degrees"), (-90, "90 degrees")])
def test_a_photo_that_lies_on_its_side_is_to_be_turned(source: SourceFace, degrees: float, said: str):
    """Its low score is no sign of another creature."""
    points = pixels(turned(draw_face(), degrees))
    told = of_photo(replace(source, points=points, score=0.97 if not said else 0.76), MESH)
    assert told == ([f"the face is {said} from upright: turn the photo"] if said else [])


@pytest.mark.parametrize("degrees", [19, 21, -21])
def test_a_face_in_three_quarter_view_is_said_to_swell(source: SourceFace, degrees: float):
    """The drawn head is flatter than the average one: its yaw is measured as three quarters of its turn."""
    told = of_photo(replace(source, points=pixels(head_turned(draw_face(), degrees))), MESH)
    if abs(degrees) < 20:
        assert told == []
    else:
        assert len(told) == 1
        assert told[0].startswith("the face in the photo is turned aside by 16 degrees: its far cheek will swell")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (pixels(jaw_dropped(draw_face(), 0.4)), "mouth is wide open: it stays ajar and looks torn; choose"),
        (pixels(lids_closed(draw_face(), 0.0)), "eyes are shut"),
    ],
)
def test_what_no_motion_mends_is_said(source: SourceFace, points: Float32, said: str):
    (told,) = of_photo(replace(source, points=points), MESH)
    assert said in told
    assert "\n" not in told


def test_each_thing_is_a_line_of_its_own(source: SourceFace):
    points = pixels(lids_closed(jaw_dropped(draw_face(), 0.4), 0.0))
    told = of_photo(replace(source, points=points, crop=Crop(50, 80, 100)), MESH)
    starts = ["the face is small", "the source's mouth", "the source's eyes"]
    assert [line.startswith(start) for line, start in zip(told, starts, strict=True)] == [True] * 3


def test_a_mouth_that_closes_needs_no_advice(source: SourceFace):
    points = pixels(jaw_dropped(draw_face(), 0.12))
    assert of_photo(replace(source, points=points), MESH) == []


def test_one_shut_eye_is_one(source: SourceFace):
    points = source.points.copy()
    points[36:42] = pixels(lids_closed(draw_face(), 0.0))[36:42]
    assert "one of the source's eyes is shut" in "".join(of_photo(replace(source, points=points), MESH))


@pytest.mark.parametrize(
    ("score", "detector", "said"), [(0.964, MESH, True), (0.966, MESH, False), (0.7, "fan", False)]
)
def test_a_doubtful_face_is_said_to_be_one(source: SourceFace, score: float, detector: str, said: bool):
    assert ("no human face" in "".join(of_photo(replace(source, score=score), detector))) == said


def test_another_face_is_advised_against_in_absolute_mode_alone(source: SourceFace):
    other = source.points.copy()
    other[:, 0] = 100 + 1.25 * (other[:, 0] - 100)
    driving = np.repeat(other[None], 5, 0)
    assert "--mode relative" in "".join(of_driver(source.points, driving, "absolute"))
    assert of_driver(source.points, driving, "relative") == []
