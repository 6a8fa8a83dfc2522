"""XGBoost's models as graphs.

XGBoost rounds inputs to float32, compares with `<`, and adds leaves up in float32, one
tree after the other and from the base score on. So does the graph: any other order or
width would differ in the sixth digit, and in the first where a sum is nearly zero.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import xgboost
from onnx import TensorProto

from registry.runner import compile_trees as trees
from registry.runner.booster_columns import categories
from registry.runner.compile_categories import CategorySets
from registry.runner.compile_models import Answer, above
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled
from registry.runner.xgboost_files import learner_of, tree_model

LOGISTIC = ("binary:logistic", "reg:logistic")
# The greatest number that is none: it has no categories below zero, not even by rounding.
BELOW_ZERO = float(np.nextafter(0.0, -1.0))
MANY = ("multi:softprob", "multi:softmax")
EXPONENTS = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
_PLAIN = """
    reg:squarederror reg:squaredlogerror reg:absoluteerror reg:pseudohubererror
    reg:quantileerror rank:ndcg rank:pairwise rank:map binary:logitraw
"""
PLAIN = frozenset(_PLAIN.split())


def compile_xgboost(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """One of the library's own estimators."""
    learner = learner_of(model.get_booster())
    objective = learner["objective"]["name"]
    sets = CategorySets(len(inputs), categories(model), above=BELOW_ZERO)
    grown = _grown(learner, sets, rounds=model._get_iteration_range(None)[1])
    inputs = sets.widened(graph, _known(graph, inputs, float(model.missing)), missing=np.nan)
    margins = _margins(graph, learner, inputs, grown)
    if not isinstance(model, xgboost.XGBClassifier):
        return Answer(value=graph.double(_transformed(graph, objective, margins)))
    if objective in MANY:
        wide = graph.double(margins)
        return Answer(graph.argmax(margins), graph.add("Softmax", wide, axis=1))
    if objective not in ("binary:logistic", "binary:hinge"):
        raise NotCompiled(f"an XGBoost classifier with the objective {objective}")
    second = _transformed(graph, objective, margins)
    if len(_base_scores(learner)) > 1:  # several labels a row
        is_set = graph.add("Greater", graph.double(second), graph.constant(0.5))
        return Answer(value=graph.double(is_set))
    return _two_classes(graph, second)


def _known(graph: GraphBuilder, inputs: Features, missing: float) -> Features:
    """The inputs with NaN where the model was told that a number means "missing"."""
    if np.isnan(missing):
        return inputs
    if any(one.is_string for one in inputs):
        raise NotCompiled("XGBoost with strings, and a number for what is missing")
    value = graph.matrix(inputs)
    is_missing = graph.add("Equal", value, graph.constant(missing))
    value = graph.add("Where", is_missing, graph.constant(np.nan), value)
    return graph.features(value, len(inputs))


def _margins(
    graph: GraphBuilder, learner: dict[str, Any], inputs: Features, grown: list[trees.Tree]
) -> str:
    """The sums before the objective's transform, float32, a column a class or target."""
    if learner["gradient_booster"]["name"] == "gblinear":
        return _linear(graph, learner, inputs)
    base = _base_scores(learner)
    return trees.float_sums(graph, inputs, [trees.constant_tree(base), *grown], len(base))


def _base_scores(learner: dict[str, Any]) -> np.ndarray:
    """Where each sum begins. The file has it as a prediction, not as a sum."""
    params = learner["learner_model_param"]
    count = max(1, int(params["num_class"]), int(params["num_target"]))
    base = np.ravel(orjson.loads(params["base_score"])).astype(np.float32)
    base = np.full(count, base[0]) if len(base) == 1 else base
    one, objective = np.float32(1), learner["objective"]["name"]
    with np.errstate(all="ignore"):
        if objective in LOGISTIC:
            base = -np.log((one / base - one).astype(np.float64))
        elif objective in EXPONENTS:
            base = np.log(base.astype(np.float64))
    return base.astype(np.float32)


def _grown(learner: dict[str, Any], sets: CategorySets, rounds: int) -> list[trees.Tree]:
    """The first `rounds` of trees; 0 is all of them."""
    model = tree_model(learner)
    if "trees" not in model:
        return []
    end = model["iteration_indptr"][rounds] if rounds else len(model["trees"])
    # A booster that dropped trees weighs each.
    weights = learner["gradient_booster"].get("weight_drop") or [1.0] * end
    return [
        _tree(model["trees"][at], sets, model["tree_info"][at], np.float32(weights[at]))
        for at in range(end)
    ]


def _tree(tree: dict[str, Any], sets: CategorySets, target: int, weight: np.float32) -> trees.Tree:
    if tree["tree_param"]["size_leaf_vector"] not in ("0", "1"):
        raise NotCompiled("XGBoost trees with several outputs each")
    kept = _reached(tree)
    left = np.asarray(tree["left_children"])[kept]
    is_leaf = left < 0
    place = np.zeros(len(tree["left_children"]), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    conditions = np.asarray(tree["split_conditions"], dtype=np.float32)[kept]
    # Not above the next smaller float32 is below this one.
    thresholds = np.where(is_leaf, 0, np.nextafter(conditions, np.float32(-np.inf)))
    features = np.where(is_leaf, 0, np.asarray(tree["split_indices"])[kept])
    for at, members in _category_splits(tree):
        # Who is in the set goes right.
        features[place[at]] = sets.column(int(features[place[at]]), members)
        thresholds[place[at]] = 0.5
    return trees.Tree(
        features=features,
        thresholds=thresholds,
        left=np.where(is_leaf, 0, place[left]),
        right=np.where(is_leaf, 0, place[np.asarray(tree["right_children"])[kept]]),
        is_leaf=is_leaf,
        missing_goes_left=np.asarray(tree["default_left"], dtype=bool)[kept] & ~is_leaf,
        values=(conditions * weight).reshape(-1, 1),
        first_target=target,
    )


def _category_splits(tree: dict[str, Any]) -> Iterator[tuple[int, frozenset[int]]]:
    names = ("categories_nodes", "categories_segments", "categories_sizes")
    for at, start, size in zip(*(tree.get(name, []) for name in names), strict=True):
        yield at, frozenset(tree["categories"][start : start + size])


def _reached(tree: dict[str, Any]) -> np.ndarray:
    """The nodes from the root on: pruning leaves others behind."""
    left, right = tree["left_children"], tree["right_children"]
    if tree["tree_param"]["num_deleted"] == "0":
        return np.arange(len(left))
    reached, waiting = [], [0]
    while waiting and len(reached) <= len(left):
        at = waiting.pop()
        reached.append(at)
        if left[at] >= 0:
            waiting += [left[at], right[at]]
    return np.array(sorted(reached))


def _linear(graph: GraphBuilder, learner: dict[str, Any], inputs: Features) -> str:
    base = _base_scores(learner)
    weights = np.asarray(learner["gradient_booster"]["model"]["weights"], dtype=np.float32)
    weights = weights.reshape(len(inputs) + 1, len(base)).astype(np.float64)
    value = graph.matrix(inputs)
    value = graph.add("Where", graph.add("IsNaN", value), graph.constant(0.0), value)
    bias = graph.constant(weights[-1] + base)
    value = graph.add("Gemm", value, graph.constant(weights[:-1]), bias)
    return graph.add("Cast", value, to=TensorProto.FLOAT)


def _transformed(graph: GraphBuilder, objective: str, margins: str) -> str:
    """The prediction as float32."""
    if objective in PLAIN:
        return margins
    if objective == "binary:hinge":
        is_second = graph.add("Greater", margins, graph.constant(0, np.float32))
        return graph.add("Cast", is_second, to=TensorProto.FLOAT)
    if objective not in (*LOGISTIC, *EXPONENTS):
        raise NotCompiled(f"XGBoost's objective {objective}")
    if objective in EXPONENTS:
        return _exponent(graph, margins)
    # Rounded at each step, as there: of a probability of almost one the rest is as
    # coarse as float32 makes it.
    one = graph.constant(1, np.float32)
    exponent = _exponent(graph, graph.add("Neg", margins))
    return graph.add("Div", one, graph.add("Add", one, exponent))


def _exponent(graph: GraphBuilder, value: str) -> str:
    exact = graph.add("Exp", graph.double(value))
    return graph.add("Cast", exact, to=TensorProto.FLOAT)


def _two_classes(graph: GraphBuilder, second: str) -> Answer:
    first = graph.add("Sub", graph.constant(1, np.float32), second)
    index = above(graph, graph.double(second), 0.5)
    return Answer(index, graph.double(graph.concat([first, second])))
