"""CatBoost's models as graphs: inputs rounded to float32 and compared with `>`, sums in float64."""

from typing import Any

import numpy as np

from registry.runner import compile_trees as trees
from registry.runner.catboost_files import Forest, read_forest
from registry.runner.compile_models import Answer, above, two_sided
from registry.runner.graph_builder import Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

# A symmetric tree of depth d becomes one of 2^(d + 1) nodes.
MAX_NODES = 1_000_000
MAX_DEPTH = 16


def compile_catboost(graph: GraphBuilder, model: Any, inputs: Features) -> Answer:
    """One of the library's own estimators."""
    forest = read_forest(model._serialize_model())
    if forest.others:
        raise NotCompiled("CatBoost trees that split on categories or texts")
    scale, bias = model.get_scale_and_bias()
    base = np.zeros(forest.dimension) + bias
    grown = [_scaled(one, float(scale)) for one in _grown(forest)]
    if hasattr(model, "predict_proba"):
        return _classes(graph, model, inputs, grown, base.tolist())
    return _numbers(graph, model, trees.sums(graph, inputs, grown, base.tolist()))


def _scaled(tree: trees.Tree, scale: float) -> trees.Tree:
    tree.values = tree.values * scale
    return tree


def _classes(
    graph: GraphBuilder, model: Any, inputs: Features, grown: list[trees.Tree], base: list[float]
) -> Answer:
    loss = _loss(model)
    if loss in ("MultiClass", "MultiClassOneVsAll"):
        index, scores = trees.class_scores(graph, inputs, grown, base)
        if loss == "MultiClass":
            return Answer(index, graph.add("Softmax", scores, axis=1))
        return Answer(index, graph.add("Sigmoid", scores))
    if loss in ("MultiLogloss", "MultiCrossEntropy"):
        scores = trees.sums(graph, inputs, grown, base)
        is_set = graph.add("Greater", scores, graph.constant(0.0))
        return Answer(value=graph.double(is_set))
    if loss not in ("Logloss", "CrossEntropy") or len(base) > 1:
        raise NotCompiled(f"a CatBoost classifier with the loss {loss}")
    threshold = float(model.get_probability_threshold() or 0.5)
    scores = trees.sums(graph, inputs, grown, base)
    limit = float(np.log(threshold / (1 - threshold)))
    return Answer(above(graph, scores, limit), two_sided(graph, graph.add("Sigmoid", scores)))


def _numbers(graph: GraphBuilder, model: Any, scores: str) -> Answer:
    kind = "RawFormulaVal"
    if hasattr(model, "_get_default_prediction_type"):
        kind = model._get_default_prediction_type()
    if kind == "Exponent":
        return Answer(value=graph.add("Exp", scores))
    if kind == "RMSEWithUncertainty":
        mean, spread = graph.features(scores, 2)
        doubled = graph.add("Mul", graph.matrix([spread]), graph.constant(2.0))
        return Answer(value=graph.concat([graph.matrix([mean]), graph.add("Exp", doubled)]))
    if kind != "RawFormulaVal":
        raise NotCompiled(f"CatBoost's answer {kind}")
    return Answer(value=scores)


def _loss(model: Any) -> str:
    return str(model.get_all_params().get("loss_function", "")).partition(":")[0]


def _grown(forest: Forest) -> list[trees.Tree]:
    if len(forest.steps):
        return _uneven(forest)
    if forest.sizes.max(initial=0) > MAX_DEPTH or (2 ** (forest.sizes + 1)).sum() > MAX_NODES:
        raise NotCompiled("CatBoost trees of so many nodes")
    made, leaf = [], 0
    for start, depth in zip(forest.starts.tolist(), forest.sizes.tolist(), strict=True):
        count = forest.dimension << depth
        values = forest.leaves[leaf : leaf + count].reshape(-1, forest.dimension)
        made.append(_symmetric(forest, forest.splits[start : start + depth], values))
        leaf += count
    return made


def _symmetric(forest: Forest, splits: np.ndarray, values: np.ndarray) -> trees.Tree:
    """A whole binary tree, level by level; all nodes of a level ask the same."""
    depth = len(splits)
    inner = (1 << depth) - 1
    nodes = np.arange(inner)
    used = np.repeat(splits, 1 << np.arange(depth))
    children = np.concatenate([2 * nodes + 1, np.zeros(inner + 1, dtype=np.int64)])
    made = _nodes(forest, used, inner + 1)
    made.left, made.right = children, np.where(made.is_leaf, 0, children + 1)
    # The first question decides the lowest bit of the leaf's number.
    made.values = np.concatenate([np.zeros((inner, values.shape[1])), values[_reversed(depth)]])
    return made


def _reversed(depth: int) -> np.ndarray:
    """The numbers below 2^depth, each with its bits in reverse."""
    found = np.zeros(1, dtype=np.int64)
    for _ in range(depth):
        found = np.concatenate([2 * found, 2 * found + 1])
    return found


def _nodes(forest: Forest, used: np.ndarray, leaves: int) -> trees.Tree:
    """Splits on these borders, then leaves; children and values are still to come."""
    nothing = np.zeros(leaves, dtype=np.int64)
    thresholds = trees.float32_thresholds(forest.borders[used].astype(np.float64))
    features = np.concatenate([forest.columns[used], nothing])
    is_leaf = np.arange(len(used) + leaves) >= len(used)
    return trees.Tree(
        features=features,
        thresholds=np.concatenate([thresholds, nothing.astype(np.float64)]),
        left=features,
        right=features,
        is_leaf=is_leaf,
        missing_goes_left=np.concatenate([~forest.missing_is_more[used], nothing.astype(bool)]),
        values=np.zeros((len(is_leaf), 1)),
    )


def _uneven(forest: Forest) -> list[trees.Tree]:
    """Trees whose branches end at different depths."""
    made = []
    for start, size in zip(forest.starts.tolist(), forest.sizes.tolist(), strict=True):
        steps = forest.steps[start : start + size]
        ways = np.stack([steps["f0"], steps["f1"]], axis=1).astype(np.int64)
        made.append(_branched(forest, start, ways))
    return made


def _branched(forest: Forest, start: int, ways: np.ndarray) -> trees.Tree:
    """One tree: node i goes on to i + ways[i], or ends where that way is 0."""
    count = len(ways)
    ends = ways == 0
    # Every way that ends gets a leaf of its own behind the nodes.
    leaves = np.cumsum(ends.ravel()).reshape(-1, 2) - 1 + count
    to = np.where(ends, leaves, np.arange(count)[:, None] + ways)
    made = _nodes(forest, forest.splits[start : start + count], int(ends.sum()))
    made.left = np.concatenate([to[:, 0], np.zeros(ends.sum(), dtype=np.int64)])
    made.right = np.concatenate([to[:, 1], np.zeros(ends.sum(), dtype=np.int64)])
    first = forest.leaf_of_node[start : start + count][np.nonzero(ends)[0]].astype(np.int64)
    values = forest.leaves[first[:, None] + np.arange(forest.dimension)]
    made.values = np.concatenate([np.zeros((count, forest.dimension)), values])
    return made
