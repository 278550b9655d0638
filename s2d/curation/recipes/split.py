"""Which side of the published split a video is on, decided by one of its fields."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from s2d.curation.recipes.keys import Keys
from s2d.shards.splits import SPLITS

Fields = Mapping[str, str]
ReadLines = Callable[[str], list[str]]


@dataclass(frozen=True)
class SplitRule:
    """In this order: the side that all are on, lists of values, names of sides, shares of a hash."""

    of: str = "identity"
    """The field that decides."""
    all: str | None = None
    listed: Mapping[str, str] = field(default_factory=dict)
    """Side by value of the field, for those values that the recipe lists."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Side to the file of the data set that lists its values, one a line."""
    others: str | None = None
    """Side of values that no list holds."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Side by what the data set calls it."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of identities by side, the rest is train; chosen by a hash of the name, as no split was published."""

    def reader(self, read_lines: ReadLines) -> Callable[[Fields], str | None]:
        """The rule as a function of a video's fields, with the data set's own lists read by `read_lines`.

        The function raises KeyError for a name of a side that the recipe does not know.
        """
        listed = dict(self.listed)
        for side, path in self.files.items():
            listed |= dict.fromkeys(read_lines(path), side)
        return lambda fields: self._side(fields[self.of], listed)

    def _side(self, value: str, listed: Mapping[str, str]) -> str | None:
        if self.all:
            return self.all
        if self.names:
            return self.names[value]
        if self.shares:
            return by_hash(value, self.shares)
        return listed.get(value, self.others)


def read_split(keys: Keys | None) -> SplitRule:
    """The `split` part of a recipe; without one no side is known. Raises S2DError for wrong keys."""
    if keys is None:
        return SplitRule()
    keys.only("of", "all", "names", "shares", "others", *SPLITS, *(f"{side}_file" for side in SPLITS))
    names, shares = keys.below("names"), keys.below("shares")
    if shares:
        shares.only("val", "test")
    return SplitRule(
        of=keys.text("of", "identity"),
        all=_side(keys, "all"),
        listed={value: side for side in SPLITS for value in spelt_out(keys.texts(side, []))},
        files={side: keys.text(f"{side}_file") for side in SPLITS if keys.has(f"{side}_file")},
        others=_side(keys, "others"),
        names={str(name): str(_side(names, name)) for name in names.values} if names else {},
        shares={side: shares.number(side) or 0.0 for side in ("test", "val")} if shares else {},
    )


def _side(keys: Keys, key: str) -> str | None:
    return keys.choice(key, SPLITS) if keys.has(key) else None


def spelt_out(values: list[str]) -> list[str]:
    """The same list with ranges written out.

    >>> spelt_out(["id098..id101", "id7"])
    ['id098', 'id099', 'id100', 'id101', 'id7']
    """
    spelt = []
    for value in values:
        match = re.fullmatch(r"(\D*)(\d+)\.\.\1(\d+)", value)
        if match is None:
            spelt.append(value)
        else:
            start, width = match[2], len(match[2])
            spelt += [f"{match[1]}{number:0{width}}" for number in range(int(start), int(match[3]) + 1)]
    return spelt


def by_hash(name: str, shares: Mapping[str, float]) -> str:
    """The side of a person: always the same, in every data set, on every machine.

    >>> [by_hash(name, {"test": 0.5}) for name in ("ann", "bob", "cleo", "dan")]
    ['test', 'train', 'train', 'train']
    """
    place, edge = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64, 0.0
    for side, share in shares.items():
        edge += share
        if place < edge:
            return side
    return "train"
