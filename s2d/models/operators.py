"""Operators of torch, written in ONNX so that onnxruntime runs them fast on a CPU; the same within 2e-5.

Its own GridSample works out the place of a sample again for each channel, its Softmax over channels copies its input
to and fro, and a split becomes a sequence that is copied twice. Together they were half of the animator's time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx_ir as ir
import torch
from onnxscript import opset20 as op

FEWEST = 8  # channels from which rows of channels are copied faster than GridSample samples them


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """What `torch.onnx.export` takes as its custom translation table."""
    aten = torch.ops.aten
    return {
        aten.grid_sampler.default: grid_sampler,
        aten.softmax.int: softmax,
        aten.split.Tensor: split,
        aten.split_with_sizes.default: split_with_sizes,
    }


def grid_sampler(image: Any, grid: Any, mode: int, padding: int, align_corners: bool) -> Any:  # noqa: ANN401
    """`F.grid_sample` in two dimensions: bilinear with the border repeated by rows of channels, all else as usual."""
    channels, height, width = (image.shape[axis] for axis in (1, 2, 3))
    known = all(isinstance(length, int) for length in (channels, height, width))
    if not known or (mode, padding, align_corners) != (0, 1, True) or channels < FEWEST or min(height, width) < 2:
        modes, paddings = ("linear", "nearest", "cubic"), ("zeros", "border", "reflection")
        return op.GridSample(
            image, grid, align_corners=int(align_corners), mode=modes[mode], padding_mode=paddings[padding]
        )
    x, right = _place(op.Gather(grid, _integer(0), axis=3), width)
    y, below = _place(op.Gather(grid, _integer(1), axis=3), height)
    frame = op.Reshape(op.Range(_integer(0), op.Squeeze(op.Shape(grid, start=0, end=1)), _integer(1)), _shape(-1, 1, 1))
    first = op.Add(op.Add(op.Mul(frame, _integer(height * width)), op.Mul(y, _integer(width))), x)
    pixels = op.Reshape(op.Transpose(image, perm=[0, 2, 3, 1]), _shape(-1, channels))
    corners = [op.Gather(pixels, op.Add(first, _integer(step)), axis=0) for step in (0, 1, width, width + 1)]
    upper, lower = (_mixed(one, other, right) for one, other in (corners[:2], corners[2:]))
    return op.Transpose(_mixed(upper, lower, below), perm=[0, 3, 1, 2])


def softmax(values: Any, axis: int, _other: Any = None) -> Any:  # noqa: ANN401
    """Softmax over any axis, without moving that axis to the end first."""
    axes = _shape(axis)
    powers = op.Exp(op.Sub(values, op.ReduceMax(values, axes, keepdims=1)))
    return op.Div(powers, op.ReduceSum(powers, axes, keepdims=1))


def split_with_sizes(values: Any, sizes: Sequence[int], axis: int = 0) -> Any:  # noqa: ANN401
    """A split into as many tensors, not into one sequence of them."""
    ends = [sum(sizes[: index + 1]) for index in range(len(sizes))]
    bounds = zip([0, *ends], ends, strict=False)
    return tuple(op.Slice(values, _shape(start), _shape(end), _shape(axis)) for start, end in bounds)


def split(values: Any, size: int, axis: int = 0) -> Any:  # noqa: ANN401
    """Parts of this size, but for the last, which may be smaller; along an axis of known length."""
    length = values.shape[axis]
    return split_with_sizes(values, [min(size, length - start) for start in range(0, length, size)], axis)


def _place(coordinates: Any, length: int) -> tuple[Any, Any]:  # noqa: ANN401
    """Normalised coordinates (B, h, w) to the pixel before them, and how far they lie behind it (B, h, w, 1).

    What is not a number becomes the first pixel: an index beyond the picture would end the run.
    """
    half, last = op.Constant(value_float=(length - 1) / 2), op.Constant(value_float=float(length - 1))
    place = op.Clip(op.Add(op.Mul(coordinates, half), half), op.Constant(value_float=0.0), last)
    before = op.Min(op.Floor(place), op.Constant(value_float=float(length - 2)))
    pixel = op.Clip(op.Cast(before, to=int(ir.DataType.INT64)), _integer(0), _integer(length - 2))
    return pixel, op.Unsqueeze(op.Sub(place, before), _shape(3))


def _mixed(one: Any, other: Any, share: Any) -> Any:  # noqa: ANN401
    return op.Add(one, op.Mul(op.Sub(other, one), share))


def _integer(value: int) -> Any:  # noqa: ANN401
    return op.Constant(value_int=value)


def _shape(*values: int) -> Any:  # noqa: ANN401
    return op.Constant(value_ints=list(values))
