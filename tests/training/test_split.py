"""People are on one side only, and stay there as the data set grows."""

from __future__ import annotations

import pandas as pd
import pytest

from s2d.errors import S2DError
from s2d.training.split import Span, hold_out, join_tracks, split_tracks, spread


def table(*identities: str, frames: int = 40) -> pd.DataFrame:
    ids = [f"{n:03d}" for n in range(len(identities))]
    rows = {
        "track_id": ids,
        "identity": list(identities),
        "frames": frames,
        "valid_share": 1.0,
        "split": None,
        "data": 0,
    }
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


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("frames", [8, 10, 400])
def test_both_parts_of_a_track_have_frames_and_share_none(share: float, frames: int):
    split = split_tracks(table("ann", frames=frames), share, None, "")
    (trained,), (held,) = split.train, split.validation
    assert (trained.start, trained.stop, held.stop) == (0, held.start, frames)
    assert trained.stop >= 2
    assert held.stop - held.start >= 1


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


def published(**splits: str | None) -> pd.DataFrame:
    """A track for each identity, in that split; the name may end in a number, for more tracks of a person."""
    rows = table(*(name.rstrip("0123456789") for name in splits))
    return rows.assign(split=list(splits.values()))


def test_a_published_split_is_honoured():
    split = split_tracks(published(ann="train", bob="val", cleo="test", dan="train"), 0.5, None, "")
    assert [span.track_id for span in split.train] == ["000", "003"]
    assert [span.track_id for span in split.validation] == ["001"]
    assert split.note.endswith("validation split held out; 1 of the published test split left out")


def test_without_a_published_validation_split_it_is_taken_from_the_training_people():
    tracks = published(ann="train", bob="train", cleo="test", dan="test", eve=None)
    split = split_tracks(tracks, 0.3, None, "")
    used = {span.track_id for span in [*split.train, *split.validation]}
    assert used == {"000", "001", "004"}
    assert len(split.validation) == 1


@pytest.mark.parametrize("other", ["val", "train", None])
def test_nobody_is_in_two_splits(other: str | None):
    with pytest.raises(S2DError, match=r"cannot train on x: the identity ann is in .* and in test; keep each person"):
        split_tracks(published(ann1="test", bob="train", ann2=other), 0.2, None, "cannot train on x")


def test_somebody_of_the_test_split_cannot_be_held_out():
    with pytest.raises(S2DError, match="cannot train on x: cleo is in its published split test; name people"):
        split_tracks(published(ann="train", bob="train", cleo="test"), 0.2, ["cleo"], "cannot train on x")


def test_others_than_those_published_leave_those_out():
    tracks = published(ann="train", bob="val", cleo="test", dan="train", eve="val")
    split = split_tracks(tracks, 0.2, ["dan"], "cannot train on x")
    assert [span.track_id for span in split.train] == ["000"]
    assert [span.track_id for span in split.validation] == ["003"]
    left_out = "1 of the published test split left out; 2 of the published val split left out"
    assert split.note == f"1 of 2 identities held out: dan; {left_out}"
    with pytest.raises(S2DError, match="eve is in its published split val; name people of its training"):
        split_tracks(tracks, 0.2, ["dan", "eve"], "cannot train on x")


def test_a_data_set_for_tests_alone_does_not_train():
    with pytest.raises(S2DError, match="in the published splits val and test; train on another"):
        split_tracks(published(ann="test", bob="val"), 0.2, None, "cannot train on x")


def test_a_person_in_several_data_sets_is_on_one_side_of_all():
    people = [f"person{n}" for n in range(20)]
    both = join_tracks([table(*people), table(*people[::-1])])
    split = split_tracks(both, 0.3, None, "")
    sides = [
        {people[:: (-1) ** span.data][int(span.track_id)] for span in side} for side in (split.train, split.validation)
    ]
    assert not sides[0] & sides[1]
    assert len(split.validation) == 2 * len(sides[1]) == 12
    assert {span.data for span in split.validation} == {0, 1}


def test_who_is_published_as_held_out_is_held_out_of_the_other_data_sets():
    published = table("ann", "bob", "cleo")
    published["split"] = ["train", "val", "test"]
    split = split_tracks(join_tracks([published, table("bob", "cleo", "dora")]), 0.5, None, "")
    assert [(span.data, span.track_id) for span in split.train] == [(0, "000"), (1, "002")]
    assert [(span.data, span.track_id) for span in split.validation] == [(0, "001"), (1, "000")]


def test_two_published_splits_that_disagree_are_refused():
    one, other = table("ann", "bob"), table("ann", "dora")
    one["split"], other["split"] = ["test", "train"], ["train", "train"]
    with pytest.raises(S2DError, match="the identity ann is in train and in test"):
        split_tracks(join_tracks([one, other]), 0.5, None, "cannot train")
