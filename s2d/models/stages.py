"""An exported animator in two stages: what depends on the source alone, computed once, and what each frame needs.

The file holds one graph. Which of its values do not depend on the driving landmarks is read off the graph itself, so
nothing here knows how an animator is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stages:
    """Two models that together are one."""

    source: Any
    """From the inputs without the driving ones to `kept`."""
    driving: Any
    """From the driving inputs and `kept` to the outputs."""
    kept: list[str]
    """Names of the values that pass from one to the other."""


def split(model: Any, driving: set[str]) -> Stages:  # noqa: ANN401 - a protobuf message
    """Cut an ONNX model where the influence of its inputs `driving` begins.

    What depends on no input at all goes wherever it is used. Raises KeyError for a graph without types.
    """
    graph = model.graph
    given = {value.name for value in graph.input} - driving
    by_driving = _reached(graph, driving)
    early = (given | _reached(graph, given)) - by_driving
    late = [node for node in graph.node if not early.intersection(node.output)]
    late = _needed(late, {value.name for value in graph.output})
    kept = sorted(early & set().union(*map(_uses, late)))
    types = {value.name: value for value in (*graph.value_info, *graph.input)}
    known = [types[name] for name in kept]
    return Stages(
        _part(model, _needed(graph.node, set(kept)), [v for v in graph.input if v.name in given], known),
        _part(model, late, [*(v for v in graph.input if v.name in driving), *known], graph.output),
        kept,
    )


def _needed(nodes: Iterable[Any], names: set[str]) -> list[Any]:
    """Those of the nodes, which come in the order in which they can run, that make these values."""
    wanted, found = set(names), []
    for node in reversed(list(nodes)):
        if wanted.intersection(node.output):
            wanted |= _uses(node)
            found.append(node)
    return found[::-1]


def _reached(graph: Any, names: set[str]) -> set[str]:  # noqa: ANN401
    """These values and all that depend on them; nodes come in the order in which they can run."""
    reached = set(names)
    for node in graph.node:
        if reached.intersection(_uses(node)):
            reached.update(node.output)
    return reached


def _uses(node: Any) -> set[str]:  # noqa: ANN401
    """Names that a node reads, those of the branches in it included."""
    inner = (step for attribute in node.attribute if attribute.HasField("g") for step in attribute.g.node)
    return {name for name in node.input if name}.union(*map(_uses, inner))


def _part(model: Any, nodes: list[Any], inputs: list[Any], outputs: Any) -> Any:  # noqa: ANN401
    """The model with these nodes alone, and of the weights and notes only what they use."""
    names = {name for node in nodes for name in (*_uses(node), *node.output)}
    part = type(model)()
    part.CopyFrom(model)
    for field in ("node", "input", "output", "initializer", "value_info"):
        part.graph.ClearField(field)
    part.graph.node.extend(nodes)
    part.graph.input.extend(inputs)
    part.graph.output.extend(outputs)
    part.graph.initializer.extend(weight for weight in model.graph.initializer if weight.name in names)
    part.graph.value_info.extend(value for value in model.graph.value_info if value.name in names)
    return part
