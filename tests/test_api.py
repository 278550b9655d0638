"""The public names, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import s2d

NAMES = (
    "Animator", "S2DError", "VideoReader", "VideoWriter", "align", "animate", "curate", "extract_tracks",
    "make_detector", "open_dataset",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there(name: str):
    assert name in s2d.__all__
    assert callable(getattr(s2d, name))


def test_an_unknown_name_is_an_attribute_error_that_lists_the_known():
    with pytest.raises(AttributeError, match="Animator"):
        _ = s2d.nonsense  # type: ignore[attr-defined]


def test_importing_brings_in_nothing_slow():
    code = "import sys, s2d; print([name for name in ('torch', 'cv2', 'numpy', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
