"""The photo that is to move: its largest face, cropped as curation crops, with landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from s2d.geometry import Float32, Image
from s2d.images import read_image
from s2d.landmarks.detectors.base import Detector
from s2d.landmarks.extract import largest_face
from s2d.landmarks.tracking import crop_for

MAX_SIZE = 512  # pixels: output grows with the photo up to here, unless the caller asks for more


@dataclass(frozen=True)
class SourceFace:
    """A square crop around one face."""

    image: Image
    """(size, size, 3) RGB."""
    points: Float32
    """(70, 2) landmarks in pixels of `image`."""

    @property
    def size(self) -> int:
        """Side of the crop in pixels."""
        return len(self.image)


def load_source(path: str | Path, detector: Detector, size: int | None = None) -> SourceFace:
    """Read a photo and cut out its largest face.

    `size` is the side of the crop in pixels; by default that of the face's own square in the photo, even, at most 512.
    Raises S2DError when the file is no picture or shows no face.
    """
    photo = read_image(path)
    face = largest_face(photo, detector, f"cannot animate {path}")
    crop = crop_for(face.box[None])
    side = size or max(64, min(MAX_SIZE, crop.side - crop.side % 2))
    return SourceFace(crop.image(photo, side), crop.points(face.points, side))
