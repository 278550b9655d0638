from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from s2d.geometry import apply
from s2d.images import read_image
from s2d.landmarks import layout
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.detectors.mesh import PRESENT, SEARCH_EVERY, MeshDetector, Pass, _score
from s2d.landmarks.detectors.regions import Region
from s2d.video import VideoReader

from .conftest import INTEROCULAR, SEEN, annotation


def only(faces: list[Face]) -> Face:
    (face,) = faces
    return face


def moved(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """The picture under an affine map, smoothed first where it shrinks."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    source = cv2.GaussianBlur(image, (0, 0), 0.5 / scale) if scale < 0.7 else image
    size = size or (image.shape[1], image.shape[0])
    return np.asarray(cv2.warpAffine(source, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def about(x: float, y: float, degrees: float, scale: float, to: tuple[float, float]) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((x, y), degrees, scale)
    return matrix + np.array([[0, 0, to[0] - x], [0, 0, to[1] - y]])


def distance(points: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance as a share of the inter-ocular distance."""
    return float(np.linalg.norm(points - truth, axis=-1).mean() / layout.interocular(truth))


def test_landmarks_lie_where_a_person_sees_them(mesh: MeshDetector, astronaut: np.ndarray) -> None:
    face = only(mesh.detect([astronaut])[0])
    for index, place in SEEN.items():
        reach = 1.2 if index >= 68 else 0.08 * INTEROCULAR
        assert np.linalg.norm(face.points[index] - place) < reach, index
    assert face.valid.all()
    assert face.score > 0.95
    assert face.points.dtype == face.box.dtype == np.float32
    np.testing.assert_array_equal(face.box[:2], face.points[:68].min(axis=0))
    np.testing.assert_array_equal(face.box[2:], face.points[:68].max(axis=0))


def test_landmarks_follow_sub_pixel_shifts(mesh: MeshDetector, astronaut: np.ndarray) -> None:
    shifts = np.random.default_rng(0).uniform(-6, 6, (12, 2))
    frames = [moved(astronaut, np.array([[1, 0, dx], [0, 1, dy]])) for dx, dy in shifts]
    points = np.stack([only(faces).points for faces in mesh.detect(frames)])
    stayed = points - shifts[:, None]
    assert abs(stayed - stayed.mean(axis=0)).mean() < 0.005 * INTEROCULAR
    for axis in (0, 1):
        slope = np.polyfit(shifts[:, axis], points[..., axis].mean(axis=1), 1)[0]
        assert slope == pytest.approx(1.0, abs=0.05)


def test_the_mirrored_face_has_mirrored_landmarks(mesh: MeshDetector, astronaut: np.ndarray) -> None:
    plain = only(mesh.detect([astronaut])[0]).points
    flipped = only(mesh.detect([np.ascontiguousarray(astronaut[:, ::-1])])[0]).points[layout.MIRROR]
    flipped = flipped * [-1, 1] + [astronaut.shape[1] - 1, 0]
    assert distance(flipped, plain) < 0.03


@pytest.mark.parametrize(
    ("degrees", "scale"), [(0, 0.5), (0, 4.0), (0, 6.0), (30, 1.0), (-70, 1.5), (90, 1.5)], ids=str
)
def test_turned_small_and_close_faces(mesh: MeshDetector, astronaut: np.ndarray, degrees: float, scale: float) -> None:
    """From 10 % of the frame's height (scale .5) to larger than the frame (scale 6)."""
    matrix = about(224, 130, degrees, scale, to=(256, 256))
    face = only(mesh.detect([moved(astronaut, matrix)])[0])
    truth = apply(matrix, only(mesh.detect([astronaut])[0]).points)
    assert distance(face.points, truth) < 0.05


def test_several_faces_largest_first(mesh: MeshDetector, astronaut: np.ndarray) -> None:
    small = cv2.resize(astronaut[20:260, 100:340], (180, 180), interpolation=cv2.INTER_AREA)
    pair = np.zeros((240, 420, 3), np.uint8)
    pair[30:210, :180] = small
    pair[:, 180:] = astronaut[20:260, 100:340]
    first, second = mesh.detect([pair])[0]
    assert first.points[30, 0] > 180 > second.points[30, 0]


def test_frames_do_not_influence_each_other(mesh: MeshDetector, astronaut: np.ndarray) -> None:
    other = np.ascontiguousarray(astronaut[:400, :400])
    together = mesh.detect([other, astronaut, np.zeros((64, 64, 3), np.uint8), other])
    assert [len(faces) for faces in together] == [1, 1, 0, 1]
    again = MeshDetector().detect([astronaut])[0]
    np.testing.assert_array_equal(only(together[1]).points, only(again).points)
    np.testing.assert_array_equal(only(together[0]).points, only(together[3]).points)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket"])
def test_no_face_is_invented(mesh: MeshDetector, name: str) -> None:
    assert mesh.detect([getattr(skimage.data, name)()]) == [[]]


def test_thin_and_tiny_frames(mesh: MeshDetector) -> None:
    frames = [np.zeros(shape, np.uint8) for shape in ((1, 1, 3), (3, 900, 3), (700, 2, 3))]
    assert mesh.detect(frames) == [[], [], []]


@pytest.mark.media
def test_pictures_and_clips_without_a_human_face(mesh: MeshDetector, media: Path) -> None:
    assert mesh.detect([read_image(media / "stills" / "not_a_face_cat.jpg")]) == [[]]
    with VideoReader(media / "clips" / "no_face.mp4") as reader:
        assert not any(mesh.detect([frame])[0] for frame in list(reader.frames())[::4])


@pytest.mark.media
def test_a_face_in_every_frame_from_its_cut_on(mesh: MeshDetector, media: Path) -> None:
    """The clip is a cartoon up to frame 95, then a person up to the last frame, which is black."""
    with VideoReader(media / "clips" / "cut_noface_to_face.mov") as reader:
        found = [len(mesh.detect([frame])[0]) for frame in reader.frames()]
    assert found == [0] * 96 + [1] * (len(found) - 97) + [0]


@pytest.mark.media
def test_error_on_an_annotated_still(mesh: MeshDetector, media: Path) -> None:
    image, truth = read_image(media / "annotated" / "takeo.ppm"), annotation(media / "annotated" / "takeo.pts")
    inner = list(layout.INNER_FACE)
    points = only(mesh.detect([image])[0]).points
    assert np.linalg.norm(points[inner] - truth[inner], axis=1).mean() < 0.04 * layout.interocular(truth)


def panned(image: np.ndarray, count: int) -> list[np.ndarray]:
    """The picture on a slow, sub-pixel pan."""
    return [moved(image, np.array([[1, 0, 1.3 * t], [0, 1, -0.7 * t]])) for t in range(count)]


def test_a_followed_face_is_the_face_however_many_frames_come_at_a_time(
    mesh: MeshDetector, astronaut: np.ndarray
) -> None:
    frames = panned(astronaut, 12)
    together, follower = mesh.follow().detect(frames), mesh.follow()
    for frame, faces, alone in zip(frames, together, mesh.detect(frames), strict=True):
        np.testing.assert_array_equal(only(follower.detect([frame])[0]).points, only(faces).points)
        assert distance(only(faces).points, only(alone).points) < 0.04


def test_a_followed_face_flickers_no_more_than_one_searched_for_in_every_frame(
    mesh: MeshDetector, astronaut: np.ndarray
) -> None:
    frames = panned(astronaut, 20)

    def flicker(found: list[list[Face]]) -> float:
        points = np.stack([only(faces).points for faces in found])
        return float(np.linalg.norm(np.diff(points, n=2, axis=0), axis=-1).mean())

    assert flicker(mesh.follow().detect(frames)) < flicker(mesh.detect(frames))


def test_a_further_face_is_found_within_a_few_frames(mesh: MeshDetector, astronaut: np.ndarray) -> None:
    small = moved(astronaut, np.array([[0.5, 0, 0], [0, 0.5, 0]]), (256, 256))
    alone, pair = np.hstack([small, np.zeros_like(small)]), np.hstack([small, small[:, ::-1]])
    found = [len(faces) for faces in mesh.follow().detect([alone] * 3 + [pair] * SEARCH_EVERY)]
    assert found[:3] == [1, 1, 1]
    assert found[-1] == 2
    assert sorted(found) == found


def test_a_face_that_goes_is_lost_at_once_and_found_at_once_elsewhere(
    mesh: MeshDetector, astronaut: np.ndarray
) -> None:
    small = moved(astronaut, np.array([[0.5, 0, 0], [0, 0.5, 0]]), (256, 256))
    blank = np.zeros_like(small)
    here, there, gone = np.hstack([small, blank]), np.hstack([blank, small]), np.hstack([blank, blank])
    found = mesh.follow().detect([here, here, there, gone, gone, here])
    assert [len(faces) for faces in found] == [1, 1, 1, 0, 0, 1]
    assert distance(only(found[2]).points, only(found[0]).points + np.array([256, 0])) < 0.04


def passes(apart: float, logit: float) -> tuple[Pass, Pass]:
    """Two that lay the mesh so far apart, in inter-ocular distances."""
    vertices = np.random.default_rng(0).normal(0, 50, (478, 2))
    shift = [apart * float(np.linalg.norm(vertices[263] - vertices[33])), 0.0]
    region = Region(0.0, 0.0, 100.0, 0.0)
    return Pass(vertices, logit, region), Pass(vertices + shift, logit, region)


@pytest.mark.parametrize(
    ("apart", "logit", "present"),
    [(0.01, 18.0, True), (0.01, 5.0, True), (0.1, 5.0, False), (0.01, -10.0, False), (np.nan, 18.0, False)],
)
def test_a_face_is_what_two_passes_agree_on(apart: float, logit: float, present: bool) -> None:
    """A shout is doubted and laid the same twice; what is no face is laid elsewhere each time."""
    assert (_score(*passes(apart, logit)) >= PRESENT) == present
