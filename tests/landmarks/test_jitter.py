"""Each figure against a track whose figure is known: jitter, bias, delay, damping and drift of known size."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from s2d.geometry import Array, Float32
from s2d.landmarks import expression, jitter, layout
from s2d.landmarks.synthetic.head import Head
from s2d.landmarks.synthetic.motion import VARIANTS, Performance

FPS = 30.0
COUNT = 240
TIMES = np.arange(COUNT) / FPS
SCALE = 90.0


@pytest.fixture(scope="module")
def truth(astronaut_points: Float32) -> Array:
    return face_at(astronaut_points, TIMES)


def face_at(points: Float32, times: Array) -> Array:
    """A talking, blinking, turning face at any instants, in pixels."""
    head = Head(points)
    states = Performance(VARIANTS["calm"], 11)(times)
    return head.pose(head.express(states), states) * SCALE + 200


def white(deviation: float, count: int = COUNT) -> Array:
    return np.random.default_rng(0).normal(0, deviation, (count, 70, 2))


def test_perfect_track(truth: Array) -> None:
    figures = jitter.of_truth(truth, truth)
    for name in ("nme", "nme_unbiased", "nme_box", "nmf", "nmf_static", "accel_error", "lag_frames", "failure_rate"):
        assert figures[name] == pytest.approx(0, abs=1e-9), name
    for name in ("auc", "gain_lid", "gain_lip", "gain_pupil"):
        assert figures[name] == pytest.approx(1), name


def test_white_jitter(truth: Array) -> None:
    """Deviation s in x and y: NMF 2 s, NME s sqrt(pi / 2), acceleration sqrt(6) times that."""
    deviation = 0.5
    figures = jitter.of_truth(truth + white(deviation), truth)
    unit = 100 / layout.interocular(truth).mean()
    assert figures["nmf"] == pytest.approx(2 * deviation * unit, rel=0.02)
    assert figures["nmf_static"] == pytest.approx(2 * deviation * unit, rel=0.03)
    assert figures["nme"] == pytest.approx(deviation * np.sqrt(np.pi / 2) * unit, rel=0.02)
    assert figures["nme_unbiased"] == pytest.approx(figures["nme"], rel=0.01)
    assert figures["accel_error"] == pytest.approx(np.sqrt(6) * figures["nme"], rel=0.02)
    assert abs(figures["lag_frames"]) < 0.02


def test_constant_bias_of_each_landmark_is_no_unbiased_error(truth: Array) -> None:
    """Offsets that turn and scale with the face: an annotation convention."""
    axis = truth[:, 45] - truth[:, 36]
    c = (axis[:, 0] + 1j * axis[:, 1])[:, None]
    offset = np.random.default_rng(1).normal(0, 0.03, (70, 2))
    moved = c * (offset[:, 0] + 1j * offset[:, 1])
    biased = truth + np.stack([moved.real, moved.imag], -1)
    figures = jitter.of_truth(biased, truth)
    expected = 100 * np.linalg.norm(offset, axis=-1).mean()
    assert figures["nme"] == pytest.approx(expected, rel=1e-6)
    assert figures["nme_unbiased"] == pytest.approx(0, abs=1e-6)
    assert figures["nmf"] < 0.2 * figures["nme"]


@pytest.mark.parametrize("delay", [-2.0, -0.4, 0.0, 0.1, 0.3, 0.5, 1.0, 3.0])
def test_lag_has_sign_and_fraction(astronaut_points: Float32, truth: Array, delay: float) -> None:
    late = face_at(astronaut_points, TIMES - delay / FPS)
    assert jitter.lag(late, truth) == pytest.approx(delay, abs=0.04)
    assert jitter.lag(late + white(0.5), truth) == pytest.approx(delay, abs=0.06)


def test_lag_of_a_causal_average(truth: Array) -> None:
    """An average over this frame and the four before comes two frames late."""
    late = np.stack([truth[max(0, t - 4) : t + 1].mean(axis=0) for t in range(COUNT)])
    assert jitter.lag(late, truth) == pytest.approx(2.0, abs=0.1)


def test_lag_of_a_statue_is_unknown(truth: Array) -> None:
    assert np.isnan(jitter.lag(np.repeat(truth[:1], 20, axis=0), np.repeat(truth[:1], 20, axis=0)))


def test_gain_of_half_a_blink(truth: Array) -> None:
    """Lids that show 0.6 of the motion and lips 0.9, about their means; pupils all of it."""
    damped, unit = truth.copy(), layout.interocular(truth)[:, None]

    def damp(upper: int, lower: int, share: float) -> None:
        opening = (truth[:, upper] - truth[:, lower]) / unit
        length = np.linalg.norm(opening, axis=-1, keepdims=True)
        shown = length.mean() + share * (length - length.mean())
        damped[:, upper] = damped[:, lower] + opening / length * shown * unit

    for pair in (*layout.RIGHT_LIDS, *layout.LEFT_LIDS):
        damp(*pair, 0.6)
    for pair in layout.INNER_LIP_PAIRS:
        damp(*pair, 0.9)
    figures = jitter.of_truth(damped, truth)
    assert figures["gain_lid"] == pytest.approx(0.6, abs=1e-6)
    assert figures["gain_lip"] == pytest.approx(0.9, abs=1e-6)
    assert figures["gain_pupil"] == pytest.approx(1.0, abs=1e-6)


def test_gain_of_gaze_is_taken_in_the_eye(truth: Array) -> None:
    """Pupils glued to the lids have no gain, however far the head carries them."""
    glued = truth.copy()
    for pupil, (a, b) in ((68, (36, 39)), (69, (42, 45))):
        axis, middle = truth[:, b] - truth[:, a], (truth[:, a] + truth[:, b]) / 2
        glued[:, pupil] = middle + 0.02 * axis
    figures = jitter.of_truth(glued, truth)
    assert abs(figures["gain_pupil"]) < 0.02


def test_gain_is_unknown_when_nothing_moves() -> None:
    assert np.isnan(jitter.gain(np.ones(10), np.ones(10)))


def test_gain_equals_ordinary_regression(truth: Array) -> None:
    noisy = expression.lip_aperture(truth + white(0.3))
    true = expression.lip_aperture(truth)
    assert jitter.gain(noisy, true) == pytest.approx(np.polyfit(true, noisy, 1)[0])


def test_hidden_landmarks_do_not_count(truth: Array) -> None:
    visible = np.ones(truth.shape[:2], bool)
    visible[50:60, 36] = False  # also an eye corner, on which the normaliser stands
    visible[50:60, 5] = False
    spoilt = truth.copy()
    spoilt[~visible] += 50
    figures = jitter.of_truth(spoilt, truth, visible)
    assert figures["nme"] == pytest.approx(0, abs=1e-9)
    assert figures["nmf"] == pytest.approx(0, abs=1e-9)
    assert figures["lag_frames"] == pytest.approx(0, abs=1e-6)
    assert jitter.of_truth(spoilt, truth)["nme"] > 0.05


def test_missing_frames_do_not_count_but_fail(truth: Array) -> None:
    holes = truth + white(0.5)
    holes[30:42] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = jitter.measure(holes, TIMES, truth=truth, anchor=holes)
    whole = jitter.measure(truth + white(0.5), TIMES, truth=truth)
    assert figures["failure_rate"] == pytest.approx(100 * 12 / COUNT)
    for name in ("nme", "nmf", "accel_error", "acceleration"):
        assert figures[name] == pytest.approx(whole[name], rel=0.05), name
    assert abs(figures["lag_frames"] or 0.0) < 0.02


def test_detector_without_pupils(truth: Array) -> None:
    blind = truth + white(0.2)
    blind[:, 68:] = np.nan
    figures = jitter.measure(blind, TIMES, truth=truth)
    assert figures["gain_pupil"] is None
    assert figures["nme"] is not None


def test_box_normaliser(truth: Array) -> None:
    outline = truth[:, :68]
    size = np.sqrt(np.prod(outline.max(axis=1) - outline.min(axis=1), axis=-1))
    shifted = truth + size[:, None, None] * [0.03, 0.04]
    assert jitter.nme_box(shifted, truth) == pytest.approx(5.0)


def test_auc_is_the_integral_of_the_error_curve() -> None:
    errors = np.random.default_rng(0).gamma(2.0, 2.0, 500)
    limits = np.linspace(0, 8, 8001)
    curve = (errors[:, None] <= limits).mean(axis=0)
    assert jitter.auc(errors) == pytest.approx(float(np.trapezoid(curve, limits) / 8), abs=1e-4)


def test_measure_names_every_metric(truth: Array) -> None:
    figures = jitter.measure(truth, TIMES, truth=truth, anchor=truth)
    assert set(figures) == set(jitter.METRICS) - {"ms_per_frame"}
    assert figures["phase_residual_1"] is None  # no frames given
    alone = jitter.measure(truth, TIMES)
    assert alone["nme"] is None
    assert alone["acceleration"] is not None


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_short_tracks_have_no_figures_but_no_trouble_either(truth: Array, count: int) -> None:
    part = truth[:count]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = jitter.measure(part + white(0.3, count), TIMES[:count], truth=part, anchor=part)
    assert figures["nme"] is not None
    assert figures["high_frequency_share"] is None


def test_nothing_known_is_no_figure(truth: Array) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = jitter.measure(np.full_like(truth, np.nan), TIMES, truth=truth, anchor=truth)
    assert figures.pop("failure_rate") == 100
    assert figures.pop("auc") == 0
    assert figures.pop("known_share") == 0
    assert all(value is None for value in figures.values())


def test_leaving_landmarks_out_shows() -> None:
    truth = np.tile(np.linspace(0, 70, 2 * layout.COUNT).reshape(layout.COUNT, 2), (20, 1, 1))
    points = truth + 1.0
    points[:, :7] = np.nan
    assert jitter.of_truth(points, truth)["known_share"] == pytest.approx(90.0)
    assert jitter.of_truth(truth, truth)["known_share"] == 100.0
