"""The torch twins equal the numpy functions, and their gradients are right and finite where points are missing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from s2d import geometry, geometry_torch


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    return rng.normal(size=(4, 9, 2)) * 40, rng.normal(size=(4, 9, 2)) * 40


def tensors(*arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor(array) for array in arrays)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("missing", [False, True])
def test_fit_equals_numpy(points, weighted, missing):
    source, target = points
    weights = np.random.default_rng(1).uniform(0, 2, (4, 9)) if weighted else None
    if missing:
        source[:, 2, 0], target[1, 5] = np.nan, np.nan
    expected = geometry.similarity_fit(source, target, weights)
    tensor_weights = None if weights is None else torch.tensor(weights)
    fitted = geometry_torch.similarity_fit(*tensors(source, target), tensor_weights)
    np.testing.assert_allclose(fitted, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "source", [np.full((3, 2), np.nan), np.ones((3, 2)), np.array([[1.0, 2], [np.nan, 3], [3, np.nan]])]
)
def test_fit_equals_numpy_where_points_do_not_suffice(source):
    target = np.arange(6.0).reshape(3, 2)
    fitted = geometry_torch.similarity_fit(*tensors(source, target))
    np.testing.assert_allclose(fitted, geometry.similarity_fit(source, target), atol=1e-12)


def test_fit_broadcasts_one_shape_over_a_batch(points):
    source, target = points
    fitted = geometry_torch.similarity_fit(*tensors(source[0], target))
    np.testing.assert_allclose(fitted, geometry.similarity_fit(np.broadcast_to(source[0], target.shape), target))


def test_apply_invert_and_units_equal_numpy(points):
    source, target = points
    matrix = geometry.similarity_fit(source, target)
    (matrix_t, source_t) = tensors(matrix, source)
    np.testing.assert_allclose(geometry_torch.apply(matrix_t, source_t), geometry.apply(matrix, source))
    np.testing.assert_allclose(geometry_torch.invert(matrix_t), geometry.invert(matrix))
    np.testing.assert_allclose(geometry_torch.to_normalized(source_t, 64, 48), geometry.to_normalized(source, 64, 48))
    np.testing.assert_allclose(geometry_torch.to_pixels(source_t, 64, 48), geometry.to_pixels(source, 64, 48))


def test_dtype_is_kept(points):
    source, target = (tensor.float() for tensor in tensors(*points))
    fitted = geometry_torch.similarity_fit(source, target, torch.ones(4, 9, dtype=torch.float64))
    assert fitted.dtype == torch.float32
    assert geometry_torch.to_normalized(source, 64, 64).dtype == torch.float32


def test_float32_pixels_are_fitted_to_a_thousandth_of_a_pixel(points):
    source = points[0] + 2000  # a face far from the origin of a large frame
    target = geometry.apply(np.array([[0.9, -0.2, 5], [0.2, 0.9, -7]]), source)
    fitted = geometry_torch.similarity_fit(*(tensor.float() for tensor in tensors(source, target))).double()
    moved = geometry_torch.apply(fitted, torch.tensor(source))
    np.testing.assert_allclose(moved, target, atol=1e-3)


def test_gradient_of_the_fit_is_the_numerical_one(points):
    source, target = (tensor[:2].requires_grad_() for tensor in tensors(points[0] / 40, points[1] / 40))
    weights = torch.rand(2, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.1
    weights.requires_grad_()
    assert torch.autograd.gradcheck(geometry_torch.similarity_fit, (source, target, weights))


@pytest.mark.parametrize("known", [0, 1, 2, 9])
def test_gradient_is_finite_and_zero_at_unknown_points(points, known):
    source, target = tensors(*points)
    source[:, known:] = torch.nan
    source.requires_grad_()
    target.requires_grad_()
    geometry_torch.similarity_fit(source, target).square().sum().backward()
    for gradient in (source.grad, target.grad):
        assert torch.isfinite(gradient).all()
        assert (gradient[:, known:] == 0).all()
        assert known == 0 or (gradient[:, :known] != 0).any()
