"""What becomes of flow: occluders, lids at rest and in a blink, lips that part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from s2d.geometry import Array, Float32
from s2d.landmarks.flow import FlowLinks
from s2d.landmarks.links import LinkParameters, hidden_share, make_links
from s2d.landmarks.solver import Links
from s2d.landmarks.weights import LIDS, MOUTH, TABLE

COUNT = 6
PARAMETERS = LinkParameters()
NOSE = list(range(27, 36))


@pytest.fixture
def points(astronaut_points: Float32) -> Array:
    """(6, 70, 2) in crop pixels, at rest."""
    face = (astronaut_points - astronaut_points[27]) * 1.3 + [96, 60]
    return np.repeat(face[None].astype(np.float64), COUNT, axis=0)


def still(step: int = 1) -> FlowLinks:
    count = COUNT - step
    return FlowLinks({step: np.zeros((count, 70, 2))}, {step: np.ones((count, 70))}, np.zeros(COUNT, bool))


def links(flow: FlowLinks, points: Array) -> Links:
    (link,) = make_links(flow, points, TABLE, PARAMETERS).values()
    return link


def test_trusted_flow_of_a_head_is_taken_as_it_is(points: Array) -> None:
    flow = still()
    flow.shift[1][:] = [1.5, -0.5]
    link = links(flow, points)
    np.testing.assert_allclose(link.shift, flow.shift[1], atol=1e-3)
    np.testing.assert_allclose(link.weight[:, NOSE], 1 / 0.05**2, rtol=1e-3)


def test_where_no_flow_was_measured_there_is_no_link(points: Array) -> None:
    flow = still(3)
    flow.trust[3][1] = 0.0
    weight = links(flow, points).weight
    assert weight[1].tolist() == [0.0] * 70
    assert (weight[[0, 2]] > 0).all()


def test_an_occluder_drags_no_rigid_landmark(points: Array) -> None:
    flow = still()
    flow.shift[1][2, NOSE] = [9.0, 4.0]
    link = links(flow, points)
    assert np.abs(link.shift[2, NOSE]).max() < 0.05
    assert link.weight[2, NOSE].max() < 0.05 * link.weight[1, NOSE].min()


def test_what_passes_over_a_part_of_the_face_shows_as_its_share_in_that_frame(points: Array) -> None:
    flow = still()
    flow.shift[1][2, NOSE] = [9.0, 4.0]
    flow.trust[1][:, LIDS] = 0.0  # of lids and pupils nothing is known
    hidden = hidden_share(flow, points, TABLE, PARAMETERS)
    judged = 36 + 4 + len(MOUTH)  # jaw, brows, nose, corners of the eyes, lips
    assert hidden.shape == (COUNT,)
    assert hidden[3] == pytest.approx(len(NOSE) / judged, rel=0.02)
    assert np.delete(hidden, 3).max() < 1e-3
    none = FlowLinks({}, {}, np.zeros(1, bool))
    assert hidden_share(none, points[:1], TABLE, PARAMETERS).tolist() == [0]


def test_lips_that_neither_head_nor_detector_moved_are_covered(points: Array) -> None:
    flow = still()
    flow.shift[1][2, list(MOUTH)] = [9.0, 4.0]
    assert np.abs(links(flow, points).shift[2, list(MOUTH)]).max() < 3
    moved = points.copy()
    moved[3:, list(MOUTH)] += [9.0, 4.0]  # now the detector has seen it
    np.testing.assert_allclose(links(flow, moved).shift[2, list(MOUTH)], flow.shift[1][2, list(MOUTH)], atol=0.01)


def test_lids_are_held_at_rest_and_let_go_in_a_blink(points: Array) -> None:
    blinking = points.copy()
    blinking[3:, [37, 38, 43, 44]] += [0.0, 4.0]
    weight = links(still(), blinking).weight[:, list(LIDS)]
    assert weight[[0, 1, 3, 4]].min() > 20 * weight[2].max()


def test_flow_of_lips_gives_way_where_it_misses_their_opening(points: Array) -> None:
    opening = points.copy()
    opening[3:, [65, 66, 67]] += [0.0, 5.0]
    blind, seeing = still(), still()
    seeing.shift[1][2, [65, 66, 67]] = [0.0, 5.0]
    mouth = [48, 54, 60, 64]  # still corners, so that only the opening differs
    assert links(blind, opening).weight[2, mouth].max() < 0.01 * links(seeing, opening).weight[2, mouth].min()


def test_a_repetition_is_tied_whatever_the_flow_says(points: Array) -> None:
    flow = replace(still(), repeated=np.array([False, False, True, False, False, False]))
    flow.trust[1][:] = 0.0
    weight = links(flow, points).weight
    assert (weight[1] == 1 / PARAMETERS.tie**2).all()
    assert weight[0].max() < weight[1].min() / 50


def test_no_measured_link_is_ever_without_weight(points: Array) -> None:
    flow = still(2)
    flow.trust[2][:] = 1e-9
    points[:, 68:] = np.nan
    link = links(flow, points)
    assert (link.weight > 0).all()
    assert np.isfinite(link.shift).all()
