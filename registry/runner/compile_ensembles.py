"""Forests, boosting and models made of models, as float64 graphs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import ensemble, multiclass, multioutput, tree

from registry.runner import compile_trees as trees
from registry.runner.compile_models import Answer, above, two_sided
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

Compile = Callable[[GraphBuilder, Any, Features], Answer]


def tree_classifier(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """A tree or a forest: the mean of the leaves' class shares."""
    if model.n_outputs_ != 1:
        raise NotCompiled("a tree with several labels a row")
    parts = _members(model)
    grown = [trees.plain_tree(one.tree_, one.tree_.value[:, 0, :]) for one in parts]
    index, totals = trees.class_scores(graph, inputs, grown, [0.0] * len(model.classes_))
    if len(parts) > 1:
        totals = graph.add("Div", totals, graph.constant(float(len(parts))))
    return Answer(index, totals)


def tree_regressor(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    parts = _members(model)
    grown = [trees.plain_tree(one.tree_, one.tree_.value[:, :, 0]) for one in parts]
    totals = trees.sums(graph, inputs, grown, [0.0] * model.n_outputs_)
    if len(parts) > 1:
        totals = graph.add("Div", totals, graph.constant(float(len(parts))))
    return Answer(value=totals)


def _members(model: Any) -> list[Any]:
    return list(getattr(model, "estimators_", [model]))


def boosted_classifier(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    base = _initial_scores(model)
    index, scores = trees.class_scores(graph, inputs, _boosted_trees(model), _of_two(base))
    if len(base) > 1:
        return Answer(index, graph.add("Softmax", scores, axis=1))
    # scikit-learn takes the second class at exactly zero, argmax the first.
    positive = _second(graph, scores)
    return Answer(above(graph, positive, -1e-300), two_sided(graph, graph.add("Sigmoid", positive)))


def boosted_regressor(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    return Answer(value=trees.sums(graph, inputs, _boosted_trees(model), _initial_scores(model)))


def _boosted_trees(model: Any) -> list[trees.Tree]:
    stages, width = model.estimators_.shape
    grown = []
    for stage in range(stages):
        for target in range(width):
            one = model.estimators_[stage, target].tree_
            values = one.value[:, 0, :] * model.learning_rate
            made = trees.plain_tree(one, values)
            # A single score is the second class's.
            made.first_target = int(width == 1 and hasattr(model, "classes_")) or target
            grown.append(made)
    return grown


def _initial_scores(model: Any) -> list[float]:
    """What boosting starts from, when that does not depend on the row."""
    if not isinstance(model.init_, str) and not type(model.init_).__name__.startswith("Dummy"):
        raise NotCompiled("gradient boosting that starts from another model")
    row = np.zeros((1, model.n_features_in_), dtype=np.float32)
    return [float(one) for one in model._raw_predict_init(row)[0]]


def histogram_classifier(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    base = _baseline(model)
    index, scores = trees.class_scores(graph, inputs, _histogram_trees(model), _of_two(base))
    if len(base) > 1:
        return Answer(index, graph.add("Softmax", scores, axis=1))
    return Answer(index, two_sided(graph, graph.add("Sigmoid", _second(graph, scores))))


def histogram_regressor(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    value = trees.sums(graph, inputs, _histogram_trees(model), _baseline(model))
    link = type(model._loss.link).__name__
    if link == "LogLink":
        value = graph.add("Exp", value)
    elif link != "IdentityLink":
        raise NotCompiled(f"HistGradientBoosting with the loss {model.loss}")
    return Answer(value=value)


def _histogram_trees(model: Any) -> list[trees.Tree]:
    if model._preprocessor is not None:
        raise NotCompiled("HistGradientBoosting with categorical columns")
    single = model.n_trees_per_iteration_ == 1 and hasattr(model, "classes_")
    return [
        trees.histogram_tree(one, 1 if single else target)
        for iteration in model._predictors
        for target, one in enumerate(iteration)
    ]


def _baseline(model: Any) -> list[float]:
    return [float(one) for one in np.ravel(model._baseline_prediction)]


def _of_two(base: list[float]) -> list[float]:
    return [0.0, *base] if len(base) == 1 else base


def _second(graph: GraphBuilder, scores: str) -> str:
    return graph.matrix(graph.features(scores, 2)[1:])


def isolation(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """Inlier where the summed depth reaches what the model's offset asks for."""
    grown = []
    for index, one in enumerate(model.estimators_):
        depths = model._decision_path_lengths[index] + model._average_path_length_per_tree[index]
        features = model.estimators_features_[index]
        grown.append(trees.plain_tree(one.tree_, depths - 1.0, features=features))
    index, _ = trees.class_scores(graph, inputs, grown, [0.0, _least_depth(model)])
    return Answer(index=index)


def _least_depth(model: Any) -> float:
    """The smallest summed depth that is an inlier, found by bisection on its formula."""
    low, high = 0.0, 1e9
    largest = _path_length(model._max_samples) * len(model.estimators_)
    while np.nextafter(low, high) < high:
        middle = (low + high) / 2
        is_inlier = -(2 ** -(middle / largest)) - model.offset_ >= 0
        low, high = (low, middle) if is_inlier else (middle, high)
    return high


def _path_length(samples: int) -> float:
    if samples <= 2:
        return float(samples == 2)
    return 2.0 * (np.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples


def bagged(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    answers = [
        compile_part(graph, part, [inputs[at] for at in features])
        for part, features in zip(model.estimators_, model.estimators_features_, strict=True)
    ]
    if not hasattr(model, "classes_"):
        return Answer(value=_mean(graph, [one.value for one in answers]))
    return _by_probability(graph, _mean(graph, [one.proba for one in answers]))


def voted(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    answers = [compile_part(graph, part, inputs) for part in model.estimators_]
    weights = model._weights_not_none
    if not hasattr(model, "classes_"):
        return Answer(value=_mean(graph, [one.value for one in answers], weights))
    if model.voting != "soft":
        raise NotCompiled("hard voting")
    return _by_probability(graph, _mean(graph, [one.proba for one in answers], weights))


def stacked(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    made: Features = []
    for part, method in zip(model.estimators_, model.stack_method_, strict=True):
        made += _stacked_part(graph, model, compile_part(graph, part, inputs), method)
    return compile_part(graph, model.final_estimator_, made + (inputs if model.passthrough else []))


def _stacked_part(graph: GraphBuilder, model: Any, answer: Answer, method: str) -> Features:
    if method == "predict" and answer.value is not None:
        return graph.features(answer.value, 1)
    if method != "predict_proba" or answer.proba is None:
        raise NotCompiled(f"stacking on {method}")
    made = graph.features(answer.proba, len(model.classes_))
    return made[1:] if len(made) == 2 else made


def one_against_rest(
    graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile
) -> Answer:
    if model.multilabel_ or len(model.classes_) < 3:
        raise NotCompiled("one-vs-rest with two classes or several labels a row")
    answers = [compile_part(graph, part, inputs) for part in model.estimators_]
    if any(one.proba is None for one in answers):
        raise NotCompiled("one-vs-rest without probabilities")
    proba = graph.concat([_second(graph, one.proba) for one in answers])
    return Answer(graph.argmax(proba), graph.add("Div", proba, graph.total(proba)))


def each_output(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    values = [compile_part(graph, part, inputs).value for part in model.estimators_]
    return Answer(value=graph.concat(_all(values)))


def _by_probability(graph: GraphBuilder, proba: str) -> Answer:
    return Answer(graph.argmax(proba), proba)


def _mean(graph: GraphBuilder, values: list[str | None], weights: Any = None) -> str:
    shares = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    total = ""
    for value, share in zip(_all(values), shares, strict=True):
        part = value if share == 1 else graph.add("Mul", value, graph.constant(share))
        total = graph.add("Add", total, part) if total else part
    return graph.add("Div", total, graph.constant(shares.sum()))


def _all(values: list[str | None]) -> list[str]:
    if any(value is None for value in values):
        raise NotCompiled("a part without probabilities")
    return [value for value in values if value is not None]


MODELS: dict[type, Compile] = {
    tree.DecisionTreeClassifier: tree_classifier,
    tree.ExtraTreeClassifier: tree_classifier,
    tree.DecisionTreeRegressor: tree_regressor,
    tree.ExtraTreeRegressor: tree_regressor,
    ensemble.RandomForestClassifier: tree_classifier,
    ensemble.ExtraTreesClassifier: tree_classifier,
    ensemble.RandomForestRegressor: tree_regressor,
    ensemble.ExtraTreesRegressor: tree_regressor,
    ensemble.GradientBoostingClassifier: boosted_classifier,
    ensemble.GradientBoostingRegressor: boosted_regressor,
    ensemble.HistGradientBoostingClassifier: histogram_classifier,
    ensemble.HistGradientBoostingRegressor: histogram_regressor,
    ensemble.IsolationForest: isolation,
}

# Models made of models: these compile their parts.
COMPOSITES: dict[type, Callable[[GraphBuilder, Any, Features, Compile], Answer]] = {
    ensemble.BaggingClassifier: bagged,
    ensemble.BaggingRegressor: bagged,
    ensemble.VotingClassifier: voted,
    ensemble.VotingRegressor: voted,
    ensemble.StackingClassifier: stacked,
    ensemble.StackingRegressor: stacked,
    multiclass.OneVsRestClassifier: one_against_rest,
    multioutput.MultiOutputRegressor: each_output,
}
