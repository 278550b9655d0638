"""Files: they appear whole or not at all, also when the power fails or several processes write the same one."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s2d.errors import S2DError

BLOCK = 1 << 20


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits; raises S2DError when it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise S2DError(f"cannot read {path}", error.strerror or str(error), "check its permissions") from error
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; on a clean exit it is flushed to the disk and takes the name `path`.

    Makes the folder. When anything is raised inside, nothing appears and the temporary file is removed.
    Raises S2DError when the operating system refuses, inside too: there the only files touched are these.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise S2DError(f"cannot write {path}", why, "choose a folder that can be written to") from error


def check_writable(path: str | Path, *inputs: str | Path) -> None:
    """Make the folder of `path` and try it, before the work whose result is to stand there.

    Raises S2DError when a file cannot be made there, or `path` is a folder or one of the `inputs`.
    """
    path = Path(path)
    asked = f"cannot write {path}"
    if any(path.exists() and Path(file).exists() and path.samefile(file) for file in inputs):
        raise S2DError(asked, "it is what is to be read", "name another file")
    if path.is_dir():
        raise S2DError(asked, "it is a folder", "name a file in it")
    trial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise S2DError(asked, error.strerror or str(error), "choose a folder that can be written to") from error
