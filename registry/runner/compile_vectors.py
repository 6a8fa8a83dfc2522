"""Support vector machines as float64 graphs, libsvm's votes and coupled probabilities included."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from sklearn import svm

from registry.runner.compile_models import Answer
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled


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
    count = len(model.classes_)
    weights, bias = _pairs(model)
    pairs = graph.add(
        "Gemm", kernel(graph, model, inputs), graph.constant(weights), graph.constant(bias)
    )
    first = graph.double(graph.add("Greater", pairs, graph.constant(0.0)))
    index = graph.argmax(_votes(graph, first, count))
    scores = graph.add("Neg", pairs) if count == 2 else one_against_one(graph, pairs, count)
    if model.break_ties and count > 2:
        index = graph.argmax(scores)
    if count > 2 and model.decision_function_shape == "ovo":
        scores = graph.add("Neg", pairs)
    proba = _probabilities(graph, model, pairs) if hasattr(model, "predict_proba") else None
    return Answer(index, proba, scores=scores)


def support_outliers(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """OneClassSVM: an inlier above zero."""
    value = support_regressor(graph, model, inputs).value or ""
    is_out = graph.add("LessOrEqual", value, graph.constant(0.0))
    return Answer(index=graph.squeezed(graph.integer(is_out)))


def one_against_one(
    graph: GraphBuilder, pairs: str, count: int, *, second: str | None = None
) -> str:
    """Votes, and as their fraction the confidence summed; `pairs` are positive for the first.

    `second` is 1 where the second of a pair won; else by the sign of `pairs`.
    """
    gains, losses = np.zeros((0, count)), np.zeros((0, count))
    for one in range(count):
        for two in range(one + 1, count):
            row = np.zeros((1, count))
            row[0, one], row[0, two] = 1.0, -1.0
            gains = np.vstack([gains, row])
            losses = np.vstack([losses, row < 0])
    confidence = graph.add("MatMul", pairs, graph.constant(gains))
    shrunk = graph.add("Add", graph.add("Abs", confidence), graph.constant(1.0))
    shrunk = graph.add("Mul", shrunk, graph.constant(3.0))
    # The second of a pair wins where its confidence, -pairs, is above zero.
    second = second or graph.double(graph.add("Less", pairs, graph.constant(0.0)))
    first = graph.add("Sub", graph.constant(1.0), second)
    votes = graph.add(
        "Add",
        graph.add("MatMul", first, graph.constant((gains > 0).astype(float))),
        graph.add("MatMul", second, graph.constant(losses.astype(float))),
    )
    return graph.add("Add", votes, graph.add("Div", confidence, shrunk))


LEAST_PAIR = 1e-7
MOST_COUPLED = 4
COUPLING_ROUNDS = {2: 4, 3: 8, 4: 9}


def _probabilities(graph: GraphBuilder, model: Any, pairs: str) -> str:
    """libsvm's coupling of the pairs' probabilities: a few rounds, each row until it is near."""
    count = len(model.classes_)
    if count > MOST_COUPLED:
        raise NotCompiled("a support vector machine with probabilities of many classes")
    slopes, offsets = graph.constant([model.probA_]), graph.constant([model.probB_])
    exponents = graph.add("Add", graph.add("Mul", pairs, slopes), offsets)
    share = graph.add("Sigmoid", graph.add("Neg", exponents))
    share = graph.add("Max", share, graph.constant(LEAST_PAIR))
    share = graph.add("Min", share, graph.constant(1 - LEAST_PAIR))
    return _coupled(graph, _pair_products(graph, share, count), count)


def _pair_products(graph: GraphBuilder, share: str, count: int) -> list[str]:
    """libsvm's matrix Q, a (rows, count) value for each of its lines."""
    number = count * (count - 1) // 2
    known: dict[tuple[int, int], str] = {}
    for place, (one, two) in enumerate(combinations(range(count), 2)):
        known[one, two] = graph.column(share, place, number)
        known[two, one] = graph.add("Sub", graph.constant(1.0), known[one, two])
    lines = []
    for row in range(count):
        cells = []
        for column in range(count):
            if column != row:
                product = graph.add("Mul", known[column, row], known[row, column])
                cells.append(graph.add("Neg", product))
                continue
            squares = [
                graph.add("Mul", known[j, row], known[j, row]) for j in range(count) if j != row
            ]
            cells.append(squares[0] if len(squares) == 1 else graph.add("Sum", *squares))
        lines.append(graph.concat(cells))
    return lines


def _coupled(graph: GraphBuilder, lines: list[str], count: int) -> str:
    ones = graph.ones(graph.features(lines[0], count))
    shares = graph.add("Mul", ones, graph.constant([[1.0 / count] * count]))
    for _ in range(COUPLING_ROUNDS[count]):
        cells = [graph.total(graph.add("Mul", line, shares)) for line in lines]
        products = graph.concat(cells)
        energy = graph.total(graph.add("Mul", shares, products))
        error = graph.add("Abs", graph.add("Sub", products, energy))
        largest = graph.add("ReduceMax", error, graph.constant([1], np.int64), keepdims=1)
        is_near = graph.add("Less", largest, graph.constant(0.005 / count))
        moved = _coupling_round(graph, lines, shares, products, energy)
        shares = graph.add("Where", is_near, shares, moved)
    return shares


def _coupling_round(
    graph: GraphBuilder, lines: list[str], shares: str, products: str, energy: str
) -> str:
    count = len(lines)
    one, two = graph.constant(1.0), graph.constant(2.0)
    for place, line in enumerate(lines):
        diagonal = graph.column(line, place, count)
        product = graph.column(products, place, count)
        step = graph.add("Div", graph.add("Sub", energy, product), diagonal)
        grown = graph.add("Add", one, step)
        inner = graph.add("Add", graph.add("Mul", step, diagonal), graph.add("Mul", two, product))
        energy = graph.add("Add", energy, graph.add("Mul", step, inner))
        energy = graph.add("Div", graph.add("Div", energy, grown), grown)
        products = graph.add("Add", products, graph.add("Mul", step, line))
        products = graph.add("Div", products, grown)
        unit = graph.constant([np.eye(count)[place]])
        shares = graph.add("Add", shares, graph.add("Mul", step, unit))
        shares = graph.add("Div", shares, grown)
    return shares


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


MODELS: dict[type, Callable[[GraphBuilder, Any, Features], Answer]] = {
    svm.SVC: support_classifier,
    svm.NuSVC: support_classifier,
    svm.SVR: support_regressor,
    svm.NuSVR: support_regressor,
    svm.OneClassSVM: support_outliers,
}
