"""The public names, and what importing the package costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import s2d

NAMES = (
    "Animator", "S2DError", "VideoReader", "VideoWriter", "align", "animate", "curate", "extract_tracks",
    "make_detector", "open_dataset",
)  # fmt: skip
SECONDS = 0.3
HEAVY = ("torch", "pandas", "numpy", "cv2", "scipy", "pyarrow", "pytorch_lightning", "matplotlib")
IMPORT = f"""
import json, sys, time
started = time.perf_counter(), time.process_time()
import s2d
taken = min(time.perf_counter() - started[0], time.process_time() - started[1])
print(json.dumps([taken, [name for name in {HEAVY} if name in sys.modules]]))
"""


def test_the_names_are_these_ten():
    assert tuple(s2d.__all__) == NAMES
    assert set(NAMES) < set(dir(s2d))


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there(name: str):
    assert callable(getattr(s2d, name))
    assert getattr(s2d, name).__doc__


def test_an_unknown_name_is_an_attribute_error_that_lists_the_known():
    with pytest.raises(AttributeError, match="Animator"):
        _ = s2d.nonsense  # type: ignore[attr-defined]


def test_importing_is_quick_and_brings_in_nothing_slow():
    """Processor time counts where it is less: a busy machine makes no import slow."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    taken, heavy = json.loads(done.stdout)
    assert heavy == []
    assert taken < SECONDS
