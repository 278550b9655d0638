"""A data set made of photos: synthetic clips of each, with their exact landmarks in place of aligned ones.

Real clips show few blinks and glances; here each has several, and the landmarks follow them exactly. Every photo is a
person, named after its file, and a shard of its own; each of its clips is a row of the videos table. `raw` and
`aligned` both are the truth, `raw` without what no picture shows (pupils under closed lids, what an occluder hides).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from s2d import progress
from s2d.curation import quality
from s2d.curation.config import difference
from s2d.curation.executors import Executor, Failure, LocalExecutor
from s2d.curation.staging import claimed, staging_folder
from s2d.errors import S2DError
from s2d.files import file_sha256
from s2d.geometry import Float32, Image
from s2d.images import encode_jpeg, read_image
from s2d.landmarks.alignment import Aligned
from s2d.landmarks.detectors.base import Detector
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.extract import largest_face
from s2d.landmarks.layout import RIGHT_PUPIL
from s2d.landmarks.synthetic.clip import SyntheticClip, astronaut, make_clip
from s2d.landmarks.synthetic.folder import FPS, FRAMES, SIZE
from s2d.landmarks.synthetic.motion import VARIANTS
from s2d.landmarks.tracking import Track
from s2d.shards.reader import READERS, finished_shards, read_part
from s2d.shards.schema import Provenance, read_metadata
from s2d.shards.writer import frame_table, make_shard, part_path, publish_shard, shard_id
from s2d.storage import Location, location

DETECTOR = "mesh"  # the only one that gives all 70 landmarks of a photo, which the truth begins with
BUILT_IN = "astronaut"


@dataclass(frozen=True)
class Recipe:
    """What each photo is made into."""

    variants: Sequence[str] = ("calm", "fast")
    """Kinds of clips, names of VARIANTS; `clips` of them are made in turn."""
    clips: int = 2
    """Clips of each photo."""
    frames: int = FRAMES
    """Of each clip."""
    size: int = SIZE
    """Side of the rendered frames in pixels; the face with its hair takes about three quarters of it."""
    fps: float = FPS
    """Frames a second."""
    seed: int = 0
    """Each clip has a seed made of this, its photo's name and its number: other photos do not change it."""
    crop_size: int = 256
    """Side of the stored crops in pixels."""


@dataclass(frozen=True)
class Photo:
    """One photo to make clips of; no path is the built-in astronaut."""

    path: Path | None

    @property
    def name(self) -> str:
        """Whom it shows, as the data set calls the person."""
        return self.path.stem if self.path else BUILT_IN

    def read(self) -> Image:
        """(H, W, 3) RGB. Raises S2DError."""
        return read_image(self.path) if self.path else astronaut()


@dataclass(frozen=True)
class Made:
    """What became of one photo."""

    photo: str
    clips: int
    problem: str
    """Why there are no clips; empty where there are."""
    written: bool
    """False where the very same clips were there already, or those of another picture of that name."""
    changed: bool = False
    """True where the data set has clips of another picture, or of one moved by other variants; it keeps them."""


def curate_stills(
    photos: Sequence[Path | None], out: str | Path, recipe: Recipe | None = None, executor: Executor | None = None
) -> list[Made]:
    """Make the data set folder `out` of `photos`, or go on with it; one result a photo, in their order.

    The same arguments give the same bytes, whatever stopped and began in between. A photo without a face is an outcome
    of the videos table, not an error, and is looked at again when its file has changed. One of whose name the data set
    has clips with another content is left out, as curation leaves a video that has changed. Raises S2DError for two
    photos of one name, an unknown variant, a folder that holds a data set of other settings, and one that cannot be
    written.
    """
    recipe, place = recipe or Recipe(), location(out)
    unknown = next((name for name in recipe.variants if name not in VARIANTS), None)
    if unknown is not None:
        raise S2DError(f'cannot make a clip of variant "{unknown}"', "unknown", f"use one of {', '.join(VARIANTS)}")
    given = [Photo(path) for path in photos]
    _check_names(given)
    # A detector of its own, to know the version: one that has been loaded cannot be sent to other processes.
    provenance = _provenance(recipe, make_detector(DETECTOR))
    with claimed(place):
        _check_settings(place, provenance)
        work = StillWorker(recipe, str(out), provenance, _kept_by_name(place))
        work.scratch.mkdir(parents=True, exist_ok=True)
        engine = executor or LocalExecutor()
        made = {}
        for photo, answer in progress.track(engine.map(work, given), "photos", len(given)):
            made[photo] = Made(photo.name, 0, answer.detail, False) if isinstance(answer, Failure) else answer
        with suppress(OSError):  # what a curation left there is its own
            work.scratch.rmdir()
    return [made[photo] for photo in given]


def _check_names(photos: Sequence[Photo]) -> None:
    names = [photo.name for photo in photos]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        remedy = "a photo's name says who is seen: name each differently"
        raise S2DError("cannot make a data set of these photos", f"two are called {twice}", remedy)


def _provenance(recipe: Recipe, detector: Detector) -> Provenance:
    """The landmarks are those of the detector on the photo, moved exactly: same places, another alignment."""
    made_as = {f"recipe.{name}": value for name, value in asdict(recipe).items() if name != "crop_size"}
    made_as["recipe.fps"] = float(recipe.fps)  # 30 and 30.0 are the same rate
    config = {"jpeg": True, "measures": quality.VERSION, "made_of": "stills", **made_as}
    return Provenance(DETECTOR, detector.version, {"method": "exact"}, recipe.crop_size, config)


def _check_settings(out: Location, provenance: Provenance) -> None:
    for shard in finished_shards(out)[:1]:
        theirs = read_metadata(read_part(part_path(out, "videos", shard), ["video"]).schema)
        if theirs.get("config_hash") != provenance.config_hash:
            why = difference(theirs.get("config", {}), provenance.settings())
            remedy = f"give the same (`s2d inspect {out}` shows them), or another --out"
            raise S2DError(f"cannot add to {out}", why, remedy)


def _kept_by_name(out: Location) -> dict[str, str]:
    """The shard of each photo that the data set has clips of; several are read at a time: it has one for each."""

    def first_row(shard: str) -> dict[str, Any]:
        row: dict[str, Any] = (
            read_part(part_path(out, "videos", shard), ["identity", "outcome"]).slice(0, 1).to_pylist()[0]
        )
        return row

    shards = finished_shards(out)
    with ThreadPoolExecutor(READERS) as pool:
        rows = pool.map(first_row, shards)
        return {row["identity"]: shard for row, shard in zip(rows, shards, strict=True) if row["outcome"] == "kept"}


@dataclass
class StillWorker:
    """Makes the shard of one photo per call; the detector is loaded at the first call and kept."""

    recipe: Recipe
    out: str
    provenance: Provenance
    had: Mapping[str, str] = field(default_factory=dict)
    """Shards with clips that were there before, by the name of their photo."""

    @cached_property
    def detector(self) -> Detector:
        """The detector of this process."""
        return make_detector(DETECTOR)

    @property
    def scratch(self) -> Path:
        """Where a shard is made before it is published."""
        return staging_folder(location(self.out))

    def __call__(self, photo: Photo) -> Made:
        """Make the clips of `photo`, unless there are some. Raises S2DError when the data set cannot be written."""
        cv2.setNumThreads(1)
        progress.quiet = True
        videos = [self._video(photo, number) for number in range(self.recipe.clips)]
        place = location(self.out)
        shard = shard_id(self.provenance, videos)
        found = self.had.get(photo.name) or (shard if shard in finished_shards(place) else None)
        if found:
            rows = read_part(part_path(place, "videos", found), ["outcome", "detail"]).to_pylist()
            clips = sum(row["outcome"] == "kept" for row in rows)
            return Made(photo.name, clips, rows[0]["detail"], False, changed=found != shard)
        problem, tracks, tables = "", [], []
        try:
            picture = photo.read()
            points = largest_face(picture, self.detector, "cannot make a synthetic clip").points
            for video, number in zip(videos, range(self.recipe.clips), strict=True):
                clip = self._clip(picture, points, photo, number)
                for track, table in _tracks(clip, video, self.recipe.crop_size):
                    tracks.append(track)
                    tables.append(table)
        except S2DError as error:
            problem, tracks, tables = f"{error.why}; {error.remedy}", [], []
        rows = [_judged(video, [t for t in tracks if t["video"] == video["video"]], problem) for video in videos]
        publish_shard(place, make_shard(self.provenance, rows, tracks, tables, self.scratch), self.scratch)
        return Made(photo.name, 0 if problem else len(videos), problem, True)

    def _variant(self, number: int) -> str:
        return self.recipe.variants[number % len(self.recipe.variants)]

    def _seed(self, photo: Photo, number: int) -> int:
        digest = hashlib.sha256(f"{self.recipe.seed}/{number}/{photo.name}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def _clip(self, picture: Image, points: Float32, photo: Photo, number: int) -> SyntheticClip:
        frames, fps, size = self.recipe.frames, self.recipe.fps, self.recipe.size
        seed, variant = self._seed(photo, number), self._variant(number)
        return make_clip(picture, points, frames=frames, fps=fps, size=size, seed=seed, variant=variant)

    def _video(self, photo: Photo, number: int) -> dict[str, Any]:
        """The row of clip `number`; what it is made of stands for its content."""
        variant, seed = self._variant(number), self._seed(photo, number)
        content = file_sha256(photo.path) if photo.path else BUILT_IN
        numbers = [seed, self.recipe.frames, self.recipe.size, float(self.recipe.fps), self.recipe.crop_size]
        facts = json.dumps([asdict(VARIANTS[variant]), content, numbers], sort_keys=True)
        return {
            "video": f"{photo.name}/{variant}-{number}",
            "path": str(photo.path or BUILT_IN),
            "identity": photo.name,
            "sha256": hashlib.sha256(facts.encode()).hexdigest(),
            "bytes": photo.path.stat().st_size if photo.path else 0,
            "width": self.recipe.size,
            "height": self.recipe.size,
            "fps": float(self.recipe.fps),
            "frames": self.recipe.frames,
            "seconds": self.recipe.frames / self.recipe.fps,
        }


def _judged(video: dict[str, Any], tracks: Sequence[dict[str, Any]], problem: str) -> dict[str, Any]:
    outcome = {"outcome": "failed", "reason": problem.split(";")[0], "detail": problem} if problem else {}
    kept = {"outcome": "kept", "reason": "", "detail": "", "shots": len(tracks)}
    counts = {"tracks": len(tracks), "track_frames": sum(row["frames"] for row in tracks), "filtered_tracks": []}
    return {**video, **(outcome or kept), **counts}


def _tracks(clip: SyntheticClip, video: dict[str, Any], crop_size: int) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """The row and the frames of each shot."""
    frames = clip.frames()
    bounds = (0, *clip.cuts, len(clip))
    for shot, (start, stop) in enumerate(pairwise(bounds)):
        track, aligned = _exact(clip, shot, start, stop)
        meter, jpeg = quality.PictureMeter(), []
        for frame, box in zip((next(frames) for _ in range(start, stop)), track.boxes, strict=True):
            cropped = track.crop.image(frame, crop_size)
            meter.update(frame, box, cropped)
            jpeg.append(encode_jpeg(cropped))
        measures = meter.of_frames() | quality.of_frames(track, aligned)
        row = _row(track, video) | quality.of_detections(track) | {"motion": meter.motion()}
        row |= quality.of_track(track, aligned.points, measures)
        raw, exact = track.crop.points(track.raw, crop_size), track.crop.points(aligned.points, crop_size)
        yield (
            {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()},
            frame_table(
                row["track_id"], track.frames, track.times, raw, exact, track.score, track.valid, jpeg, measures
            ),
        )


def _exact(clip: SyntheticClip, shot: int, start: int, stop: int) -> tuple[Track, Aligned]:
    """Frames start .. stop - 1 as a track, found wherever they can be seen, and their truth."""
    truth, visible = clip.truth[start:stop], clip.visible[start:stop]
    track = replace(
        Track.of_points(truth, clip.times[start:stop]),
        shot=shot,
        frames=np.arange(start, stop),
        raw=np.where(visible[..., None], truth, np.float32(np.nan)),
        valid=visible,
    )
    return track, Aligned(truth, visible, 1.0 - visible[:, :RIGHT_PUPIL].mean(axis=1))


def _row(track: Track, video: dict[str, Any]) -> dict[str, Any]:
    first, last, fps = int(track.frames[0]), int(track.frames[-1]), video["fps"]
    stem = video["video"].replace("/", "-")
    return {
        "track_id": f"{stem}-{video['sha256'][:12]}-{track.shot:03}-{track.face:02}",
        "video": video["video"],
        "identity": video["identity"],
        "split": None,
        "shot": track.shot,
        "face": track.face,
        "start_frame": first,
        "end_frame": last,
        "start_time": float(track.times[0]),
        "end_time": float(track.times[-1]),
        "seconds": float(track.times[-1] - track.times[0]) + 1.0 / fps,
        "fps": fps,
        "frames": last - first + 1,
        "crop_left": track.crop.left,
        "crop_top": track.crop.top,
        "crop_side": track.crop.side,
        "detector": DETECTOR,
    }
