"""Clips out of a data set whose every number is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s2d.errors import S2DError
from s2d.evaluation.footage import Part, read_clip, tracks_of
from s2d.shards.reader import open_dataset
from tests.training.conftest import CROP, DatasetMaker


def test_a_clip_begins_with_the_first_frame_and_is_driven_by_later_ones(make_dataset: DatasetMaker) -> None:
    dataset = open_dataset(make_dataset())
    clip = read_clip(dataset, "bob-1", 64, Part(0.75, 60))
    frames = dataset.frames("bob-1")
    assert clip.identity == "bob"
    assert clip.fps == pytest.approx(25)
    assert clip.times == pytest.approx(frames.time[9:])  # the last quarter of 12
    assert clip.source.shape == (3, 64, 64)
    assert clip.images.shape == (3, 3, 64, 64)
    stored = (frames.aligned[[0, 9, 10, 11]] + 0.5) * (64 / CROP) - 0.5
    expected = 2 * stored / 63 - 1
    assert torch.cat([clip.source_points[None], clip.points]).numpy() == pytest.approx(expected, abs=1e-5)


def test_raw_landmarks_are_those_of_the_detector(make_dataset: DatasetMaker) -> None:
    dataset = open_dataset(make_dataset())
    raw, aligned = (read_clip(dataset, "ann-0", 64, Part(), which).points for which in ("raw", "aligned"))
    assert (raw - aligned).numpy() == pytest.approx(64 / CROP * 2 / 63, abs=1e-5)  # moved by a pixel of the crop


def test_frames_without_a_face_do_not_count(make_dataset: DatasetMaker) -> None:
    clip = read_clip(open_dataset(make_dataset(lost=(0, 5))), "ann-0", 32, Part(0, 60))
    assert clip.times * 25 == pytest.approx([2, 3, 4, 6, 7, 8, 9, 10, 11])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(0, 3), [1, 6, 11]),
        (Part(0.5, 3, consecutive=True), [6, 7, 8]),
        (Part(0.99, 10), [11]),
        (Part(0, 100), list(range(1, 12))),
    ],
)
def test_parts(part: Part, expected: list[int]) -> None:
    assert part.positions(np.arange(12), 12).tolist() == expected


def test_a_part_begins_by_the_track_s_own_length() -> None:
    """Faces missed late in a track must not let frames in that training saw."""
    assert Part(0.5, 9).positions(np.array([0, 1, 2, 3, 4, 5, 9]), 12).tolist() == [9]
    assert Part(0.8, 9).positions(np.array([0, 1, 2]), 12).tolist() == [2]


def test_mistakes(make_dataset: DatasetMaker) -> None:
    with pytest.raises(S2DError, match="no pictures"):
        read_clip(open_dataset(make_dataset(jpeg=False)), "ann-0", 64, Part())
    dataset = open_dataset(make_dataset())
    with pytest.raises(S2DError, match="crops of 128 px, smaller than 256"):
        read_clip(dataset, "ann-0", 256, Part())
    with pytest.raises(S2DError, match="no identity 'zoe'"):
        tracks_of(dataset, ["ann", "zoe"])
    assert tracks_of(dataset, ["cleo"]) == ["cleo-2"]
