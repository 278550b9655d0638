"""What there is to curate: every file below the inputs, in a fixed order, each under a name of its own."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2d.curation.clip import Clip
from s2d.errors import S2DError
from s2d.storage import VIDEO_EXTENSIONS, Location, Remote, location, reaching

NOT_A_VIDEO = "not a video by its extension"
UNREADABLE = "cannot be read"


@dataclass(frozen=True)
class Source:
    """One video to curate: a file, or a clip of one."""

    video: str
    """Its name in the data set: the input's name and the path below it, with forward slashes; a clip adds #RANGE."""
    path: str
    identity: str
    bytes: int
    modified_ns: int
    sha256: str | None = None
    """Hash of the content, where it had to be known beforehand."""
    settled: tuple[str, str, str] | None = None
    """(outcome, reason, detail) of a file that is not worth a look."""
    split: str | None = None
    """One of `s2d.shards.splits.SPLITS`, where the data set publishes one."""
    clip: Clip | None = None
    """The part of the file that is meant; None for all of it."""

    @property
    def stem(self) -> str:
        """Short name for its tracks: the file's without extension, and the clip's range."""
        return utf8(Path(self.path).stem) + (f"#{self.span}" if self.clip else "")

    @property
    def span(self) -> str | None:
        """The range of the clip in words; None for a whole file."""
        return self.clip.label if self.clip else None

    def row(self, outcome: str, reason: str = "", detail: str = "", **facts: Any) -> dict[str, Any]:  # noqa: ANN401
        """A row of the videos table; `facts` are further columns of it."""
        row: dict[str, Any] = {
            "video": self.video,
            "path": utf8(self.path),
            "identity": self.identity,
            "split": self.split,
            "span": self.span,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "outcome": outcome,
            "reason": reason,
            "detail": detail,
            "tracks": 0,
            "track_frames": 0,
            "filtered_tracks": [],
        }
        return {**row, **facts}


def find_sources(inputs: Iterable[str | Path], out: Location) -> list[Source]:
    """All regular files of the inputs, which are paths or URLs.

    Folders are searched through, sorted by name, without hidden files and `out`.

    The truth that `s2d synth` writes beside a clip belongs to it and is not listed.

    A file whose extension is not one of VIDEO_EXTENSIONS is listed too, with its outcome settled: failed; and so is a
    folder below an input that cannot be read. Raises S2DError for an input that does not exist, is empty or cannot be
    read, and when two inputs would give two files one name. A file that is listed by two inputs counts once, as in the
    first.
    """
    listed = [(given, source) for given in inputs for source in _sources_of(location(given), out)]
    once: dict[str, tuple[str | Path, Source]] = {}
    for place, pair in zip(real_paths(source.path for _, source in listed), listed, strict=True):
        once.setdefault(place, pair)
    found: dict[str, Source] = {}
    for given, source in once.values():
        other = found.setdefault(source.video, source)
        if other is not source and not _same_file(other.path, source.path):
            why = f"{other.path} and {source.path} would both be called {source.video}"
            raise S2DError(f"cannot curate {given}", why, "give the folder that holds both, or use another --out")
    return list(found.values())


def _sources_of(given: Location, out: Location) -> list[Source]:
    asked = f"cannot curate {given}"
    with reaching(given):
        if given.is_dir():
            name = given.resolve().name if isinstance(given, Path) else given.name
            files = files_below(given, out)
            if not files:
                raise S2DError(asked, "the folder holds no files", "give a folder of videos, or videos")
            return [_named(found, Path(name, path)) for path, found in files.items()]
        if not given.exists():
            raise S2DError(asked, "no such file or folder", "check the path")
        return [_named(given if isinstance(given, Path) else Found(given, *given.facts()), Path(given.name))]


@dataclass(frozen=True)
class Found:
    """A remote file with what its listing says; to ask for each by itself would take a day."""

    place: Remote
    bytes: int
    modified_ns: int


def files_below(folder: Location, out: Location) -> dict[str, Path | Found]:
    """The files below a folder, without hidden ones and those of the data set `out`, by path from there, sorted."""
    found: dict[str, Path | Found]
    if isinstance(folder, Path):
        skipped = out.resolve() if isinstance(out, Path) else None
        found = {path.relative_to(folder).as_posix(): path for path in _local_files(folder, skipped)}
    else:
        listed = {path: Found(folder / path, *facts) for path, facts in folder.files().items()}
        found = {path: file for path, file in listed.items() if not str(file.place).startswith(f"{out}/")}
    return dict(sorted(found.items(), key=lambda item: item[0].split("/")))


def _local_files(folder: Path, out: Path | None) -> Iterator[Path]:
    """Regular files, through links too, but through no folder twice; devices and pipes are left out.

    Folders that cannot be read come last, in the place of their files.
    """
    seen = {out} if out else set()
    unread: list[Path] = []

    def refused(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise S2DError(f"cannot curate {folder}", error.strerror or str(error), "check its permissions") from error
        unread.append(Path(error.filename))

    for root, folders, names in os.walk(folder, onerror=refused, followlinks=True):
        if Path(root).resolve() in seen:
            folders.clear()
            continue
        seen.add(Path(root).resolve())
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(root) / name for name in names if not name.startswith("."))
        yield from (path for path in paths if _is_plain(path) and not _is_truth(path))
    yield from unread


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True  # a broken link: it gets an outcome like the rest


def _is_truth(path: Path) -> bool:
    if path.suffix != ".parquet":
        return False
    from s2d.landmarks.synthetic import is_truth

    return is_truth(path)


def _named(path: Path | Found, name: Path) -> Source:
    return source_of(path, name.as_posix(), name.parts[1] if len(name.parts) > 2 else name.stem)


def source_of(path: Path | Found, name: str, identity: str) -> Source:
    """A file as a source; one that cannot be read or is no video has its outcome settled."""
    video, identity = utf8(name), utf8(identity)
    if isinstance(path, Found):
        return _settled_by_name(Source(video, str(path.place), identity, path.bytes, path.modified_ns), path.place)
    try:
        status = path.stat()
    except OSError as error:
        settled = ("failed", UNREADABLE, f"cannot read {utf8(str(path))}: {error.strerror}")
        return Source(video, str(path), identity, 0, 0, settled=settled)
    if stat.S_ISDIR(status.st_mode):
        settled = ("failed", UNREADABLE, f"cannot read the folder {utf8(str(path))}: check its permissions")
        return Source(video, str(path), identity, 0, 0, settled=settled)
    return _settled_by_name(Source(video, str(path), identity, status.st_size, status.st_mtime_ns), path)


def _settled_by_name(source: Source, path: Location) -> Source:
    if path.suffix.lower() in VIDEO_EXTENSIONS:
        return source
    return replace(source, settled=("failed", NOT_A_VIDEO, f"{path.suffix or path.name} is no extension of a video"))


def utf8(text: str) -> str:
    """File names that are no UTF-8, made writable: their odd bytes as backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def real_paths(paths: Iterable[str]) -> list[str]:
    """The same paths however they were spelt: their folders resolved, each once; URLs as they are.

    >>> real_paths(["/a/../b/c.mp4", "memory://b/c.mp4"])
    ['/b/c.mp4', 'memory://b/c.mp4']
    """
    folders: dict[str, str] = {}
    found = []
    for path in paths:
        folder, name = os.path.split(path)
        if "://" not in path:
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            path = os.path.join(folders[folder], name)
        found.append(path)
    return found


def _same_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
