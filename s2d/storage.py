"""Data sets and videos wherever they are: paths of this machine, and fsspec URLs such as s3://bucket/folder.

Only what curation and shards need of `pathlib.Path` has a twin here. On object stores a PUT appears whole or not at
all, so a shard needs no rename there: its videos part, which makes it count, is put last. Over protocols without that
promise (sftp, webdav), mount the folder and give its path instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias

from s2d.errors import S2DError
from s2d.files import BLOCK

STAMPS = ("LastModified", "last_modified", "updated", "mtime", "created")  # what backends call the time of change
# fmt: off
VIDEO_EXTENSIONS = (
    ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".gif", ".m2ts", ".m2v", ".m4v", ".mkv", ".mov", ".mp4", ".mpe",
    ".mpeg", ".mpg", ".mts", ".mxf", ".ogm", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv", ".y4m",
)
# fmt: on


@dataclass(frozen=True)
class Remote:
    """A file or folder on a file system of fsspec; may be pickled. Backends raise OSError, and other things too."""

    url: str

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> Remote:
        return Remote(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        """Last part of the URL."""
        return PurePosixPath(self.url).name

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return PurePosixPath(self.url).stem

    @property
    def suffix(self) -> str:
        """The extension with its dot."""
        return PurePosixPath(self.url).suffix

    @property
    def parent(self) -> Remote:
        """The folder that it is in."""
        return Remote(self.url.rpartition("/")[0])

    @property
    def _there(self) -> tuple[Any, str]:
        """The file system, without what it remembers of folders, and the path on it."""
        import fsspec

        system, path = fsspec.core.url_to_fs(self.url)
        system.invalidate_cache()
        return system, path

    def exists(self) -> bool:
        """Whether there is a file, or a folder with something in it."""
        system, path = self._there
        return bool(system.exists(path))

    def is_file(self) -> bool:
        """Whether there is a file."""
        system, path = self._there
        return bool(system.isfile(path))

    def is_dir(self) -> bool:
        """Whether there is a folder; object stores have none that are empty."""
        system, path = self._there
        return bool(system.isdir(path))

    def glob(self, pattern: str) -> Iterator[Remote]:
        """Files directly in this folder whose name fits."""
        system, path = self._there
        return (self / PurePosixPath(found).name for found in sorted(system.glob(f"{path}/{pattern}")))

    def open(self, mode: str = "rb") -> IO[bytes]:
        """The file, for reading bytes."""
        system, path = self._there
        opened: IO[bytes] = system.open(path, mode)
        return opened

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        system, path = self._there
        if not missing_ok or system.exists(path):
            system.rm_file(path)

    def take_in(self, made: Path) -> None:
        """Put a local file here, and remove it there. Raises OSError."""
        system, path = self._there
        try:
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
            system.put_file(str(made), path)
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        made.unlink()

    def files(self) -> dict[str, tuple[int, int]]:
        """Size and time of change in nanoseconds of every file below, by its path from here; no hidden ones."""
        system, path = self._there
        root = path.rstrip("/") + "/"
        found = {name.removeprefix(root): about for name, about in system.find(path, detail=True).items()}
        return {name: _facts(about) for name, about in found.items() if not _hidden(name)}

    def facts(self) -> tuple[int, int]:
        """Size and time of change of this file."""
        system, path = self._there
        return _facts(system.info(path))


Location: TypeAlias = "Path | Remote"


def location(given: str | Path | Remote) -> Location:
    """A path, or a URL of any protocol that fsspec has; file:// URLs are paths.

    Raises S2DError for a protocol that there is not, or whose package is not installed.

    >>> location("file:///data/set"), location("memory://data/set/")
    (PosixPath('/data/set'), Remote(url='memory://data/set'))
    """
    protocol, separator, path = str(given).partition("://")
    if not separator or isinstance(given, Path):
        return given if isinstance(given, Remote) else Path(given)
    if protocol == "file":
        return Path(path)
    import fsspec

    asked = f"cannot reach {given}"
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        remedy = 'pip install "s2d[s3]"' if protocol in ("s3", "s3a") else "install what it names"
        raise S2DError(asked, str(error), remedy) from error
    except ValueError as error:
        raise S2DError(
            asked, f"{protocol} is no protocol of fsspec", "give a path, or a URL such as s3://..."
        ) from error
    return Remote(str(given).rstrip("/"))


@contextmanager
def reaching(place: Location) -> Iterator[None]:
    """Turn whatever a backend raises about a remote place into an S2DError; local places keep their own errors."""
    try:
        yield
    except S2DError:
        raise
    except Exception as error:
        if isinstance(place, Path):
            raise
        why = f"{type(error).__name__}: {error}"
        raise S2DError(f"cannot reach {place}", why, "check the address, the network and your credentials") from error


def fetch(place: Remote, target: Path) -> None:
    """Copy a remote file to `target`. Raises S2DError where it cannot be read, OSError where `target` refuses."""
    with reaching(place):
        source = place.open()
    with source, target.open("wb") as file:
        while True:
            with reaching(place):
                block = source.read(BLOCK)
            if not block:
                return
            file.write(block)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _facts(about: dict[str, Any]) -> tuple[int, int]:
    stamp = next((about[key] for key in STAMPS if about.get(key) is not None), 0)
    seconds = stamp.timestamp() if isinstance(stamp, datetime) else stamp if isinstance(stamp, (int, float)) else 0
    return int(about.get("size") or 0), round(seconds * 1e9)


def plain_videos(folder: Path) -> list[Path]:
    """Videos, by extension, that lie in a folder itself, sorted by name; none where the folder is a data set."""
    if not folder.is_dir() or (folder / "tracks").is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEO_EXTENSIONS and path.is_file())
