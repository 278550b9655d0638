"""The limits that a track must keep to.

To add one: add a line to LIMITS and a field of that name to `s2d.curation.config.CurationConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limit:
    """A track whose `column` is below the value of the option `name` is filtered, with `reason`."""

    name: str
    column: str
    reason: str


LIMITS = (
    Limit("min_frames", "frames", "too short"),
    Limit("min_face_px", "face_px", "face too small"),
)


@dataclass(frozen=True)
class Refusal:
    """Why a track is not kept: the reason, the value that was measured, and the limit."""

    reason: str
    value: float
    limit: float
    column: str

    @property
    def detail(self) -> str:
        """One sentence for people."""
        return f"{self.column} is {self.value:.4g}, the least is {self.limit:.4g}"

    def as_dict(self) -> dict[str, Any]:
        """The columns of a filtered track."""
        return {"reason": self.reason, "value": self.value, "limit": self.limit}


def refused(measures: Mapping[str, Any], limits: Mapping[str, float]) -> Refusal | None:
    """The first limit that these measures break, or None; a measure that is not there yet breaks none.

    >>> refused({"frames": 10, "face_px": 50.0}, {"min_frames": 5, "min_face_px": 64.0})
    Refusal(reason='face too small', value=50.0, limit=64.0, column='face_px')
    """
    for limit in LIMITS:
        value, least = measures.get(limit.column), limits[limit.name]
        if value is not None and value < least:
            return Refusal(limit.reason, float(value), float(least), limit.column)
    return None
