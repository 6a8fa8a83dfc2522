"""Kernel methods as float64 graphs: Gaussian processes, kernel ridge, Nystroem, label spreading."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import (
    decomposition,
    gaussian_process,
    kernel_approximation,
    kernel_ridge,
    semi_supervised,
)
from sklearn.gaussian_process import kernels

from registry.runner.compile_distances import absolute_distances, dense, squared_distances
from registry.runner.compile_models import Answer
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled


def pairwise(graph: GraphBuilder, step: Any, value: str, points: np.ndarray) -> str:
    """`sklearn.metrics.pairwise_kernels` of each row with each point, by the step's settings."""
    name, points = step.kernel, dense(points)
    if callable(name):
        raise NotCompiled(f"{type(step).__name__} with your own kernel")
    gamma = 1.0 / points.shape[1] if step.gamma is None else float(step.gamma)
    gamma = float(getattr(step, "gamma_", gamma))
    if name in ("rbf", "laplacian"):
        measure = squared_distances if name == "rbf" else absolute_distances
        scaled = graph.add("Mul", measure(graph, value, points), graph.constant(-gamma))
        return graph.add("Exp", scaled)
    products = graph.add("MatMul", value, graph.constant(points.T))
    if name == "linear":
        return products
    if name == "cosine":
        return _cosine(graph, value, points)
    if name not in ("poly", "polynomial", "sigmoid"):
        raise NotCompiled(f"{type(step).__name__} with the kernel {name}")
    shift = 1.0 if step.coef0 is None else float(step.coef0)
    products = graph.add(
        "Add", graph.add("Mul", products, graph.constant(gamma)), graph.constant(shift)
    )
    if name == "sigmoid":
        return graph.add("Tanh", products)
    degree = 3.0 if step.degree is None else float(step.degree)
    return graph.add("Pow", products, graph.constant(degree))


def _cosine(graph: GraphBuilder, value: str, points: np.ndarray) -> str:
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    points = points / np.where(lengths == 0, 1, lengths)
    norm = graph.add("Sqrt", graph.total(graph.add("Mul", value, value)))
    is_zero = graph.add("Equal", norm, graph.constant(0.0))
    norm = graph.add("Where", is_zero, graph.constant(1.0), norm)
    return graph.add("Div", graph.add("MatMul", value, graph.constant(points.T)), norm)


def ridge(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    shares = pairwise(graph, model, graph.matrix(inputs), model.X_fit_)
    weights = np.asarray(model.dual_coef_, dtype=float).reshape(len(model.X_fit_), -1)
    return Answer(value=graph.add("MatMul", shares, graph.constant(weights)))


def nystroem(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    shares = pairwise(graph, step, graph.matrix(inputs), step.components_)
    value = graph.add("MatMul", shares, graph.constant(step.normalization_.T))
    return graph.features(value, len(step.normalization_))


def kernel_components(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """KernelPCA: the kernel centred, then projected."""
    shares = pairwise(graph, step, graph.matrix(inputs), step.X_fit_)
    centerer = step._centerer
    mean = graph.add("Div", graph.total(shares), graph.constant(float(len(step.X_fit_))))
    shares = graph.add("Sub", shares, graph.constant([centerer.K_fit_rows_]))
    shares = graph.add("Sub", shares, mean)
    shares = graph.add("Add", shares, graph.constant(float(centerer.K_fit_all_)))
    values = np.asarray(step.eigenvalues_, dtype=float)
    known = np.flatnonzero(values)
    weights = np.zeros_like(step.eigenvectors_)
    weights[:, known] = step.eigenvectors_[:, known] / np.sqrt(values[known])
    return graph.features(graph.add("MatMul", shares, graph.constant(weights)), len(values))


def spread_labels(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """LabelPropagation and LabelSpreading by distance."""
    if model.kernel != "rbf":
        raise NotCompiled(f"{type(model).__name__} by neighbours")
    squares = squared_distances(graph, graph.matrix(inputs), model.X_)
    shares = graph.add("Exp", graph.add("Mul", squares, graph.constant(-float(model.gamma))))
    proba = graph.add("MatMul", shares, graph.constant(dense(model.label_distributions_)))
    proba = graph.add("Div", proba, graph.total(proba))
    return Answer(graph.argmax(proba), proba)


def process(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """GaussianProcessRegressor: the mean."""
    value = graph.matrix(inputs)
    if not hasattr(model, "X_train_"):
        raise NotCompiled("a Gaussian process that was not fitted")
    points = dense(model.X_train_)
    weights = np.asarray(model.alpha_, dtype=float).reshape(len(points), -1)
    mean = graph.add(
        "MatMul", covariance(graph, model.kernel_, value, points), graph.constant(weights)
    )
    mean = graph.add("Mul", mean, graph.constant(np.asarray(model._y_train_std, dtype=float)))
    return Answer(
        value=graph.add("Add", mean, graph.constant(np.asarray(model._y_train_mean, dtype=float)))
    )


def covariance(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    """A kernel of Gaussian processes between each row and each point."""
    if type(kernel) not in COVARIANCES:
        raise NotCompiled(f"the kernel {type(kernel).__name__}")
    return COVARIANCES[type(kernel)](graph, kernel, value, points)


def _sum(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    parts = [covariance(graph, one, value, points) for one in (kernel.k1, kernel.k2)]
    return graph.add("Add", *parts)


def _product(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    parts = [covariance(graph, one, value, points) for one in (kernel.k1, kernel.k2)]
    return graph.add("Mul", *parts)


def _constant(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    return graph.constant(np.full((1, len(points)), float(kernel.constant_value)))


def _white(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    return graph.constant(np.zeros((1, len(points))))


def _scaled_squares(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    length = np.asarray(kernel.length_scale, dtype=float)
    return squared_distances(
        graph, graph.add("Div", value, graph.constant(length)), points / length
    )


def _radial(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    squares = _scaled_squares(graph, kernel, value, points)
    return graph.add("Exp", graph.add("Mul", squares, graph.constant(-0.5)))


def _matern(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    if kernel.nu == np.inf:
        return _radial(graph, kernel, value, points)
    if kernel.nu not in (0.5, 1.5, 2.5):
        raise NotCompiled(f"the kernel Matern with nu={kernel.nu}")
    distance = graph.add("Sqrt", _scaled_squares(graph, kernel, value, points))
    scaled = graph.add("Mul", distance, graph.constant(np.sqrt(2 * kernel.nu)))
    decay = graph.add("Exp", graph.add("Neg", scaled))
    if kernel.nu == 0.5:
        return decay
    factor = graph.add("Add", scaled, graph.constant(1.0))
    if kernel.nu == 2.5:
        third = graph.add("Div", graph.add("Mul", scaled, scaled), graph.constant(3.0))
        factor = graph.add("Add", factor, third)
    return graph.add("Mul", factor, decay)


def _rational(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    squares = squared_distances(graph, value, points)
    alpha = float(kernel.alpha)
    scaled = graph.add("Div", squares, graph.constant(2 * alpha * float(kernel.length_scale) ** 2))
    base = graph.add("Add", scaled, graph.constant(1.0))
    return graph.add("Pow", base, graph.constant(-alpha))


def _dot(graph: GraphBuilder, kernel: Any, value: str, points: np.ndarray) -> str:
    products = graph.add("MatMul", value, graph.constant(points.T))
    return graph.add("Add", products, graph.constant(float(kernel.sigma_0) ** 2))


COVARIANCES: dict[type, Callable[[GraphBuilder, Any, str, np.ndarray], str]] = {
    kernels.Sum: _sum,
    kernels.Product: _product,
    kernels.ConstantKernel: _constant,
    kernels.WhiteKernel: _white,
    kernels.RBF: _radial,
    kernels.Matern: _matern,
    kernels.RationalQuadratic: _rational,
    kernels.DotProduct: _dot,
}
MODELS: dict[type, Callable[[GraphBuilder, Any, Features], Answer]] = {
    kernel_ridge.KernelRidge: ridge,
    gaussian_process.GaussianProcessRegressor: process,
    semi_supervised.LabelPropagation: spread_labels,
    semi_supervised.LabelSpreading: spread_labels,
}
TRANSFORMERS: dict[type, Callable[[GraphBuilder, Any, Features], Features]] = {
    kernel_approximation.Nystroem: nystroem,
    decomposition.KernelPCA: kernel_components,
}
