"""The picture of README: a photo moved by drawn landmarks, untrained; writes a PNG.

    python benchmarks/picture.py docs/demo.png

Above, the landmarks that drive; below, what becomes of scikit-image's astronaut. Nothing is chosen by hand but what the
face is to do.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from s2d import geometry
from s2d.animation.painter import Painter
from s2d.animation.source import SourceFace
from s2d.geometry import Float32, Image
from s2d.images import write_image
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.draw import draw_landmarks
from s2d.landmarks.extract import largest_face
from s2d.landmarks.retarget import lips_closed
from s2d.landmarks.synthetic.clip import astronaut
from s2d.landmarks.synthetic.head import Head
from s2d.landmarks.synthetic.motion import State
from s2d.landmarks.tracking import crop_for
from s2d.models.runtime import load_runtime

SIZE, SHOWN = 512, 200  # pixels: of what is made, and of a square in the picture
REST = State(*np.zeros((12, 1)))._replace(zoom=np.ones(1))
ACTS: tuple[dict[str, float], ...] = (
    {},
    {"lids": 1.0},
    {"mouth": 0.3},
    {"gaze_x": 0.09},
    {"yaw": -16.0, "roll": 8.0, "lids": 0.4, "mouth": 0.12},
)


def acted(points: Float32) -> list[Float32]:
    """The face (70, 2) at rest as it is, and with closed lips in each of ACTS."""
    head = Head(lips_closed(points))
    back = geometry.invert(head.to_units)
    states = [REST._replace(**{name: np.full(1, value) for name, value in act.items()}) for act in ACTS]
    posed = [geometry.apply(back, head.pose(head.express(state), state)[0]) for state in states]
    return [points, *(face.astype(np.float32) for face in posed)]


def main() -> None:
    """Detect, move, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    photo = astronaut()
    found = largest_face(photo, make_detector(), "cannot make the picture")
    crop = crop_for(found.box[None])
    source = SourceFace(crop.image(photo, SIZE), crop.points(found.points, SIZE), photo, crop)
    driving = acted(source.points)
    results = Painter(load_runtime(None)[0], source).frames(np.stack(driving))
    columns = [np.vstack([_shown(_drawn(points)), _shown(made)]) for points, made in zip(driving, results, strict=True)]
    write_image(out, np.hstack(columns))


def _drawn(points: Float32) -> Image:
    return draw_landmarks(np.zeros((SIZE, SIZE, 3), np.uint8), points)


def _shown(picture: Image) -> Image:
    return np.asarray(cv2.resize(picture, (SHOWN, SHOWN), interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    main()
