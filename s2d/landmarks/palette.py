"""One colour per method of landmark tracking, the same in plots, overlays and reports."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

COLOURS: MappingProxyType[str, str] = MappingProxyType(
    {
        "raw": "#d1495b",
        "aligned": "#00798c",
        "one_euro": "#d98e04",
        "savgol": "#6a4c93",
        "moving_average": "#4f8a3c",
        "rts": "#8d5a3b",
    }
)
OTHERS = ("#3d5a98", "#b04a9c", "#708090", "#1f9d8a", "#a0522d", "#5b5ea6")  # in turn, for methods added later
TRUTH = "#222222"


def colours(methods: Sequence[str]) -> dict[str, str]:
    """A colour as #rrggbb for each method: its own where it has one, else the next that is free.

    >>> colours(["aligned", "mine"])
    {'aligned': '#00798c', 'mine': '#3d5a98'}
    """
    strangers = [name for name in methods if name not in COLOURS]
    return {name: COLOURS[name] if name in COLOURS else OTHERS[strangers.index(name) % len(OTHERS)] for name in methods}


def bright(colour: str) -> tuple[int, int, int]:
    """The same hue as light as it goes, RGB 0 to 255: for points on dark and on light skin.

    >>> bright("#804000")
    (255, 128, 0)
    """
    channels = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    red, green, blue = (round(255 * value / max(channels)) for value in channels)
    return red, green, blue
