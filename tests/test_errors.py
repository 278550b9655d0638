"""The user's error: one line, three parts, and it survives the trip back from a worker process."""

from __future__ import annotations

import pickle

import pytest
from torch._utils import ExceptionWrapper

from s2d.errors import S2DError


def test_error_is_one_line_whatever_it_quotes():
    error = S2DError("cannot read a.mp4", "ffmpeg said:\n  line one\n  line two\n", "give another")
    assert str(error) == "cannot read a.mp4: ffmpeg said: line one line two; give another"


def test_error_keeps_its_parts_between_processes():
    error = pickle.loads(pickle.dumps(S2DError("asked", "why", "remedy")))
    assert (type(error), error.asked, error.why, error.remedy) == (S2DError, "asked", "why", "remedy")


def test_error_of_a_loader_process_is_the_same_line():
    """torch keeps the type and the printed traceback of what a loader process raises, and nothing else."""
    try:
        try:
            raise ValueError("no JPEG")
        except ValueError as cause:
            raise S2DError("cannot read a crop", "no JPEG: at all", "curate again") from cause
    except S2DError:
        kept = pickle.loads(pickle.dumps(ExceptionWrapper(where="in DataLoader worker process 0")))
    with pytest.raises(S2DError) as caught:
        kept.reraise()
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(caught.value) == str(again) == "cannot read a crop: no JPEG: at all; curate again"
