"""A folder of synthetic clips: real video files, each with its truth beside it.

The truth is written last, with the hash of the video in it: where both agree with what is asked for, a second run has
nothing to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from s2d import __version__, progress
from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.images import read_image
from s2d.landmarks.synthetic.clip import SyntheticClip, astronaut, make_clip, write_clip
from s2d.landmarks.synthetic.files import truth_metadata, truth_path, write_truth
from s2d.landmarks.synthetic.motion import VARIANTS
from s2d.video.writer import exact_rate

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
FRAMES, SIZE, FPS = 90, 384, 30.0


@dataclass(frozen=True)
class WrittenClip:
    """One clip of the folder."""

    video: Path
    truth: Path
    variant: str
    seed: int
    still: str
    """The picture that moves; "astronaut" is the built-in one."""
    written: bool
    """False where the very same clip was there already."""


def write_clips(
    out: str | Path,
    clips: int = len(VARIANTS),
    *,
    variants: Sequence[str] = tuple(VARIANTS),
    still: str | Path | Sequence[str | Path] | None = None,
    frames: int = FRAMES,
    size: int = SIZE,
    fps: float = FPS,
    seed: int = 0,
) -> list[WrittenClip]:
    """Write `clips` clips as `out/<variant>-<seed>.mp4` (H.264, size x size pixels) with `.parquet` truth beside.

    Variants are taken in turn, seeds count up from `seed`, and the pictures of `still`, files and folders, in turn too.
    The same arguments give the same bytes; a clip that is there already, to the byte, is left alone, any other file of
    its name is replaced. Raises S2DError when a variant or the rate is unknown, a still cannot be read or shows no
    whole face, or `out` cannot be written.
    """
    out = Path(out)
    unknown = next((name for name in variants if name not in VARIANTS), None)
    if unknown is not None:
        raise S2DError(f'cannot make a clip of variant "{unknown}"', "unknown", f"use one of {', '.join(VARIANTS)}")
    exact_rate(fps)
    stills = find_stills(still) if still is not None else [None]
    _make_folder(out)
    written = []
    for number in progress.track(range(clips), "synthetic clips", clips):
        variant, picture = variants[number % len(variants)], stills[number % len(stills)]
        written.append(_one(out, variant, seed + number, picture, frames, size, fps))
    return written


def find_stills(still: str | Path | Sequence[str | Path]) -> list[Path]:
    """The pictures that are named, and those of folders sorted by name. Raises S2DError when a folder has none."""
    if not isinstance(still, (str, Path)):
        return [found for one in still for found in find_stills(one)]
    path = Path(still)
    if not path.is_dir():
        return [path]  # reading it says what is wrong with it
    found = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in PICTURES and entry.is_file())
    if not found:
        raise S2DError(f"cannot take stills from {path}", "the folder holds no pictures", f"put {PICTURES[0]} there")
    return found


def clip_of_still(
    path: Path | None, variant: str, seed: int, *, frames: int = FRAMES, size: int = SIZE, fps: float = FPS
) -> SyntheticClip:
    """`make_clip` of a picture file, or of the built-in astronaut; an error names the file."""
    return _made(path, _still(path), variant, seed, frames, size, fps)


def _still(path: Path | None) -> Image:
    return astronaut() if path is None else read_image(path)


def _made(
    path: Path | None, picture: Image, variant: str, seed: int, frames: int, size: int, fps: float
) -> SyntheticClip:
    try:
        return make_clip(picture, frames=frames, fps=fps, size=size, seed=seed, variant=variant)
    except S2DError as error:
        raise S2DError(f"{error.asked} of {path or 'the astronaut'}", error.why, error.remedy) from error


def _one(out: Path, variant: str, seed: int, still: Path | None, frames: int, size: int, fps: float) -> WrittenClip:
    video = out / f"{variant}-{seed}.mp4"
    truth = truth_path(video)
    picture = _still(still)
    recipe = _recipe(picture, variant, seed, frames, size, fps)
    fresh = not _is_there(video, truth, recipe)
    if fresh:
        clip = _made(still, picture, variant, seed, frames, size, fps)
        _remove(truth)  # no truth stands beside a video that is not its own, whenever we are stopped
        write_clip(clip, video)
        name = still.name if still else "astronaut"
        write_truth(clip, truth, {"recipe": recipe, "video_sha256": _sha256(video), "still": name})
    return WrittenClip(video, truth, variant, seed, str(still or "astronaut"), fresh)


def _recipe(picture: Image, variant: str, seed: int, frames: int, size: int, fps: float) -> str:
    """Hash of all that decides a clip's bytes."""
    facts = {
        "version": __version__,
        "variant": asdict(VARIANTS[variant]),
        "still": [hashlib.sha256(picture.tobytes()).hexdigest(), *picture.shape],
        "numbers": [seed, frames, size, float(fps)],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _is_there(video: Path, truth: Path, recipe: str) -> bool:
    known = truth_metadata(truth)
    return known.get("recipe") == recipe and video.is_file() and known.get("video_sha256") == _sha256(video)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(out, error) from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> S2DError:
    return S2DError(f"cannot write {path}", error.strerror or str(error), "choose a folder that can be written to")
