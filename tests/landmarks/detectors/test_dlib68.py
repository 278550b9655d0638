from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.images import read_image
from s2d.landmarks import layout
from s2d.landmarks.detectors import dlib68
from s2d.landmarks.detectors.dlib68 import DlibDetector
from s2d.landmarks.detectors.mesh import MeshDetector

from .conftest import INTEROCULAR, SEEN, annotation
from .test_mesh import moved, only

pytest.importorskip("dlib", reason="pip install s2d[dlib]")


@pytest.fixture(scope="module")
def trees(mesh: MeshDetector) -> DlibDetector:
    return DlibDetector(finder=mesh)


def test_landmarks_lie_where_a_person_sees_them(trees: DlibDetector, astronaut: np.ndarray) -> None:
    face = only(trees.detect([astronaut])[0])
    for index, place in SEEN.items():
        if index < 68:
            assert np.linalg.norm(face.points[index] - place) < 0.08 * INTEROCULAR, index


def test_no_pupils(trees: DlibDetector, astronaut: np.ndarray) -> None:
    face = only(trees.detect([astronaut])[0])
    np.testing.assert_array_equal(np.flatnonzero(~face.valid), [layout.RIGHT_PUPIL, layout.LEFT_PUPIL])
    assert np.isnan(face.points[68:]).all()
    assert np.isfinite(face.box).all()


def test_landmarks_follow_shifts_smaller_than_its_own_lattice(trees: DlibDetector, astronaut: np.ndarray) -> None:
    """One prediction moves in whole crop pixels (.6 here); the mean must follow a quarter of that."""
    steps = np.arange(8) * 0.25
    frames = [moved(astronaut, np.array([[1, 0, step], [0, 1, 0]])) for step in steps]
    x = np.stack([only(faces).points[:68, 0] for faces in trees.detect(frames)])
    slope = np.polyfit(steps, x.mean(axis=1), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)
    assert abs(x - steps[:, None] - (x - steps[:, None]).mean(axis=0)).mean() < 0.006 * INTEROCULAR


def test_the_box_is_that_of_the_model_face() -> None:
    """A face whose eyes and mouth sit on the triangle gets the box's centre and size, turned with the face."""
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    points = np.zeros((70, 2))
    for part, place in (("right_eye", 0), ("left_eye", 1), ("outer_lips", 2), ("inner_lips", 2)):
        points[list(layout.PARTS[part])] = dlib68.TRIANGLE[place]
    region = dlib68._region(points @ turn.T * 40 + [300, 200])
    assert region.angle == pytest.approx(0.3)
    assert region.side * dlib68.BOX_SHARE == pytest.approx(40 * dlib68.BOX_SIDE)
    np.testing.assert_allclose([region.x, region.y], turn @ dlib68.BOX_CENTRE * 40 + [300, 200])


def test_jitter_is_even_and_does_not_move_the_face() -> None:
    region = dlib68.Region(50.0, 60.0, 100.0)
    jittered = dlib68._jittered(region)
    offsets = np.array([(other.x - 50, other.y - 60, np.log(other.side / 100)) for other in jittered])
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=1e-9)
    assert len(jittered) == dlib68.JITTERS
    assert abs(offsets[:, :2]).max() <= 2 * dlib68.JITTER * 100 * dlib68.BOX_SHARE


def test_halton_is_the_published_sequence() -> None:
    np.testing.assert_allclose([dlib68._halton(i, 2) for i in range(1, 6)], [1 / 2, 1 / 4, 3 / 4, 1 / 8, 5 / 8])
    np.testing.assert_allclose([dlib68._halton(i, 3) for i in range(1, 5)], [1 / 3, 2 / 3, 1 / 9, 4 / 9])


def test_without_the_library_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(S2DError, match=r"pip install s2d\[dlib\]"):
        DlibDetector()


@pytest.mark.media
def test_error_on_annotated_stills(trees: DlibDetector, media: Path) -> None:
    """Frontal and almost in profile; a box that leans with the eyes makes the second 20 %."""
    for name, reach in (("takeo.ppm", 0.04), ("breakingbad.jpg", 0.06)):
        image, truth = (
            read_image(media / "annotated" / name),
            annotation((media / "annotated" / name).with_suffix(".pts")),
        )
        errors = [
            np.linalg.norm(face.points[:68] - truth, axis=1).mean() / layout.interocular(truth)
            for face in trees.detect([image])[0]
        ]
        assert min(errors) < reach, name
