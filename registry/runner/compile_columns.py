"""Transformers as float64 graphs: scaling, imputing, encoding, selecting."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto
from sklearn import decomposition, impute, preprocessing

from registry.runner.graph_builder import ML, Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

# Stands for a missing string in graphs: ONNX has no null, and Unicode never assigns this one.
MISSING = "\ufdd0"


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
        raise NotCompiled("Normalizer with norm='max'")
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
        any_column = graph.matrix(inputs[:1])
        # 1 for every row, NaN or not: the bias column.
        return graph.double(
            graph.add(
                "Equal",
                graph.integer(graph.add("IsNaN", any_column)),
                graph.integer(graph.add("IsNaN", any_column)),
            )
        )
    value = graph.matrix(factors[:1])
    for factor in factors[1:]:
        value = graph.add("Mul", value, graph.matrix([factor]))
    return value


def fill_missing(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """SimpleImputer on numbers or strings."""
    if step.add_indicator:
        raise NotCompiled("SimpleImputer with add_indicator")
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
    count = len(step.categories_[index])
    mapping = list(range(count))
    if getattr(step, "_infrequent_enabled", False):
        known = step._default_to_infrequent_mappings[index]
        mapping = mapping if known is None else [int(one) for one in known]
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
    if getattr(step, "_infrequent_enabled", False):
        raise NotCompiled("OrdinalEncoder with infrequent categories")
    unknown = step.unknown_value if step.handle_unknown == "use_encoded_value" else -1
    parts = []
    for one, categories in zip(inputs, step.categories_, strict=True):
        values = [
            step.encoded_missing_value if _is_missing(category) else place
            for place, category in enumerate(categories)
        ]
        parts.append(_valued(graph, one, categories, [*values, unknown]))
    return graph.features(graph.concat(parts), len(parts))


def target_encode(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    if step.target_type_ == "multiclass":
        raise NotCompiled("TargetEncoder with more than two classes")
    parts = [
        _valued(graph, one, categories, [*encoding, step.target_mean_])
        for one, categories, encoding in zip(inputs, step.categories_, step.encodings_, strict=True)
    ]
    return graph.features(graph.concat(parts), len(parts))


def _valued(graph: GraphBuilder, one: Any, categories: np.ndarray, values: list[float]) -> str:
    """Each row's category replaced by its value; the last value is for the unknown."""
    count = len(categories)
    code = _codes(graph, one, categories, list(range(count)), count)
    return graph.add("Gather", graph.constant(np.array(values, float)), code, axis=0)


def select(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    return [inputs[index] for index in step.get_support(indices=True)]


UFUNCS = {
    "log": "Log",
    "sqrt": "Sqrt",
    "exp": "Exp",
    "abs": "Abs",
    "absolute": "Abs",
    "tanh": "Tanh",
}


def call(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """FunctionTransformer of nothing or of a NumPy function there is an operator for."""
    if step.func is None:
        return inputs
    name = getattr(step.func, "__name__", "")
    if not isinstance(step.func, np.ufunc) or step.kw_args:
        raise NotCompiled(f"FunctionTransformer with your own function {name}")
    value = graph.matrix(inputs)
    if name == "log1p":
        value = graph.add("Log", graph.add("Add", value, graph.constant(1.0)))
    elif name in UFUNCS:
        value = graph.add(UFUNCS[name], value)
    else:
        raise NotCompiled(f"FunctionTransformer with numpy.{name}")
    return graph.features(value, len(inputs))


def _is_missing(value: Any) -> bool:
    return value is None or value != value


TRANSFORMERS: dict[type, Callable[[GraphBuilder, Any, Features], Features]] = {
    preprocessing.StandardScaler: scale,
    preprocessing.RobustScaler: scale,
    preprocessing.MaxAbsScaler: scale,
    preprocessing.MinMaxScaler: scale_to_range,
    preprocessing.Normalizer: normalize,
    preprocessing.PolynomialFeatures: polynomials,
    preprocessing.OneHotEncoder: one_hot,
    preprocessing.OrdinalEncoder: ordinal,
    preprocessing.TargetEncoder: target_encode,
    preprocessing.FunctionTransformer: call,
    impute.SimpleImputer: fill_missing,
    decomposition.PCA: project,
    decomposition.TruncatedSVD: project,
}
