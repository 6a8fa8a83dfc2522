"""Models of distances to known points, as float64 graphs: neighbours, centres, mixtures."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import digamma
from sklearn import (
    cluster,
    covariance,
    mixture,
    neighbors,
)

from registry.runner.compile_models import Answer, below
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

MOST_EXACT_COLUMNS = 32
MOST_POINTS = 20_000
# Neighbours whose distances are this close could change places.
TIE = 1e-9


def squared_distances(graph: GraphBuilder, value: str, points: np.ndarray) -> str:
    """(rows, points); column by column while they are few, which loses nothing."""
    points = dense(points)
    if len(points) > MOST_POINTS:
        raise NotCompiled(f"more than {MOST_POINTS} points")
    if points.shape[1] > MOST_EXACT_COLUMNS:
        return _expanded(graph, value, points)
    total = ""
    for at in range(points.shape[1]):
        apart = graph.add(
            "Sub", graph.column(value, at, points.shape[1]), graph.constant([points[:, at]])
        )
        square = graph.add("Mul", apart, apart)
        total = graph.add("Add", total, square) if total else square
    return total


def _expanded(graph: GraphBuilder, value: str, points: np.ndarray) -> str:
    """|x|² + |p|² - 2xp, centred first so that little is lost to cancellation."""
    center = points.mean(axis=0)
    value = graph.add("Sub", value, graph.constant(center))
    points = points - center
    squares = graph.total(graph.add("Mul", value, value))
    doubled = graph.add("MatMul", value, graph.constant(-2 * points.T))
    total = graph.add("Add", squares, graph.constant((points**2).sum(axis=1)))
    return graph.add("Max", graph.add("Add", total, doubled), graph.constant(0.0))


def absolute_distances(graph: GraphBuilder, value: str, points: np.ndarray) -> str:
    points = dense(points)
    if points.shape[1] > 2 * MOST_EXACT_COLUMNS or len(points) > MOST_POINTS:
        raise NotCompiled("Manhattan distances of many columns")
    total = ""
    for at in range(points.shape[1]):
        apart = graph.add(
            "Sub", graph.column(value, at, points.shape[1]), graph.constant([points[:, at]])
        )
        size = graph.add("Abs", apart)
        total = graph.add("Add", total, size) if total else size
    return total


def dense(values: Any) -> np.ndarray:
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=float)


def neighbours(graph: GraphBuilder, model: Any, inputs: Features) -> tuple[str, str]:
    """The nearest points of each row and their weights, both (rows, neighbours)."""
    points = dense(model._fit_X)
    metric = model.effective_metric_
    count = int(model.n_neighbors)
    if metric not in ("euclidean", "manhattan") or callable(model.weights):
        raise NotCompiled(f"{type(model).__name__} with a distance or weights of its own")
    if _has_ties(points, count, metric):
        raise NotCompiled(f"{type(model).__name__} where several points are equally near")
    value = graph.matrix(inputs)
    measure = squared_distances if metric == "euclidean" else absolute_distances
    distances = measure(graph, value, points)
    nearest, places = graph.add_many(
        "TopK", distances, graph.constant([count], np.int64), outputs=2, axis=1, largest=0, sorted=1
    )
    if model.weights in (None, "uniform"):
        return places, ""
    far = graph.add("Sqrt", nearest) if metric == "euclidean" else nearest
    return places, _closeness(graph, far)


def _has_ties(points: np.ndarray, count: int, metric: str) -> bool:
    """Whether points like those it knows have two equally near at the edge of their circle.

    Which of them counts then follows the library's own search tree. Looked up for the
    points themselves: data on a grid, or rounded, has such ties all over.
    """
    if count + 1 >= len(points):
        return count + 1 == len(points)
    sample = points[:: max(1, len(points) // 500)]
    search = neighbors.NearestNeighbors(n_neighbors=count + 2, metric=metric, algorithm="brute")
    if len(points) < count + 2:
        return True
    distances, _ = search.fit(points).kneighbors(sample)
    gaps = np.diff(distances[:, count - 1 :], axis=1)
    return bool((gaps <= TIE * (1 + distances[:, [count]])).any())


def _closeness(graph: GraphBuilder, distances: str) -> str:
    """1 / distance; where a point is met exactly, only such points count."""
    zero = graph.constant(0.0)
    exact = graph.double(graph.add("Equal", distances, zero))
    is_met = graph.add("Greater", graph.total(exact), zero)
    inverse = graph.add("Reciprocal", distances)
    return graph.add("Where", is_met, exact, inverse)


def neighbour_classes(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    if isinstance(model.classes_, list):
        raise NotCompiled("KNeighborsClassifier with several labels a row")
    places, weights = neighbours(graph, model, inputs)
    count = len(model.classes_)
    table = np.eye(count)[np.ravel(model._y)]
    proba = _weighted(graph, table, places, weights, int(model.n_neighbors))
    return Answer(graph.argmax(proba), proba)


def neighbour_values(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    places, weights = neighbours(graph, model, inputs)
    table = np.asarray(model._y, dtype=float).reshape(len(model._y), -1)
    return Answer(value=_weighted(graph, table, places, weights, int(model.n_neighbors)))


def _weighted(graph: GraphBuilder, table: np.ndarray, places: str, weights: str, count: int) -> str:
    """Means of the neighbours' rows in `table`, one column of it at a time."""
    parts = []
    total = graph.total(weights) if weights else graph.constant(float(count))
    for column in table.T:
        values = graph.add("Gather", graph.constant(column), places, axis=0)
        values = graph.add("Mul", values, weights) if weights else values
        parts.append(graph.add("Div", graph.total(values), total))
    return graph.concat(parts)


def nearest_center(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    centers = dense(model.cluster_centers_)
    return Answer(index=_nearest(graph, inputs, centers), classes=np.arange(len(centers)))


def nearest_group(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """Birch: the label of the nearest of its finer clusters."""
    index = _nearest(graph, inputs, dense(model.subcluster_centers_))
    return Answer(index=index, classes=np.asarray(model.subcluster_labels_))


def _nearest(graph: GraphBuilder, inputs: Features, centers: np.ndarray) -> str:
    value = graph.matrix(inputs)
    products = graph.add("MatMul", value, graph.constant(2 * centers.T))
    return graph.argmax(graph.add("Sub", products, graph.constant((centers**2).sum(axis=1))))


def center_distances(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    centers = dense(step.cluster_centers_)
    distances = graph.add("Sqrt", squared_distances(graph, graph.matrix(inputs), centers))
    return graph.features(distances, len(centers))


def mixed(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """GaussianMixture and BayesianGaussianMixture: the component of a row."""
    value, columns = graph.matrix(inputs), len(inputs)
    parts = []
    for at, mean in enumerate(np.asarray(model.means_)):
        root = _precision_root(model, at, columns)
        apart = graph.add("Sub", value, graph.constant(mean))
        spread = graph.add("MatMul", apart, graph.constant(root))
        squares = graph.total(graph.add("Mul", spread, spread))
        constant = np.log(np.abs(np.diag(root))).sum() - 0.5 * columns * np.log(2 * np.pi)
        parts.append(
            graph.add(
                "Add", graph.add("Mul", squares, graph.constant(-0.5)), graph.constant(constant)
            )
        )
    scores = graph.add("Add", graph.concat(parts), graph.constant([_log_shares(model, columns)]))
    proba = graph.add("Softmax", scores, axis=1)
    return Answer(graph.argmax(scores), proba, classes=np.arange(len(parts)))


def _precision_root(model: Any, at: int, columns: int) -> np.ndarray:
    roots, kind = np.asarray(model.precisions_cholesky_, dtype=float), model.covariance_type
    if kind == "full":
        return roots[at]
    if kind == "tied":
        return roots
    return np.diag(roots[at]) if kind == "diag" else np.eye(columns) * roots[at]


def _log_shares(model: Any, columns: int) -> np.ndarray:
    weights = np.asarray(model._estimate_log_weights(), dtype=float)
    if not hasattr(model, "degrees_of_freedom_"):
        return weights
    freedom = np.asarray(model.degrees_of_freedom_, dtype=float)
    steps = np.arange(columns)[:, None]
    log_lambda = columns * np.log(2.0) + digamma(0.5 * (freedom - steps)).sum(axis=0)
    bound = 0.5 * (log_lambda - columns / model.mean_precision_)
    return weights - 0.5 * columns * np.log(freedom) + bound


def enveloped(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """EllipticEnvelope: an inlier up to a Mahalanobis distance."""
    apart = graph.add("Sub", graph.matrix(inputs), graph.constant(model.location_))
    spread = graph.add("MatMul", apart, graph.constant(model.get_precision()))
    distances = graph.total(graph.add("Mul", spread, apart))
    scores = graph.add("Sub", graph.add("Neg", distances), graph.constant(float(model.offset_)))
    return Answer(index=below(graph, scores))


MODELS: dict[type, Callable[[GraphBuilder, Any, Features], Answer]] = {
    neighbors.KNeighborsClassifier: neighbour_classes,
    neighbors.KNeighborsRegressor: neighbour_values,
    cluster.KMeans: nearest_center,
    cluster.MiniBatchKMeans: nearest_center,
    cluster.MeanShift: nearest_center,
    cluster.AffinityPropagation: nearest_center,
    cluster.Birch: nearest_group,
    mixture.GaussianMixture: mixed,
    mixture.BayesianGaussianMixture: mixed,
    covariance.EllipticEnvelope: enveloped,
}
TRANSFORMERS: dict[type, Callable[[GraphBuilder, Any, Features], Features]] = {
    cluster.KMeans: center_distances,
    cluster.MiniBatchKMeans: center_distances,
}
