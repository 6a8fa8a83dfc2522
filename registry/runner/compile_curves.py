"""Transformers of single columns as float64 graphs: steps, bins, curves, powers, functions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.interpolate import BSpline
from sklearn import isotonic, preprocessing
from sklearn.preprocessing._data import BOUNDS_THRESHOLD

from registry.runner.compile_models import Answer
from registry.runner.compile_normal import normal_quantiles
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

MOST_KNOTS = 5000


def interpolated(graph: GraphBuilder, value: str, known: Any, answers: Any) -> str:
    """numpy.interp of (rows, 1): straight lines between the points, level outside."""
    points, heights = np.asarray(known, dtype=float), np.asarray(answers, dtype=float)
    if len(points) > MOST_KNOTS:
        raise NotCompiled(f"a curve of more than {MOST_KNOTS} points")
    if len(points) == 1:
        zero = graph.add("Mul", value, graph.constant(0.0))
        return graph.add("Add", zero, graph.constant(heights[0]))
    # The last point not above the value; of equal points the last, as NumPy takes.
    reached = graph.double(graph.add("GreaterOrEqual", value, graph.constant([points[1:-1]])))
    place = graph.integer(graph.total(reached)) if len(points) > 2 else _first(graph, value)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.nan_to_num(np.diff(heights) / np.diff(points), posinf=0.0, neginf=0.0)
    clipped = graph.add("Max", value, graph.constant(points[0]))
    clipped = graph.add("Min", clipped, graph.constant(points[-1]))
    start, height, slope = (
        graph.add("Gather", graph.constant(table[: len(slopes)]), place, axis=0)
        for table in (points, heights, slopes)
    )
    risen = graph.add("Mul", slope, graph.add("Sub", clipped, start))
    found = graph.add("Add", risen, height)
    is_last = graph.add("GreaterOrEqual", clipped, graph.constant(points[-1]))
    return graph.add("Where", is_last, graph.constant(heights[-1]), found)


def _first(graph: GraphBuilder, value: str) -> str:
    missing = graph.integer(graph.add("IsNaN", value))
    return graph.add("Mul", missing, graph.constant(0, np.int64))


def isotonic_regression(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """A curve that clips. (Out of its range others answer nothing, or raise.)"""
    if model.out_of_bounds != "clip":
        raise NotCompiled("IsotonicRegression that does not clip")
    value = graph.matrix(inputs)
    return Answer(value=interpolated(graph, value, model.X_thresholds_, model.y_thresholds_))


def _each_column(
    graph: GraphBuilder, inputs: Features, action: Callable[[int, str], str]
) -> list[str]:
    return [action(at, graph.matrix([one])) for at, one in enumerate(inputs)]


def bins(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """KBinsDiscretizer, its one-hot encoding included."""

    def place(at: int, value: str) -> str:
        inner = np.asarray(step.bin_edges_[at], dtype=float)[1:-1]
        if not len(inner):
            return graph.add("Mul", value, graph.constant(0.0))
        return graph.total(
            graph.double(graph.add("GreaterOrEqual", value, graph.constant([inner])))
        )

    places = _each_column(graph, inputs, place)
    if step.encode == "ordinal":
        return graph.features(graph.concat(places), len(places))
    widths = [int(count) for count in step.n_bins_]
    parts = [
        graph.one_hot(graph.squeezed(graph.integer(one)), width)
        for one, width in zip(places, widths, strict=True)
    ]
    return graph.features(graph.concat(parts), sum(widths))


def binarize(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    value = graph.add("Greater", graph.matrix(inputs), graph.constant(float(step.threshold)))
    return graph.features(graph.double(value), len(inputs))


def quantiles(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """The mean of the curve read upwards and downwards, as where points are equal they differ."""

    def share(at: int, value: str) -> str:
        points = step.quantiles_[:, at]
        up = interpolated(graph, value, points, step.references_)
        turned = graph.add("Neg", value)
        down = interpolated(graph, turned, -points[::-1], -step.references_[::-1])
        mean = graph.add("Mul", graph.add("Sub", up, down), graph.constant(0.5))
        is_top = graph.add("Equal", value, graph.constant(points[-1]))
        mean = graph.add("Where", is_top, graph.constant(1.0), mean)
        is_bottom = graph.add("Equal", value, graph.constant(points[0]))
        return graph.add("Where", is_bottom, graph.constant(0.0), mean)

    def normal_share(at: int, value: str) -> str:
        low, high = step.quantiles_[[0, -1], at]
        found = share(at, value)
        # Its own bounds: a little inside of the first and last point, and clipped there.
        is_top = graph.add("Greater", value, graph.constant(high - BOUNDS_THRESHOLD))
        found = graph.add("Where", is_top, graph.constant(1.0), found)
        is_bottom = graph.add("Less", value, graph.constant(low + BOUNDS_THRESHOLD))
        found = graph.add("Where", is_bottom, graph.constant(0.0), found)
        least = BOUNDS_THRESHOLD - np.spacing(1)
        found = graph.add("Max", found, graph.constant(least))
        found = graph.add("Min", found, graph.constant(1 - least))
        return normal_quantiles(graph, found)

    normal = step.output_distribution == "normal"
    parts = _each_column(graph, inputs, normal_share if normal else share)
    return graph.features(graph.concat(parts), len(parts))


def power(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    curve = _yeo_johnson if step.method == "yeo-johnson" else _box_cox
    parts = _each_column(
        graph, inputs, lambda at, value: curve(graph, value, float(step.lambdas_[at]))
    )
    value = graph.concat(parts)
    if step.standardize:
        value = graph.add("Sub", value, graph.constant(step._scaler.mean_))
        value = graph.add("Div", value, graph.constant(step._scaler.scale_))
    return graph.features(value, len(parts))


def _box_cox(graph: GraphBuilder, value: str, power: float) -> str:
    if power == 0:
        return graph.add("Log", value)
    raised = graph.add("Pow", value, graph.constant(power))
    raised = graph.add("Sub", raised, graph.constant(1.0))
    return graph.add("Div", raised, graph.constant(power))


def _yeo_johnson(graph: GraphBuilder, value: str, power: float) -> str:
    zero, one = graph.constant(0.0), graph.constant(1.0)
    above = graph.add("Add", graph.add("Max", value, zero), one)
    below = graph.add("Sub", one, graph.add("Min", value, zero))
    high = _box_cox(graph, above, 0.0 if abs(power) < np.spacing(1.0) else power)
    rest = 2 - power
    low = graph.add("Neg", _box_cox(graph, below, 0.0 if abs(rest) <= np.spacing(1.0) else rest))
    is_high = graph.add("GreaterOrEqual", value, zero)
    known = graph.add("Where", is_high, high, low)
    return graph.add("Where", graph.add("IsNaN", value), value, known)


def splines(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """Piecewise polynomials by Cox and de Boor's recursion; level or straight outside."""
    if step.extrapolation not in ("constant", "linear", "error"):
        raise NotCompiled(f"splines with {step.extrapolation} extrapolation")
    parts = _each_column(graph, inputs, lambda at, value: _spline(graph, step, at, value))
    width = step.bsplines_[0].c.shape[1] - (0 if step.include_bias else 1)
    return graph.features(graph.concat(parts), width * len(parts))


def _spline(graph: GraphBuilder, step: Any, at: int, value: str) -> str:
    spline = step.bsplines_[at]
    knots, degree = np.asarray(spline.t), int(spline.k)
    low, high = knots[degree], knots[-degree - 1]
    count = spline.c.shape[1]
    inside = graph.add("Max", value, graph.constant(low))
    inside = graph.add("Min", inside, graph.constant(high))
    basis = _basis(graph, inside, knots, degree)
    made = graph.add(
        "MatMul", basis, graph.constant(np.asarray(spline.c)[: len(knots) - degree - 1])
    )
    if step.extrapolation == "linear":
        made = _straight_outside(graph, spline, value, made, low, high)
    if step.include_bias:
        return made
    return graph.matrix(graph.features(made, count)[:-1])


def _basis(graph: GraphBuilder, value: str, knots: np.ndarray, degree: int) -> str:
    last = len(knots) - degree - 2  # the last interval holds its right end too
    starts, ends = knots[:-1].copy(), knots[1:].copy()
    after = graph.add("GreaterOrEqual", value, graph.constant([starts]))
    ends[last:] = np.inf
    starts_after_last = np.arange(len(starts)) > last
    before = graph.add("Less", value, graph.constant([ends]))
    basis = graph.double(graph.add("And", after, before))
    basis = graph.add("Mul", basis, graph.constant([(~starts_after_last).astype(float)]))
    for k in range(1, degree + 1):
        count = len(knots) - 1 - k
        lengths = knots[k : k + count] - knots[:count]
        later = knots[k + 1 : k + 1 + count] - knots[1 : count + 1]
        rising = graph.add("Sub", value, graph.constant([knots[:count]]))
        falling = graph.add("Sub", graph.constant([knots[k + 1 : k + 1 + count]]), value)
        columns = graph.features(basis, count + 1)
        rising = graph.add("Mul", rising, graph.constant([_inverse_of(lengths)]))
        falling = graph.add("Mul", falling, graph.constant([_inverse_of(later)]))
        rising = graph.add("Mul", rising, graph.matrix(columns[:-1]))
        falling = graph.add("Mul", falling, graph.matrix(columns[1:]))
        basis = graph.add("Add", rising, falling)
    return basis


def _inverse_of(lengths: np.ndarray) -> np.ndarray:
    return np.where(lengths > 0, 1 / np.where(lengths > 0, lengths, 1), 0.0)


def _straight_outside(
    graph: GraphBuilder, spline: BSpline, value: str, made: str, low: float, high: float
) -> str:
    for edge, operator in ((low, "Less"), (high, "Greater")):
        height, slope = spline(edge), spline(edge, nu=1)
        beyond = graph.add("Sub", value, graph.constant(edge))
        line = graph.add("Mul", beyond, graph.constant([slope]))
        line = graph.add("Add", line, graph.constant([height]))
        made = graph.add("Where", graph.add(operator, value, graph.constant(edge)), line, made)
    return made


SIMPLE = {
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "absolute": "Abs",
    "fabs": "Abs",
    "tanh": "Tanh",
    "negative": "Neg",
    "reciprocal": "Reciprocal",
    "floor": "Floor",
    "ceil": "Ceil",
    "sign": "Sign",
    "sin": "Sin",
    "cos": "Cos",
}


def ufunc(graph: GraphBuilder, function: Any, value: str) -> str:
    """A NumPy function there are operators for. Raises NotCompiled for another."""
    name = getattr(function, "__name__", "")
    if not isinstance(function, np.ufunc):
        raise NotCompiled(f"FunctionTransformer with your own function {name}")
    if name in SIMPLE:
        return graph.add(SIMPLE[name], value)
    if name not in COMPOSED:
        raise NotCompiled(f"FunctionTransformer with numpy.{name}")
    return COMPOSED[name](graph, value)


def _logarithm(base: float) -> Callable[[GraphBuilder, str], str]:
    scale = np.log(base)
    return lambda graph, value: graph.add("Div", graph.add("Log", value), graph.constant(scale))


def _cube_root(graph: GraphBuilder, value: str) -> str:
    root = graph.add("Pow", graph.add("Abs", value), graph.constant(1 / 3))
    return graph.add("Mul", graph.add("Sign", value), root)


COMPOSED: dict[str, Callable[[GraphBuilder, str], str]] = {
    "log1p": lambda graph, value: graph.add("Log", graph.add("Add", value, graph.constant(1.0))),
    "expm1": lambda graph, value: graph.add("Sub", graph.add("Exp", value), graph.constant(1.0)),
    "square": lambda graph, value: graph.add("Mul", value, value),
    "log10": _logarithm(10.0),
    "log2": _logarithm(2.0),
    "exp2": lambda graph, value: graph.add("Pow", graph.constant(2.0), value),
    "cbrt": _cube_root,
    "positive": lambda graph, value: value,
}


def call(graph: GraphBuilder, step: Any, inputs: Features) -> Features:
    """FunctionTransformer of nothing or of a NumPy function there is an operator for."""
    if step.func is None:
        return inputs
    if step.kw_args:
        raise NotCompiled("FunctionTransformer with arguments")
    return graph.features(ufunc(graph, step.func, graph.matrix(inputs)), len(inputs))


def inverse(graph: GraphBuilder, step: Any, value: str) -> str:
    """What `step.inverse_transform` makes of a number; for targets."""
    if type(step) not in INVERSES:
        raise NotCompiled(f"a target transformed by {type(step).__name__}")
    return INVERSES[type(step)](graph, step, value)


def _uncalled(graph: GraphBuilder, step: Any, value: str) -> str:
    if step.inverse_func is None:
        return value
    if step.inv_kw_args:
        raise NotCompiled("a target transformed with arguments")
    return ufunc(graph, step.inverse_func, value)


def _unscaled(graph: GraphBuilder, step: Any, value: str) -> str:
    center = getattr(step, "mean_", getattr(step, "center_", None))
    if step.scale_ is not None:
        value = graph.add("Mul", value, graph.constant(step.scale_))
    return value if center is None else graph.add("Add", value, graph.constant(center))


def _unranged(graph: GraphBuilder, step: Any, value: str) -> str:
    return graph.add(
        "Div", graph.add("Sub", value, graph.constant(step.min_)), graph.constant(step.scale_)
    )


def _unpowered(graph: GraphBuilder, step: Any, value: str) -> str:
    if len(step.lambdas_) != 1:
        raise NotCompiled("several targets with a power each")
    if step.standardize:
        value = _unscaled(graph, step._scaler, value)
    power = float(step.lambdas_[0])
    if step.method == "box-cox":
        return _rooted(graph, value, power)
    zero, one = graph.constant(0.0), graph.constant(1.0)
    high = graph.add("Sub", _rooted(graph, graph.add("Max", value, zero), power), one)
    turned = graph.add("Neg", graph.add("Min", value, zero))
    low = graph.add("Sub", one, _rooted(graph, turned, 2 - power))
    return graph.add("Where", graph.add("GreaterOrEqual", value, zero), high, low)


def _rooted(graph: GraphBuilder, value: str, power: float) -> str:
    if abs(power) < np.spacing(1.0):
        return graph.add("Exp", value)
    raised = graph.add("Add", graph.add("Mul", value, graph.constant(power)), graph.constant(1.0))
    return graph.add("Pow", raised, graph.constant(1 / power))


INVERSES: dict[type, Callable[[GraphBuilder, Any, str], str]] = {
    preprocessing.FunctionTransformer: _uncalled,
    preprocessing.StandardScaler: _unscaled,
    preprocessing.RobustScaler: _unscaled,
    preprocessing.MaxAbsScaler: _unscaled,
    preprocessing.MinMaxScaler: _unranged,
    preprocessing.PowerTransformer: _unpowered,
}

TRANSFORMERS: dict[type, Callable[[GraphBuilder, Any, Features], Features]] = {
    preprocessing.KBinsDiscretizer: bins,
    preprocessing.Binarizer: binarize,
    preprocessing.QuantileTransformer: quantiles,
    preprocessing.PowerTransformer: power,
    preprocessing.SplineTransformer: splines,
    preprocessing.FunctionTransformer: call,
}
MODELS: dict[type, Callable[[GraphBuilder, Any, Features], Answer]] = {
    isotonic.IsotonicRegression: isotonic_regression,
}
