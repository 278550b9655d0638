"""Model files found, fetched and mended: with small models in place of the real ones, and no network."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s2d import assets, wheels
from s2d.assets import Asset, Package, Web, Wheel
from s2d.errors import S2DError

CONTENT = b"a small model " * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def make(origin, name="model.bin") -> Asset:
    return Asset(name, "sample", len(CONTENT), SHA256, "MIT", origin)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty machine: no cache, no torch hub, no S2D_ASSETS; returns the folder of its cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("S2D_ASSETS", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "s2d"


@pytest.fixture
def web(home, tmp_path, monkeypatch) -> Asset:
    """A model behind an address; the registry holds it alone."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "model.bin").write_bytes(CONTENT)
    asset = make(Web((tmp_path / "web" / "model.bin").as_uri()))
    monkeypatch.setattr(assets, "ASSETS", (asset,))
    return asset


def damage(file: Path, how: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(CONTENT[:-1] if how == "truncated" else CONTENT[:99] + b"?" + CONTENT[100:])


def test_registry_is_complete_and_unambiguous():
    names = [asset.name for asset in assets.ASSETS]
    detectors = {asset.detector for asset in assets.ASSETS}
    assert len(set(names)) == len(names)
    assert detectors == {"mesh", "fan", "dlib", "identity"}  # the last is who a face is, for evaluation
    assert not detectors & set(names)
    for asset in assets.ASSETS:
        assert len(bytes.fromhex(asset.sha256)) == 32
        assert asset.size > 100_000
        assert asset.licence


def test_dlibs_real_model_verifies_where_the_extra_is_installed():
    pytest.importorskip("dlib", reason="needs the extra s2d[dlib]")
    (dlib,) = assets.select(["shape_predictor_68_face_landmarks.dat"])
    assert assets.fault(dlib, dlib.origin.elsewhere()) == ""


def test_torch_hubs_name_agrees_with_the_checksum():
    (fan,) = assets.select(["2DFAN4"])
    assert fan.sha256.startswith(fan.filename.split("-")[1].split(".")[0])


def test_first_use_fetches_says_so_once_and_keeps_the_file(web, home, caplog):
    with caplog.at_level(logging.WARNING):
        assert assets.path("model.bin") == home / "model.bin"
        assert assets.path("model.bin").read_bytes() == CONTENT
    assert [record.getMessage() for record in caplog.records] == [
        f"fetching models for sample (0.1 MB, MIT) into {home}"
    ]
    assert [file.name for file in home.iterdir()] == ["model.bin"]


def test_first_use_fetches_all_models_of_the_detector(home, monkeypatch):
    monkeypatch.setattr(wheels, "read", lambda requirement, member: CONTENT)
    family = tuple(make(Wheel("sample-models==1", name), name) for name in ("a.bin", "b.bin"))
    monkeypatch.setattr(assets, "ASSETS", family)
    assets.path("b.bin")
    assert sorted(file.name for file in home.iterdir()) == ["a.bin", "b.bin"]


@pytest.mark.parametrize("how", ["truncated", "changed"])
def test_damaged_file_is_named_with_the_command_that_mends_it(web, home, how):
    damage(home / "model.bin", how)
    with pytest.raises(S2DError, match=rf"{home}/model.bin: damaged: .*run `s2d assets fetch model.bin`"):
        assets.path("model.bin")
    assert assets.fetch(web).read_bytes() == CONTENT
    assert assets.path("model.bin") == home / "model.bin"


def test_file_that_changes_under_a_running_process_is_noticed(web, home):
    assets.path("model.bin")
    file = assets.path("model.bin")
    damage(file, "changed")
    os.utime(file, (0, 0))  # a clock that ticks every few milliseconds may not have moved on
    with pytest.raises(S2DError, match="damaged"):
        assets.path("model.bin")


def test_checksum_is_worked_out_once_per_process(web):
    assets.path("model.bin")  # fetches, and checks what came
    assets.path("model.bin")
    worked_out = assets._digest.cache_info().misses
    for _ in range(3):
        assets.path("model.bin")
    assert assets._digest.cache_info().misses == worked_out


def test_folder_of_an_air_gapped_machine(web, tmp_path, monkeypatch):
    """Nothing is fetched on first use; the command fills the folder; what it holds is checked."""
    monkeypatch.setenv("S2D_ASSETS", str(tmp_path / "brought"))
    with pytest.raises(S2DError, match=r"brought/model\.bin.*S2D_ASSETS=FOLDER s2d assets fetch model\.bin"):
        assets.path("model.bin")
    assets.fetch(web)
    assert assets.path("model.bin") == tmp_path / "brought" / "model.bin"
    damage(tmp_path / "brought" / "model.bin", "truncated")
    with pytest.raises(S2DError, match=r"brought/model\.bin: damaged"):
        assets.path("model.bin")


def test_folder_comes_before_the_cache(web, home, tmp_path, monkeypatch):
    assets.fetch(web)
    monkeypatch.setenv("S2D_ASSETS", str(tmp_path / "brought"))
    with pytest.raises(S2DError, match="brought"):
        assets.path("model.bin")


@pytest.mark.parametrize("variable", ["TORCH_HOME", "XDG_CACHE_HOME"])
def test_copy_that_torch_hub_keeps_is_used_in_place(web, tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, str(tmp_path / "kept"))
    hub = tmp_path / "kept" / ("hub" if variable == "TORCH_HOME" else "torch/hub") / "checkpoints"
    hub.mkdir(parents=True)
    (hub / "model.bin").write_bytes(CONTENT)
    (tmp_path / "web" / "model.bin").unlink()
    assert assets.path("model.bin") == hub / "model.bin"
    assert assets.fetch(web).read_bytes() == CONTENT  # copied, for a folder to be brought elsewhere
    assert web.cached.is_file()


def test_damaged_copy_of_torch_hub_is_mended_by_the_same_command(web, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    damage(tmp_path / "torch" / "hub" / "checkpoints" / "model.bin", "truncated")
    with pytest.raises(S2DError, match=r"checkpoints/model\.bin: damaged.*s2d assets fetch model\.bin"):
        assets.path("model.bin")
    assets.fetch(web)
    assert assets.path("model.bin") == web.cached


@pytest.mark.parametrize("how", ["truncated", "changed"])
def test_wrong_answer_of_the_origin_leaves_nothing_behind(web, home, tmp_path, how):
    damage(tmp_path / "web" / "model.bin", how)
    with pytest.raises(S2DError, match="another file"):
        assets.path("model.bin")
    assert list(home.iterdir()) == []


def test_address_out_of_reach_is_one_line(home, monkeypatch):
    monkeypatch.setattr(assets, "ASSETS", (make(Web("http://127.0.0.1:9/model.bin")),))
    with pytest.raises(S2DError, match=r"127\.0\.0\.1:9/model\.bin: .*refused; .*S2D_ASSETS"):
        assets.path("model.bin")


def test_model_in_a_wheel(home, monkeypatch):
    wanted = {("sample-models==1", "sample/model.bin"): CONTENT}
    monkeypatch.setattr(wheels, "read", lambda requirement, member: wanted[requirement, member])
    monkeypatch.setattr(assets, "ASSETS", (make(Wheel("sample-models==1", "sample/model.bin")),))
    assert assets.path("model.bin").read_bytes() == CONTENT


@pytest.fixture
def package(home, tmp_path, monkeypatch) -> Asset:
    """A model inside an installed package that cannot be imported."""
    (tmp_path / "site" / "sample_models").mkdir(parents=True)
    (tmp_path / "site" / "sample_models" / "__init__.py").write_text("import pkg_resources_is_gone")
    (tmp_path / "site" / "sample_models" / "model.bin").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")
    asset = make(Package("sample_models", "model.bin", "pip install sample-models"))
    monkeypatch.setattr(assets, "ASSETS", (asset,))
    return asset


def test_model_of_an_installed_package_is_used_without_importing_it(package, tmp_path):
    assert assets.path("model.bin") == tmp_path / "site" / "sample_models" / "model.bin"


def test_missing_or_damaged_package_is_mended_by_its_own_command(package, tmp_path, caplog):
    installed = tmp_path / "site" / "sample_models" / "model.bin"
    damage(installed, "changed")
    with pytest.raises(S2DError, match=r"damaged.*run `pip install sample-models`"):
        assets.path("model.bin")
    installed.unlink()
    with pytest.raises(S2DError, match=r"cannot fetch model\.bin.*run `pip install sample-models`"):
        assets.path("model.bin")
    assert caplog.records == []  # nothing was said to be on its way


def test_folder_that_cannot_be_written_is_one_line(web, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("S2D_ASSETS", str(tmp_path / "file"))
    with pytest.raises(S2DError, match=r"cannot write .*file/model\.bin"):
        assets.fetch(web)


def test_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(S2DError, match=r"no model file yolo.*face_landmarker\.task.*mesh"):
        assets.path("yolo")


def test_processes_that_fetch_at_the_same_time_all_get_the_whole_file(web, home, tmp_path):
    damage(home / "model.bin", "truncated")
    script = (
        "from s2d import assets\n"
        f"asset = assets.Asset('model.bin', 'sample', {web.size}, '{web.sha256}', 'MIT', assets.Web('{web.origin}'))\n"
        "for _ in range(20):\n"
        "    file = assets.fetch(asset)\n"
        f"    assert len(file.read_bytes()) == {web.size}\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[1] for process in running] == [b""] * 4
    assert [file.read_bytes() for file in home.iterdir()] == [CONTENT]


def test_the_guide_gives_the_size_that_is_fetched():
    size = sum(asset.size for asset in assets.ASSETS if asset.detector == "mesh") / 1e6
    guide = Path(__file__).parents[1] / "docs" / "guide" / "curate.md"
    assert f"{size:.1f} MB, fetched at first use" in guide.read_text()
