"""The numbered stream: every round visits each track equally, processes share it without overlap, positions resume."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from s2d.training.sampling import ClipOrder, Mixture, PairRule, StreamSampler, shares_of


@pytest.mark.parametrize("tracks", [1, 5, 16, 37])
def test_a_round_visits_each_track_equally(tracks: int):
    order = ClipOrder(tracks, visit=4, window=8, seed=3)
    for turn in (0, 1):
        start = turn * order.round
        visits = Counter(order.track(n) for n in range(start, start + order.round))
        assert visits == dict.fromkeys(range(tracks), 4)


def test_rounds_differ_and_seeds_differ():
    first, other = ClipOrder(20, 1, 20, seed=0), ClipOrder(20, 1, 20, seed=1)
    one, two = [first.track(n) for n in range(20)], [first.track(n) for n in range(20, 40)]
    assert one != two
    assert one != [other.track(n) for n in range(20)]


def test_a_window_bounds_the_open_tracks_and_mixes_them():
    order = ClipOrder(100, visit=10, window=8, seed=0)
    drawn = [order.track(n) for n in range(80)]
    assert len(set(drawn)) == 8
    assert len(set(drawn[:8])) == 8


def test_pairs_are_near_or_anywhere():
    times, rng = np.arange(100) / 25.0, np.random.default_rng(0)
    near = [PairRule(1.0, 0.2).draw(times, rng) for _ in range(300)]
    assert all(0 < abs(a - b) <= 5 for a, b in near)
    far = [PairRule(0.0, 0.2).draw(times, rng) for _ in range(2000)]
    assert all(a != b for a, b in far)
    assert len({source for source, _ in far}) == 100
    # two independent uniform numbers of [0, L] are L/3 apart in the mean
    assert np.mean([abs(a - b) for a, b in far]) == pytest.approx(100 / 3, rel=0.06)


def test_time_not_frame_number_decides_what_is_near():
    times = np.array([0.0, 10.0, 10.1, 20.0])
    drawn = {PairRule(1.0, 0.5).draw(times, np.random.default_rng(seed)) for seed in range(60)}
    assert {pair for pair in drawn if 1 in pair and 2 in pair} == {(1, 2), (2, 1)}
    assert all(pair in {(1, 2), (2, 1)} for pair in drawn if pair[1] in (1, 2))


def test_a_lone_frame_pairs_with_itself():
    assert PairRule().draw(np.array([1.0]), np.random.default_rng(0)) == (0, 0)


def test_two_processes_take_what_one_with_the_doubled_batch_would():
    batch, steps = 4, 5
    ranks = [list(StreamSampler(batch * steps, lambda: 0, replicas=2, rank=rank)) for rank in (0, 1)]
    assert not set(ranks[0]) & set(ranks[1])
    single = list(StreamSampler(2 * batch * steps, lambda: 0))
    for step in range(steps):
        own = slice(step * batch, (step + 1) * batch)
        both = slice(2 * step * batch, 2 * (step + 1) * batch)
        assert sorted(ranks[0][own] + ranks[1][own]) == single[both]


def test_sampling_goes_on_from_the_position():
    position = 0
    sampler = StreamSampler(12, lambda: position, replicas=2, rank=1)
    before = list(sampler)
    position = 16
    assert list(sampler)[:4] == before[8:]
    assert len(sampler) == 12


@pytest.mark.parametrize("shares", [(1,), (3, 1), (2, 5, 1), (997, 3)])
def test_data_sets_are_mixed_by_their_shares_and_each_is_walked_in_order(shares: tuple[int, ...]):
    orders = tuple(ClipOrder(tracks, visit=2, window=3, seed=n) for n, tracks in enumerate((7, 4, 9)[: len(shares)]))
    mixture, cycle = Mixture(orders, shares), sum(shares)
    drawn = [mixture.track(n) for n in range(3 * cycle)]
    for data, share in enumerate(shares):
        assert [track for which, track in drawn if which == data] == [orders[data].track(n) for n in range(3 * share)]
        seen = np.array([which == data for which, _ in drawn])
        off = np.abs(np.cumsum(seen) - share / cycle * np.arange(1, len(drawn) + 1))
        assert off.max() <= len(shares)  # never far from its share, so that every batch has its part


def test_one_data_set_alone_is_its_own_order():
    order = ClipOrder(5, visit=3, window=2, seed=1)
    assert [Mixture((order,), (1,)).track(n) for n in range(40)] == [(0, order.track(n)) for n in range(40)]
    assert Mixture((order,), (1,)).round == order.round


def test_a_round_of_a_mixture_visits_every_track():
    orders = ClipOrder(5, 1, 2, seed=0), ClipOrder(40, 1, 8, seed=0)
    mixture = Mixture(orders, (1, 1))
    assert mixture.round == 80
    assert {mixture.track(n) for n in range(mixture.round)} == {(d, t) for d in (0, 1) for t in range((5, 40)[d])}


@pytest.mark.parametrize("weights", [[1.0], [0.2, 0.1], [3, 1, 4], [1e-9, 5]])
def test_shares_are_as_the_weights(weights: list[float]):
    shares = np.array(shares_of(weights))
    assert (shares >= 1).all()
    np.testing.assert_allclose(shares / shares.sum(), np.array(weights) / sum(weights), atol=0.0015)
