"""Landmarks found again, on drawn faces and on the astronaut."""

from __future__ import annotations

import math

import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor

from s2d.evaluation import keypoints
from s2d.evaluation.identity import FaceEmbedder, identity_distance
from s2d.evaluation.keypoints import SIDE, Witness
from s2d.geometry import Float32
from tests.models.conftest import draw_face, gaze_turned, lids_closed, turned


def pixels(points: Tensor) -> Float32:
    return ((points.numpy() + 1) * (SIDE - 1) / 2).astype(np.float32)


@pytest.fixture(scope="module")
def astronaut() -> Tensor:
    """(1, 3, 256, 256), the face in its upper half."""
    crop = np.ascontiguousarray(skimage.data.astronaut()[:256, 96:352])
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255


def test_distance_is_in_pixels() -> None:
    true = pixels(draw_face().expand(3, -1, -1))
    assert keypoints.average_distance(true + np.float32([3, 4]), true) == pytest.approx(5, abs=1e-4)


def test_a_frame_without_a_face_is_missed_not_measured() -> None:
    true = pixels(draw_face().expand(4, -1, -1))
    found = true + np.float32([0, 2])
    found[1] = np.nan
    assert keypoints.average_distance(found, true) == pytest.approx(2, abs=1e-4)
    assert keypoints.missed(found, true) == 0.25
    nothing = np.full_like(true, np.nan)
    assert math.isnan(keypoints.average_distance(nothing, true))
    assert keypoints.missed(nothing, true) == 1


def test_pupils_are_measured_against_the_lids_of_open_eyes() -> None:
    face = draw_face()
    true, looking = pixels(face), pixels(turned(gaze_turned(face, 0.03), 10, 1.0, (0.1, 0.0)))
    interocular = 0.56  # between the outer corners of the drawn face
    assert keypoints.pupil_error(looking, true) == pytest.approx(100 * 0.03 / interocular, rel=0.02)
    assert math.isnan(keypoints.pupil_error(looking, pixels(lids_closed(face))))


def test_lids_are_measured_by_their_opening() -> None:
    face = draw_face()
    closed = keypoints.lid_error(pixels(lids_closed(face, 0.0)), pixels(face))
    assert closed == pytest.approx(100 * 0.07 / 0.56, rel=0.02)
    assert keypoints.lid_error(pixels(turned(face, 15)), pixels(face)) == pytest.approx(0, abs=1e-3)


def test_pictures_keep_their_place_when_they_grow() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    (picture,) = keypoints.as_pictures(ramp)
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture[128, 127:129, 0].mean() == pytest.approx(127.5, abs=1)


@pytest.mark.parametrize("drove", ["mesh", "dlib"])
def test_the_other_detector_is_the_witness(drove: str, astronaut: Tensor) -> None:
    witness = Witness(drove)
    assert witness.name != drove
    mesh, other = witness.look(torch.cat([astronaut, torch.zeros_like(astronaut)]))
    interocular = np.linalg.norm(mesh[0, 45] - mesh[0, 36])
    assert np.linalg.norm(mesh[0, 17:68] - other[0, 17:68], axis=1).mean() < 0.06 * interocular
    assert np.isnan(mesh[1]).all()
    assert np.isnan(other[1]).all()
    assert (drove == "dlib") == bool((mesh[0] == other[0]).all())


def test_identity_is_kept_by_a_lighter_picture_and_lost_by_another_face(astronaut: Tensor) -> None:
    embedder = FaceEmbedder()
    seen = Witness("dlib").look_quickly(astronaut)
    lighter = (astronaut * 0.9 + 0.1).clamp(0, 1)
    squeezed = astronaut.clone()
    squeezed[..., 60:200, 90:190] = squeezed[..., 60:200, 90:190].flip(-2)  # a face upside down, in place
    one, same, other = (embedder.embed(keypoints.as_pictures(image), seen) for image in (astronaut, lighter, squeezed))
    assert identity_distance(same, one) < 0.3
    assert identity_distance(other, one) > 0.5
    nobody = embedder.embed(keypoints.as_pictures(astronaut), np.full_like(seen, np.nan))
    assert math.isnan(identity_distance(nobody, one))


def test_the_noise_floor_is_a_little_noise(astronaut: Tensor) -> None:
    again = keypoints.compressed(astronaut)
    assert 0 < float((again - astronaut).abs().mean()) < 0.01
