"""Models that are a few matrix operations, as float64 graphs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import (
    cross_decomposition,
    discriminant_analysis,
    dummy,
    linear_model,
    naive_bayes,
    neural_network,
    svm,
)

from registry.runner import old_versions
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled


@dataclass
class Answer:
    """What a model puts out: `index` of the class of each row, `proba`, or `value`.

    `scores` are its decision function, one column where there are two classes. Of several
    outputs, `indexes` and `probas` have one each.
    """

    index: str | None = None
    proba: str | None = None
    value: str | None = None
    scores: str | None = None
    indexes: list[str] | None = None
    probas: list[str] | None = None
    classes: Any = None  # the labels `index` counts, where the model has no classes_


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


def linear_regression(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    return Answer(value=linear(graph, model, inputs))


def centered_regression(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """Partial least squares."""
    value = graph.add("Sub", graph.matrix(inputs), graph.constant(model._x_mean))
    weights, bias = graph.constant(np.asarray(model.coef_).T), graph.constant(model.intercept_)
    return Answer(value=graph.add("Gemm", value, weights, bias))


def exponential_regression(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """Poisson, gamma, and tweedie with a log link."""
    if type(model._base_loss.link).__name__ != "LogLink":
        return linear_regression(graph, model, inputs)
    return Answer(value=graph.add("Exp", linear(graph, model, inputs)))


def linear_classifier(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """Labels only."""
    scores = linear(graph, model, inputs)
    return Answer(index=_index(graph, scores, len(model.classes_)), scores=scores)


def logistic(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    scores = linear(graph, model, inputs)
    if len(model.classes_) == 2:
        proba = two_sided(graph, graph.add("Sigmoid", scores))
    else:
        proba = graph.add("Softmax", scores, axis=1)
    return Answer(_index(graph, scores, len(model.classes_)), proba, scores=scores)


def stochastic(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    if model.loss not in ("log_loss", "modified_huber"):
        return linear_classifier(graph, model, inputs)
    scores = linear(graph, model, inputs)
    binary = len(model.classes_) == 2
    if model.loss == "log_loss":
        proba = graph.add("Sigmoid", scores)
    else:
        proba = _clipped_halves(graph, scores)
    proba = two_sided(graph, proba) if binary else shares(graph, proba, len(model.classes_))
    return Answer(_index(graph, scores, len(model.classes_)), proba, scores=scores)


def _clipped_halves(graph: GraphBuilder, scores: str) -> str:
    """(clip(score, -1, 1) + 1) / 2"""
    low = graph.add("Max", scores, graph.constant(-1.0))
    clipped = graph.add("Min", low, graph.constant(1.0))
    return graph.add("Div", graph.add("Add", clipped, graph.constant(1.0)), graph.constant(2.0))


def shares(graph: GraphBuilder, values: str, count: int) -> str:
    """Each row divided by its sum; equal shares where that is nothing."""
    total = graph.total(values)
    nothing = graph.add("Equal", total, graph.constant(0.0))
    divided = graph.add("Div", values, graph.add("Where", nothing, graph.constant(1.0), total))
    return graph.add("Where", nothing, graph.constant(1.0 / count), divided)


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
    value = perceptron(graph, model, inputs)
    if model._label_binarizer.y_type_.startswith("multilabel"):
        return several_labels(graph, value, model.n_outputs_, 0.5)
    if model.n_outputs_ == 1:
        # The label binarizer's threshold: strictly above one half.
        return Answer(above(graph, value, 0.5), two_sided(graph, value))
    return Answer(graph.argmax(value), value)


def several_labels(graph: GraphBuilder, proba: str, count: int, limit: float) -> Answer:
    """Any number of labels a row: those whose probability is above `limit`."""
    found = [above(graph, graph.column(proba, at, count), limit) for at in range(count)]
    return Answer(indexes=found, proba=proba, classes=[[0, 1]] * count)


def perceptron_regressor(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    return Answer(value=perceptron(graph, model, inputs))


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


def linear_outliers(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """SGDOneClassSVM: an inlier from zero on."""
    weights, bias = np.reshape(model.coef_, (-1, 1)), np.ravel(-model.offset_)
    scores = graph.add("Gemm", graph.matrix(inputs), graph.constant(weights), graph.constant(bias))
    return Answer(index=below(graph, scores))


def below(graph: GraphBuilder, scores: str, limit: float = 0.0) -> str:
    """1 where a single column of scores is less than `limit`, else 0; shape (rows,)."""
    return graph.squeezed(graph.integer(graph.add("Less", scores, graph.constant(limit))))


def constant_class(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    if model.n_outputs_ != 1 or model.strategy not in ("prior", "most_frequent", "constant"):
        raise NotCompiled("DummyClassifier that answers at random")
    proba = np.asarray(model.predict_proba(np.zeros((1, 1))), dtype=float)
    label = model.predict(np.zeros((1, 1)))[0]
    index = int(np.flatnonzero(model.classes_ == label)[0])
    ones = graph.ones(inputs)
    at = graph.add("Mul", graph.integer(ones), graph.constant(index, np.int64))
    return Answer(graph.squeezed(at), graph.add("MatMul", ones, graph.constant(proba)))


def constant_value(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    values = np.asarray(model.constant_, dtype=float).reshape(1, -1)
    return Answer(value=graph.add("MatMul", graph.ones(inputs), graph.constant(values)))


def counting_bayes(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """MultinomialNB and ComplementNB."""
    value = graph.matrix(inputs)
    scores = graph.add("MatMul", value, graph.constant(np.asarray(model.feature_log_prob_).T))
    if isinstance(model, naive_bayes.MultinomialNB) or len(model.classes_) == 1:
        scores = graph.add("Add", scores, graph.constant([model.class_log_prior_]))
    return Answer(graph.argmax(scores), graph.add("Softmax", scores, axis=1))


def yes_no_bayes(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """BernoulliNB."""
    value = graph.matrix(inputs)
    if model.binarize is not None:
        value = graph.double(graph.add("Greater", value, graph.constant(float(model.binarize))))
    yes = np.asarray(model.feature_log_prob_)
    no = np.log(1 - np.exp(yes))
    scores = graph.add("MatMul", value, graph.constant((yes - no).T))
    constant = model.class_log_prior_ + no.sum(axis=1)
    scores = graph.add("Add", scores, graph.constant([constant]))
    return Answer(graph.argmax(scores), graph.add("Softmax", scores, axis=1))


def old_logistic(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """One class against the rest, or two classes as if they were many."""
    scores, count = linear(graph, model, inputs), len(model.classes_)
    index = _index(graph, scores, count)
    if count == 2:
        both = graph.concat([graph.add("Neg", scores), scores])
        return Answer(index, graph.add("Softmax", both, axis=1), scores=scores)
    proba = graph.add("Sigmoid", scores)
    return Answer(index, graph.add("Div", proba, graph.total(proba)), scores=scores)


LINEAR_REGRESSORS = """
    LinearRegression Ridge RidgeCV Lasso LassoCV LassoLars LassoLarsIC ElasticNet ElasticNetCV
    Lars OrthogonalMatchingPursuit BayesianRidge ARDRegression HuberRegressor TheilSenRegressor
    SGDRegressor QuantileRegressor MultiTaskLasso MultiTaskElasticNet
"""

MODELS: dict[type, Callable[[GraphBuilder, Any, Features], Answer]] = {
    linear_model.LogisticRegression: logistic,
    linear_model.LogisticRegressionCV: logistic,
    old_versions.LogisticRegression: old_logistic,
    old_versions.LogisticRegressionCV: old_logistic,
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
    linear_model.PassiveAggressiveClassifier: linear_classifier,
    linear_model.PassiveAggressiveRegressor: linear_regression,
    linear_model.SGDOneClassSVM: linear_outliers,
    cross_decomposition.PLSRegression: centered_regression,
    cross_decomposition.PLSCanonical: centered_regression,
    cross_decomposition.CCA: centered_regression,
    dummy.DummyClassifier: constant_class,
    dummy.DummyRegressor: constant_value,
    naive_bayes.GaussianNB: gaussian_bayes,
    naive_bayes.MultinomialNB: counting_bayes,
    naive_bayes.ComplementNB: counting_bayes,
    naive_bayes.BernoulliNB: yes_no_bayes,
    **{getattr(linear_model, name): linear_regression for name in LINEAR_REGRESSORS.split()},
}
