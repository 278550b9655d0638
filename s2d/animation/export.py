"""`s2d export`: an animator as a file for onnxruntime, compared with torch on a real face that moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from s2d.animation.painter import normalised, picture_tensor
from s2d.animation.source import SourceFace, cut_out, load_source
from s2d.files import check_writable
from s2d.geometry import Float32
from s2d.landmarks import layout
from s2d.landmarks.detectors.base import Detector
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.extract import largest_face
from s2d.models.animator import UNTRAINED, Animator
from s2d.models.checkpoint import load_animator
from s2d.models.export import Example, export_onnx


def export(checkpoint: str | Path | None, out: str | Path, check: str | Path | None = None) -> dict[str, Any]:
    """Write the animator in `checkpoint`, or the analytic prior, to the ONNX file `out`.

    It is compared with torch on the largest face of the photo `check`, by default scikit-image's astronaut.
    Returns out, size, trained (whether from a checkpoint) and the largest difference. Raises S2DError for unreadable
    input, a photo without a face, an `out` that cannot be written or does not end in .onnx, a package that is not
    installed, or a graph that differs from torch.
    """
    model = Animator(UNTRAINED).eval() if checkpoint is None else load_animator(checkpoint)
    check_writable(out, *(file for file in (checkpoint, check) if file is not None))
    size = model.config.size
    face = _astronaut(make_detector(), size) if check is None else load_source(check, make_detector(), size)
    difference = export_onnx(out, model, example(face), trained=checkpoint is not None)
    return {"out": str(out), "size": size, "trained": checkpoint is not None, "difference": difference}


def example(face: SourceFace) -> Example:
    """A face at rest, turned with open mouth, and with landmarks that are not known."""
    size = face.size
    moved = np.stack([face.points, _moved(face.points), face.points])
    moved[2, [5, 40, layout.RIGHT_PUPIL]] = np.nan
    return Example(picture_tensor(face.image), normalised(face.points, size)[None], normalised(moved, size))


def _moved(points: Float32) -> Float32:
    """Turned by ten degrees about the nose, the lower lip dropped by a tenth of the face's height."""
    angle = np.deg2rad(10)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    moved: Float32 = (points - points[30]) @ turn.T + points[30]
    moved[[*range(6, 11), *range(55, 60), 65, 66, 67], 1] += 0.1 * float(np.ptp(points[:68, 1]))
    return moved


def _astronaut(detector: Detector, size: int) -> SourceFace:
    import skimage.data

    photo = skimage.data.astronaut()
    return cut_out(photo, largest_face(photo, detector, "cannot check the export"), size)
