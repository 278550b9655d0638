"""What a track does by itself, on faces whose motion is known."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.geometry import Array, Float32
from s2d.landmarks import layout, trembling
from tests.landmarks.test_jitter import COUNT, TIMES, truth, white  # noqa: F401 - a fixture


def test_stabilised_face_ignores_the_head_in_the_picture_plane(astronaut_points: Float32) -> None:
    """A face that only moves, turns and grows in the picture stands still within itself."""
    angle, scale = np.sin(TIMES) * 0.5, 1 + 0.2 * np.cos(TIMES)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turns = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    moving = np.einsum("tij,kj->tki", turns, astronaut_points.astype(float)) + 20 * np.sin(3 * TIMES)[:, None, None]
    inside, maps = trembling.stabilise(moving)
    np.testing.assert_allclose(inside, np.broadcast_to(inside[0], inside.shape), atol=1e-9)
    np.testing.assert_allclose(layout.interocular(inside), 1, atol=1e-9)
    assert maps.shape == (COUNT, 2, 3)
    assert trembling.acceleration(moving) == pytest.approx(0, abs=1e-6)


def test_spectrum_finds_the_frequency(astronaut_points: Float32) -> None:
    shaken = np.repeat(astronaut_points[None].astype(float), COUNT, axis=0)
    shaken[:, 48:68, 1] += 0.5 * np.sin(2 * np.pi * 7.5 * TIMES)[:, None]
    frequencies, power = trembling.spectrum(shaken, TIMES)
    assert frequencies[np.argmax(power)] == pytest.approx(7.5, abs=0.1)
    assert trembling.high_frequency_share(shaken, TIMES) > 0.99
    slow = np.repeat(astronaut_points[None].astype(float), COUNT, axis=0)
    slow[:, 48:68, 1] += 0.5 * np.sin(2 * np.pi * 1.5 * TIMES)[:, None]
    assert trembling.high_frequency_share(slow, TIMES) < 0.01


def test_power_is_mean_square(astronaut_points: Float32) -> None:
    """Parseval: the power over all frequencies is the variance, with any window."""
    noisy = astronaut_points + white(0.4)
    inside, _ = trembling.stabilise(noisy)
    _, power = trembling.spectrum(noisy, TIMES)
    mean_square = 2 * (100 * inside[:, :68]).var(axis=0).mean()
    assert power.sum() == pytest.approx(mean_square, rel=0.05)


def test_anchor_drift_sees_leaving_for_long_not_jitter(truth: Array) -> None:  # noqa: F811
    anchor = truth + white(0.5)
    scale = layout.interocular(truth).mean()
    steady = trembling.anchor_drift(truth, anchor, TIMES)
    assert steady < 100 * 0.5 * np.sqrt(2 / 30) / scale * 1.2
    gone = truth.copy()
    gone[:, :, 0] += 3.0
    assert trembling.anchor_drift(gone, anchor, TIMES) == pytest.approx(300 / scale, rel=0.1)


def test_opening_drift_sees_a_mouth_that_opens_late_and_not_a_trembling_detector(truth: Array) -> None:  # noqa: F811
    shut = np.repeat(truth[:1], COUNT, axis=0)
    opened = shut.copy()
    opened[COUNT // 2 :, [65, 66, 67], 1] += 12.0
    late = shut.copy()
    late[COUNT // 2 + 4 :, [65, 66, 67], 1] += 12.0
    scale = layout.interocular(shut).mean()
    assert trembling.opening_drift(opened, opened + white(0.5)) < 2.0 / scale * 100
    assert trembling.opening_drift(late, opened) == pytest.approx(1200 / scale, rel=0.05)


def test_opening_drift_leaves_out_what_the_detector_missed(truth: Array) -> None:  # noqa: F811
    anchor = truth.copy()
    anchor[40:50] = np.nan
    assert trembling.opening_drift(truth, anchor) == pytest.approx(0, abs=1e-9)
    assert np.isnan(trembling.opening_drift(truth, np.full_like(truth, np.nan)))


def test_no_high_frequencies_at_a_low_frame_rate() -> None:
    points = np.random.default_rng(0).normal(0, 1, (40, layout.COUNT, 2)) + np.arange(layout.COUNT)[:, None]
    assert np.isfinite(trembling.high_frequency_share(points, np.arange(40) / 25))
    assert np.isnan(trembling.high_frequency_share(points, np.arange(40) / 10))
