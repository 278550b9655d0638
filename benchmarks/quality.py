"""What the filters' default limits rest on: copies against other videos, photos shown as video against real faces.

    python benchmarks/quality.py --media FOLDER

FOLDER holds clips/ and stills/portrait*. Clips are coded anew in several ways (x264) in a temporary folder. Prints
JSON: distances of fingerprints (share of bits), motion (grey levels) and expression (% of inter-ocular) of stretches.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np

from s2d.curation.fingerprint import BITS, as_words, distances
from s2d.curation.quality import cell_means, expression_range
from s2d.curation.survey import Survey
from s2d.geometry import Array, Image
from s2d.images import read_image
from s2d.landmarks.alignment import align
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.extract import find_tracks, track_frames
from s2d.video import VideoReader

STRETCH = 75  # frames of one recording that are compared with others of the same
LENGTHS = (15, 30, 60)  # frames
CROP = 256  # pixels, as `s2d curate` stores it
PHOTO_FRAMES, PHOTO_SIZE = 60, 640


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, required=True, help="folder of clips/ and stills/")
    media = parser.parse_args().media
    clips, photos = sorted((media / "clips").iterdir()), sorted((media / "stills").glob("portrait*"))
    with tempfile.TemporaryDirectory() as scratch:
        result = {"copies": copies(clips, Path(scratch)), "motion": motion(clips, photos, Path(scratch))}
    print(json.dumps({**result, "compare_100k_ms": compare_time()}, indent=1))


# --- fingerprints ---------------------------------------------------------------------------------------------------


def copies(clips: list[Path], scratch: Path) -> dict[str, object]:
    originals = {clip: survey(VideoReader(clip)) for clip in clips}
    found: dict[str, object] = {}
    for name, (change, rate, crf) in COPIES.items():
        apart = []
        for clip, original in originals.items():
            reader, path = VideoReader(clip), scratch / "copy.mp4"
            encode(path, map(change, resampled(reader, rate or reader.fps)), rate or reader.fps, crf)
            apart.append(distance(original, survey(VideoReader(path))))
        found[name] = summary(apart)
    pairs = [distance(*pair) for pair in itertools.combinations(originals.values(), 2)]
    same = [distance(*pair) for clip in clips for pair in itertools.combinations(stretches(clip), 2)]
    return {**found, "different clips": summary(pairs), "stretches of one clip": summary(same)}


def stretches(clip: Path) -> list[str]:
    reader = VideoReader(clip)
    return [survey(reader, start, start + STRETCH) for start in range(0, len(reader) - STRETCH + 1, STRETCH)]


def survey(reader: VideoReader, first: int = 0, stop: int | None = None) -> str:
    measured = Survey(reader, first, stop)
    for frame in reader.frames(first, stop):
        measured.update(frame)
    return str(measured.measures()["fingerprint"])


def distance(one: str, other: str) -> float:
    return float(distances(as_words(one), as_words(other)[:, None])[0])


def halved(frame: Image) -> Image:
    return np.asarray(cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


def letterboxed(frame: Image) -> Image:
    return np.pad(frame, ((frame.shape[0] // 8,) * 2, (0, 0), (0, 0)))


def mirrored(frame: Image) -> Image:
    return frame[:, ::-1]


def brighter(frame: Image) -> Image:
    return np.clip(frame * 1.15 + 8, 0, 255).astype(np.uint8)


COPIES: dict[str, tuple[Callable[[Image], Image], float | None, int]] = {
    "crf 35": (np.asarray, None, 35),
    "half size": (halved, None, 23),
    "15 frames/s": (np.asarray, 15, 23),
    "letterboxed": (letterboxed, None, 28),
    "brighter": (brighter, None, 23),
    "mirrored": (mirrored, None, 23),
    "mirrored, half size, 15 frames/s, crf 33": (lambda frame: mirrored(halved(frame)), 15, 33),
    "half size, 20 frames/s, letterboxed, crf 33": (lambda frame: letterboxed(halved(frame)), 20, 33),
}


def resampled(reader: VideoReader, rate: float) -> Iterator[Image]:
    wanted = np.arange(0, reader.times[-1] - reader.times[0] + 1 / reader.fps, 1 / rate) + reader.times[0]
    shown = np.searchsorted(reader.times, wanted + 1e-6, side="right") - 1
    for number, frame in enumerate(reader.frames()):
        yield from itertools.repeat(frame, int((shown == number).sum()))


def encode(path: Path, frames: Iterable[Image], rate: float, crf: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=round(rate), options={"crf": str(crf), "preset": "veryfast"})
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            even = np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
            if not stream.codec_context.is_open:
                stream.height, stream.width = even.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        container.mux(stream.encode(None))


def compare_time(count: int = 100_000) -> float:
    words = np.random.default_rng(0).integers(0, 2**32, (BITS // 32, count), np.uint32)
    start = time.perf_counter()
    for number in range(20):
        distances(words[:, number], words)
    return (time.perf_counter() - start) / 20 * 1000


# --- photos shown as video ------------------------------------------------------------------------------------------


def motion(clips: list[Path], photos: list[Path], scratch: Path) -> dict[str, object]:
    detector, found = make_detector("mesh"), {}
    sources: dict[str, Iterable[Path]] = {"real": clips}
    sources |= {name: photo_films(photos, scratch, name) for name in ("still", "grain", "pan")}
    for name, paths in sources.items():
        measured: dict[int, list[tuple[float, float]]] = {length: [] for length in LENGTHS}
        for path in paths:
            reader = VideoReader(path)
            for track in find_tracks(reader, detector).tracks:
                points, frames = align(track, track_frames(reader, track)).points, track_frames(reader, track)
                crops = (track.crop.image(frame, CROP) for frame in frames)
                for length, values in of_stretches(points, crops).items():
                    measured[length] += values
        found[name] = {length: dict(zip(("motion", "expression"), map(summary, zip(*values, strict=True)), strict=True))
                       for length, values in measured.items() if values}  # fmt: skip
    return found


def of_stretches(points: Array, crops: Iterable[Image]) -> dict[int, list[tuple[float, float]]]:
    cells = np.stack([cell_means(crop) for crop in crops])
    starts = {length: range(0, len(points) - length + 1, 5) for length in LENGTHS}
    return {
        length: [
            (float(np.sqrt(cells[start : start + length].var(axis=0).mean())),
             expression_range(points[start : start + length]))
            for start in starts[length]
        ]
        for length in LENGTHS
    }  # fmt: skip


def photo_films(photos: list[Path], scratch: Path, kind: str) -> Iterator[Path]:
    rng, path = np.random.default_rng(0), scratch / "photo.mp4"
    for photo in photos:
        picture = read_image(photo)
        scale = PHOTO_SIZE / max(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        encode(path, (shown(picture, kind, number, rng) for number in range(PHOTO_FRAMES)), 25, 23)
        yield path


def shown(picture: Image, kind: str, number: int, rng: np.random.Generator) -> Image:
    if kind == "grain":
        return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    if kind == "pan":
        zoom = 0.15 * number / PHOTO_FRAMES
        height, width = picture.shape[:2]
        matrix = np.array([[1 + zoom, 0, 0.3 * number - zoom * width / 2], [0, 1 + zoom, -0.4 * zoom * height]])
        return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE))
    return picture


def summary(values: Iterable[float]) -> dict[str, float]:
    array = np.array(list(values))
    if not len(array):
        return {"count": 0}
    quantiles = {"min": 0.0, "q05": 0.05, "median": 0.5, "q95": 0.95, "max": 1.0}
    return {"count": len(array), **{name: round(float(np.quantile(array, q)), 3) for name, q in quantiles.items()}}


if __name__ == "__main__":
    main()
