"""Equal files, and the same file under another name: told before any work is spent on them.

Clips, and files behind URLs, which would all have to be fetched for it before the first is begun, are left as they are:
of those that are kept, `s2d.curation.copies` tells the duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from s2d.curation.plan import Source, real_paths, utf8
from s2d.errors import S2DError
from s2d.files import file_sha256
from s2d.storage import location

DUPLICATE = "duplicate"


def under_known_names(sources: Sequence[Source], rows: Sequence[Mapping[str, Any]]) -> list[Source]:
    """The same sources, where a file that a data set has under another name is given that name, and is listed once.

    `rows` are those of its videos table. So it is with a file that is given by itself after its folder. A path that was
    given relative to a folder other than the current one is not recognised, nor is a file of another split.
    """
    names = {row["video"] for row in rows}
    if all(source.video in names for source in sources) or not rows:
        return list(sources)
    places = real_paths(row["path"] for row in rows)
    known = {(place, row.get("span"), row.get("split")): row for place, row in zip(places, rows, strict=True)}
    found: dict[str, Source] = {}
    for source, place in zip(sources, real_paths(source.path for source in sources), strict=True):
        row = known.get((utf8(place), source.span, source.split)) if source.video not in names else None
        if row:
            source = replace(source, video=row["video"], identity=row["identity"])
        found.setdefault(source.video, source)
    return list(found.values())


class Duplicates:
    """Tells the videos that repeat the content of an earlier one; ask for all of `sources`, in an order that is fixed.

    `known` names the videos of the data set with size and sha256. Only files of equal size are hashed, each when it is
    asked for: the first video is begun at once, however many there are.
    """

    def __init__(self, sources: Iterable[Source], known: Mapping[str, tuple[int, str | None]]) -> None:
        self._sizes = Counter(source.bytes for source in sources if _may_be_hashed(source))
        self._sizes.update({size for size, sha256 in known.values() if sha256})
        self._first = {sha256: video for video, (_, sha256) in known.items() if sha256}

    def settled(self, source: Source) -> Source:
        """The same source; its outcome is settled where an earlier one has its content: filtered, as a duplicate."""
        if self._sizes[source.bytes] < 2 or not _may_be_hashed(source):
            return source
        try:
            source = replace(source, sha256=file_sha256(source.path))
        except S2DError:
            return source  # the worker will say the same of it, as the video's outcome
        original = self._first.setdefault(str(source.sha256), source.video)
        if original == source.video:
            return source
        return replace(source, settled=("filtered", DUPLICATE, f"same content as {original}"))


def _may_be_hashed(source: Source) -> bool:
    return not (source.settled or source.clip) and isinstance(location(source.path), Path)
