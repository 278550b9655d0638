"""What `s2d.models.operators` writes gives in onnxruntime what torch gives."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


class Operators(nn.Module):
    def forward(self, image: Tensor, grid: Tensor) -> tuple[Tensor, ...]:
        parts = image.softmax(1).split([8, 2, 6], 1)
        bordered = F.grid_sample(image, grid, padding_mode="border", align_corners=True)
        few = F.grid_sample(image[:, :3], grid, padding_mode="border", align_corners=True)
        usual = F.grid_sample(image, grid, mode="nearest", padding_mode="zeros", align_corners=False)
        return (bordered, few, usual, *parts, *image.chunk(3, 1), grid.softmax(-1))


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    from s2d.models.operators import translations

    batch = {0: torch.export.Dim("batch")}
    given = torch.zeros(3, 16, 20, 22), torch.zeros(3, 9, 8, 2)  # only their shapes count
    program = torch.export.export(Operators(), given, dynamic_shapes=(batch, batch))
    made = torch.onnx.export(
        program, dynamo=True, opset_version=20, optimize=False, verbose=False, custom_translation_table=translations()
    )
    assert made is not None
    return made.model_proto


def test_the_slow_operators_are_gone_but_where_nothing_is_gained(graph: onnx.ModelProto):
    kinds = Counter(node.op_type for node in graph.graph.node)
    assert kinds["GridSample"] == 2
    assert not kinds.keys() & {"Softmax", "SplitToSequence", "SequenceAt"}


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_gives_what_torch_gives_also_beyond_the_border(graph: onnx.ModelProto, batch: int):
    random = torch.Generator().manual_seed(batch)
    image = 4 * torch.rand(batch, 16, 20, 22, generator=random) - 2
    grid = 3 * torch.rand(batch, 9, 8, 2, generator=random) - 1.5
    grid[0, 0, :4] = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 1.0], [1e6, -1e6]])
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    made = session.run(None, dict(zip(names, (image.numpy(), grid.numpy()), strict=True)))
    for one, right in zip(made, Operators()(image, grid), strict=True):
        torch.testing.assert_close(torch.from_numpy(one), right, atol=2e-5, rtol=0)


def test_a_place_that_is_no_number_does_not_end_the_run(graph: onnx.ModelProto):
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    grid = torch.zeros(1, 9, 8, 2)
    grid[0, 0, 0] = torch.nan
    image = torch.rand(1, 16, 20, 22, generator=torch.Generator().manual_seed(0))
    made = session.run(None, dict(zip(names, (image.numpy(), grid.numpy()), strict=True)))[0]
    torch.testing.assert_close(torch.from_numpy(made)[0, :, 1], Operators()(image, grid)[0][0, :, 1])
