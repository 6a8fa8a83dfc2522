"""Imputers, encoders and selectors as float64 graphs."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn import impute, preprocessing
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  or it is not there

from registry.runner.graph_builder import ML, Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

# Stands for a missing string in graphs: ONNX has no null, and Unicode never assigns this one.
MISSING = "\ufdd0"


def fill_missing(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """SimpleImputer on numbers or strings."""
    indicators = _indicators(graph, step.indicator_, inputs) if step.add_indicator else []
    return _filled(graph, step, inputs) + indicators


def missing_indicator(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    return _indicators(graph, step, inputs)


def _indicators(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """1 where a value is missing, for the features that missed any when fitted (or all)."""
    parts = []
    for index in step.features_:
        one = inputs[index]
        value = graph.matrix([one])
        if one.is_string:
            parts.append(graph.double(_lookup(graph, value, {MISSING: 1}, 0)))
        else:
            parts.append(graph.double(_is_marked(graph, value, step.missing_values)))
    return graph.features(graph.concat(parts), len(parts)) if parts else []


def _filled(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    statistics = list(step.statistics_)
    kept = [one for one, value in zip(inputs, statistics, strict=True) if not _is_missing(value)]
    fills = [value for value in statistics if not _is_missing(value)]
    if len(kept) < len(inputs) and step.keep_empty_features:
        raise NotCompiled("SimpleImputer that keeps empty columns")
    if any(one.is_string for one in inputs):
        return [_fill_string(graph, one, fill) for one, fill in zip(kept, fills, strict=True)]
    value = graph.matrix(kept)
    missing = _is_marked(graph, value, step.missing_values)
    value = graph.add("Where", missing, graph.constant(np.array([fills], float)), value)
    return graph.features(value, len(kept))


MOST_TURNS = 400


def fill_by_turns(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """IterativeImputer with linear estimators: each gap guessed from the others, in turn."""
    if len(step.imputation_sequence_) > MOST_TURNS or step.sample_posterior:
        raise NotCompiled("IterativeImputer of many turns or of drawn values")
    first = step.initial_imputer_
    if any(_is_missing(value) for value in first.statistics_):
        raise NotCompiled("IterativeImputer with empty columns")
    indicators = _indicators(graph, step.indicator_, inputs) if step.add_indicator else []
    filled = _filled(graph, first, inputs)
    gaps = [_is_marked(graph, graph.matrix([one]), step.missing_values) for one in inputs]
    for turn in step.imputation_sequence_:
        at = turn.feat_idx
        guess = _guess(graph, turn.estimator, [filled[one] for one in turn.neighbor_feat_idx])
        guess = graph.add("Max", guess, graph.constant(float(step._min_value[at])))
        guess = graph.add("Min", guess, graph.constant(float(step._max_value[at])))
        value = graph.add("Where", gaps[at], guess, graph.matrix([filled[at]]))
        filled = [*filled]
        filled[at] = graph.features(value, 1)[0]
    return filled + indicators


def _guess(graph: GraphBuilder, model: Any, inputs: Features) -> str:
    if not hasattr(model, "coef_") or not hasattr(model, "intercept_"):
        raise NotCompiled(f"IterativeImputer with {type(model).__name__}")
    weights = np.reshape(np.asarray(model.coef_, dtype=float), (-1, 1))
    bias = np.ravel(np.asarray(model.intercept_, dtype=float))
    return graph.add("Gemm", graph.matrix(inputs), graph.constant(weights), graph.constant(bias))


def _is_marked(graph: GraphBuilder, value: str, marker: Any) -> str:
    if _is_missing(marker):
        return graph.add("IsNaN", value)
    return graph.add("Equal", value, graph.constant(float(marker)))


def _fill_string(graph: GraphBuilder, one: Any, fill: str) -> Any:
    value = graph.matrix([one])
    missing = graph.add("Cast", _lookup(graph, value, {MISSING: 1}, 0), to=TensorProto.BOOL)
    filled = graph.add("Where", missing, graph.constant([[str(fill)]], object), value)
    return graph.features(filled, 1, is_string=True)[0]


def _lookup(graph: GraphBuilder, value: str, table: dict[str, int], default: int) -> str:
    return graph.add(
        "LabelEncoder",
        value,
        domain=ML,
        keys_strings=list(table),
        values_int64s=list(table.values()),
        default_int64=default,
    )


def one_hot(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    parts = []
    for index, one in enumerate(inputs):
        places = _one_hot_places(step, index)
        width = step._n_features_outs[index]
        default = _one_hot_default(step, index)
        code = _codes(graph, one, step.categories_[index], places, default)
        parts.append(
            graph.double(graph.add("Equal", code, graph.constant([range(width)], np.int64)))
        )
    return graph.features(graph.concat(parts), sum(step._n_features_outs))


def _one_hot_places(step: Any, index: int) -> list[int]:
    """The output column of each category, -1 for one that is dropped."""
    mapping = _grouped(step, index, len(step.categories_[index]))
    dropped = step._drop_idx_after_grouping
    gone = None if dropped is None else dropped[index]
    if gone is None:
        return mapping
    return [-1 if one == gone else one - (one > gone) for one in mapping]


def _one_hot_default(step: Any, index: int) -> int:
    """Where categories never seen go: nowhere, or with the infrequent ones."""
    if step.handle_unknown in ("infrequent_if_exist", "warn") and step._infrequent_enabled:
        infrequent = step._infrequent_indices[index]
        if infrequent is not None:
            return _one_hot_places(step, index)[int(infrequent[0])]
    return -1


def _codes(
    graph: GraphBuilder, one: Any, categories: np.ndarray, places: list[int], default: int
) -> str:
    """A column of integers: the place of each row's category."""
    if one.is_string:
        keys = [MISSING if _is_missing(category) else str(category) for category in categories]
        table = dict(zip(keys, places, strict=True))
        return _lookup(graph, graph.matrix([one]), table, default)
    value = graph.matrix([one])
    numbers = np.array([np.nan if _is_missing(one) else one for one in categories], dtype=float)
    matches = graph.add("Equal", value, graph.constant([numbers]))
    if np.isnan(numbers).any():
        at = graph.constant([np.isnan(numbers)], bool)
        matches = graph.add("Or", matches, graph.add("And", graph.add("IsNaN", value), at))
    # 0 where nothing matches, so places are counted from `default`.
    shifted = np.array(places, dtype=float)[:, None] - default
    code = graph.add("MatMul", graph.double(matches), graph.constant(shifted))
    return graph.integer(graph.add("Add", code, graph.constant(float(default))))


def ordinal(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    unknown = step.unknown_value if step.handle_unknown == "use_encoded_value" else -1
    parts = []
    for index, (one, categories) in enumerate(zip(inputs, step.categories_, strict=True)):
        places = _grouped(step, index, len(categories))
        values = [
            step.encoded_missing_value if _is_missing(category) else place
            for place, category in zip(places, categories, strict=True)
        ]
        parts.append(_valued(graph, one, categories, [*values, unknown]))
    return graph.features(graph.concat(parts), len(parts))


def _grouped(step: Any, index: int, count: int) -> list[int]:
    """The number of each category; infrequent ones have one together."""
    if getattr(step, "_infrequent_enabled", False):
        known = step._default_to_infrequent_mappings[index]
        if known is not None:
            return [int(one) for one in known]
    return list(range(count))


def target_encode(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    means = np.ravel(step.target_mean_)
    parts = []
    for index, (one, categories) in enumerate(zip(inputs, step.categories_, strict=True)):
        for target, mean in enumerate(means):  # one a class where there are more than two
            encoding = step.encodings_[index * len(means) + target]
            parts.append(_valued(graph, one, categories, [*encoding, mean]))
    return graph.features(graph.concat(parts), len(parts))


def _valued(graph: GraphBuilder, one: Any, categories: np.ndarray, values: list[float]) -> str:
    """Each row's category replaced by its value; the last value is for the unknown."""
    count = len(categories)
    code = _codes(graph, one, categories, list(range(count)), count)
    return graph.add("Gather", graph.constant(np.array(values, float)), code, axis=0)


def select(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    return [inputs[index] for index in step.get_support(indices=True)]


def _is_missing(value: Any) -> bool:
    return value is None or value != value


TRANSFORMERS: dict[type, Callable[[GraphBuilder, Any, Features], Features]] = {
    preprocessing.OneHotEncoder: one_hot,
    preprocessing.OrdinalEncoder: ordinal,
    preprocessing.TargetEncoder: target_encode,
    impute.SimpleImputer: fill_missing,
    impute.MissingIndicator: missing_indicator,
    impute.IterativeImputer: fill_by_turns,
}
