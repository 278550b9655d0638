"""Pictures of a source face from landmarks: by the model at its own size, applied to the photo at any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from s2d import geometry
from s2d.animation.ahead import ahead
from s2d.animation.paste import FADE, hold_border, share_within
from s2d.animation.source import SourceFace
from s2d.geometry import Float32, Image
from s2d.memory import keep_freed
from s2d.models.faces import without_pupils
from s2d.models.render import Renderer
from s2d.models.runtime import Runtime, workers

BATCH = 4  # frames at a time: larger batches leave the processor's cache and are slower
BATCH_PIXELS = BATCH * 512 * 512  # larger pictures come in smaller batches, in the same memory


class Painter:
    """A source face, made ready once; then pictures for landmarks, in several threads at once if wanted."""

    def __init__(self, model: Runtime, face: SourceFace, *, hold: bool = False) -> None:
        """With `hold` motion dies away towards the border of the crop, to be laid back into the photo."""
        keep_freed()
        self.face, self.model = face, model
        self._whole, self._side = geometry.Crop(0, 0, face.size), model.config.size
        full = picture_tensor(face.image)
        share = share_within(face.photo, face.crop, self._side, FADE) if hold else None
        self._share = None if share is None else torch.from_numpy(share)
        small = full if face.size == self._side else picture_tensor(self._whole.image(face.image, self._side))
        with torch.inference_mode():
            self._encoded = model.encode_source(small, self._small(face.points[None]))
            self._renderer = Renderer(full, self._seen(face.points[None]))

    def frames(self, points: Float32) -> Iterator[Image]:
        """The source (size, size, 3) moved to each of the landmarks (T, 70, 2), in pixels of its crop."""
        size = max(1, min(BATCH, BATCH_PIXELS // self.face.size**2))
        batches = (points[start : start + size] for start in range(0, len(points), size))
        for pictures in ahead(self.paint, batches, workers(self.model)):
            yield from pictures

    def paint(self, points: Float32) -> Image:
        """The same for a few landmarks at once: (B, 70, 2) -> (B, size, size, 3)."""
        with torch.inference_mode():
            moved = self.model.drive(self._encoded, self._small(points))
            held = moved if self._share is None else hold_border(moved, self._share)
            images = self._renderer(held, self._seen(points))
            pictures: Image = (images * 255).round().byte().permute(0, 2, 3, 1).numpy()
        return pictures

    def _seen(self, points: Float32) -> torch.Tensor:
        """The landmarks that the model may look at, normalised in the face's crop."""
        found = normalised(points, self.face.size)
        return found if self.model.config.pupils else without_pupils(found)

    def _small(self, points: Float32) -> torch.Tensor:
        """Points in pixels of the face's crop, normalised in the model's picture of it."""
        return normalised(self._whole.points(points, self._side), self._side)


def picture_tensor(image: Image) -> torch.Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255


def normalised(points: Float32, size: int) -> torch.Tensor:
    """Points (..., 2) in pixels of a square picture of this size, as the models take them."""
    return torch.from_numpy(geometry.to_normalized(points, size, size).astype(np.float32))
