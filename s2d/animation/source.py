"""The photo that is to move: one of its faces, cropped as curation crops, with landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from s2d.animation.paste import fit_for_video
from s2d.errors import S2DError, UsageError
from s2d.geometry import Crop, Float32, Image
from s2d.images import read_image
from s2d.landmarks.detectors.base import Detector, Face
from s2d.landmarks.tracking import crop_for

LEAST_SIZE, LARGEST_SIZE = 64, 2048  # pixels that may be asked for
MAX_SIZE = 512  # pixels: output grows with the photo up to here, unless the caller asks for more
MAX_PASTED = 2048  # pixels: and up to here to be laid back, since a photo beside it would show what was lost


@dataclass(frozen=True)
class SourceFace:
    """A square crop around one face."""

    image: Image
    """(size, size, 3) RGB."""
    points: Float32
    """(70, 2) landmarks in pixels of `image`."""
    photo: Image
    """(H, W, 3) what `image` was cut from."""
    crop: Crop
    """Where in `photo`."""
    score: float = 1.0
    """The detector's, that it is a face."""

    @property
    def size(self) -> int:
        """Side of the crop in pixels."""
        return len(self.image)


def check_size(size: int | None) -> None:
    """Raises UsageError when a video cannot have this side."""
    if size is not None and not (LEAST_SIZE <= size <= LARGEST_SIZE and size % 2 == 0):
        remedy = f"give an even number, {LEAST_SIZE} to {LARGEST_SIZE}"
        raise UsageError(f"size {size}", "it does not suit a video", remedy)


def load_source(
    path: str | Path, detector: Detector, size: int | None = None, *, face: int = 1, whole: bool = False
) -> SourceFace:
    """Read a photo and cut out a face: the largest, or the second largest with `face` 2, and so on.

    `size` is the side of the crop in pixels; by default that of the face's own square in the photo, even, 64 to 512.
    With `whole` the photo itself is to be shown: it is shrunk to what a video can hold, and the crop may have 2048.
    Raises S2DError when the file is no picture, or shows no face or fewer than `face`.
    """
    picture = read_image(path)
    photo = fit_for_video(picture) if whole else picture
    return cut_out(photo, _chosen(detector.detect([photo])[0], face, f"cannot animate {path}"), size, whole=whole)


def cut_out(photo: Image, face: Face, size: int | None = None, *, whole: bool = False) -> SourceFace:
    """A face of the photo (H, W, 3) RGB, with `size` and `whole` as in `load_source`."""
    crop = crop_for(face.box[None])
    side = size or max(LEAST_SIZE, min(MAX_PASTED if whole else MAX_SIZE, crop.side - (0 if whole else crop.side % 2)))
    return SourceFace(crop.image(photo, side), crop.points(face.points, side), photo, crop, face.score)


def _chosen(faces: list[Face], number: int, asked: str) -> Face:
    """The face of this number, counted from 1; `faces` are sorted by size."""
    if not faces:
        raise S2DError(asked, "no face found in the picture", "give one with a face that is large and upright")
    if number > len(faces):
        has = "only one face was found" if len(faces) == 1 else f"only {len(faces)} faces were found"
        raise S2DError(
            asked,
            f"{has} in it, not {number}",
            "choose a lower --face, 1 is the largest, or cut the photo closer to it",
        )
    return faces[number - 1]
