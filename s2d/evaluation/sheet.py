"""Contact sheets: what each method made of some frames, and how the animator came to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from s2d.errors import S2DError
from s2d.evaluation.footage import Clip
from s2d.geometry import Image
from s2d.images import caption, write_image
from s2d.models.animator import Animator
from s2d.models.blocks import identity_grid

GAP = 2  # white pixels between pictures
ROWS = 4  # frames of a clip in a sheet
FULL = 0.3  # displacement, normalised, that is drawn in full colour


def sheet(
    clip: Clip, made: Mapping[str, Tensor], model: Animator | None, frames: Sequence[int], zoom: int = 2
) -> Image:
    """Rows of frames: source | driving | each method | the model's foreground | its flow; RGB uint8.

    `made` holds (N, 3, S, S) by name for the clip's N driving frames; `frames` says which of them. In the flow, the
    colour is the direction in which a pixel's source lies, and its strength how far away.
    """
    chosen = list(frames)
    columns = {"source": clip.source.expand(len(chosen), -1, -1, -1), "driving": clip.images[chosen]}
    columns |= {name: pictures[chosen] for name, pictures in made.items()}
    if model is not None:
        with torch.inference_mode():
            source = clip.source.expand(len(chosen), -1, -1, -1)
            output = model(source, clip.source_points.expand(len(chosen), -1, -1), clip.points[chosen])
        columns |= {"foreground": output.foreground.expand(-1, 3, -1, -1), "flow": flow_colours(output.grid)}
    return np.concatenate([_column(name, pictures, zoom) for name, pictures in columns.items()], axis=1)


def write_sheet(path: Path, clip: Clip, made: Mapping[str, Tensor], model: Animator | None) -> None:
    """The sheet of a few frames, evenly spread. Raises S2DError when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise S2DError(f"cannot write {path}", error.strerror or str(error), "choose another folder") from error
    frames = np.unique(np.linspace(0, len(clip) - 1, min(ROWS, len(clip))).round().astype(int))
    write_image(path, sheet(clip, made, model, frames.tolist()))


def flow_colours(grid: Tensor) -> Tensor:
    """A backward grid (B, H, W, 2) as colours (B, 3, H, W) in [0, 1]: white stands still."""
    moved = (grid - identity_grid(grid.shape[1], grid.shape[2], grid)).numpy()
    length = np.linalg.norm(moved, axis=-1)
    hue = np.degrees(np.arctan2(moved[..., 1], moved[..., 0])) % 360
    hsv = np.stack([hue, np.clip(length / FULL, 0, 1), np.ones_like(hue)], -1).astype(np.float32)
    return torch.from_numpy(np.stack([cv2.cvtColor(image, cv2.COLOR_HSV2RGB) for image in hsv])).permute(0, 3, 1, 2)


def _column(name: str, pictures: Tensor, zoom: int) -> Image:
    size = pictures.shape[-1] * zoom
    scaled = (pictures.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    rows = [cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC) for image in scaled]
    return np.concatenate(
        [
            caption(name, size + GAP),
            *(cv2.copyMakeBorder(r, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255,) * 3) for r in rows),
        ]
    )
