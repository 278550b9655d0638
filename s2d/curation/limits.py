"""The filters: limits on whatever is measured of a video or a track, by names such as `min_face_px` or `max_abs_yaw`.

There is no list of filters to keep. Every column of the tracks table, and every measured one of the videos table, that
is a number with a unit may be limited by `min_` and `max_` before its name; where both tables have a column of that
name, the track's is meant. Limits that hold when nobody says otherwise stand in DEFAULTS, each with its reason.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from s2d.errors import UsageError
from s2d.shards.schema import TRACKS, VIDEOS

LEAST, MOST = "min_", "max_"
NEAR = 4  # names that an unknown one is answered with
MOST_BY_UNIT = {"0 to 1": 1.0, "degree": 180.0}  # that a limit may be; the least is 0, but for these:
SIGNED = frozenset(
    {"start_time", "end_time", "crop_left", "crop_top", "yaw_min", "yaw_max", "pitch_min", "pitch_max"}
    | {"roll_min", "roll_max"}
)

# What a default refuses is of no use to anybody; whatever is a matter of taste is off until it is asked for.
DEFAULTS: Mapping[str, float] = MappingProxyType(
    {
        "min_frames": 15,  # half a second: nothing can be aligned over time, nor learnt of motion, in less
        "min_face_px": 64,  # a lid is one pixel high there; mesh landmarks of smaller faces are guesses
        # A photo shown as video: 0.24 at most, with grain or small, else 0.02. Real faces: 0.45 at least in a second,
        # and a half second with less moves nothing to learn from. Photos that are panned or zoomed are told by
        # min_expression instead: 0.35 refuses all of these, but also 4 % of 2-second stretches of talk, so it is off.
        "min_motion": 0.3,
        # By benchmarks/quality.py: copies of other encoding, size, rate or frame, and mirrored ones, are below (103 of
        # 104). Of two stretches of one recording 95 % are at 0.34 or more, the nearest at 0.16; other clips at 0.40 or
        # more. A copy in two places leaks from a training into a test set. A part of another video is not told.
        "min_nearest_distance": 0.2,
    }
)
REASONS = {  # where there are plainer words than the column's
    "min_frames": "too short",
    "min_face_px": "face too small",
    "min_motion": "still picture",
    "min_nearest_distance": "near duplicate",
    "min_box_share": "outside the box of the clip",
}


@dataclass(frozen=True)
class Limit:
    """The least or the most that a column may be."""

    column: str
    value: float
    is_least: bool

    @property
    def name(self) -> str:
        """As a user gives it."""
        return (LEAST if self.is_least else MOST) + self.column

    @property
    def reason(self) -> str:
        """Why a track or video that breaks it is not kept, in words that repeat."""
        return REASONS.get(self.name, f"{self.column} too {'low' if self.is_least else 'high'}")

    def is_broken_by(self, value: float | None) -> bool:
        """Whether a measured value is beyond it; what does not exist (None, NaN) is not."""
        return value is not None and (value < self.value if self.is_least else value > self.value)


@dataclass(frozen=True)
class Refusal:
    """Why something is not kept: the limit, and the value that was measured."""

    limit: Limit
    value: float

    @property
    def reason(self) -> str:
        """In words that repeat."""
        return self.limit.reason

    @property
    def detail(self) -> str:
        """One sentence for people."""
        end = "least" if self.limit.is_least else "most"
        return f"{self.limit.column} is {self.value:.4g}, the {end} is {self.limit.value:.4g}"

    def as_dict(self) -> dict[str, Any]:
        """The columns of what is filtered, by name."""
        return {"reason": self.reason, "value": self.value, "limit": self.limit.value}


@dataclass(frozen=True)
class Filters:
    """Limits in the order of the schema's columns; made by `parse_filters`."""

    limits: tuple[Limit, ...]

    def refused(self, measures: Mapping[str, Any]) -> Refusal | None:
        """The first limit that these measures break, or None; a measure that is not there (yet) breaks none.

        >>> parse_filters({"min_face_px": 64}).refused({"frames": 99, "face_px": 50.0}).detail
        'face_px is 50, the least is 64'
        """
        for limit in self.limits:
            value = measures.get(limit.column)
            if limit.is_broken_by(value):
                return Refusal(limit, float(measures[limit.column]))
        return None

    @property
    def of_videos(self) -> Filters:
        """Those of the videos table's columns."""
        return Filters(tuple(limit for limit in self.limits if limit.column not in TRACKS.names))

    def value(self, name: str) -> float | None:
        """The limit of this name; None where it is off."""
        return self.as_dict().get(name)

    def as_dict(self) -> dict[str, float]:
        """Names and values, as `parse_filters` takes them."""
        return {limit.name: limit.value for limit in self.limits}


def parse_filters(given: Mapping[str, object] | None = None) -> Filters:
    """Filters from names and numbers, such as the `filters:` of a recipe; DEFAULTS hold where `given` does not say.

    None in the place of a number switches a default off. Raises UsageError for a name that there is not (with those
    that are near), a value that is no number or outside of its column's range, and limits that nothing can keep to.

    >>> filters = parse_filters({"max_abs_yaw": 45, "min_frames": None})
    >>> filters.value("max_abs_yaw"), filters.value("min_frames"), filters.value("min_face_px")
    (45.0, None, 64.0)
    """
    if not isinstance(given or {}, Mapping):
        raise UsageError("cannot use these filters", f"{given!r} is no mapping", "write NAME: NUMBER, one a line")
    wanted = {**DEFAULTS, **(given or {})}
    limits = [_limit(name, value) for name, value in wanted.items() if value is not None or _column(name) is None]
    places = list(columns())
    filters = Filters(tuple(sorted(limits, key=lambda limit: (places.index(limit.column), limit.is_least))))
    for limit in filters.limits:
        least = filters.value(LEAST + limit.column)
        if not limit.is_least and least is not None and least > limit.value:
            why = f"no {limit.column} is at least {least:g} and at most {limit.value:g}"
            raise UsageError(f"cannot filter by {limit.name}", why, "change one of the two")
    return filters


@cache
def columns() -> Mapping[str, pa.Field]:
    """What may be limited: fields of the schema by name, those of tracks first."""
    measured = [field for field in VIDEOS if field.nullable]
    found: dict[str, pa.Field] = {}
    for field in [*TRACKS, *measured]:
        if _is_number(field) and field.metadata[b"unit"]:
            found.setdefault(field.name, field)
    return found


def _is_number(field: pa.Field) -> bool:
    return bool(pa.types.is_integer(field.type) or pa.types.is_floating(field.type))


def _column(name: object) -> pa.Field | None:
    """The field that a filter's name speaks of; None for a name that there is not."""
    known = isinstance(name, str) and name.startswith((LEAST, MOST))
    return columns().get(str(name)[len(LEAST) :]) if known else None


def _limit(name: str, value: object) -> Limit:
    asked = f"cannot filter by {name}"
    field = _column(name)
    if field is None:
        names = [end + column for column in columns() for end in (LEAST, MOST)]
        near = difflib.get_close_matches(str(name), names, NEAR, 0.5)
        remedy = f"near it: {', '.join(near)}" if near else "see --list-filters"
        raise UsageError(asked, "there is no such filter", remedy)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise UsageError(asked, f"{value!r} is no number", f"give one: {field.metadata[b'description'].decode()}")
    unit = field.metadata[b"unit"].decode()
    least, most = value_range(field.name)
    if not least <= value <= most:
        allowed = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
        raise UsageError(asked, f"{value:g} is out of range, its unit is: {unit}", f"give {allowed}")
    return Limit(field.name, float(value), name.startswith(LEAST))


def value_range(column: str) -> tuple[float, float]:
    """Least and most that a measured value can be, and so a limit of it.

    >>> value_range("abs_yaw"), value_range("yaw_min"), value_range("face_px")
    ((0.0, 180.0), (-180.0, 180.0), (0.0, inf))
    """
    most = MOST_BY_UNIT.get(columns()[column].metadata[b"unit"].decode(), math.inf)
    return (-most if column in SIGNED else 0.0), most
