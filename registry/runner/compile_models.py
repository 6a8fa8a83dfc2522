"""Models that are a few matrix operations, as float64 graphs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import cluster, discriminant_analysis, linear_model, naive_bayes, neural_network, svm

from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled


@dataclass
class Answer:
    """What a model puts out: `index` of the class of each row, `proba`, or `value`."""

    index: str | None = None
    proba: str | None = None
    value: str | None = None


def linear(graph: GraphBuilder, model: Any, inputs: Features) -> str:
    """Scores as a matrix with a column an output."""
    weights = np.atleast_2d(np.asarray(model.coef_, dtype=float))
    bias = np.zeros(len(weights)) + np.ravel(np.asarray(model.intercept_, dtype=float))
    return graph.add("Gemm", graph.matrix(inputs), graph.constant(weights.T), graph.constant(bias))


def two_sided(graph: GraphBuilder, positive: str) -> str:
    """Both classes' probabilities from the second's, as scikit-learn computes them."""
    negative = graph.add("Sub", graph.constant(1.0), positive)
    return graph.concat([negative, positive])


def above(graph: GraphBuilder, scores: str, limit: float = 0.0) -> str:
    """1 where a single column of scores is greater than `limit`, else 0; shape (rows,)."""
    is_above = graph.integer(graph.add("Greater", scores, graph.constant(limit)))
    return graph.add("Reshape", is_above, graph.constant([-1], np.int64))


def normalized_rows(graph: GraphBuilder, values: str) -> str:
    return graph.add("Div", values, graph.total(values))


def linear_regression(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    return Answer(value=linear(graph, model, inputs))


def exponential_regression(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """Poisson, gamma, and tweedie with a log link."""
    if type(model._base_loss.link).__name__ != "LogLink":
        return linear_regression(graph, model, inputs)
    return Answer(value=graph.add("Exp", linear(graph, model, inputs)))


def linear_classifier(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """Labels only."""
    scores = linear(graph, model, inputs)
    return Answer(index=_index(graph, scores, len(model.classes_)))


def logistic(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    scores = linear(graph, model, inputs)
    if len(model.classes_) == 2:
        proba = two_sided(graph, graph.add("Sigmoid", scores))
    else:
        proba = graph.add("Softmax", scores, axis=1)
    return Answer(_index(graph, scores, len(model.classes_)), proba)


def stochastic(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    if model.loss != "log_loss":
        return linear_classifier(graph, model, inputs)
    scores = linear(graph, model, inputs)
    proba = graph.add("Sigmoid", scores)
    binary = len(model.classes_) == 2
    proba = two_sided(graph, proba) if binary else normalized_rows(graph, proba)
    return Answer(_index(graph, scores, len(model.classes_)), proba)


def _index(graph: GraphBuilder, scores: str, classes: int) -> str:
    return above(graph, scores) if classes == 2 else graph.argmax(scores)


def perceptron(graph: GraphBuilder, model: Any, inputs: Features) -> str:
    """The last layer of a multi-layer perceptron, activated."""
    value = graph.matrix(inputs)
    last = len(model.coefs_) - 1
    for layer, (weights, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        value = graph.add("Gemm", value, graph.constant(weights), graph.constant(bias))
        value = _activated(
            graph, value, model.out_activation_ if layer == last else model.activation
        )
    return value


ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "exp": "Exp"}


def _activated(graph: GraphBuilder, value: str, activation: str) -> str:
    if activation == "identity":
        return value
    if activation == "softmax":
        return graph.add("Softmax", value, axis=1)
    if activation not in ACTIVATIONS:
        raise NotCompiled(f"the activation {activation}")
    return graph.add(ACTIVATIONS[activation], value)


def perceptron_classifier(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    if model._label_binarizer.y_type_.startswith("multilabel"):
        raise NotCompiled("a neural network with several labels a row")
    value = perceptron(graph, model, inputs)
    if model.n_outputs_ == 1:
        # The label binarizer's threshold: strictly above one half.
        return Answer(above(graph, value, 0.5), two_sided(graph, value))
    return Answer(graph.argmax(value), value)


def perceptron_regressor(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    return Answer(value=perceptron(graph, model, inputs))


def kernel(graph: GraphBuilder, model: Any, inputs: Features) -> str:
    """Each row's kernel with every support vector."""
    value = graph.matrix(inputs)
    vectors = _dense(model.support_vectors_)
    if model.kernel == "rbf":
        return _radial(graph, value, vectors, model._gamma)
    products = graph.add("MatMul", value, graph.constant(vectors.T))
    if model.kernel == "linear":
        return products
    if model.kernel not in ("poly", "sigmoid"):
        raise NotCompiled("a support vector machine with your own kernel")
    products = graph.add("Mul", products, graph.constant(float(model._gamma)))
    products = graph.add("Add", products, graph.constant(float(model.coef0)))
    if model.kernel == "sigmoid":
        return graph.add("Tanh", products)
    return graph.add("Pow", products, graph.constant(float(model.degree)))


def _radial(graph: GraphBuilder, value: str, vectors: np.ndarray, gamma: float) -> str:
    """Centred first, so that |x|² + |v|² - 2xv loses little to cancellation."""
    center = vectors.mean(axis=0)
    value = graph.add("Sub", value, graph.constant(center))
    vectors = vectors - center
    squares = graph.total(graph.add("Mul", value, value))
    doubled = graph.add("MatMul", value, graph.constant(-2 * vectors.T))
    distances = graph.add("Add", squares, graph.constant((vectors**2).sum(axis=1)))
    distances = graph.add("Add", distances, doubled)
    return graph.add("Exp", graph.add("Mul", distances, graph.constant(-float(gamma))))


def _dense(values: Any) -> np.ndarray:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=float)


def support_regressor(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    weights = graph.constant(_dense(model.dual_coef_).T)
    bias = graph.constant(np.ravel(model._intercept_))
    return Answer(value=graph.add("Gemm", kernel(graph, model, inputs), weights, bias))


def support_classifier(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """One vote a pair of classes; the first class with most votes wins, as in libsvm."""
    if getattr(model, "_effective_probability", model.probability) is True or model.break_ties:
        raise NotCompiled("a support vector machine with probabilities")
    weights, bias = _pairs(model)
    scores = graph.add(
        "Gemm", kernel(graph, model, inputs), graph.constant(weights), graph.constant(bias)
    )
    first = graph.double(graph.add("Greater", scores, graph.constant(0.0)))
    votes = _votes(graph, first, len(model.classes_))
    return Answer(graph.argmax(votes))


def _pairs(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weights of every support vector in each pair's decision, positive for the first class."""
    counts = model._n_support
    starts = np.concatenate([[0], np.cumsum(counts)])
    classes = len(counts)
    dual = _dense(model._dual_coef_)
    columns = []
    for first in range(classes):
        for second in range(first + 1, classes):
            column = np.zeros(dual.shape[1])
            of_first = slice(starts[first], starts[first + 1])
            of_second = slice(starts[second], starts[second + 1])
            column[of_first] = dual[second - 1, of_first]
            column[of_second] = dual[first, of_second]
            columns.append(column)
    return np.array(columns).T, np.ravel(model._intercept_)


def _votes(graph: GraphBuilder, first: str, classes: int) -> str:
    """Votes a class: +1 for the first of a pair where it won, else for the second."""
    pairs = [(one, two) for one in range(classes) for two in range(one + 1, classes)]
    gains = np.zeros((len(pairs), classes))
    base = np.zeros(classes)
    for index, (one, two) in enumerate(pairs):
        gains[index, one], gains[index, two] = 1.0, -1.0
        base[two] += 1.0
    return graph.add("Gemm", first, graph.constant(gains), graph.constant(base))


def gaussian_bayes(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    value = graph.matrix(inputs)
    parts = []
    for mean, variance, prior in zip(model.theta_, model.var_, model.class_prior_, strict=True):
        offset = graph.add("Sub", value, graph.constant(mean))
        squares = graph.add("Div", graph.add("Mul", offset, offset), graph.constant(variance))
        constant = np.log(prior) - 0.5 * np.sum(np.log(2.0 * np.pi * variance))
        halves = graph.add("Mul", graph.total(squares), graph.constant(-0.5))
        parts.append(graph.add("Add", halves, graph.constant(constant)))
    scores = graph.concat(parts)
    return Answer(graph.argmax(scores), graph.add("Softmax", scores, axis=1))


def nearest_center(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    centers = np.asarray(model.cluster_centers_, dtype=float)
    value = graph.matrix(inputs)
    products = graph.add("MatMul", value, graph.constant(2 * centers.T))
    scores = graph.add("Sub", products, graph.constant((centers**2).sum(axis=1)))
    return Answer(index=graph.argmax(scores))


LINEAR_REGRESSORS = """
    LinearRegression Ridge RidgeCV Lasso LassoCV LassoLars LassoLarsIC ElasticNet ElasticNetCV
    Lars OrthogonalMatchingPursuit BayesianRidge ARDRegression HuberRegressor TheilSenRegressor
    SGDRegressor QuantileRegressor MultiTaskLasso MultiTaskElasticNet
"""

MODELS: dict[type, Callable[[GraphBuilder, Any, Features], Answer]] = {
    linear_model.LogisticRegression: logistic,
    linear_model.LogisticRegressionCV: logistic,
    discriminant_analysis.LinearDiscriminantAnalysis: logistic,
    linear_model.SGDClassifier: stochastic,
    linear_model.Perceptron: linear_classifier,
    linear_model.RidgeClassifier: linear_classifier,
    linear_model.RidgeClassifierCV: linear_classifier,
    svm.LinearSVC: linear_classifier,
    svm.LinearSVR: linear_regression,
    linear_model.PoissonRegressor: exponential_regression,
    linear_model.GammaRegressor: exponential_regression,
    linear_model.TweedieRegressor: exponential_regression,
    neural_network.MLPClassifier: perceptron_classifier,
    neural_network.MLPRegressor: perceptron_regressor,
    svm.SVC: support_classifier,
    svm.NuSVC: support_classifier,
    svm.SVR: support_regressor,
    svm.NuSVR: support_regressor,
    naive_bayes.GaussianNB: gaussian_bayes,
    cluster.KMeans: nearest_center,
    cluster.MiniBatchKMeans: nearest_center,
    **{getattr(linear_model, name): linear_regression for name in LINEAR_REGRESSORS.split()},
}
