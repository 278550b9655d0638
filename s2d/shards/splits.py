"""Published splits: whom a data set keeps apart, and that nobody stands on two sides."""

from __future__ import annotations

from collections.abc import Iterable

from s2d.errors import S2DError

SPLITS = ("train", "val", "test")


def check_apart(people: Iterable[tuple[str, str | None]], asked: str) -> None:
    """Check (identity, split) pairs, where None is no split at all; which nobody of val or test may be in besides.

    Raises S2DError, opening with `asked`, that names the first identity on two sides.

    >>> check_apart([("ann", "train"), ("ann", None), ("bob", "test")], "")
    >>> check_apart([("ann", "train"), ("ann", "test")], "cannot train on x")
    Traceback (most recent call last):
    ...
    s2d.errors.S2DError: cannot train on x: the identity ann is in train and in test; keep each person in one split
    """
    side: dict[str, str | None] = {}
    for identity, split in people:
        other = side.setdefault(identity, split)
        if _unseen(other) != _unseen(split):
            first, second = sorted((other, split), key=lambda name: SPLITS.index(name) if name else -1)
            why = f"the identity {identity} is in {first or 'no split'} and in {second or 'no split'}"
            raise S2DError(asked, why, "keep each person in one split")


def _unseen(split: str | None) -> str | None:
    """The split, where training must not see its people."""
    return None if split in (None, "train") else split
