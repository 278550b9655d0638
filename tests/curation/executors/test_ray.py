"""The Ray executor on a real Ray of this machine: one for all tests of this file, started in a few seconds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from s2d.cli import main
from s2d.curation.executors import Failure, LocalExecutor
from s2d.curation.executors import ray as executor_module
from s2d.curation.executors.ray import RayExecutor
from s2d.errors import S2DError
from tests.curation.conftest import contents
from tests.curation.curation_fakes import fake_curate
from tests.curation.executors.stories import NotThere, kill_the_actor_at, obey, pid_and_threads


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "s2d[ray]" to run this test')
    os.environ.update(executor_module.SILENT)
    ray.init(address="local", num_cpus=2, **executor_module.OPTIONS)
    yield ray
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_every_story_ends_as_it_does_locally():
    items = ["a", "exit", "b", "kill", "hang", "hoard", "c"]
    locally = dict(LocalExecutor(2, timeout=8, memory_gb=0.3).map(obey, items))
    assert dict(RayExecutor(workers=2, timeout=8, memory_gb=0.3).map(obey, items)) == locally
    assert [type(locally[item]) for item in items] == [str, Failure, str, Failure, Failure, Failure, str]


@pytest.mark.usefixtures("cluster")
def test_an_actor_that_dies_costs_only_its_item():
    results = dict(RayExecutor(workers=2).map(kill_the_actor_at, ["a", "kill", "b", "c"]))
    assert results.pop("kill") == Failure("worker died", "the Ray actor, or the machine it was on, has ended")
    assert results == {"a": "A", "b": "B", "c": "C"}


@pytest.mark.usefixtures("cluster")
def test_the_work_is_shared_and_ends_with_no_process_left():
    results = [result for _, result in RayExecutor().map(pid_and_threads, [str(n) for n in range(12)])]
    assert len({pid for pid, _ in results}) == 2
    assert {threads for _, threads in results} == {"1"}
    assert list(RayExecutor().map(obey, [])) == []


@pytest.mark.usefixtures("cluster")
def test_an_error_ends_the_run_as_it_is():
    with pytest.raises(S2DError, match="cannot obey: told to fail"):
        list(RayExecutor(workers=1).map(obey, ["a", "error", "b"]))


@pytest.mark.usefixtures("cluster")
def test_a_cluster_that_lacks_the_code_is_one_line():
    with pytest.raises(S2DError, match=r"cannot start a worker on the cluster: Ray says: .*a_module_that_is_not_there"):
        list(RayExecutor(workers=1).map(NotThere(), ["a", "b"]))


@pytest.mark.usefixtures("cluster")
def test_more_gpus_than_there_are_is_one_line():
    with pytest.raises(S2DError, match=r"a worker is to have 0.25 GPUs, the cluster has 0; lower --gpus-per-worker"):
        list(RayExecutor(gpus_per_worker=0.25).map(obey, ["a"]))


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_does_not_see_the_folders_is_told_of_at_once(tmp_path, monkeypatch):
    with pytest.raises(S2DError, match=r"does not see .*/nowhere, or sees another one there; use folders that all"):
        list(RayExecutor(inputs=[tmp_path / "nowhere"]).map(obey, ["a"]))
    monkeypatch.setattr(Path, "touch", lambda path: None)  # the folder is there, and another one
    with pytest.raises(S2DError, match=rf"does not see {tmp_path}, or sees another one there"):
        list(RayExecutor(shared=tmp_path).map(obey, ["a"]))


@pytest.mark.usefixtures("cluster")
def test_urls_are_no_folders_to_look_for():
    assert list(RayExecutor(workers=1, inputs=["memory://nowhere"]).map(obey, ["a"])) == [("a", "A")]


@pytest.mark.usefixtures("cluster")
def test_a_data_set_has_the_same_bytes_as_from_the_local_executor(films, tmp_path):
    (films / "06.mp4").write_text("hang")
    made = {}
    for name, executor in (("local", LocalExecutor), ("ray", RayExecutor)):
        fake_curate([films], tmp_path / name, executor(workers=2, timeout=8))
        made[name] = contents(tmp_path / name)
    assert len([name for name in made["local"] if name.endswith(".parquet")]) == 12
    assert made["ray"] == made["local"]


def test_an_address_that_does_not_answer_is_one_line(monkeypatch, films, tmp_path):
    ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "s2d[ray]" to run this test')
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(executor_module, "ANSWER_SECONDS", 3)
    with pytest.raises(S2DError, match=r"cannot use the Ray cluster at 127.0.0.1:9: no answer within 3 seconds; "):
        fake_curate([films], tmp_path / "out", RayExecutor("127.0.0.1:9"))


def test_without_ray_it_says_how_to_install_it(monkeypatch, films, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["curate", str(films), "--out", str(tmp_path / "out"), "--executor", "ray"]) == 1
    said = 's2d curate: cannot use Ray: it is not installed; pip install "s2d[ray]"\n'
    assert capsys.readouterr().err == said


def test_options_of_ray_without_ray_are_wrong_usage(films, tmp_path, capsys):
    assert main(["curate", str(films), "--out", str(tmp_path / "out"), "--address", "auto"]) == 2
    assert capsys.readouterr().err.endswith("they are Ray's; add --executor ray\n")
