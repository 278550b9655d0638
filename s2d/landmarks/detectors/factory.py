"""Detectors by name.

To add a detector: write `s2d/landmarks/detectors/NAME.py` with a class that has `name`, `version` and `detect` (see
base.Detector) and gives all 70 points of the `ibug70` layout, NaN where it has none; list it in `_HOMES`; write its
weights, with origin, licence and checksum, into s2d/assets.py; test it in tests/landmarks/detectors/; measure it with
benchmarks/detectors.py. Heavy libraries are imported in its module, which is imported only when it is asked for.
"""

from __future__ import annotations

import importlib
import inspect
from typing import cast

from s2d.errors import S2DError, UsageError
from s2d.landmarks.detectors.base import Detector

_HOMES = {
    "mesh": ("s2d.landmarks.detectors.mesh", "MeshDetector"),
    "fan": ("s2d.landmarks.detectors.fan", "FanDetector"),
    "dlib": ("s2d.landmarks.detectors.dlib68", "DlibDetector"),
}
NAMES = tuple(_HOMES)


def make_detector(name: str = "mesh", **options: object) -> Detector:
    """The detector of this name; `options` are the keyword arguments of its class.

    Raises UsageError for an unknown name, S2DError for an unknown option and for what the detector needs and lacks.
    """
    asked = f"cannot make the detector {name!r}"
    if name not in _HOMES:
        raise UsageError(asked, "there is no such detector", f"choose one of {', '.join(NAMES)}")
    module, attribute = _HOMES[name]
    make = getattr(importlib.import_module(module), attribute)
    known = list(inspect.signature(make).parameters)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise S2DError(asked, f"it has no option {', '.join(unknown)}", f"its options are {', '.join(known)}")
    return cast(Detector, make(**options))
