"""From a file to tracks and aligned landmarks, with a detector that is scripted; on real clips with the default one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from s2d.errors import S2DError
from s2d.geometry import Array, Float32, Image
from s2d.landmarks.alignment import align
from s2d.landmarks.detectors.base import Face
from s2d.landmarks.extract import extract_tracks, find_tracks, largest_face
from s2d.video import VideoReader, VideoWriter
from tests.landmarks.moving_face import MovingFace, flicker, moving_face

BLANK = 8  # frames of another shot, without a face, before the face


class ScriptedDetector:
    """Sees the face of `truth`, trembling, from frame BLANK on; remembers how many frames came at a time."""

    name, version = "scripted", "1"

    def __init__(self, truth: Array) -> None:
        self.points = truth + np.random.default_rng(0).normal(0, 0.6, truth.shape)
        self.batches: list[int] = []

    def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
        start = sum(self.batches)
        self.batches.append(len(frames))
        return [self._faces(index - BLANK) for index in range(start, start + len(frames))]

    def _faces(self, index: int) -> list[Face]:
        return [Face.of_points(self.points[index], 0.9)] if index >= 0 else []


@pytest.fixture(scope="module")
def face(astronaut_points: Float32) -> MovingFace:
    return moving_face(astronaut_points, count=20)


@pytest.fixture(scope="module")
def video(face: MovingFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "face.mp4"
    stripes = np.zeros_like(face.frames[0])
    stripes[::10] = 200
    with VideoWriter(path, 200, 200, 25) as writer:
        for frame in [*[stripes] * BLANK, *face.frames]:
            writer.write(frame)
    return path


def test_counts_and_batches(face: MovingFace, video: Path) -> None:
    detector = ScriptedDetector(face.truth)
    with VideoReader(video) as reader:
        found = find_tracks(reader, detector, batch=10)
    assert detector.batches == [BLANK, 10, 10]  # no batch reaches over a cut
    assert (found.frames, found.frames_with_face, found.shots, found.dropped) == (28, 20, 2, 0)
    (track,) = found.tracks
    assert (track.shot, track.face) == (1, 0)
    assert track.frames.tolist() == list(range(BLANK, 28))
    np.testing.assert_allclose(track.raw, detector.points, atol=1e-4)


def test_whoever_looks_sees_every_frame_once_and_in_order(face: MovingFace, video: Path) -> None:
    seen: list[Image] = []
    with VideoReader(video) as reader:
        find_tracks(reader, ScriptedDetector(face.truth), first=3, stop=20, look=seen.append)
        np.testing.assert_array_equal(seen, list(reader.frames(3, 20)))


def test_brief_faces_are_counted_as_dropped(face: MovingFace, video: Path) -> None:
    with VideoReader(video) as reader:
        found = find_tracks(reader, ScriptedDetector(face.truth), min_frames=21)
    assert (found.tracks, found.dropped, found.frames_with_face) == ([], 1, 20)


def test_both_passes_see_the_same_frames(face: MovingFace, video: Path) -> None:
    """Frames one off would leave the flicker of the detections, or worse."""
    detector = ScriptedDetector(face.truth)
    ((track, aligned),) = extract_tracks(video, detector)
    assert aligned.points.shape == track.raw.shape
    assert flicker(aligned.points, face.truth) < flicker(track.raw, face.truth) / 3


def test_largest_face_is_the_first() -> None:
    small, large = (Face.of_points(np.random.default_rng(1).random((70, 2)) * size, 0.9) for size in (50, 90))

    class Two:
        name, version = "two", "1"

        def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
            return [[large, small] for _ in frames]

    assert largest_face(np.zeros((100, 100, 3), np.uint8), Two(), "cannot animate cat.jpg") is large


def test_no_face_is_one_line_that_opens_with_what_was_asked() -> None:
    with pytest.raises(S2DError, match=r"^cannot animate cat.jpg: no face"):
        largest_face(
            np.zeros((100, 100, 3), np.uint8), ScriptedDetector(np.zeros((0, 70, 2))), "cannot animate cat.jpg"
        )


class Memory(VideoReader):
    """Frames as they are, without a file: what H.264 makes of a frame depends on those around it."""

    def __init__(self, pictures: Sequence[Image]) -> None:
        self.path, self.pictures, self.times = Path("memory.mp4"), pictures, np.arange(len(pictures)) / 25

    def __len__(self) -> int:
        return len(self.pictures)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Image]:
        return iter(self.pictures[start:stop])


def both_passes(pictures: Sequence[Image], points: Sequence[Array | None]) -> list[Float32]:
    """Aligned landmarks of all tracks; a face at `points` in each frame that has some."""

    class Told:
        name, version, count = "told", "1", 0

        def detect(self, frames: Sequence[Image]) -> list[list[Face]]:
            start, self.count = self.count, self.count + len(frames)
            return [[] if face is None else [Face.of_points(face, 0.9)] for face in points[start : self.count]]

    reader = Memory(pictures)
    tracks = find_tracks(reader, Told()).tracks
    return [align(track, reader.frames(track.frames[0], track.frames[-1] + 1)).points for track in tracks]


@pytest.mark.parametrize("between", ["another shot", "an empty room", "a face that nobody finds"])
def test_a_cut_or_a_stretch_without_a_face_changes_nothing_outside_itself(
    astronaut_points: Float32, between: str
) -> None:
    """Both sides come out, to the byte, as if each were a video of its own."""
    face = moving_face(astronaut_points, count=44)
    seen: list[Array | None] = [*ScriptedDetector(face.truth).points]
    before, after = slice(0, 12), slice(30, 44)
    middle = {
        "another shot": [np.full_like(face.frames[0], 230)] * 6,
        "an empty room": [np.full_like(face.frames[0], 90)] * 18,  # longer than a gap that is bridged
        "a face that nobody finds": face.frames[12:30],
    }[between]
    pictures = [*face.frames[before], *middle, *face.frames[after]]
    whole = both_passes(pictures, [*seen[before], *[None] * len(middle), *seen[after]])
    alone = [*both_passes(face.frames[before], seen[before]), *both_passes(face.frames[after], seen[after])]
    assert [len(points) for points in whole] == [12, 14]
    for one, other in zip(whole, alone, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.media
def test_a_cut_from_a_cartoon_to_a_face(media: Path) -> None:
    from s2d.landmarks.detectors.factory import make_detector

    ((track, aligned),) = extract_tracks(media / "clips" / "cut_noface_to_face.mov", make_detector("mesh"))
    assert track.frames[0] == 96
    assert np.isfinite(aligned.points).all()
    step = np.linalg.norm(aligned.points[1] - aligned.points[0], axis=-1)
    assert step.max() < 4  # nothing of the shot before reaches over the cut


@pytest.mark.media
def test_a_clip_without_a_face_yields_nothing(media: Path) -> None:
    from s2d.landmarks.detectors.factory import make_detector

    assert list(extract_tracks(media / "clips" / "no_face.mp4", make_detector("mesh"))) == []
