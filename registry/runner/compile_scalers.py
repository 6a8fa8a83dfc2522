"""Scaling, projecting and combining numbers, as float64 graphs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import (
    cluster,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    ensemble,
    kernel_approximation,
    neighbors,
    neural_network,
    preprocessing,
    random_projection,
)

from registry.runner import compile_trees as trees
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled


def scale(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """StandardScaler, RobustScaler and MaxAbsScaler: subtract, then divide."""
    value = graph.matrix(inputs)
    center = getattr(step, "mean_", None) if hasattr(step, "mean_") else None
    center = getattr(step, "center_", center)
    if center is not None and getattr(step, "with_mean", getattr(step, "with_centering", True)):
        value = graph.add("Sub", value, graph.constant(center))
    if step.scale_ is not None:
        value = graph.add("Div", value, graph.constant(step.scale_))
    return graph.features(value, len(inputs))


def scale_to_range(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    value = graph.add("Mul", graph.matrix(inputs), graph.constant(step.scale_))
    value = graph.add("Add", value, graph.constant(step.min_))
    if step.clip:
        low, high = step.feature_range
        value = graph.add("Min", graph.add("Max", value, graph.constant(low)), graph.constant(high))
    return graph.features(value, len(inputs))


def project(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """PCA and TruncatedSVD."""
    value = graph.matrix(inputs)
    if getattr(step, "mean_", None) is not None:
        value = graph.add("Sub", value, graph.constant(step.mean_))
    value = graph.add("MatMul", value, graph.constant(step.components_.T))
    if getattr(step, "whiten", False):
        value = graph.add("Div", value, graph.constant(np.sqrt(step.explained_variance_)))
    return graph.features(value, len(step.components_))


def normalize(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    value = graph.matrix(inputs)
    if step.norm == "l2":
        norms = graph.add("Sqrt", graph.total(graph.add("Mul", value, value)))
    elif step.norm == "l1":
        norms = graph.total(graph.add("Abs", value))
    else:
        norms = graph.add(
            "ReduceMax", graph.add("Abs", value), graph.constant([1], np.int64), keepdims=1
        )
    zero = graph.add("Equal", norms, graph.constant(0.0))
    norms = graph.add("Where", zero, graph.constant(1.0), norms)
    return graph.features(graph.add("Div", value, norms), len(inputs))


def polynomials(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    if step.n_output_features_ > 512:
        raise NotCompiled("more than 512 polynomial features")
    parts = []
    for powers in step.powers_:
        factors = [one for one, power in zip(inputs, powers, strict=True) for _ in range(power)]
        parts.append(_product(graph, factors, inputs))
    return graph.features(graph.concat(parts), len(parts))


def _product(graph: GraphBuilder, factors: Features, inputs: Features) -> str:
    if not factors:
        return graph.ones(inputs)  # the bias column
    value = graph.matrix(factors[:1])
    for factor in factors[1:]:
        value = graph.add("Mul", value, graph.matrix([factor]))
    return value


def mapped(
    graph: GraphBuilder, inputs: Features, weights: Any, *, center: Any = None, bias: Any = None
) -> Features:
    """(x - center) weights + bias"""
    value = graph.matrix(inputs)
    if center is not None:
        value = graph.add("Sub", value, graph.constant(center))
    weights = np.asarray(weights.toarray() if hasattr(weights, "toarray") else weights, float)
    value = graph.add("MatMul", value, graph.constant(weights))
    if bias is not None:
        value = graph.add("Add", value, graph.constant(bias))
    return graph.features(value, weights.shape[1])


def factors(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """FactorAnalysis: one matrix, made when it was fitted."""
    weighted = step.components_ / step.noise_variance_
    inner = np.linalg.inv(np.eye(len(step.components_)) + weighted @ step.components_.T)
    return mapped(graph, inputs, weighted.T @ inner, center=step.mean_)


def components(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """FastICA, random projections, neighbourhood components."""
    return mapped(graph, inputs, step.components_.T, center=getattr(step, "mean_", None))


def discriminants(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    if step.solver == "lsqr":
        raise NotCompiled("LinearDiscriminantAnalysis that cannot transform")
    weights = step.scalings_[:, : step._max_components]
    center = step.xbar_ if step.solver == "svd" else None
    return mapped(graph, inputs, weights, center=center)


def rotated(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """Partial least squares as a transformer."""
    weights = step.x_rotations_ / np.asarray(step._x_std).reshape(-1, 1)
    return mapped(graph, inputs, weights, center=step._x_mean)


def hidden_units(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    made = mapped(graph, inputs, step.components_.T, bias=step.intercept_hidden_)
    return graph.features(graph.add("Sigmoid", graph.matrix(made)), len(made))


def random_waves(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """RBFSampler."""
    made = mapped(graph, inputs, step.random_weights_, bias=step.random_offset_)
    wave = graph.add("Cos", graph.matrix(made))
    wave = graph.add("Mul", wave, graph.constant((2.0 / step.n_components) ** 0.5))
    return graph.features(wave, len(made))


def pooled(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """FeatureAgglomeration: the mean of each group of features."""
    if step.pooling_func is not np.mean:
        raise NotCompiled("FeatureAgglomeration with your own function")
    groups = np.unique(step.labels_)
    weights = (np.asarray(step.labels_)[:, None] == groups).astype(float)
    return mapped(graph, inputs, weights / weights.sum(axis=0))


def leaves(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """RandomTreesEmbedding: which leaf of each tree a row is in."""
    grown, first = [], 0
    known = step.one_hot_encoder_.categories_
    for part, places in zip(step.estimators_, known, strict=True):
        values = np.zeros((part.tree_.node_count, len(places)))
        values[np.asarray(places, dtype=int), np.arange(len(places))] = 1.0
        one = trees.plain_tree(part.tree_, values)
        one.first_target = first
        grown.append(one)
        first += len(places)
    return graph.features(trees.sums(graph, inputs, grown, [0.0] * first), first)


TRANSFORMERS: dict[type, Callable[[GraphBuilder, Any, Features], Features]] = {
    preprocessing.StandardScaler: scale,
    preprocessing.RobustScaler: scale,
    preprocessing.MaxAbsScaler: scale,
    preprocessing.MinMaxScaler: scale_to_range,
    preprocessing.Normalizer: normalize,
    preprocessing.PolynomialFeatures: polynomials,
    decomposition.PCA: project,
    decomposition.IncrementalPCA: project,
    decomposition.TruncatedSVD: project,
    decomposition.FactorAnalysis: factors,
    decomposition.FastICA: components,
    random_projection.GaussianRandomProjection: components,
    random_projection.SparseRandomProjection: components,
    neighbors.NeighborhoodComponentsAnalysis: components,
    discriminant_analysis.LinearDiscriminantAnalysis: discriminants,
    cross_decomposition.PLSRegression: rotated,
    cross_decomposition.PLSCanonical: rotated,
    cross_decomposition.CCA: rotated,
    neural_network.BernoulliRBM: hidden_units,
    kernel_approximation.RBFSampler: random_waves,
    cluster.FeatureAgglomeration: pooled,
    ensemble.RandomTreesEmbedding: leaves,
}
