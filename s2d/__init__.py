"""s2d: stable face landmarks from video, and a model that animates a face photo from them.

The ten names a user needs, imported only when touched, so that `import s2d` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "S2DError": "s2d.errors",
    "VideoReader": "s2d.video",
    "VideoWriter": "s2d.video",
    "make_detector": "s2d.landmarks.detectors.factory",
    "extract_tracks": "s2d.landmarks.extract",
    "align": "s2d.landmarks.alignment",
    "curate": "s2d.curation.pipeline",
    "open_dataset": "s2d.shards.reader",
    "Animator": "s2d.models.animator",
    "animate": "s2d.animation.animate",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562
    if name not in _HOMES:
        raise AttributeError(f"module 's2d' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
