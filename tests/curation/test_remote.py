"""Videos and data sets behind URLs: memory:// in this process, and a stand-in for a store that worker processes see."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import fsspec
import pytest

from s2d.cli import main
from s2d.curation import staging as staging_module
from s2d.curation import worker
from s2d.curation.clip import Clip
from s2d.curation.config import CurationConfig
from s2d.curation.duplicates import Duplicates
from s2d.curation.executors import LocalExecutor
from s2d.curation.pipeline import run
from s2d.curation.plan import find_sources
from s2d.curation.recipes import load_recipe, plan_recipe
from s2d.curation.staging import Staging, claimed, staging_folder
from s2d.errors import S2DError
from s2d.shards.reader import open_dataset
from s2d.shards.writer import WriteError
from s2d.storage import Remote, location
from tests.curation.conftest import ORDERS, contents
from tests.curation.curation_fakes import PROVENANCE, FakeWork, InProcess, fake_curate, fake_curate_sources
from tests.curation.recipes.trees import TREES
from tests.curation.test_worker import Scripted, film, steady
from tests.training.conftest import make_dataset  # noqa: F401 - a fixture


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


def stored(system) -> dict[str, bytes]:
    return {path.removeprefix("/out/"): system.cat_file(path) for path in system.find("/out")}


def parts(folder) -> dict[str, bytes]:
    return {name: content for name, content in contents(folder).items() if name != ".lock"}


def test_a_data_set_behind_a_url_has_the_bytes_of_a_local_one(films, tmp_path, memory):
    fake_curate([films], tmp_path / "out")
    summary = fake_curate([films], "memory://out")
    assert summary.new == 10
    assert stored(memory) == parts(tmp_path / "out")
    assert not staging_folder(Remote("memory://out")).exists()
    dataset = open_dataset("memory://out")
    assert dataset.tracks().equals(open_dataset(tmp_path / "out").tracks())
    for track in dataset.tracks().track_id:
        assert len(dataset.frames(track).frame) == 5
    assert fake_curate([films], "memory://out").new == 0


def test_videos_behind_a_url_are_named_as_in_a_folder(films, tmp_path, memory):
    for path in films.iterdir():
        memory.pipe_file(f"/films/{path.name}", path.read_bytes())
    memory.pipe_file("/films/out/videos/part.mp4", b"kept 1")
    memory.pipe_file("/films/notes.txt", b"-")
    memory.pipe_file("/films/zz.mp4", ORDERS[0].encode())
    local, remote = (
        find_sources([films], tmp_path / "out"),
        find_sources(["memory://films"], Remote("memory://films/out")),
    )
    assert [source.video for source in remote] == [
        *(source.video for source in local),
        "films/notes.txt",
        "films/zz.mp4",
    ]
    rows = fake_curate(["memory://films"], "memory://films/out").videos.set_index("video")
    assert rows.outcome["films/00.mp4"] == "kept"
    assert rows.path["films/00.mp4"] == "memory://films/00.mp4"
    assert rows.reason["films/notes.txt"] == "not a video by its extension"
    assert rows.detail["films/zz.mp4"] == "same content as films/00.mp4"


def test_files_behind_a_url_are_not_hashed_which_would_mean_to_fetch_them(films, tmp_path, memory, monkeypatch):
    for name in ("1.mp4", "2.mp4"):
        memory.pipe_file(f"/films/{name}", b"kept 1")
    monkeypatch.setattr(Remote, "open", lambda *_: pytest.fail("fetched"))
    sources = find_sources(["memory://films"], tmp_path)
    assert list(map(Duplicates(sources, {}).settled, sources)) == sources


def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(films, tmp_path, memory, monkeypatch):
    fake_curate([films], tmp_path / "out")
    (films / "07.mp4").write_text("disk")
    with pytest.raises(S2DError, match="No space left"):
        fake_curate([films], "memory://out")
    open_dataset("memory://out")
    (films / "07.mp4").write_text(ORDERS[7])
    assert fake_curate([films], "memory://out").new < 10
    assert stored(memory) == parts(tmp_path / "out")


def test_a_store_that_refuses_is_one_line_and_the_next_run_ends_the_same(films, tmp_path, memory, monkeypatch):
    fake_curate([films], tmp_path / "out")
    real, puts = type(memory).put_file, []

    def refuse(self, local, remote, *rest, **options):
        puts.append(remote)
        if len(puts) == 6:  # the videos part of the second shard
            raise RuntimeError("throttled")
        return real(self, local, remote, *rest, **options)

    monkeypatch.setattr(type(memory), "put_file", refuse)
    with pytest.raises(WriteError, match="cannot write memory://out: RuntimeError: throttled"):
        fake_curate([films], "memory://out")
    assert [put.split("/")[2] for put in puts] == ["frames", "tracks", "videos"] * 2
    assert len(open_dataset("memory://out").videos()) == 3
    fake_curate([films], "memory://out")
    assert stored(memory) == parts(tmp_path / "out")


def test_failed_videos_are_tried_again_behind_a_url(films, tmp_path, memory):
    fake_curate([films], "memory://out")
    (films / "05.mp4").write_text("kept 1 now")
    fake_curate([films], "memory://out", retry_failed=True)
    fake_curate([films], tmp_path / "fresh")
    assert stored(memory) == parts(tmp_path / "fresh")


def test_a_second_run_on_this_machine_is_refused(films, memory):
    out = location("memory://out")
    with claimed(out), pytest.raises(S2DError, match="cannot curate into memory://out: another run is writing there"):
        fake_curate([films], "memory://out")


def test_a_missing_folder_behind_a_url_is_one_line(memory, tmp_path, capsys):
    with pytest.raises(S2DError, match="cannot curate memory://nowhere: no such file or folder"):
        find_sources(["memory://nowhere"], tmp_path)
    assert main(["inspect", "memory://nowhere"]) == 1
    assert "cannot open the data set memory://nowhere" in capsys.readouterr().err


def test_inspect_reads_a_url(films, memory, capsys):
    fake_curate([films], "memory://out")
    assert main(["inspect", "memory://out", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["tracks"], result["videos"]["kept"]) == (9, 6)
    part = memory.find("/out/frames")[0]
    assert main(["inspect", f"memory://{part.lstrip('/')}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tracks"] > 0


def test_training_reads_a_url(make_dataset, memory):  # noqa: F811
    from s2d.training.datamodule import FaceDataModule

    local = make_dataset()
    memory.put(str(local), "/out", recursive=True)
    batches = []
    for path in (str(local), "memory://out"):
        module = FaceDataModule(path, size=32, batch_size=2)
        module.setup()
        batches.append(next(iter(module.train_dataloader())))
    assert (batches[0]["frames"] == batches[1]["frames"]).all()


def test_a_recipe_on_a_url(memory, tmp_path):
    tree = TREES["celebvhq"]
    for path, content in tree.files.items():
        memory.pipe_file(f"/films/{path}", content.encode())
    plan = plan_recipe(load_recipe("celebvhq"), "memory://films", "memory://out")
    assert {
        source.video.removeprefix("celebvhq/"): (source.identity, source.split) for source in plan.sources
    } == tree.videos
    assert list(fake_curate_sources(plan.sources, "memory://out").videos.outcome) == ["kept"] * 3


def test_worker_processes_see_a_store(films, tmp_path):
    """shelf:// is registered by the module that the work is pickled from, so in every worker process as well."""
    shelf = tmp_path / "shelf"
    shutil.copytree(films, shelf / "films")
    sources = find_sources([f"shelf://{shelf}/films"], tmp_path)
    out = location(f"shelf://{shelf}/out")
    with claimed(out):
        staging = Staging(staging_folder(out), PROVENANCE, out)
        run(sources, staging, FakeWork(staging), LocalExecutor(2), 3)
    with claimed(tmp_path / "out"):
        staging = Staging(tmp_path / "out" / ".staging", PROVENANCE)
        run(sources, staging, FakeWork(staging), InProcess(), 3)
    assert contents(shelf / "out") == parts(tmp_path / "out")


def test_a_copy_goes_away_when_it_is_done_with_and_when_its_worker_was_killed(films, tmp_path, memory):
    memory.put_file(str(films / "00.mp4"), "/films/00.mp4")
    (source,) = find_sources(["memory://films"], tmp_path)
    staging = Staging(tmp_path / ".staging", PROVENANCE)
    staging.make()
    for clear in (lambda: staging.forget_copy(source), lambda: staging.keep_only([source])):
        path = staging.at_hand(source)
        assert (path.suffix, path.read_text()) == (".mp4", ORDERS[0])
        clear()
        assert list(staging.folder.iterdir()) == []


def test_clips_of_one_video_behind_a_url_share_a_copy_which_then_goes_away(tmp_path, memory, monkeypatch):
    memory.pipe_file("/films/0.mp4", b"kept 1 x")
    memory.pipe_file("/films/1.mp4", b"kept 1 y")
    fetched, seen = [], []
    real = staging_module.fetch
    monkeypatch.setattr(staging_module, "fetch", lambda place, to: (fetched.append(str(place)), real(place, to)))
    films = find_sources(["memory://films"], tmp_path)
    clips = [replace(film, video=f"{n}-{film.identity}.mp4", clip=Clip(n, n + 1)) for film in films for n in range(3)]

    class OneByOne(InProcess):
        def map(self, function, items):
            for item in items:
                yield item, function(item)
                seen.append(sorted(path.suffix for path in (tmp_path / "out/.staging").glob("*.copy*")))

    fake_curate_sources(clips, tmp_path / "out", OneByOne(), per_shard=100)
    assert fetched == ["memory://films/0.mp4", "memory://films/1.mp4"]
    assert seen == [[".mp4"], [".mp4"], []] * 2


def test_two_workers_fetch_a_video_of_two_clips_once(tmp_path):
    """The one that comes second waits for the first, which takes a while."""
    (tmp_path / "shelf/films").mkdir(parents=True)
    (tmp_path / "shelf/films/0.mp4").write_text("kept 1")
    (film,) = find_sources([f"slow-shelf://{tmp_path}/shelf/films"], tmp_path)
    clips = [replace(film, video=f"{n}-{film.identity}.mp4", clip=Clip(n, n + 1)) for n in range(2)]
    fake_curate_sources(clips, tmp_path / "out", LocalExecutor(2))
    assert (tmp_path / "shelf/opened").read_text() == "x"


def test_a_disk_that_refuses_is_not_the_fault_of_the_video_to_be_copied(films, tmp_path, memory):
    memory.put_file(str(films / "00.mp4"), "/films/00.mp4")
    (source,) = find_sources(["memory://films"], tmp_path)
    staging = Staging(tmp_path / "gone", PROVENANCE)
    with pytest.raises(WriteError, match="cannot write"):
        staging.at_hand(source)


def test_a_film_behind_a_url_is_decoded_from_a_copy(tmp_path, memory, monkeypatch):
    path = film(tmp_path / "films" / "talk.mp4")
    memory.put_file(str(path), "/films/talk.mp4")
    monkeypatch.setattr(worker.progress, "quiet", True)
    for given, out in ((str(path.parent), tmp_path / "out"), ("memory://films", Remote("memory://out"))):
        detector, config = Scripted(steady()), CurationConfig("scripted")
        monkeypatch.setattr(worker, "make_detector", lambda name, one=detector: one)
        with claimed(out):
            staging = Staging(staging_folder(out), config.provenance(detector), out)
            run(find_sources([given], out), staging, worker.VideoWorker(config, staging), InProcess(), 8)
    local, remote = (open_dataset(out).videos().drop(columns="path") for out in (tmp_path / "out", "memory://out"))
    assert remote.equals(local)
    assert list(remote.outcome) == ["kept"]
    frames = {name: content for name, content in stored(memory).items() if not name.startswith("videos")}
    assert frames == {
        name: content for name, content in parts(tmp_path / "out").items() if not name.startswith("videos")
    }
