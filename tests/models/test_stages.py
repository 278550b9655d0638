"""A graph cut in two gives what it gave as one, and each half holds only what it needs."""

from __future__ import annotations

import numpy as np
import pytest

from s2d.models.stages import Stages, split

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SHAPE = [2]


def value(name: str) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, SHAPE)


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    """early = exp(source) * weight; half = early / two; result = half + driving * source / two; spare = unused."""
    make = onnx.helper.make_node
    nodes = [
        make("Constant", [], ["two"], value_floats=[2.0, 2.0]),
        make("Exp", ["source"], ["power"]),
        make("Mul", ["power", "weight"], ["early"]),
        make("Div", ["early", "two"], ["half"]),
        make("Neg", ["power"], ["spare"]),
        make("Mul", ["driving", "source"], ["product"]),
        make("Div", ["product", "two"], ["share"]),
        make("Add", ["half", "share"], ["result"]),
    ]
    weight = onnx.numpy_helper.from_array(np.array([3.0, 5.0], np.float32), "weight")
    inside = [value(name) for name in ("power", "early", "half", "spare", "product", "share")]
    body = onnx.helper.make_graph(
        nodes, "g", [value("source"), value("driving")], [value("result")], [weight], value_info=inside
    )
    return onnx.helper.make_model(body, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)


@pytest.fixture(scope="module")
def stages(graph: onnx.ModelProto) -> Stages:
    return split(graph, {"driving"})


def run(model: onnx.ModelProto, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert {entry.name for entry in session.get_inputs()} == given.keys()
    return session.run(names, given)  # type: ignore[no-any-return]


def test_two_halves_give_what_the_whole_gives(graph: onnx.ModelProto, stages: Stages):
    source, driving = np.array([0.5, -1], np.float32), np.array([7, 2], np.float32)
    kept = dict(zip(stages.kept, run(stages.source, stages.kept, {"source": source}), strict=True))
    (made,) = run(stages.driving, ["result"], {"driving": driving, **kept})
    (right,) = run(graph, ["result"], {"source": source, "driving": driving})
    np.testing.assert_array_equal(made, right)


def test_each_half_holds_what_it_needs_and_nothing_else(stages: Stages):
    assert stages.kept == ["half", "source"]
    assert [node.op_type for node in stages.source.graph.node] == ["Constant", "Exp", "Mul", "Div"]
    assert [node.op_type for node in stages.driving.graph.node] == ["Constant", "Mul", "Div", "Add"]
    assert not stages.driving.graph.initializer
    assert len(stages.source.graph.initializer) == 1


def test_a_value_without_a_type_cannot_be_passed_on(graph: onnx.ModelProto):
    bare = onnx.ModelProto()
    bare.CopyFrom(graph)
    bare.graph.ClearField("value_info")
    with pytest.raises(KeyError):
        split(bare, {"driving"})
