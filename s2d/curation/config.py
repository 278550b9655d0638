"""The settings of a curation run."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2d.curation.limits import DEFAULTS, LEAST, MOST, Filters, parse_filters
from s2d.errors import S2DError, UsageError
from s2d.landmarks.detectors.base import Detector
from s2d.shards.schema import Provenance

MIN_CROP, MAX_CROP = 16, 2048  # pixels
NAMED = 4  # settings that a difference names


@dataclass(frozen=True)
class CurationConfig:
    """What is stored, and of what quality; recorded in every part of the data set."""

    detector: str = "mesh"
    """Landmark detector, see `s2d.landmarks.detectors.factory`."""
    crop_size: int = 256
    """Side of the stored square crop in pixels, MIN_CROP to MAX_CROP."""
    jpeg: bool = True
    """Store the pictures of the crops; without them a data set holds landmarks only and cannot train an animator."""
    filters: Filters = field(default_factory=parse_filters)
    """Limits that a video and its tracks must keep to."""

    def __post_init__(self) -> None:
        size = self.crop_size
        if size < MIN_CROP:
            raise UsageError(f"cannot use crop_size = {size}", f"the least is {MIN_CROP}", "raise it")
        if size > MAX_CROP:
            raise UsageError(f"cannot use crop_size = {size}", f"the most is {MAX_CROP}", "lower it")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> CurationConfig:
        """From plain values by the names above, as a configuration file has them; `filters` maps names to numbers.

        Raises UsageError for an unknown name and a value of the wrong kind; for filters see `parse_filters`.

        >>> CurationConfig.from_settings({"crop_size": 128, "filters": {"min_frames": 30}}).filters.value("min_frames")
        30.0
        """
        values = dict(settings)
        kinds = {item.name: type(item.default) for item in dataclasses.fields(cls) if item.name != "filters"}
        for name, value in values.items():
            if name not in (*kinds, "filters"):
                near = difflib.get_close_matches(str(name), [*kinds, "filters"], 1, 0.5) or [*kinds, "filters"]
                raise UsageError(f"cannot set {name}", "there is no such setting", f"use {', '.join(near)}")
            if name in kinds and type(value) is not kinds[name]:
                raise UsageError(f"cannot set {name} = {value!r}", f"it is no {kinds[name].__name__}", "give one")
        return cls(**{**values, "filters": parse_filters(values.get("filters"))})

    def provenance(self, detector: Detector) -> Provenance:
        """What the data set's metadata will say, with this detector loaded."""
        from s2d.curation import quality  # late, because it brings in scipy and OpenCV
        from s2d.landmarks.alignment import AlignmentParameters

        stored: dict[str, Any] = {"jpeg": self.jpeg, "measures": quality.VERSION, **self.filters.as_dict()}
        alignment = AlignmentParameters().as_dict()
        return Provenance(detector.name, detector.version, alignment, self.crop_size, stored)


def read_settings(path: str | Path) -> dict[str, Any]:
    """Settings of a YAML or JSON file, for `CurationConfig.from_settings`.

    Raises S2DError when it cannot be read or is no mapping of names to values.
    """
    import yaml  # late: most runs have no such file

    asked = f"cannot use the settings in {path}"
    try:
        settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))  # JSON is YAML, too
    except OSError as error:
        raise S2DError(asked, error.strerror or str(error), "check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise S2DError(asked, " ".join(str(error).split()), "mend it: it must be YAML or JSON") from error
    if not isinstance(settings, dict):
        raise S2DError(asked, "it holds no names with values", "write lines such as crop_size: 256")
    return settings


def layered(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which later layers go before earlier ones; their filters are joined name by name.

    >>> layered({"crop_size": 128, "filters": {"min_frames": 30}}, {"filters": {"min_face_px": 99}})
    {'crop_size': 128, 'filters': {'min_frames': 30, 'min_face_px': 99}}
    """
    joined: dict[str, Any] = {}
    for layer in layers:
        before, now = joined.get("filters") or {}, layer.get("filters") or {}
        wrong = next((filters for filters in (before, now) if not isinstance(filters, Mapping)), None)
        joined |= {**layer, "filters": {**before, **now} if wrong is None else wrong}  # `parse_filters` tells of it
    return joined


def settings_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a configuration file has them, from the `config` in a data set's metadata: to make another like it.

    >>> settings_of({"crop_size": 128, "measures": "3", "min_frames": 30.0})["filters"]["min_frames"]
    30.0
    """
    limits = {name: value for name, value in stored.items() if name.startswith((LEAST, MOST))}
    plain = {item.name: stored[item.name] for item in dataclasses.fields(CurationConfig) if item.name in stored}
    return {**plain, "filters": {**dict.fromkeys(DEFAULTS), **limits}}


def difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """The first NAMED settings in which a data set and a run differ, each with both values; `off` where there is none.

    >>> difference({"crop_size": 256, "min_frames": 15}, {"crop_size": 128, "min_frames": 15, "max_abs_yaw": 45.0})
    'it was made with crop_size 256, this run has 128; with max_abs_yaw off, this run has 45.0'
    """
    differing = [name for name in sorted({*theirs, *ours}) if theirs.get(name) != ours.get(name)]
    said = [
        f"with {name} {in_words(theirs.get(name))}, this run has {in_words(ours.get(name))}"
        for name in differing[:NAMED]
    ]
    more = [f"and {len(differing) - NAMED} more differ"] if len(differing) > NAMED else []
    return f"it was made {'; '.join([*said, *more])}"


def in_words(value: object) -> str:
    """A setting for people: a limit that is None is off."""
    return "off" if value is None else value if isinstance(value, str) else json.dumps(value)
