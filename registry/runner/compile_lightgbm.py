"""LightGBM's models as graphs: it compares and adds up in float64, and so does the graph."""

from typing import Any

import numpy as np

from registry.runner import compile_trees as trees
from registry.runner.booster_columns import categories
from registry.runner.compile_categories import CategorySets
from registry.runner.compile_models import Answer, above, two_sided
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.lightgbm_files import (
    CATEGORICAL,
    DEFAULT_LEFT,
    NAN_MISSING,
    NO_MISSING,
    ZERO_MISSING,
    Ensemble,
    category_splits,
    ensemble_of,
    numbers,
)
from registry.runner.not_compiled import NotCompiled

ZERO = float(np.float32(1e-35))  # up to which it reads a number as 0

EXPONENTS = ("poisson", "gamma", "tweedie")
SIGMOIDS = ("binary", "multiclassova", "cross_entropy")
_PLAIN = """
    regression regression_l1 huber fair quantile mape lambdarank rank_xendcg custom
"""
PLAIN = frozenset(_PLAIN.split())


def compile_lightgbm(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """One of the library's own estimators, or one of ours around a bare booster."""
    ensemble = ensemble_of(model.booster_)
    if callable(getattr(model, "objective", None)):
        raise NotCompiled("LightGBM with an objective of its author's")
    sets = CategorySets(len(inputs), categories(model), above=-1.0)
    grown = [_tree(one, sets, at % ensemble.targets) for at, one in enumerate(ensemble.trees)]
    inputs = sets.widened(graph, _known(graph, ensemble, inputs), missing=0.0)
    if not hasattr(model, "classes_"):
        scores = _averaged(graph, ensemble, trees.sums(graph, inputs, grown, _zeros(ensemble)))
        return Answer(value=_transformed(graph, ensemble, scores))
    if ensemble.targets == 1:
        scores = _averaged(graph, ensemble, trees.sums(graph, inputs, grown, [0.0]))
        second = _transformed(graph, ensemble, scores)
        index = above(graph, second, 0.5)
        return Answer(index, two_sided(graph, second), scores=scores)
    index, scores = trees.class_scores(graph, inputs, grown, _zeros(ensemble))
    scores = _averaged(graph, ensemble, scores)
    return Answer(index, _transformed(graph, ensemble, scores), scores=scores)


def _zeros(ensemble: Ensemble) -> list[float]:
    return [0.0] * ensemble.targets


def _averaged(graph: GraphBuilder, ensemble: Ensemble, scores: str) -> str:
    """Of a random forest the mean, of anything else the sum."""
    if "average_output" not in ensemble.header:
        return scores
    rounds = len(ensemble.trees) / ensemble.targets
    return graph.add("Div", scores, graph.constant(rounds))


def _transformed(graph: GraphBuilder, ensemble: Ensemble, scores: str) -> str:
    objective, options = ensemble.objective, ensemble.options
    if "sqrt" in options:
        return graph.add("Mul", scores, graph.add("Abs", scores))
    if objective in PLAIN:
        return scores
    if objective in EXPONENTS:
        return graph.add("Exp", scores)
    if objective == "multiclass":
        return graph.add("Softmax", scores, axis=1)
    if objective == "cross_entropy_lambda":
        grown = graph.add("Add", graph.constant(1.0), graph.add("Exp", scores))
        return graph.add("Log", grown)
    if objective not in SIGMOIDS:
        raise NotCompiled(f"LightGBM's objective {objective}")
    steepness = float(options.get("sigmoid", 1))
    return graph.add("Sigmoid", graph.add("Mul", scores, graph.constant(steepness)))


def _known(graph: GraphBuilder, ensemble: Ensemble, inputs: Features) -> Features:
    """The inputs with NaN in place of zero, where zero is what means "missing"."""
    zeros = _features_of_missing(ensemble, ZERO_MISSING)
    if not zeros:
        return inputs
    if zeros & _features_of_missing(ensemble, NAN_MISSING, NO_MISSING):
        raise NotCompiled("LightGBM columns that are missing in two ways")
    if any(one.is_string for one in inputs):
        raise NotCompiled("LightGBM with strings, and zero for what is missing")
    limits = np.full(len(inputs), -1.0)
    limits[list(zeros)] = ZERO
    value = graph.matrix(inputs)
    is_zero = graph.add("LessOrEqual", graph.add("Abs", value), graph.constant(limits))
    value = graph.add("Where", is_zero, graph.constant(np.nan), value)
    return graph.features(value, len(inputs))


def _features_of_missing(ensemble: Ensemble, *wanted: int) -> set[int]:
    found: set[int] = set()
    for one in ensemble.trees:
        if "split_feature" in one:
            kinds = numbers(one, "decision_type")
            is_wanted = np.isin(kinds >> 2 & 3, wanted) & (kinds & CATEGORICAL == 0)
            found.update(numbers(one, "split_feature")[is_wanted].tolist())
    return found


def _tree(tree: dict[str, str], sets: CategorySets, target: int) -> trees.Tree:
    if tree.get("is_linear", "0") != "0":
        raise NotCompiled("LightGBM trees with linear leaves")
    values = numbers(tree, "leaf_value", np.float64)
    if len(values) == 1:
        made = trees.constant_tree(values)
        made.first_target = target
        return made
    made = _grown(tree, values, target)
    for at, members in category_splits(tree):
        made.features[at] = sets.column(int(made.features[at]), members)
        made.thresholds[at] = 0.5
        # Who is in the set goes left, and whoever is missing is not in it.
        made.left[at], made.right[at] = made.right[at], made.left[at]
    return made


def _grown(tree: dict[str, str], values: np.ndarray, target: int) -> trees.Tree:
    """Splits first, then leaves; a child -1 is the first leaf."""
    splits, leaves = len(values) - 1, np.zeros(len(values))
    kinds = numbers(tree, "decision_type")
    thresholds = _around_zero(numbers(tree, "threshold", np.float64))
    left, right = numbers(tree, "left_child"), numbers(tree, "right_child")
    # A column that had no missing value in training takes NaN for 0.
    no_missing = (kinds >> 2 & 3) == NO_MISSING
    missing_left = np.where(no_missing, thresholds >= 0, kinds & DEFAULT_LEFT != 0)
    nowhere = leaves.astype(np.int64)
    return trees.Tree(
        features=np.concatenate([numbers(tree, "split_feature"), nowhere]),
        thresholds=np.concatenate([thresholds, leaves]),
        left=np.concatenate([np.where(left < 0, splits - 1 - left, left), nowhere]),
        right=np.concatenate([np.where(right < 0, splits - 1 - right, right), nowhere]),
        is_leaf=np.arange(2 * splits + 1) >= splits,
        missing_goes_left=np.concatenate([missing_left, leaves.astype(bool)]),
        values=np.concatenate([np.zeros(splits), values]).reshape(-1, 1),
        first_target=target,
    )


def _around_zero(thresholds: np.ndarray) -> np.ndarray:
    """Thresholds by which numbers that are read as 0 go where 0 goes."""
    below = np.nextafter(-ZERO, -np.inf)
    thresholds = np.where((thresholds >= -ZERO) & (thresholds < 0), below, thresholds)
    return np.where((thresholds >= 0) & (thresholds < ZERO), ZERO, thresholds)
