"""The user's error: one line, three parts, and it survives the trip back from a worker process."""

from __future__ import annotations

import pickle

from s2d.errors import S2DError


def test_error_is_one_line_whatever_it_quotes():
    error = S2DError("cannot read a.mp4", "ffmpeg said:\n  line one\n  line two\n", "give another")
    assert str(error) == "cannot read a.mp4: ffmpeg said: line one line two; give another"


def test_error_keeps_its_parts_between_processes():
    error = pickle.loads(pickle.dumps(S2DError("asked", "why", "remedy")))
    assert (type(error), error.asked, error.why, error.remedy) == (S2DError, "asked", "why", "remedy")
