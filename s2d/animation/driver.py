"""What drives an animation: one track of landmarks, from a video, a data set, or a file of nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from s2d import progress
from s2d.errors import S2DError, UsageError
from s2d.geometry import Crop, Float32, Image
from s2d.images import decode_jpeg
from s2d.landmarks.alignment import align
from s2d.landmarks.detectors.base import Detector
from s2d.landmarks.extract import find_tracks, track_frames
from s2d.landmarks.landmark_file import read_landmarks
from s2d.landmarks.stabilise import fill_gaps
from s2d.landmarks.tracking import Track
from s2d.storage import plain_videos
from s2d.video import VideoReader
from s2d.video.sound import Sound
from s2d.video.writer import exact_rate
from s2d.wording import first_few

LANDMARK_FILES = (".csv", ".npy")
CUSTOMARY_FPS = 25.0  # of landmark files, which hold no times, and of a single frame


@dataclass(frozen=True)
class Driver:
    """T frames of one face."""

    points: Float32
    """(T, 70, 2) aligned landmarks, or a file's as they are, in pixels of a crop with side `size`."""
    size: int
    """Side of the crop in pixels."""
    times: npt.NDArray[np.float64]
    """(T,) presentation times in seconds."""
    name: str
    """Which track this is, for the user."""
    frames: Callable[[], Iterator[Image]] | None
    """Reads the crops (size, size, 3) again, one by one; None where a data set holds no pictures."""
    video: Path | None = None
    """The file whose sound belongs to these times; None for a data set, which holds none."""

    @property
    def fps(self) -> float:
        """Average frames per second; 25 for a single frame, which has no rate."""
        span = float(self.times[-1] - self.times[0])
        return (len(self.times) - 1) / span if span > 0 else CUSTOMARY_FPS

    def sound(self) -> Sound | None:
        """What is heard from the first frame to the end of the last."""
        if self.video is None:
            return None
        return Sound(self.video, float(self.times[0]), float(self.times[-1]) + 1 / self.fps)


def load_driver(
    path: str | Path, detector: Detector, size: int, track: str | None = None, fps: float | None = None
) -> Driver:
    """The longest track of a video, data set folder or frames file; or the one that `track` names.

    Or the landmarks of a .csv or .npy file as `s2d.landmarks.landmark_file` reads them, at `fps` frames a second
    (default: 25); frames without a face are bridged. `size` is the side in pixels of the driving crops of a video or
    of such a file; a data set brings its own. Raises S2DError when there is no such file, no face in it or no such
    track, UsageError for `fps` or `track` where it has no meaning.
    """
    path = Path(path)
    asked = f"cannot drive an animation with {path}"
    bare = path.suffix.lower() in LANDMARK_FILES and not path.is_dir()
    if fps is not None and not bare:
        raise UsageError(asked, "it has its own times", "give fps with a .csv or .npy file of landmarks only")
    if fps is not None and not 1 <= fps < 1000:
        raise UsageError(asked, f"{fps} is no frame rate", "give 1 to 999")
    if bare and track is not None:
        raise UsageError(asked, "a landmark file holds one track without a name", "leave the track away")
    if bare:
        return _from_landmarks(path, size, fps or CUSTOMARY_FPS)
    if videos := plain_videos(path):
        names = first_few([video.name for video in videos])
        remedy = "give one of them, or make a data set of the folder with `s2d curate` and give that"
        raise S2DError(asked, f"it holds videos ({names}) and is no data set", remedy)
    if path.is_dir() or path.suffix == ".parquet":
        return _from_dataset(path, track)
    return _from_video(path, detector, size, track)


def _from_landmarks(path: Path, size: int, fps: float) -> Driver:
    points = read_landmarks(path)
    rate = exact_rate(fps)
    times = np.arange(len(points)) * rate.denominator / rate.numerator
    filled = fill_gaps(points.reshape(len(points), -1).astype(np.float64)).reshape(points.shape)
    crop = Track.of_points(points, times).crop
    return Driver(crop.points(filled, size), size, times, path.name, None)


def _from_video(path: Path, detector: Detector, size: int, name: str | None) -> Driver:
    with VideoReader(path) as reader:
        found = find_tracks(reader, detector, max_seconds=math.inf)  # landmarks take little; frames are not kept
        tracks = {f"shot{track.shot}-face{track.face}": track for track in found.tracks}
        asked = f"cannot drive an animation with {path}"
        if not tracks:
            raise S2DError(asked, "no face was found long enough to follow", "use a video with a clearly visible face")
        chosen = name or max(tracks, key=lambda key: len(tracks[key].frames))
        if chosen not in tracks:
            raise S2DError(asked, f"it has no track {chosen!r}", f"choose one of {', '.join(tracks)}")
        track = tracks[chosen]
        frames = progress.track(track_frames(reader, track), f"aligning {chosen}", len(track.frames))
        points = track.crop.points(align(track, frames).points, size)
    return Driver(points, size, track.times, chosen, lambda: _video_crops(path, track, size), path)


def _video_crops(path: Path, track: Track, size: int) -> Iterator[Image]:
    with VideoReader(path) as reader:
        for frame in track_frames(reader, track):
            yield _black_beyond(track.crop.image(frame, size), track.crop, frame)


def _black_beyond(picture: Image, crop: Crop, frame: Image) -> Image:
    """The crop of a frame without the border pixels that are repeated where it reaches beyond: to be looked at."""
    size = len(picture)
    (left, top), (right, bottom) = crop.points(np.array([[0, 0], frame.shape[1::-1]]) - 0.5, size) + 0.5
    rows, columns = (np.arange(size) + 0.5)[:, None], np.arange(size) + 0.5
    inside = (rows > top) & (rows < bottom) & (columns > left) & (columns < right)
    return np.where(inside[..., None], picture, np.uint8(0))


def _from_dataset(path: Path, name: str | None) -> Driver:
    from s2d.shards.reader import open_dataset

    dataset = open_dataset(path)
    tracks = dataset.tracks()
    asked = f"cannot drive an animation with {path}"
    if tracks.empty:
        raise S2DError(asked, "it holds no tracks", "curate a video with a face into it")
    longest = int(tracks["frames"].to_numpy().argmax()) if "frames" in tracks else 0  # a lone part has only ids
    chosen = name or str(tracks["track_id"].iloc[longest])
    rows = dataset.frames(chosen)
    pictures = rows.jpeg
    frames = None if pictures is None else lambda: (decode_jpeg(data) for data in pictures)
    return Driver(rows.aligned, int(dataset.metadata["crop_size"]), rows.time, chosen, frames)
