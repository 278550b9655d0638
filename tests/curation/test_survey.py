"""The fingerprint of whole videos: films of a photo under a moving window, coded for real."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from s2d.curation.fingerprint import BITS, as_words, distances
from s2d.curation.limits import DEFAULTS
from s2d.curation.survey import Survey
from s2d.geometry import Image
from s2d.video import VideoReader, VideoWriter

PHOTO = np.asarray(skimage.data.astronaut())
SIZE, SECONDS = 192, 2.0
LIMIT = DEFAULTS["min_nearest_distance"]


def take(seed: int, fps: int = 25) -> Iterator[Image]:
    """Two seconds of the astronaut in one place, in a slow motion of its own by each seed."""
    rng = np.random.default_rng(seed)
    phases, sizes = rng.uniform(0, 6.28, (3, 2)), rng.uniform(2, 6, (3, 2))
    for n in range(int(SECONDS * fps)):
        dx, dy = (sizes * np.sin(phases + np.pi * n / fps * np.array([[0.7], [1.3], [2.1]]))).sum(axis=0)
        matrix = np.array([[1, 0, -130 - dx], [0, 1, -20 - dy]])
        yield cv2.warpAffine(PHOTO, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)


def measured(path: Path, frames: Iterator[Image], fps: int = 25) -> dict[str, object]:
    first, *rest = frames
    with VideoWriter(path, first.shape[1], first.shape[0], fps) as writer:
        for frame in (first, *rest):
            writer.write(frame)
    with VideoReader(path) as reader:
        survey = Survey(reader)
        for frame in reader.frames():
            survey.update(frame)
    return survey.measures()


def distance(one: dict[str, object], other: dict[str, object]) -> float:
    words = [as_words(str(row["fingerprint"])) for row in (one, other)]
    return float(distances(words[0], words[1][:, None])[0])


@pytest.fixture
def original(tmp_path):
    return measured(tmp_path / "original.mp4", take(0))


def test_it_has_so_many_bits_and_is_the_same_each_time(original, tmp_path):
    assert len(original["fingerprint"]) == BITS / 4
    assert measured(tmp_path / "again.mp4", take(0)) == original


def test_copies_are_near(original, tmp_path):
    def noisy(frame: Image) -> Image:
        return np.clip(frame + np.random.default_rng(0).normal(0, 6, frame.shape), 0, 255).astype(np.uint8)

    copies = {
        "mirrored": measured(tmp_path / "m.mp4", (np.ascontiguousarray(frame[:, ::-1]) for frame in take(0))),
        "half the size": measured(tmp_path / "a.mp4", (cv2.resize(frame, (96, 96)) for frame in take(0))),
        "other rate": measured(tmp_path / "b.mp4", take(0, 15), 15),
        "noise": measured(tmp_path / "c.mp4", map(noisy, take(0))),
        "brighter": measured(
            tmp_path / "d.mp4", (np.minimum(frame * 1.2 + 5, 255).astype(np.uint8) for frame in take(0))
        ),
        "wider": measured(tmp_path / "e.mp4", (np.pad(frame, ((0, 0), (40, 40), (0, 0))) for frame in take(0))),
    }
    apart = {name: distance(copy, original) for name, copy in copies.items()}
    assert max(apart.values()) < 0.75 * LIMIT, apart
    wider = copies["wider"]
    assert (wider["bar_left"], wider["bar_right"], wider["bar_top"], wider["bar_bottom"]) == (40, 40, 0, 0)
    assert wider["bar_share"] == pytest.approx(80 / 272)


def test_other_takes_of_the_same_face_in_the_same_place_are_not(tmp_path):
    takes = [measured(tmp_path / f"{seed}.mp4", take(seed)) for seed in range(5)]
    apart = [distance(one, other) for one, other in combinations(takes, 2)]
    assert min(apart) > 1.25 * LIMIT, apart


def test_two_boxes_of_one_moment_are_no_copies_and_boxes_may_reach_outside(tmp_path, original):
    path = tmp_path / "original.mp4"
    made = []
    for box in ((0.0, 0.0, 0.4, 0.5), (0.5, 0.4, 1.0, 1.0), (0.9, -0.2, 1.3, 0.4), (1.0, 1.0, 1.2, 1.2)):
        with VideoReader(path) as reader:
            survey = Survey(reader, box=box)
            for frame in reader.frames():
                survey.update(frame)
        made.append(survey.measures())
    assert distance(made[0], made[1]) > LIMIT
    assert len({row["fingerprint"] for row in made}) == 4


def test_a_part_of_a_video_is_measured_as_if_it_were_alone(tmp_path, original):
    with VideoReader(tmp_path / "original.mp4") as reader:
        survey = Survey(reader, 10, 40)
        frames = list(reader.frames(10, 40))
        for frame in frames:
            survey.update(frame)
    assert distance(survey.measures(), measured(tmp_path / "part.mp4", iter(frames))) < 0.1


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_video_of_few_frames_has_one_too(tmp_path, frames):
    made = measured(tmp_path / "a.mp4", iter(list(take(0))[:frames]))
    assert len(made["fingerprint"]) == BITS / 4
