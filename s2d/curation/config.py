"""The settings of a curation run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s2d.curation.limits import LIMITS
from s2d.errors import UsageError
from s2d.landmarks.detectors.base import Detector
from s2d.shards.schema import Provenance

MIN_CROP, MAX_CROP = 16, 2048  # pixels


@dataclass(frozen=True)
class CurationConfig:
    """What is stored, and of what quality; recorded in every part of the data set."""

    detector: str = "mesh"
    """Landmark detector, see `s2d.landmarks.detectors.factory`."""
    crop_size: int = 256
    """Side of the stored square crop in pixels, MIN_CROP to MAX_CROP."""
    jpeg: bool = True
    """Store the pictures of the crops; without them a data set holds landmarks only and cannot train an animator."""
    min_frames: int = 15
    """Shorter tracks are filtered."""
    min_face_px: float = 64.0
    """Tracks with a smaller face are filtered: median of the longer side of the face box, in pixels of the video."""

    def __post_init__(self) -> None:
        for name, least in (("crop_size", MIN_CROP), ("min_frames", 1), ("min_face_px", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"cannot use {name} = {getattr(self, name)}", f"the least is {least}", "raise it")
        if self.crop_size > MAX_CROP:
            raise UsageError(f"cannot use crop_size = {self.crop_size}", f"the most is {MAX_CROP}", "lower it")

    @property
    def limits(self) -> Mapping[str, float]:
        """Values of the options that `s2d.curation.limits.LIMITS` names."""
        return {limit.name: getattr(self, limit.name) for limit in LIMITS}

    def provenance(self, detector: Detector) -> Provenance:
        """What the data set's metadata will say, with this detector loaded."""
        from s2d.landmarks.alignment import AlignmentParameters  # late, because it brings in scipy and OpenCV

        stored: dict[str, Any] = {"jpeg": self.jpeg, **self.limits}
        alignment = AlignmentParameters().as_dict()
        return Provenance(detector.name, detector.version, alignment, self.crop_size, stored)
