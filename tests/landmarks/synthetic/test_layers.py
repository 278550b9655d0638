"""A still taken apart: who is person, what is filled in."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data

from s2d import geometry
from s2d.geometry import Float32
from s2d.landmarks.synthetic.head import Head
from s2d.landmarks.synthetic.layers import SKIN, Layers, _light, fill, take_apart

SCALE = 40.0


@pytest.fixture(scope="module")
def head(astronaut_points: Float32) -> Head:
    return Head(astronaut_points)


@pytest.fixture(scope="module")
def layers(head: Head) -> Layers:
    return take_apart(skimage.data.astronaut(), head, SCALE)


def at(layers: Layers, texture: Float32, *points: tuple[float, float]) -> Float32:
    return layers.sample(texture, np.array([points], np.float32))[0]


def test_the_face_is_person_and_the_wall_is_not(layers: Layers, head: Head) -> None:
    marks = [tuple(point) for point in head.landmarks[[8, 27, 30, 33, 36, 45, 62]]]
    assert (at(layers, layers.person, *marks)[:, 3] > 0.99).all()
    assert (at(layers, layers.person, (-2.2, -0.5), (2.2, -0.5), (-2.5, 0.5))[:, 3] < 0.01).all()
    hair = at(layers, layers.person, (0.0, -1.2))
    assert hair[0, 3] > 0.99


def test_person_shows_the_still_without_a_shift(layers: Layers, head: Head, astronaut_points: Float32) -> None:
    """The texture's colours around the nose match the still's best where they should, not half a pixel beside."""
    still = skimage.data.astronaut().astype(np.float32)
    places = np.round(np.mgrid[-30:31:2, -30:31:2].reshape(2, -1).T + astronaut_points[30]).astype(int)

    def mismatch(dx: float, dy: float) -> float:
        units = geometry.apply(head.to_units, places + np.array([dx, dy])).astype(np.float32)
        shown = layers.sample(layers.person, units[None])[0, :, :3]
        return float(np.square(shown - still[places[:, 1], places[:, 0]]).mean())

    sides = [(mismatch(0.5, 0), mismatch(-0.5, 0)), (mismatch(0, 0.5), mismatch(0, -0.5))]
    for pair in sides:
        assert mismatch(0, 0) < 0.7 * min(pair)
        assert max(pair) < 1.3 * min(pair)  # no nearer to one side


def test_background_has_no_trace_of_the_person(layers: Layers) -> None:
    """Behind the dark collar and the hair it is as light as the wall around."""
    wall = at(layers, layers.background, (-1.9, -0.8), (1.9, -0.8)).mean()
    behind = at(layers, layers.background, (0.0, 0.3), (0.0, -1.0), (0.4, 0.8))
    assert (behind.mean(axis=1) > 0.75 * wall).all()


def test_inside_of_the_mouth_is_dark_below_the_teeth_and_red_further_down(layers: Layers, head: Head) -> None:
    lip = head.landmarks[66]
    dark, tongue = (at(layers, layers.inside, (lip[0], lip[1] + depth))[0] for depth in (0.01, 0.1))
    assert dark.max() < 80
    assert dark.max() < tongue.max() < at(layers, layers.person, (lip[0], lip[1] - 0.3))[0, :3].max()
    assert tongue[0] > 1.5 * tongue[1:].max()
    eyeball = at(layers, layers.inside, tuple(head.landmarks[68]))
    skin = at(layers, layers.person, tuple(head.landmarks[68]))
    np.testing.assert_allclose(eyeball[0], skin[0, :3], atol=1.0)


def test_half_of_how_light_skin_is_and_a_quarter_of_its_tint_are_the_light_s() -> None:
    np.testing.assert_allclose(_light(SKIN), 1)
    np.testing.assert_allclose(_light(SKIN / 4), 0.5)
    yellow = _light(SKIN * np.array([1.0, 1.0, 0.4]))
    np.testing.assert_allclose(yellow, np.sqrt(0.8) * np.array([1.0625, 1.0625, 0.875]))
    assert np.isfinite(_light(np.zeros(3))).all()


def test_fill_keeps_what_is_known_and_invents_nothing_brighter() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(50, 100, (37, 52, 3)).astype(np.float32)
    known = rng.random((37, 52)) < 0.5
    known[10:30, 15:40] = False
    filled = fill(np.where(known[..., None], image, -1e4).astype(np.float32), known)
    np.testing.assert_array_equal(filled[known], image[known])
    assert filled.min() >= 50 - 1e-2
    assert filled.max() <= 100 + 1e-2
