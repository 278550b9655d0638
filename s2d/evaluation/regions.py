"""Where in a driving frame the face, its eyes, its mouth and the background are."""

from __future__ import annotations

from torch import Tensor

from s2d.models.blocks import smoothstep
from s2d.models.faces import face_radius
from s2d.models.losses import EYES, MOUTH, region
from s2d.models.prior import head_polygon, signed_distance

REACH = 0.06  # normalised: the soft edge of every region, and how far eyes and mouth reach around their landmarks
CLEAR = 0.5  # in face radii: hair, ears and neck lie within this of the face and are neither face nor background
REGIONS = ("all", "face", "eyes", "mouth", "background")


def regions(points: Tensor, height: int, width: int) -> dict[str, Tensor]:
    """Weights (B, 1, height, width) in [0, 1] by the names of REGIONS, from driving landmarks (B, 70, 2) normalised.

    The face reaches from the jaw to the hairline. Shoulders are part of the background.
    """
    distance = signed_distance(head_polygon(points), height, width)[:, None]
    clear = CLEAR * face_radius(points)[:, None, None, None]
    return {
        "all": distance.new_ones(distance.shape),
        "face": 1 - smoothstep(distance / REACH),
        "eyes": region(points, EYES, height, width, REACH),
        "mouth": region(points, MOUTH, height, width, REACH),
        "background": smoothstep((distance - clear) / REACH),
    }
