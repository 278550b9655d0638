"""The banded solver against a dense least-squares solution of the same sum of squares."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.geometry import Array
from s2d.landmarks.solver import Links, solve


def dense(detections: Array, weight: Array, links: dict[int, Links], stiffness: Array | None = None) -> Array:
    """One row per square of the sum, one landmark at a time."""
    count, landmarks = weight.shape
    solution = np.full((count, landmarks, 2), np.nan)
    for k in range(landmarks):
        rows, values = [], []
        for t in range(count):
            if weight[t, k] > 0:
                rows.append(np.sqrt(weight[t, k]) * np.eye(count)[t])
                values.append(np.sqrt(weight[t, k]) * detections[t, k])
        for step, link in links.items():
            for t in range(count - step):
                rows.append(np.sqrt(link.weight[t, k]) * (np.eye(count)[t + step] - np.eye(count)[t]))
                values.append(np.sqrt(link.weight[t, k]) * link.shift[t, k])
        for t in range(count - 2 if stiffness is not None else 0):
            rows.append(np.sqrt(stiffness[t, k]) * (np.eye(count)[t] - 2 * np.eye(count)[t + 1] + np.eye(count)[t + 2]))
            values.append(np.zeros(2))
        if (weight[:, k] > 0).any():
            solution[:, k] = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    return solution


def problem(steps: tuple[int, ...], count: int = 11, landmarks: int = 4) -> tuple[Array, Array, dict[int, Links]]:
    rng = np.random.default_rng(3)
    weight = rng.uniform(0.1, 4, (count, landmarks))
    weight[4:7, 1] = 0
    detections = np.where(weight[..., None] > 0, rng.normal(0, 5, (count, landmarks, 2)), np.nan)
    links = {
        step: Links(rng.normal(0, 1, (count - step, landmarks, 2)), rng.uniform(0.1, 9, (count - step, landmarks)))
        for step in steps
    }
    return detections, weight, links


@pytest.mark.parametrize("steps", [(), (1,), (1, 2), (1, 4)])
def test_equals_dense_least_squares(steps: tuple[int, ...]) -> None:
    detections, weight, links = problem(steps)
    if not steps:
        weight[weight == 0], detections[np.isnan(detections)] = 1.0, 0.0
    np.testing.assert_allclose(solve(detections, weight, links), dense(detections, weight, links), atol=1e-10)


@pytest.mark.parametrize("steps", [(1,), (1, 2), (1, 4)])
def test_stiffness_equals_dense_least_squares(steps: tuple[int, ...]) -> None:
    detections, weight, links = problem(steps)
    stiffness = np.random.default_rng(5).uniform(0, 9, (len(weight) - 2, weight.shape[1]))
    found = solve(detections, weight, links, stiffness)
    np.testing.assert_allclose(found, dense(detections, weight, links, stiffness), atol=1e-10)
    assert np.abs(found - solve(detections, weight, links)).max() > 0.1


def test_stiffness_leaves_a_straight_line_alone() -> None:
    line = np.arange(6.0)[:, None, None] * [2.0, -1.0]
    np.testing.assert_allclose(solve(line, np.ones((6, 1)), {}, np.full((4, 1), 1e3)), line, atol=1e-9)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_frames_to_be_stiff(count: int) -> None:
    points = np.arange(count * 2.0).reshape(count, 1, 2)
    np.testing.assert_allclose(solve(points, np.ones((count, 1)), {}, np.ones((0, 1))), points)


def test_a_landmark_never_seen_is_nan_and_disturbs_no_other() -> None:
    detections, weight, links = problem((1, 2))
    whole = solve(detections, weight, links)
    weight[:, 2] = 0
    blind = solve(detections, weight, links)
    assert np.isnan(blind[:, 2]).all()
    np.testing.assert_array_equal(np.delete(blind, 2, axis=1), np.delete(whole, 2, axis=1))


def test_a_gap_follows_its_links_between_both_ends() -> None:
    """Steps of 1 to the right measured as 0.9: the missing tenths are shared out evenly."""
    detections, weight = np.zeros((6, 1, 2)), np.zeros((6, 1))
    weight[[0, 5]], detections[5, 0, 0] = 1e9, 5.0
    shift = np.tile([0.9, 0.0], (5, 1, 1))
    solution = solve(detections, weight, {1: Links(shift, np.ones((5, 1)))})
    np.testing.assert_allclose(solution[:, 0, 0], np.arange(6), atol=1e-6)


def test_one_frame() -> None:
    point = np.array([[[3.0, 4.0]]])
    np.testing.assert_allclose(solve(point, np.ones((1, 1)), {}), point)
