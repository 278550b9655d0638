import json
import pickle
from dataclasses import asdict, replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from s2d.errors import S2DError
from s2d.models.animator import Animator, AnimatorConfig
from s2d.models.checkpoint import (
    FORMAT,
    PEOPLE,
    VERSION,
    People,
    load_animator,
    load_with_origin,
    no_file,
    read_origin,
    save_animator,
)

SMALL = AnimatorConfig(size=32, channels=8, motion_channels=8, bottleneck=2, heatmap_sigma=0.05)


@pytest.fixture
def model():
    torch.manual_seed(3)
    animator = Animator(SMALL)
    torch.nn.init.normal_(animator.decoder.head.weight)
    return animator


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save_animator(path, model, {"crop_size": "256", "detector": "mesh"})
    return path


def lightning(model, **changes):
    """What Lightning's checkpoint of the training holds, as far as it matters here."""
    state = {f"animator.{name}": torch.zeros_like(value) for name, value in model.state_dict().items()}
    state |= {f"average.{name}": value for name, value in model.state_dict().items()}
    settings = {"animator": asdict(SMALL)}
    return {"state_dict": state, "hyper_parameters": settings, "epoch": 3, VERSION: FORMAT} | changes


def same_weights(a, b):
    return a.config == b.config and all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


def read_header(path):
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["s2d"])


def test_what_is_saved_is_loaded(model, saved):
    loaded = load_animator(saved)
    assert same_weights(loaded, model)
    assert not loaded.training
    header = {"format": 6, "layout": "ibug70", "config": asdict(SMALL)}
    assert read_header(saved) == header | {"data": {"crop_size": "256", "detector": "mesh"}}


def test_a_whole_number_for_a_float_is_loaded_again(tmp_path):
    path, config = tmp_path / "model.safetensors", replace(SMALL, residual_reach=1, heatmap_sigma=2)
    save_animator(path, Animator(config))
    assert load_animator(path).config == config == replace(SMALL, residual_reach=1.0, heatmap_sigma=2.0)


def test_same_model_same_bytes_and_no_leftovers(model, saved, tmp_path):
    first = saved.read_bytes()
    save_animator(saved, model, {"detector": "mesh", "crop_size": "256"})
    assert saved.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_whom_it_was_trained_on_is_kept(model, tmp_path, monkeypatch, suffix):
    path, people = tmp_path / f"model{suffix}", People(frozenset({"ann", "cleo"}), frozenset({"bob"}))
    for given in (people, None):  # files of before say nothing
        if suffix == ".ckpt":
            torch.save(lightning(model, **{PEOPLE: given.plain()} if given else {}), path)
        else:
            save_animator(path, model, people=given)
        with monkeypatch.context() as without:
            without.delattr("s2d.models.checkpoint.Animator")  # none is built to tell
            assert read_origin(path).people == given
        assert same_weights(load_animator(path), model)


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
def test_what_its_data_were_like_is_kept(model, saved, suffix):
    path, data = saved.with_suffix(suffix), {"crop_size": "256", "detector": "mesh"}
    if suffix == ".ckpt":
        torch.save(lightning(model, FaceDataModule={"crop_size": 256, "detector": "mesh"}), path)
    assert load_with_origin(path)[1].data == data
    if suffix == ".ckpt":  # of no data module
        torch.save(lightning(model), path)
        assert load_with_origin(path)[1].data == {}


def test_people_of_a_file_that_says_something_else_are_not_known():
    assert [People.of_plain(given) for given in (None, "ann", {"trained": ["ann"]}, {"trained": 1, "held_out": 2})] == [
        None
    ] * 4


def test_known_before_is_known_after():
    first, then = (People(frozenset(one), frozenset(two)) for one, two in (("ab", "cd"), ("cx", "ae")))
    assert then.and_before(first) == People(frozenset("abcx"), frozenset("de"))


def test_makes_the_folder(model, tmp_path):
    save_animator(tmp_path / "new" / "model.safetensors", model)
    assert same_weights(load_animator(tmp_path / "new" / "model.safetensors"), model)


def test_lightning_checkpoint_gives_the_averaged_weights(model, tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save(lightning(model), path)
    assert same_weights(load_animator(path), model)


def test_lightning_checkpoint_without_an_average(model, tmp_path):
    path = tmp_path / "last.ckpt"
    state = {f"animator.{name}": value for name, value in model.state_dict().items()}
    torch.save(lightning(model, state_dict=state), path)
    assert same_weights(load_animator(path), model)


def refused(path, words):
    for read in (load_animator, read_origin):
        with pytest.raises(S2DError, match=words) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_no_such_file(tmp_path):
    refused(tmp_path / "none.safetensors", "no such file")


@pytest.mark.parametrize("suffix", [".safetensors", ".ckpt"])
@pytest.mark.parametrize("content", [b"", b"this is a text file\n" * 20, bytes(range(256)) * 40])
def test_files_that_are_something_else(tmp_path, suffix, content):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    refused(path, "damaged")


def test_other_suffixes(tmp_path):
    path = tmp_path / "model.txt"
    path.write_text("hello")
    refused(path, "no checkpoint; give a .safetensors or .ckpt file of s2d train")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_truncated_files(model, saved, tmp_path, share):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    refused(saved, "damaged")
    path = tmp_path / "last.ckpt"
    torch.save(lightning(model), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path, "damaged")


def test_another_models_safetensors(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    refused(path, "another model")


def rewritten(path, **changes):
    """The same file with another header."""
    save_file(load_file(path), path, {"s2d": json.dumps(read_header(path) | changes)})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 1}, "another version"),
        ({"layout": "wflw98"}, "wflw98"),
        ({"config": {"size": 64}}, "does not describe an animator"),
        ({"config": asdict(SMALL) | {"size": "64"}}, "does not describe an animator"),
        ({"config": asdict(SMALL) | {"depth": 3}}, "does not describe an animator"),
        ({"config": None}, "does not describe an animator"),
        ({"config": asdict(SMALL) | {"channels": 16}}, "weights do not fit"),
        ({"config": asdict(SMALL) | {"channels": 7}}, "channels=7"),
        ({"data": "mesh"}, "does not describe an animator"),
    ],
)
def test_headers_that_do_not_fit(saved, changes, words):
    rewritten(saved, **changes)
    with pytest.raises(S2DError, match=words):
        load_animator(saved)


FOREIGN = {
    "state_dict": {"average.w": torch.zeros(1)}, "hyper_parameters": {"animator": asdict(SMALL)}, VERSION: FORMAT,
}  # fmt: skip


def test_damaged_header(saved):
    save_file(load_file(saved), saved, {"s2d": "{"})
    refused(saved, "header is damaged")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": torch.zeros(2)}, "not a checkpoint of an animator's training"),
        ([1, 2, 3], "not a checkpoint of an animator's training"),
        ({**FOREIGN, "state_dict": {}}, "no animator's weights"),
        ({"state_dict": {"net.w": torch.zeros(1)}, "hyper_parameters": {}}, "not a checkpoint of an animator's"),
        ({**FOREIGN, "hyper_parameters": {"animator": 3}}, "does not describe"),
        ({**FOREIGN, VERSION: FORMAT - 1}, "another version of s2d; train again"),
        ({name: value for name, value in FOREIGN.items() if name != VERSION}, "another version of s2d; train again"),
    ],
)
def test_other_lightning_checkpoints(tmp_path, content, words):
    path = tmp_path / "last.ckpt"
    torch.save(content, path)
    refused(path, words)


def test_weights_that_do_not_fit(tmp_path):
    path = tmp_path / "last.ckpt"
    torch.save(FOREIGN, path)
    with pytest.raises(S2DError, match="do not fit"):
        load_animator(path)


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (str(self.target), "w"))


@pytest.mark.parametrize("writer", [torch.save, lambda obj, path: path.write_bytes(pickle.dumps(obj))])
def test_code_in_a_pickle_does_not_run(tmp_path, writer):
    path, mark = tmp_path / "last.ckpt", tmp_path / "it-ran"
    writer({"state_dict": Bomb(mark)}, path)
    refused(path, "more than tensors and plain values")
    assert not mark.exists()


def test_where_nothing_can_be_written(model, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(S2DError, match="cannot write"):
        save_animator(blocked / "model.safetensors", model)
    with pytest.raises(S2DError, match=r"ends in \.safetensors"):
        save_animator(tmp_path / "model.ckpt", model)


def test_an_exported_graph_is_told_from_a_damaged_checkpoint(tmp_path):
    (tmp_path / "model.onnx").touch()
    with pytest.raises(S2DError, match=r"it is a graph of s2d export, .*; give the weights that it was made of"):
        load_animator(tmp_path / "model.onnx")


def test_the_file_to_give_instead_of_a_folder(tmp_path):
    assert no_file(tmp_path / "none") == ("no such file", "check the path")
    assert no_file(tmp_path) == ("it is a folder", "name a file in it")
    for name in ("model.onnx", "model.safetensors", "best.safetensors"):
        (tmp_path / name).touch()
    assert no_file(tmp_path)[1] == f"name a file in it, as {tmp_path / 'best.safetensors'}"
    assert no_file(tmp_path, ["*.onnx"])[1] == f"name a file in it, as {tmp_path / 'model.onnx'}"
