"""Curation of real and of broken files with the real detector, in real worker processes."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.curation.executors import LocalExecutor
from s2d.curation.pipeline import curate
from s2d.shards.reader import open_dataset

pytestmark = pytest.mark.media


def test_a_talking_face_is_kept_and_every_broken_file_has_its_reason(media, tmp_path):
    inputs = [media / "clips" / "pexel_front.mp4", media / "hostile"]
    summary = curate(inputs, tmp_path / "out", executor=LocalExecutor(2))
    outcomes = dict(zip(summary.videos.video, summary.videos.outcome, strict=True))
    assert outcomes.pop("pexel_front.mp4") == "kept"
    assert set(outcomes.values()) == {"failed"}
    assert len(outcomes) == len(list((media / "hostile").iterdir()))
    assert all(summary.videos.reason[1:])
    assert curate(inputs, tmp_path / "out").new == 0

    dataset = open_dataset(tmp_path / "out")
    (track,) = dataset.tracks().itertuples()
    frames = dataset.frames(track.track_id)
    assert np.nanmin(frames.aligned) > 256 * 0.1, "the crop has a margin around the face"
    assert np.nanmax(frames.aligned) < 256 * 0.9
    assert track.jitter_aligned < 0.8 * track.jitter_raw
