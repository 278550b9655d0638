"""Exported animators give what torch gives, for any number of frames; other files are refused in one line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import s2d
from s2d.animation.animate import animate
from s2d.animation.export import example, export
from s2d.animation.source import load_source
from s2d.cli import main
from s2d.errors import S2DError
from s2d.geometry import Image
from s2d.images import write_image
from s2d.landmarks import layout
from s2d.landmarks.detectors.factory import make_detector
from s2d.landmarks.synthetic import make_clip, write_clip
from s2d.landmarks.synthetic.clip import astronaut
from s2d.models.animator import Animator
from s2d.models.candidates import solve_by_products
from s2d.models.checkpoint import load_animator, save_animator
from s2d.models.export import TOLERANCE, export_program, largest_difference
from s2d.models.runtime import INPUTS, KEY, OUTPUTS, OnnxAnimator
from s2d.video import VideoReader, VideoWriter

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.timeout(900)  # tracing takes minutes of one busy thread


@pytest.fixture(scope="module")
def programs() -> list[torch.export.ExportedProgram]:
    """What `export_program` has traced for the export: that takes a minute."""
    return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, programs: list[torch.export.ExportedProgram]) -> Path:
    """An animator whose every layer speaks, and its export."""
    made = tmp_path_factory.mktemp("export")
    torch.manual_seed(0)
    model = Animator()
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    save_animator(made / "model.safetensors", model)

    def kept(*given: Any) -> torch.export.ExportedProgram:
        programs.append(export_program(*given))
        return programs[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("s2d.models.export.export_program", kept)
        assert export(made / "model.safetensors", made / "model.onnx")["difference"] <= TOLERANCE
    write_image(made / "photo.png", astronaut())
    write_clip(make_clip(frames=10, size=192, variant="fast"), made / "clip.mp4")
    return made


def test_header_says_what_it_is(folder: Path):
    read = OnnxAnimator(folder / "model.onnx")
    assert read.trained
    assert read.config == load_animator(folder / "model.safetensors").config
    (entry,) = onnx.load(folder / "model.onnx").metadata_props
    content = json.loads(entry.value)
    assert (content["layout"], content["size"], content["s2d"]) == ("ibug70", read.config.size, s2d.__version__)
    assert "footage" in content["licence"]


def test_is_one_graph_with_a_free_number_of_frames(folder: Path):
    """For others who run the file: three inputs, the outputs of GraphOutput, any number of driving frames."""
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == INPUTS
    assert [value.name for value in session.get_outputs()] == OUTPUTS
    model = load_animator(folder / "model.safetensors")
    given = example(load_source(folder / "photo.png", make_detector(), model.config.size))
    driving = given.driving[[0, 1, 2, 1, 0]]
    values = (tensor.numpy() for tensor in (given.source, given.points, driving))
    image, *_ = session.run(OUTPUTS, dict(zip(INPUTS, values, strict=True)))
    with torch.inference_mode():
        right = model.drive(model.encode_source(given.source, given.points), driving).image
    assert abs(image - right.numpy()).max() <= TOLERANCE


def test_the_source_is_encoded_once(folder: Path):
    """What `drive` gets holds the encoder's features, so that nothing of the encoder is left to do for a frame."""
    model, exported = load_animator(folder / "model.safetensors"), OnnxAnimator(folder / "model.onnx")
    given = example(load_source(folder / "photo.png", make_detector(), model.config.size))
    with torch.inference_mode():
        features = model.encode_source(given.source, given.points).features
    shapes = [values.shape for values in exported.encode_source(given.source, given.points).values()]
    for feature in features:
        assert tuple(feature.shape) in shapes


def test_holds_no_path_of_this_machine(folder: Path):
    assert str(Path(__file__).parents[2]).encode() not in (folder / "model.onnx").read_bytes()


@pytest.mark.media
def test_equals_torch_on_real_faces(folder: Path, media: Path):
    model, exported = load_animator(folder / "model.safetensors"), OnnxAnimator(folder / "model.onnx")
    stills = sorted((media / "annotated").glob("*.[jp][pn]*g"))
    assert stills
    for still in stills:
        face = load_source(still, make_detector(), model.config.size)
        assert largest_difference(model, exported, example(face)) <= TOLERANCE


def test_equals_torch_wherever_the_face_is(folder: Path):
    """The graph works lids and lips out in boxes around eyes and mouth: these may be anywhere, or not known."""
    model, exported = load_animator(folder / "model.safetensors"), OnnxAnimator(folder / "model.onnx")
    given = example(load_source(folder / "photo.png", make_detector(), model.config.size))
    blind, apart = given.driving.clone(), given.driving.clone()
    blind[:, [*layout.PARTS["right_eye"], *layout.PARTS["left_eye"], *layout.PARTS["inner_lips"]]] = torch.nan
    apart[1] += 0.9
    for driving in (given.driving + 0.8, given.driving - 3, 2 * given.driving, blind, apart):
        assert largest_difference(model, exported, replace(given, driving=driving)) <= TOLERANCE


def test_torch_export_gives_the_same(folder: Path, programs: list[torch.export.ExportedProgram]):
    model = load_animator(folder / "model.safetensors")
    given = example(load_source(folder / "photo.png", make_detector(), model.config.size))
    program = programs[0].module()
    with torch.inference_mode():
        made = program(given.source, given.points, given.driving)
        right = model.drive(model.encode_source(given.source, given.points), given.driving)
    assert (made[0] - right.image).abs().max() <= TOLERANCE


def test_animates_as_torch_does(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """What is handed to the encoder: it makes half a grey level of a single one that is rounded the other way."""
    written: list[Image] = []
    write = VideoWriter.write

    def record(self: VideoWriter, frame: Image, *rest: float) -> None:
        written.append(frame)
        write(self, frame, *rest)

    monkeypatch.setattr(VideoWriter, "write", record)
    for checkpoint, runtime in (("model.safetensors", "torch"), ("model.onnx", "onnx")):
        out = folder / f"{runtime}.mp4"
        animate(
            folder / "photo.png", folder / "clip.mp4", out, checkpoint=folder / checkpoint, runtime=runtime, size=64
        )
        with VideoReader(out) as reader:
            assert len(list(reader.frames())) == 10
    torchs, onnxs = np.array(written, float).reshape(2, 10, 64, 64, 3)
    assert abs(torchs - onnxs).max() <= 1
    assert abs(torchs - onnxs).mean() < 0.001


def test_solving_by_products_is_as_exact_as_factorising():
    points = (
        torch.rand(4, 80, 2, generator=torch.Generator().manual_seed(0))
        * torch.tensor([0.01, 0.1, 0.5, 1.0])[:, None, None]
    )
    gram = torch.exp(-0.5 * torch.cdist(points, points) ** 2 / 0.16**2) + 0.05 * torch.eye(80)
    right = gram @ points
    solution = solve_by_products(gram, right)
    torch.testing.assert_close(gram @ solution, right, atol=1e-4, rtol=0)
    exact = torch.linalg.solve(gram.double(), right.double())
    torch.testing.assert_close(solution.double(), exact, atol=1e-3, rtol=0)


REFUSALS = {
    "random": "damaged",
    "foreign": "another model",
    "former": "by another version of s2d; export it again",
    "missing": "no such",
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_other_files_are_refused_in_one_line(tmp_path: Path, kind: str):
    path = tmp_path / "other.onnx"
    if kind == "random":
        path.write_bytes(bytes(range(256)))
    if kind in ("foreign", "former"):
        value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
        graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "g", value[:1], value[1:])
        opset = [onnx.helper.make_opsetid("", 20)]
        model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
        if kind == "former":
            onnx.helper.set_model_props(model, {KEY: json.dumps({"format": 1, "layout": "ibug70", "config": {}})})
        onnx.save(model, path)
    with pytest.raises(S2DError, match=REFUSALS[kind]):
        OnnxAnimator(path)


def test_wrong_ending_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert main(["export", "--out", str(tmp_path / "model.bin")]) == 1
    assert "ends in .onnx" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_holds_a_simplified_graph_of_plain_operators(folder: Path):
    """The tracer writes every constant and cast of a constant down: 40,000 nodes, which take seconds to load."""
    model = onnx.load(folder / "model.onnx")
    assert len(model.graph.node) < 12_000
    assert [entry.domain for entry in model.opset_import] == [""]
    assert {value.name for value in model.graph.value_info} <= {n for node in model.graph.node for n in node.output}
