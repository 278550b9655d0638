"""Which tracks teach and which are held out for validation: people apart, as published or by a hash of their name."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from s2d.errors import S2DError
from s2d.models.checkpoint import People
from s2d.shards.splits import check_apart
from s2d.wording import first_few

MIN_FRAMES = 8  # a shorter track has no motion worth a visit


@dataclass(frozen=True)
class Span:
    """Frames start .. stop - 1 (positions within the track) of one track."""

    track_id: str
    start: int
    stop: int
    data: int = 0
    """Number of the data set that it is in."""


@dataclass(frozen=True)
class Split:
    """The two sides, and in words how they were parted."""

    train: list[Span]
    validation: list[Span]
    note: str
    people: People
    """Who is on which side."""


def split_tracks(tracks: pd.DataFrame, share: float, identities: Sequence[str] | None, asked: str) -> Split:
    """Part the rows of a tracks table (columns data, track_id, identity, frames, valid_share, split).

    A published split is honoured: `test` is left out of both sides, `val` is held out. Where there is no `val`, or
    `identities` names others, held out are these, or the `share` of identities whose names have the smallest hashes:
    as a data set grows, hardly anyone changes sides. With a single identity the last `share` of each track is held
    out. Raises S2DError when nothing is left to train on, a named identity is not there, is of `val` or
    `test`, or one is in two splits.
    """
    found = tracks["frames"] * tracks["valid_share"].fillna(1.0)
    tracks = tracks[found.round() >= MIN_FRAMES].sort_values(["data", "track_id"])
    if tracks.empty:
        raise S2DError(asked, f"it has no track of {MIN_FRAMES} frames with a face", "curate longer videos")
    published = tracks["split"].astype(object).where(tracks["split"].notna(), None)
    check_apart(zip(tracks["identity"], published, strict=True), asked)
    val, free = tracks[published == "val"], tracks[~published.isin(["val", "test"])]
    if free.empty:
        raise S2DError(asked, "all its tracks are in the published splits val and test", "train on another data set")
    sides = dict(zip(tracks["identity"], published, strict=True))
    _check_free([name for name in identities or () if sides.get(name) in ("val", "test")], sides, asked)
    as_published = len(val) > 0 and not identities
    split = _as_published(free, val) if as_published else _part(free, share, identities, asked)
    unused = tracks[(published == "test") | ((published == "val") & (not as_published))].groupby("split")["identity"]
    left_out = [f"; {people} of the published {side} split left out" for side, people in unused.nunique().items()]
    return replace(split, note="".join([split.note, *left_out]))


def _check_free(bound: Sequence[str], sides: Mapping[str, str | None], asked: str) -> None:
    """Raises S2DError for somebody who is asked for and has a published split."""
    if bound:
        remedy = "name people of its training split, or nobody, for its own validation split"
        raise S2DError(asked, f"{bound[0]} is in its published split {sides[bound[0]]}", remedy)


def _as_published(free: pd.DataFrame, val: pd.DataFrame) -> Split:
    note = f"{val['identity'].nunique()} identities of the published validation split held out"
    return Split(_whole(free), _whole(val), note, _people(free, val))


def _part(tracks: pd.DataFrame, share: float, identities: Sequence[str] | None, asked: str) -> Split:
    people = sorted(set(tracks["identity"]))
    held_out = _named(people, identities, asked) if identities else hold_out(people, share)
    if not held_out:
        return _tails(tracks, share)
    aside = tracks["identity"].isin(held_out)
    note = f"{len(held_out)} of {len(people)} identities held out: {first_few(sorted(held_out))}"
    return Split(_whole(tracks[~aside]), _whole(tracks[aside]), note, _people(tracks[~aside], tracks[aside]))


def _people(trained: pd.DataFrame, held_out: pd.DataFrame) -> People:
    return People(frozenset(trained["identity"]), frozenset(held_out["identity"]))


def hold_out(people: Collection[str], share: float) -> set[str]:
    """The `share` of names that come first by their hash: at least one, never all, none of a single person.

    >>> hold_out(["ann"], 0.5), len(hold_out(["ann", "bob"], 0.0))
    (set(), 1)
    """
    by_hash = sorted(people, key=lambda name: hashlib.sha256(name.encode()).digest())
    if len(by_hash) < 2:
        return set()
    return set(by_hash[: min(max(round(share * len(by_hash)), 1), len(by_hash) - 1)])


def _named(people: Collection[str], identities: Sequence[str], asked: str) -> set[str]:
    unknown = sorted(set(identities) - set(people))
    if unknown:
        raise S2DError(asked, f"it has no identity {unknown[0]!r}", f"choose among {', '.join(list(people)[:10])}")
    if set(identities) == set(people):
        raise S2DError(asked, "every identity is held out for validation", "name fewer in data.val_identities")
    return set(identities)


def _whole(tracks: pd.DataFrame) -> list[Span]:
    columns = (tracks[name].tolist() for name in ("track_id", "frames", "data"))
    return [Span(track, 0, frames, data) for track, frames, data in zip(*columns, strict=True)]


def _tails(tracks: pd.DataFrame, share: float) -> Split:
    train, tails = [], []
    for span in _whole(tracks):  # MIN_FRAMES or more: a pair to train on, and a frame to be held out
        cut = max(2, span.stop - max(1, round(share * span.stop)))
        train.append(replace(span, stop=cut))
        tails.append(replace(span, start=cut))
    note = f"one identity only: the last {share:.0%} of each track are held out"
    return Split(train, tails, note, _people(tracks, tracks[:0]))


def join_tracks(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The tracks of several data sets in one table, with the number of the data set in a column `data`.

    Whom one of them publishes as held out is held out of those that publish no splits, too.
    """
    sides: dict[str, str] = {}
    for table in tables:
        told = table[table["split"].notna()]
        sides |= dict(zip(told["identity"], told["split"], strict=True))
    joined: pd.DataFrame = pd.concat([_sided(table, sides).assign(data=n) for n, table in enumerate(tables)])
    return joined


def _sided(table: pd.DataFrame, sides: Mapping[str, str]) -> pd.DataFrame:
    return table if table["split"].notna().any() else table.assign(split=table["identity"].map(sides))


def spread(spans: Sequence[Span], pairs: int) -> list[tuple[Span, int]]:
    """Share `pairs` validation pairs out: (span, pairs of it), evenly, over at most `pairs` of the spans.

    >>> [(span.track_id, count) for span, count in spread([Span("a", 0, 9), Span("b", 0, 9), Span("c", 0, 9)], 2)]
    [('a', 1), ('c', 1)]
    """
    chosen = np.unique(np.linspace(0, len(spans) - 1, min(pairs, len(spans))).round().astype(int))
    return [(spans[index], max(1, pairs // len(chosen))) for index in chosen]
