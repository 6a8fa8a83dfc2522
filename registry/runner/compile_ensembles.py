"""Forests, boosting and models made of models, as float64 graphs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import ensemble, tree

from registry.runner import compile_trees as trees
from registry.runner.compile_columns import ordinal
from registry.runner.compile_models import Answer, above, two_sided
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

Compile = Callable[[GraphBuilder, Any, Features], Answer]


def tree_classifier(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """A tree or a forest: the mean of the leaves' class shares."""
    parts = _members(model)
    if model.n_outputs_ != 1:
        return _each_label(graph, model, inputs, parts)
    grown = [trees.plain_tree(one.tree_, one.tree_.value[:, 0, :]) for one in parts]
    index, totals = trees.class_scores(graph, inputs, grown, [0.0] * len(model.classes_))
    if len(parts) > 1:
        totals = graph.add("Div", totals, graph.constant(float(len(parts))))
    return Answer(index, totals)


def _each_label(graph: GraphBuilder, model: Any, inputs: Features, parts: list[Any]) -> Answer:
    indexes, probas = [], []
    for output, labels in enumerate(model.classes_):
        grown = [
            trees.plain_tree(one.tree_, one.tree_.value[:, output, : len(labels)]) for one in parts
        ]
        index, totals = trees.class_scores(graph, inputs, grown, [0.0] * len(labels))
        indexes.append(index)
        probas.append(graph.add("Div", totals, graph.constant(float(len(parts)))))
    return Answer(indexes=indexes, probas=probas, classes=model.classes_)


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
        return Answer(index, graph.add("Softmax", scores, axis=1), scores=scores)
    # scikit-learn takes the second class at exactly zero, argmax the first.
    positive = _second(graph, scores)
    # The exponential loss measures half the log of the odds.
    odds = graph.add("Mul", positive, graph.constant(2.0 if model.loss == "exponential" else 1.0))
    proba = two_sided(graph, graph.add("Sigmoid", odds))
    return Answer(above(graph, positive, -1e-300), proba, scores=positive)


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
    inputs, grown = _histogram_trees(graph, model, inputs)
    index, scores = trees.class_scores(graph, inputs, grown, _of_two(base))
    if len(base) > 1:
        return Answer(index, graph.add("Softmax", scores, axis=1), scores=scores)
    positive = _second(graph, scores)
    return Answer(index, two_sided(graph, graph.add("Sigmoid", positive)), scores=positive)


def histogram_regressor(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    inputs, grown = _histogram_trees(graph, model, inputs)
    value = trees.sums(graph, inputs, grown, _baseline(model))
    link = type(model._loss.link).__name__
    if link == "LogLink":
        value = graph.add("Exp", value)
    elif link != "IdentityLink":
        raise NotCompiled(f"HistGradientBoosting with the loss {model.loss}")
    return Answer(value=value)


def _histogram_trees(
    graph: GraphBuilder, model: Any, inputs: Features
) -> tuple[Features, list[trees.Tree]]:
    """What the trees see, and the trees."""
    single = model.n_trees_per_iteration_ == 1 and hasattr(model, "classes_")
    inputs, sets = _categorical_inputs(graph, model, inputs)
    grown = [
        trees.histogram_tree(one, 1 if single else target, sets)
        for iteration in model._predictors
        for target, one in enumerate(iteration)
    ]
    return inputs + (sets.features(graph, inputs) if sets and sets.columns else []), grown


def _categorical_inputs(
    graph: GraphBuilder, model: Any, inputs: Features
) -> tuple[Features, trees.CategorySets | None]:
    if model.is_categorical_ is None:
        return inputs, None
    is_category = np.asarray(model.is_categorical_, dtype=bool)
    if model._preprocessor is not None:
        # Its encoder puts the categorical columns first, as codes.
        chosen = [one for one, is_one in zip(inputs, is_category, strict=True) if is_one]
        others = [one for one, is_one in zip(inputs, is_category, strict=True) if not is_one]
        encoder = model._preprocessor.named_transformers_["encoder"]
        inputs = ordinal(graph, encoder, chosen) + others
        is_category = np.asarray(model._is_categorical_remapped, dtype=bool)
    if any(one.is_string for one in inputs):
        raise NotCompiled("HistGradientBoosting on strings")
    thresholds = model._bin_mapper.bin_thresholds_
    known = {int(at): {int(code) for code in thresholds[at]} for at in np.flatnonzero(is_category)}
    return inputs, trees.CategorySets(first=len(inputs), known=known)


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
    count = len(model.classes_)
    shares = [
        _share(graph, part, answer, count)
        for part, answer in zip(model.estimators_, answers, strict=True)
    ]
    return _by_probability(graph, _mean(graph, shares))


def _share(graph: GraphBuilder, part: Any, answer: Answer, count: int) -> str | None:
    """A part's probabilities, or its vote, over all the classes: it may not have seen each."""
    seen = len(part.classes_)
    value = answer.proba
    if not hasattr(part, "predict_proba"):
        value = graph.one_hot(answer.index or "", seen)
    if seen == count or value is None:
        return value
    places = np.eye(count)[np.asarray(part.classes_, dtype=int)]
    return graph.add("MatMul", value, graph.constant(places))


def voted(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    answers = [compile_part(graph, part, inputs) for part in model.estimators_]
    weights = model._weights_not_none
    if not hasattr(model, "classes_"):
        return Answer(value=_mean(graph, [one.value for one in answers], weights))
    if model.voting != "soft":
        return _majority(graph, model, answers, weights)
    return _by_probability(graph, _mean(graph, [one.proba for one in answers], weights))


def _majority(graph: GraphBuilder, model: Any, answers: list[Answer], weights: Any) -> Answer:
    count = len(model.classes_)
    if any(len(part.classes_) != count for part in model.estimators_):
        raise NotCompiled("hard voting of parts that know other classes")
    votes = [graph.one_hot(index, count) for index in _all([one.index for one in answers])]
    return Answer(index=graph.argmax(_mean(graph, list(votes), weights)))


def stacked(graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile) -> Answer:
    made: Features = []
    for part, method in zip(model.estimators_, model.stack_method_, strict=True):
        made += _stacked_part(graph, model, part, compile_part(graph, part, inputs), method)
    return compile_part(graph, model.final_estimator_, made + (inputs if model.passthrough else []))


def scores_width(model: Any) -> int:
    """How many columns a decision function has."""
    count = len(model.classes_)
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    if count > 2 and getattr(final, "decision_function_shape", "") == "ovo":
        return count * (count - 1) // 2
    return 1 if count == 2 else count


def _stacked_part(
    graph: GraphBuilder, model: Any, part: Any, answer: Answer, method: str
) -> Features:
    if method == "predict" and answer.value is not None:
        return graph.features(answer.value, 1)
    if method == "decision_function" and answer.scores is not None:
        return graph.features(answer.scores, scores_width(part))
    if method != "predict_proba" or answer.proba is None:
        raise NotCompiled(f"stacking on {method}")
    made = graph.features(answer.proba, len(model.classes_))
    return made[1:] if len(made) == 2 else made


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


def adaptive_classifier(
    graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile
) -> Answer:
    """AdaBoost: each part's vote counts as much as it weighs, and against all other classes."""
    count = len(model.classes_)
    weights = np.asarray(model.estimator_weights_, dtype=float)[: len(model.estimators_)]
    total = ""
    for part, weight in zip(model.estimators_, weights, strict=True):
        if list(part.classes_) != list(model.classes_):
            raise NotCompiled("AdaBoost of parts that know other classes")
        index = compile_part(graph, part, inputs).index or ""
        table = np.where(np.eye(count) > 0, weight, -weight / (count - 1))
        votes = graph.add("Gather", graph.constant(table), index, axis=0)
        total = graph.add("Add", total, votes) if total else votes
    scores = graph.add("Div", total, graph.constant(weights.sum()))
    if count > 2:
        proba = graph.add("Div", scores, graph.constant(count - 1.0))
        return Answer(graph.argmax(scores), graph.add("Softmax", proba, axis=1), scores=scores)
    score = graph.add("Sub", _second(graph, scores), graph.column(scores, 0, 2))
    halves = graph.add("Div", graph.concat([graph.add("Neg", score), score]), graph.constant(2.0))
    return Answer(above(graph, score), graph.add("Softmax", halves, axis=1), scores=score)


def adaptive_regressor(
    graph: GraphBuilder, model: Any, inputs: Features, compile_part: Compile
) -> Answer:
    """AdaBoost: the weighted median of its parts."""
    answers = [compile_part(graph, part, inputs) for part in model.estimators_]
    count = len(answers)
    values = graph.concat(_all([one.value for one in answers]))
    ordered, places = graph.add_many(
        "TopK", values, graph.constant([count], np.int64), outputs=2, axis=1, largest=0, sorted=1
    )
    weights = np.asarray(model.estimator_weights_, dtype=float)[:count]
    shares = graph.add("Gather", graph.constant(weights), places, axis=0)
    summed = graph.add("MatMul", shares, graph.constant(np.triu(np.ones((count, count)))))
    half = graph.add("Mul", graph.column(summed, count - 1, count), graph.constant(0.5))
    reached = graph.integer(graph.add("GreaterOrEqual", summed, half))
    at = graph.add("ArgMax", reached, axis=1, keepdims=1)
    return Answer(value=graph.add("GatherElements", ordered, at, axis=1))


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

TAKE_STRINGS = (
    ensemble.HistGradientBoostingClassifier,
    ensemble.HistGradientBoostingRegressor,
)
# Means of their parts: float32's rounding stays as small as it is.
MEANS = (
    ensemble.BaggingClassifier,
    ensemble.BaggingRegressor,
    ensemble.VotingClassifier,
    ensemble.VotingRegressor,
)
# Models made of models: these compile their parts.
COMPOSITES: dict[type, Callable[[GraphBuilder, Any, Features, Compile], Answer]] = {
    ensemble.AdaBoostClassifier: adaptive_classifier,
    ensemble.AdaBoostRegressor: adaptive_regressor,
    ensemble.BaggingClassifier: bagged,
    ensemble.BaggingRegressor: bagged,
    ensemble.VotingClassifier: voted,
    ensemble.VotingRegressor: voted,
    ensemble.StackingClassifier: stacked,
    ensemble.StackingRegressor: stacked,
}
