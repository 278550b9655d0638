"""Filters against what is known of them: polynomials, means by hand, the published algorithm, a dense solution."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from s2d.geometry import Array
from s2d.landmarks import layout
from s2d.landmarks.filters import Filter, MovingAverage, OneEuro, RauchTungStriebel, SavitzkyGolay

EYES = 60.0  # pixels between the outer eye corners
FILTERS: list[Filter] = [
    OneEuro(min_cutoff=1.5, beta=8.0, derivative_cutoff=2.0),
    SavitzkyGolay(window=7, degree=2),
    MovingAverage(window=5),
    RauchTungStriebel(noise_ratio=2e3),
]
each_filter = pytest.mark.parametrize("smooth", FILTERS, ids=lambda smooth: type(smooth).__name__)


def even_times(count: int) -> Array:
    return 7.0 + np.arange(count) / 25


def uneven_times(count: int) -> Array:
    return 7.0 + np.cumsum(np.random.default_rng(5).uniform(0.01, 0.09, count))


def still_face(count: int) -> Array:
    """A face far from the origin, at rest: (T, 70, 2)."""
    face = np.random.default_rng(1).uniform(400, 500, (layout.COUNT, 2))
    face[layout.RIGHT_EYE_OUTER], face[layout.LEFT_EYE_OUTER] = (420, 450), (420 + EYES, 450)
    return np.repeat(face[None], count, axis=0)


def trembling_face(count: int) -> Array:
    """A face on a curved path, with noise."""
    phase = np.linspace(0, 5, count)
    path = 20 * np.stack([np.sin(phase), np.cos(2 * phase)], axis=-1)
    noise = np.random.default_rng(2).normal(0, 1, (count, layout.COUNT, 2))
    return still_face(count) + path[:, None] + noise


# --- what all filters have in common --------------------------------------------------------------------------------


@each_filter
def test_filters_make_noise_on_a_still_face_less(smooth: Filter) -> None:
    noise = np.random.default_rng(3).normal(0, 0.5, (60, layout.COUNT, 2))
    result = smooth(still_face(60) + noise, even_times(60))
    assert (result - still_face(60)).std() < 0.75 * noise.std()


@each_filter
def test_size_and_place_of_the_face_change_nothing(smooth: Filter) -> None:
    points, times = trembling_face(40), uneven_times(40)
    points[12:15] = np.nan
    np.testing.assert_allclose(smooth(points * 3, times), smooth(points, times) * 3, rtol=1e-9)
    np.testing.assert_allclose(smooth(points + 1000, times), smooth(points, times) + 1000, rtol=1e-9)


@each_filter
def test_float32_in_float64_out_and_the_input_stays(smooth: Filter) -> None:
    points = trembling_face(20).astype(np.float32)
    before = points.copy()
    result = smooth(points, even_times(20))
    assert result.dtype == np.float64
    np.testing.assert_array_equal(points, before)


@each_filter
def test_one_frame_stays(smooth: Filter) -> None:
    np.testing.assert_allclose(smooth(trembling_face(1), even_times(1)), trembling_face(1), rtol=1e-12)


@pytest.mark.parametrize("smooth", FILTERS[1:], ids=lambda smooth: type(smooth).__name__)
def test_two_frames_stay_without_a_reason_to_move_them(smooth: Filter) -> None:
    """Two points lie on a line; only the causal One-Euro, which holds the first, moves the second."""
    np.testing.assert_allclose(smooth(trembling_face(2), even_times(2)), trembling_face(2), rtol=1e-6)


def test_two_frames_of_one_euro_by_hand() -> None:
    points = still_face(2)
    points[1] += [6.0, 0.0]
    result = OneEuro(min_cutoff=25 / (2 * math.pi), beta=0.0)(points, even_times(2))  # tau = one frame: weight 1/2
    np.testing.assert_allclose(result[1] - points[0], np.broadcast_to([3.0, 0.0], (70, 2)), atol=1e-9)


@each_filter
def test_a_still_face_stays_through_a_gap(smooth: Filter) -> None:
    points = still_face(30)
    points[10:18] = np.nan
    np.testing.assert_allclose(smooth(points, uneven_times(30)), still_face(30), rtol=1e-8)


@each_filter
def test_gaps_are_filled_between_first_and_last_detection_only(smooth: Filter) -> None:
    points, times = trembling_face(30), even_times(30)
    points[:4, 5] = points[27:, 5] = points[11:15, 5] = np.nan
    points[:, 68:] = np.nan
    result = smooth(points, times)
    known = np.ones((30, 70), bool)
    known[:4, 5] = known[27:, 5] = known[:, 68:] = False
    np.testing.assert_array_equal(np.isfinite(result).all(axis=-1), known)


@each_filter
def test_a_gap_of_one_landmark_leaves_the_others_alone(smooth: Filter) -> None:
    points, times = trembling_face(30), uneven_times(30)
    holed = points.copy()
    holed[11:15, 5] = np.nan
    others = np.arange(layout.COUNT) != 5
    np.testing.assert_allclose(smooth(holed, times)[:, others], smooth(points, times)[:, others], rtol=1e-12)


@each_filter
def test_a_point_known_by_half_is_not_known(smooth: Filter) -> None:
    points = trembling_face(20)
    half, none = points.copy(), points.copy()
    half[9, 3, 1] = np.nan
    none[9, 3] = np.nan
    np.testing.assert_array_equal(smooth(half, even_times(20)), smooth(none, even_times(20)))


@each_filter
def test_no_detection_at_all(smooth: Filter) -> None:
    points = np.full((6, layout.COUNT, 2), np.nan)
    if isinstance(smooth, OneEuro):
        with pytest.raises(ValueError, match="eye corners"):
            smooth(points, even_times(6))
    else:
        assert np.isnan(smooth(points, even_times(6))).all()


@each_filter
def test_wrong_shapes_and_times(smooth: Filter) -> None:
    with pytest.raises(ValueError, match="fit together"):
        smooth(trembling_face(5), even_times(4))
    with pytest.raises(ValueError, match="increase"):
        smooth(trembling_face(5), np.zeros(5))


def test_parameters_are_checked_and_frozen() -> None:
    for wrong in ({"min_cutoff": 0.0}, {"derivative_cutoff": -1.0}, {"beta": -1.0}):
        with pytest.raises(ValueError, match="cutoffs"):
            OneEuro(**wrong)
    for window in (0, 4, -3):
        with pytest.raises(ValueError, match="odd"):
            MovingAverage(window)
        with pytest.raises(ValueError, match="odd"):
            SavitzkyGolay(window, 0)
    with pytest.raises(ValueError, match="degree"):
        SavitzkyGolay(5, 5)
    with pytest.raises(ValueError, match="ratio"):
        RauchTungStriebel(0.0)
    with pytest.raises(FrozenInstanceError):
        MovingAverage(3).window = 5  # type: ignore[misc]


# --- One-Euro -------------------------------------------------------------------------------------------------------


class PublishedLowPass:
    """Algorithm 2 of Casiez et al. 2012, number by number."""

    def __init__(self) -> None:
        self.hat: float | None = None

    def filter(self, value: float, alpha: float) -> float:
        self.hat = value if self.hat is None else alpha * value + (1 - alpha) * self.hat
        return self.hat


def published(values: list[float], times: list[float], mincutoff: float, beta: float, dcutoff: float) -> list[float]:
    """Algorithm 1 of Casiez et al. 2012, number by number."""

    def alpha(rate: float, cutoff: float) -> float:
        tau = 1.0 / (2 * math.pi * cutoff)
        te = 1.0 / rate
        return 1.0 / (1.0 + tau / te)

    x_filter, dx_filter, result, rate = PublishedLowPass(), PublishedLowPass(), [], 30.0
    for index, x in enumerate(values):
        dx = 0.0
        if index:
            rate = 1.0 / (times[index] - times[index - 1])
            dx = (x - (x_filter.hat or 0.0)) * rate
        edx = dx_filter.filter(dx, alpha(rate, dcutoff))
        cutoff = mincutoff + beta * abs(edx)
        result.append(x_filter.filter(x, alpha(rate, cutoff)))
    return result


def test_one_euro_is_the_published_algorithm_in_inter_ocular_distances() -> None:
    points, times = still_face(50), uneven_times(50)
    moving = [0, 20, 66, 69]
    points[:, moving] = trembling_face(50)[:, moving]
    result = OneEuro(min_cutoff=1.5, beta=8.0, derivative_cutoff=2.0)(points, times)
    for landmark in moving:
        for axis in (0, 1):
            series = (points[:, landmark, axis] / EYES).tolist()
            expected = published(series, times.tolist(), 1.5, 8.0, 2.0)
            np.testing.assert_allclose(result[:, landmark, axis] / EYES, expected, rtol=1e-10)


def test_one_euro_skips_missing_frames_and_joins_both_sides_by_a_line() -> None:
    points, times = trembling_face(30), uneven_times(30)
    gap = np.arange(10, 16)
    there = np.setdiff1d(np.arange(30), gap)
    holed = points.copy()
    holed[gap] = np.nan
    result = FILTERS[0](holed, times)
    np.testing.assert_allclose(result[there], FILTERS[0](points[there], times[there]), rtol=1e-12)
    share = ((times[gap] - times[9]) / (times[16] - times[9]))[:, None, None]
    np.testing.assert_allclose(result[gap], result[9] + share * (result[16] - result[9]), rtol=1e-12)


def test_one_euro_is_causal_and_opens_up_with_speed() -> None:
    points, times = trembling_face(30), even_times(30)
    changed = points.copy()
    changed[20:, 30] += 25  # the nose, not the eyes that give the unit
    calm, quick = OneEuro(1.0, 0.0), OneEuro(1.0, 100.0)
    np.testing.assert_array_equal(quick(points, times)[:20], quick(changed, times)[:20])
    left = [abs(smooth(changed, times)[20, 30] - changed[20, 30]).mean() for smooth in (calm, quick)]
    assert left[1] < 0.3 * left[0]


# --- Savitzky-Golay and moving average ------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_savitzky_golay_keeps_polynomials_of_its_degree_to_both_ends(degree: int) -> None:
    frame = np.linspace(-1, 1, 25)
    coefficients = np.random.default_rng(4).normal(0, 10, (degree + 1, 1, layout.COUNT, 2))
    points = sum(coefficients[power] * frame[:, None, None] ** power for power in range(degree + 1))
    np.testing.assert_allclose(SavitzkyGolay(9, degree)(points, even_times(25)), points, atol=1e-10)
    if degree == 3:  # of even degree, the middle of the window keeps one degree more, the ends do not
        less = SavitzkyGolay(9, 2)(points, even_times(25))
        np.testing.assert_allclose(less[4:-4], points[4:-4], atol=1e-10)
        assert abs(less - points)[:4].max() > 0.01


def test_savitzky_golay_has_the_published_coefficients() -> None:
    """Savitzky and Golay 1964, table I: quadratic, 5 points."""
    points = np.zeros((11, layout.COUNT, 2))
    points[5] = 35.0
    result = SavitzkyGolay(5, 2)(points, even_times(11))
    np.testing.assert_allclose(result[3:8, 0, 0], [-3, 12, 17, 12, -3], atol=1e-10)


def test_savitzky_golay_of_a_track_shorter_than_its_window() -> None:
    points, times = trembling_face(6), even_times(6)
    np.testing.assert_allclose(SavitzkyGolay(21, 2)(points, times), SavitzkyGolay(5, 2)(points, times), rtol=1e-12)


def test_moving_average_by_hand() -> None:
    points = np.zeros((6, 1, 2))
    points[:, 0, 0] = [3, 6, 0, 9, 12, 30]
    result = MovingAverage(5)(points, even_times(6))
    np.testing.assert_allclose(result[:, 0, 0], [3, 3, 6, 57 / 5, 17, 30])
    np.testing.assert_allclose(MovingAverage(1)(points, even_times(6)), points)


def test_moving_average_keeps_straight_motion_to_both_ends() -> None:
    points = still_face(12) + np.arange(12)[:, None, None] * [2.0, -1.0]
    np.testing.assert_allclose(MovingAverage(7)(points, even_times(12)), points, rtol=1e-12)


@pytest.mark.parametrize("smooth", FILTERS[1:3], ids=lambda smooth: type(smooth).__name__)
def test_window_filters_bridge_a_gap_by_a_line_over_time_first(smooth: Filter) -> None:
    points, times = trembling_face(30), uneven_times(30)
    for frame in range(10, 16):
        share = (times[frame] - times[9]) / (times[16] - times[9])
        points[frame] = (1 - share) * points[9] + share * points[16]
    holed = points.copy()
    holed[10:16] = np.nan
    np.testing.assert_allclose(smooth(holed, times), smooth(points, times), rtol=1e-12)


# --- Rauch-Tung-Striebel --------------------------------------------------------------------------------------------


def gaussian_process(values: Array, times: Array, ratio: float) -> Array:
    """Posterior mean at all `times`, of integrated Brownian motion plus an unknown straight line, by dense algebra.

    Kernel min^2 (3 max - min) / 6 (Rasmussen and Williams 2006, 6.3.1); `values` (T,) NaN where not known; noise 1.
    """
    moments = times - times[0]
    low, high = np.minimum.outer(moments, moments), np.maximum.outer(moments, moments)
    line = np.stack([np.ones_like(moments), moments], axis=1)
    kernel = ratio * low**2 * (3 * high - low) / 6
    known = np.isfinite(values)
    precision = np.linalg.inv(kernel[np.ix_(known, known)] + np.eye(known.sum()))
    basis = line[known]
    coefficients = np.linalg.solve(basis.T @ precision @ basis, basis.T @ precision @ values[known])
    rest = values[known] - basis @ coefficients
    return np.asarray(line @ coefficients + kernel[:, known] @ precision @ rest)


@pytest.mark.parametrize("ratio", [1.0, 2e3, 1e6])
def test_rts_is_the_posterior_mean_of_a_gaussian_process(ratio: float) -> None:
    points, times = trembling_face(40) - 450, uneven_times(40)
    points[12:19] = np.nan
    points[25, 7] = np.nan
    result = RauchTungStriebel(ratio)(points, times)
    for landmark in (0, 7, 69):
        for axis in (0, 1):
            expected = gaussian_process(points[:, landmark, axis], times, ratio)
            np.testing.assert_allclose(result[:, landmark, axis], expected, atol=1e-5)


def test_rts_goes_through_a_gap_at_constant_velocity() -> None:
    times = uneven_times(30)
    straight = still_face(30) + times[:, None, None] * [40.0, -25.0]
    holed = straight.copy()
    holed[10:18] = np.nan
    np.testing.assert_allclose(RauchTungStriebel()(holed, times), straight, rtol=1e-6)


def test_rts_between_stiff_and_free() -> None:
    """Without acceleration it is the regression line; without noise, the detections."""
    points, times = trembling_face(30), uneven_times(30)
    line = np.stack([np.polyval(np.polyfit(times, points[:, 0, axis], 1), times) for axis in (0, 1)], axis=-1)
    np.testing.assert_allclose(RauchTungStriebel(1e-9)(points, times)[:, 0], line, atol=1e-3)
    np.testing.assert_allclose(RauchTungStriebel(1e12)(points, times), points, atol=1e-2)
