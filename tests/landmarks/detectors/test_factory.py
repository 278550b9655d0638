from __future__ import annotations

import subprocess
import sys

import pytest

from s2d.errors import S2DError, UsageError
from s2d.landmarks.detectors.factory import NAMES, make_detector


def test_mesh_is_the_default() -> None:
    detector = make_detector()
    assert (detector.name, bool(detector.version)) == ("mesh", True)


def test_names_are_those_of_the_classes() -> None:
    assert NAMES == ("mesh", "fan", "dlib")
    assert make_detector("mesh", threads=1).name == "mesh"


def test_unknown_name_lists_the_names() -> None:
    with pytest.raises(UsageError, match="mesh, fan, dlib"):
        make_detector("retina")


def test_unknown_option_lists_the_options() -> None:
    with pytest.raises(S2DError, match=r"no option device.*threads"):
        make_detector("mesh", device="cuda")


def test_mesh_needs_neither_torch_nor_face_alignment() -> None:
    program = (
        "import sys; from s2d.landmarks.detectors.factory import make_detector; make_detector('mesh');"
        "sys.exit(any(name in sys.modules for name in ('torch', 'face_alignment', 'numba', 'dlib')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
