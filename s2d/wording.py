"""How messages and tables name many things in one line."""

from __future__ import annotations

from collections.abc import Sequence

NAMED = 5


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun.

    >>> counted(1, "identity", "identities"), counted(3, "track", "tracks")
    ('1 identity', '3 tracks')
    """
    return f"{number} {one if number == 1 else many}"


def first_few(names: Sequence[str]) -> str:
    """The first NAMED of `names`, and how many there are besides.

    >>> first_few(["ann", "bob"]), first_few("abcdefg")
    ('ann, bob', 'a, b, c, d, e and 2 more')
    """
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
