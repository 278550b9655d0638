"""People are on one side only, and stay there as the data set grows."""

from __future__ import annotations

import pandas as pd
import pytest

from s2d.errors import S2DError
from s2d.training.split import Span, hold_out, split_tracks, spread


def table(*identities: str, frames: int = 40) -> pd.DataFrame:
    ids = [f"{n:03d}" for n in range(len(identities))]
    rows = {"track_id": ids, "identity": list(identities), "frames": frames, "valid_share": 1.0}
    return pd.DataFrame(rows)


def test_no_identity_on_both_sides():
    tracks = table(*(f"person{n % 30}" for n in range(90)))
    split = split_tracks(tracks, 0.2, None, "")
    who = dict(zip(tracks["track_id"], tracks["identity"], strict=True))
    train, held = ({who[span.track_id] for span in side} for side in (split.train, split.validation))
    assert not train & held
    assert len(train | held) == 30
    assert len(split.train) + len(split.validation) == 90
    assert split.note.startswith(f"{len(held)} of 30 identities held out")


def test_the_share_is_met_on_many_people():
    people = [f"person{n}" for n in range(4000)]
    assert len(hold_out(people, 0.15)) == 600
    assert hold_out(people, 0.15) != set(people[:600])


def test_new_people_move_hardly_anybody():
    few = [f"person{n}" for n in range(200)]
    before, after = hold_out(few, 0.3), hold_out([*few, *(f"new{n}" for n in range(200))], 0.3)
    assert len(before ^ (after & set(few))) < 0.06 * len(few)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_both_sides_have_someone(share: float):
    assert len(hold_out(["ann", "bob", "cleo"], share)) in (1, 2)


def test_one_person_gives_the_ends_of_tracks():
    split = split_tracks(table("ann", "ann"), 0.25, None, "")
    assert split.train == [Span("000", 0, 30), Span("001", 0, 30)]
    assert split.validation == [Span("000", 30, 40), Span("001", 30, 40)]
    assert "one identity only" in split.note


def test_named_identities():
    split = split_tracks(table("ann", "bob", "cleo"), 0.9, ["bob"], "")
    assert [span.track_id for span in split.validation] == ["001"]


@pytest.mark.parametrize(("names", "why"), [(["zoe"], "no identity 'zoe'"), (["ann"], "every identity is held out")])
def test_names_that_cannot_be(names: list[str], why: str):
    with pytest.raises(S2DError, match=why):
        split_tracks(table("ann", "ann"), 0.2, names, "cannot train on x")


def test_tracks_without_enough_faces_do_not_count():
    tracks = table("ann", "bob", frames=10)
    tracks["valid_share"] = [1.0, 0.3]
    assert [s.track_id for s in split_tracks(tracks, 0.2, None, "").train] == ["000"]
    with pytest.raises(S2DError, match="no track of 8 frames"):
        split_tracks(table("ann", frames=7), 0.2, None, "cannot train on x")


def test_pairs_are_shared_out_evenly():
    spans = [Span(str(n), 0, 9) for n in range(3)]
    assert [count for _, count in spread(spans, 64)] == [21, 21, 21]
    assert len(spread([Span(str(n), 0, 9) for n in range(500)], 64)) == 64
