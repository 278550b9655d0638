"""Bootstrap over identities."""

from __future__ import annotations

import math

import numpy as np
import pytest

from s2d.evaluation.interval import by_identity, estimate, summarise


def test_people_count_not_tracks() -> None:
    rows = [("ann", {"l1": 1.0}), ("ann", {"l1": 1.0}), ("ann", {"l1": 1.0}), ("bob", {"l1": 3.0})]
    assert summarise(rows)["l1"].mean == 2.0


def test_the_interval_is_that_of_the_mean() -> None:
    """For many people it is the normal one: 1.96 standard errors on each side."""
    values = dict(enumerate(np.random.default_rng(2).normal(10, 2, 200)))
    named = {f"p{key:03d}": float(value) for key, value in values.items()}
    found = estimate(named)
    spread = np.std(list(values.values())) / math.sqrt(200)
    assert found.low == pytest.approx(found.mean - 1.96 * spread, abs=0.25 * spread)
    assert found.high == pytest.approx(found.mean + 1.96 * spread, abs=0.25 * spread)
    assert estimate(named) == found


def test_a_single_person_says_nothing_about_others_and_nobody_nothing_at_all() -> None:
    assert estimate({"ann": 4.0}) == (4.0, 4.0, 4.0)
    assert all(math.isnan(value) for value in estimate({}))


def test_what_is_not_known_does_not_count() -> None:
    assert by_identity([("ann", math.nan), ("ann", 2.0), ("bob", math.nan)]) == {"ann": 2.0}
    assert math.isnan(summarise([("ann", {"akd": math.nan})])["akd"].mean)
