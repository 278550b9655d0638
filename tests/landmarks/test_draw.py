"""Pictures with landmarks, and sheets of pictures, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.geometry import Float32
from s2d.landmarks import layout
from s2d.landmarks.draw import COLOURS, contact_sheet, draw_landmarks

BLACK = np.zeros((120, 160, 3), np.uint8)


@pytest.fixture
def face(astronaut_points: Float32) -> Float32:
    points = astronaut_points - astronaut_points.min(axis=0)
    return points + 10


def test_a_dot_at_each_landmark_in_the_colour_of_its_part(face: Float32) -> None:
    drawn = draw_landmarks(BLACK, face, lines=False)
    for part, members in layout.PARTS.items():
        for member in members:
            x, y = np.round(face[member]).astype(int)
            assert drawn[y, x].max() > 100, part
    x, y = np.round(face[8]).astype(int)
    assert np.argmax(drawn[y, x]) == np.argmax(COLOURS["jaw"])
    assert not BLACK.any()  # drawn on a copy


def test_dots_move_by_fractions_of_a_pixel() -> None:
    """The centre of a drawn dot follows its landmark, it does not snap to the grid."""
    for shift in (0.0, 0.25, 0.5, 0.75):
        points = np.full((70, 2), np.nan)
        points[30] = [50 + shift, 60]
        drawn = draw_landmarks(BLACK, points, colour=(255, 255, 255))[..., 0].astype(float)
        assert (drawn.sum(axis=0) @ np.arange(160)) / drawn.sum() == pytest.approx(50 + shift, abs=0.13)


def test_unknown_landmarks_take_their_lines_with_them(face: Float32) -> None:
    valid = np.ones(70, bool)
    valid[17:68] = False
    holes = face.copy()
    holes[[68, 69]] = np.nan
    only_jaw = draw_landmarks(BLACK, holes, valid)
    assert only_jaw.any()
    jaw_rows = np.flatnonzero(only_jaw.any(axis=(1, 2)))
    assert jaw_rows.min() >= face[:17, 1].min() - 3
    inside = face[layout.PARTS["nose_bridge"], :].mean(axis=0).round().astype(int)
    assert not only_jaw[inside[1] - 5 : inside[1] + 5, inside[0] - 5 : inside[0] + 5].any()
    assert not draw_landmarks(BLACK, np.full((70, 2), np.nan)).any()


def test_closed_parts_are_closed(face: Float32) -> None:
    """The line from the last lid point back to the first is there."""
    eye = np.full((70, 2), np.nan)
    eye[36:42] = [[20, 50], [50, 20], [90, 20], [120, 50], [90, 80], [50, 80]]
    x, y = ((eye[41] + eye[36]) / 2).astype(int)
    assert draw_landmarks(BLACK, eye)[y - 1 : y + 2, x - 1 : x + 2].any()


def test_sheet_lays_pictures_out_in_reading_order() -> None:
    pictures = [np.full((10, 20, 3), value, np.uint8) for value in (10, 20, 30, 40, 50)]
    sheet = contact_sheet(pictures, 3, gap=2)
    assert sheet.shape == (22, 64, 3)
    assert [sheet[5, x, 0] for x in (5, 27, 49)] == [10, 20, 30]
    assert [sheet[17, x, 0] for x in (5, 27, 49)] == [40, 50, 0]


def test_sheet_scales_and_captions() -> None:
    tall, small = np.full((40, 20, 3), 200, np.uint8), np.full((10, 10, 3), 100, np.uint8)
    sheet = contact_sheet([tall, small], 2, captions=["one", "two"], height=20, gap=0)
    assert sheet.shape == (20 + 18, 40, 3)
    assert sheet[:18, :10].any()
    assert (sheet[18:, :10] == 200).all()
    assert (sheet[18:, 20:] == 100).all()


def test_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], 3)
