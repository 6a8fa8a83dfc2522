"""Trees and their ensembles as one operator, with scikit-learn's own comparisons.

scikit-learn rounds inputs to float32 and compares them with float64 thresholds; the
graph takes float64, so each threshold moves to the largest float64 that rounds to
something not above it. Sums are kept in float64 until the operator puts them out as
float32 (a relative error of 6e-8); labels are decided before that rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper

from registry.runner.graph_builder import ML, Feature, Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

NEVER_WINS = -1e30


@dataclass
class Tree:
    """One tree as arrays over its nodes; `values` has a row a node, a column a target."""

    features: np.ndarray
    thresholds: np.ndarray
    left: np.ndarray
    right: np.ndarray
    is_leaf: np.ndarray
    missing_goes_left: np.ndarray
    values: np.ndarray
    first_target: int = 0


def plain_tree(tree: Any, values: np.ndarray, *, features: Sequence[int] | None = None) -> Tree:
    """A `sklearn.tree` tree with `values` at its nodes; `features` maps a subset's columns."""
    is_leaf = tree.children_left < 0
    used = np.where(is_leaf, 0, tree.feature)
    if features is not None:
        used = np.asarray(features)[used]
    return Tree(
        features=used,
        thresholds=np.where(is_leaf, 0.0, float32_thresholds(tree.threshold)),
        left=np.where(is_leaf, 0, tree.children_left),
        right=np.where(is_leaf, 0, tree.children_right),
        is_leaf=is_leaf,
        missing_goes_left=np.asarray(tree.missing_go_to_left, dtype=bool) & ~is_leaf,
        values=values.reshape(tree.node_count, -1),
    )


def histogram_tree(tree: Any, target: int, sets: "CategorySets | None" = None) -> Tree:
    """A tree of HistGradientBoosting, which compares in float64."""
    nodes = tree.nodes
    is_leaf = nodes["is_leaf"].astype(bool)
    features = np.where(is_leaf, 0, nodes["feature_idx"])
    thresholds = np.where(is_leaf, 0.0, nodes["num_threshold"])
    for at in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~is_leaf):
        if sets is None:
            raise NotCompiled("HistGradientBoosting with categorical splits")
        node = nodes[at]
        bits = tree.raw_left_cat_bitsets[node["bitset_idx"]]
        features[at] = sets.column(int(node["feature_idx"]), bits, bool(node["missing_go_to_left"]))
        thresholds[at] = 0.5
    return Tree(
        features=features,
        thresholds=thresholds,
        left=np.where(is_leaf, 0, nodes["left"]),
        right=np.where(is_leaf, 0, nodes["right"]),
        is_leaf=is_leaf,
        missing_goes_left=nodes["missing_go_to_left"].astype(bool) & ~is_leaf,
        values=nodes["value"].reshape(-1, 1),
        first_target=target,
    )


MOST_CATEGORIES = 256


@dataclass
class CategorySets:
    """Every set of categories that a split sends left, as one more column: 1 for the right.

    `first` is the number of the first such column; `known` the categories of each feature.
    """

    first: int
    known: dict[int, set[int]]
    columns: list[tuple[int, frozenset[int], bool]] = field(default_factory=list)

    def column(self, feature: int, bits: np.ndarray, missing_left: bool) -> int:
        left = frozenset(
            code for code in range(MOST_CATEGORIES) if int(bits[code // 32]) >> (code % 32) & 1
        )
        key = (feature, left, missing_left)
        if key not in self.columns:
            self.columns.append(key)
        return self.first + self.columns.index(key)

    def features(self, graph: GraphBuilder, inputs: Features) -> Features:
        """The columns, made from the codes in `inputs`."""
        parts, order = [], []
        for feature in sorted({key[0] for key in self.columns}):
            keys = [key for key in self.columns if key[0] == feature]
            parts.append(self._of_feature(graph, inputs[feature], keys))
            order += keys
        made = graph.features(graph.concat(parts), len(order))
        return [made[order.index(key)] for key in self.columns]

    def _of_feature(
        self, graph: GraphBuilder, one: Feature, keys: list[tuple[int, frozenset[int], bool]]
    ) -> str:
        codes = sorted(self.known[keys[0][0]])
        value = graph.matrix([one])
        # As the library reads a number as a category: cut off, and from 256 on again from 0.
        whole = graph.add("Floor", value)
        wrapped = graph.add("Floor", graph.add("Div", whole, graph.constant(256.0)))
        whole = graph.add("Sub", whole, graph.add("Mul", wrapped, graph.constant(256.0)))
        matches = graph.add("Equal", whole, graph.constant([codes]))
        is_code = graph.add("GreaterOrEqual", value, graph.constant(0.0))
        found = graph.double(graph.add("And", matches, is_code))
        # A category that is not known goes where a missing value does.
        elsewhere = np.array([0.0 if missing_left else 1.0 for _, _, missing_left in keys])
        right = np.array([[float(code not in left) for _, left, _ in keys] for code in codes])
        moved = graph.add("MatMul", found, graph.constant(right - elsewhere))
        return graph.add("Add", moved, graph.constant([elsewhere]))


def float32_thresholds(thresholds: np.ndarray) -> np.ndarray:
    """For each t the largest float64 x with float32(x) <= t."""
    with np.errstate(over="ignore"):
        below = thresholds.astype(np.float32)
        below = np.where(below > thresholds, np.nextafter(below, np.float32(-np.inf)), below)
        above = np.nextafter(below, np.float32(np.inf)).astype(np.float64)
        middle = (below.astype(np.float64) + above) / 2
        # Halfway rounds to the even neighbour, which is `below` or `above`.
        stays = middle.astype(np.float32) <= thresholds
    return np.where(stays, middle, np.nextafter(middle, -np.inf))


def class_scores(
    graph: GraphBuilder, inputs: Features, trees: list[Tree], base: Sequence[float]
) -> tuple[str, str]:
    """(index of the greatest sum, the sums) over the trees, for each of len(base) classes."""
    if graph.is_fine:
        scores = sums(graph, inputs, trees, base)
        return graph.argmax(scores), scores
    # With two classes the runtime compares with 0.5 instead of taking the greatest;
    # a last class that never wins keeps it from doing so.
    count = len(base) + 1
    attributes = _attributes(trees, "class", count)
    attributes["base_values_as_tensor"] = _tensor(np.array([*base, NEVER_WINS]))
    index, scores = graph.add_many(
        "TreeEnsembleClassifier",
        graph.matrix(inputs),
        outputs=2,
        domain=ML,
        classlabels_int64s=list(range(count)),
        post_transform="NONE",
        **attributes,
    )
    kept = graph.matrix(graph.features(scores, count)[:-1])
    return index, graph.double(kept)


def sums(graph: GraphBuilder, inputs: Features, trees: list[Tree], base: Sequence[float]) -> str:
    """The trees' sums for each of len(base) targets, as a float64 matrix."""
    if graph.is_fine:
        return _fine_sums(graph, inputs, trees, base)
    return _rounded_sums(graph, inputs, trees, base)


def _fine_sums(
    graph: GraphBuilder, inputs: Features, trees: list[Tree], base: Sequence[float]
) -> str:
    """Sums that lose nothing to float32: values are cut in two that each sum exactly enough."""
    count = len(base)
    largest = sum(float(np.abs(tree.values).max(initial=0.0)) for tree in trees) or 1.0
    # Multiples of a power of two, so large that their sum has at most 24 bits.
    unit = 2.0 ** (np.ceil(np.log2(largest)) - 22)
    coarse = [replace(tree, values=np.round(tree.values / unit) * unit) for tree in trees]
    finer = [
        replace(tree, values=tree.values - one.values, first_target=tree.first_target)
        for tree, one in zip(trees, coarse, strict=True)
    ]
    zero = [0.0] * count
    both = [_rounded_sums(graph, inputs, part, zero) for part in (coarse, finer)]
    value = graph.add("Add", *both)
    return graph.add("Add", value, graph.constant([list(base)])) if any(base) else value


def _rounded_sums(
    graph: GraphBuilder, inputs: Features, trees: list[Tree], base: Sequence[float]
) -> str:
    attributes = _attributes(trees, "target", len(base))
    if any(base):
        attributes["base_values_as_tensor"] = _tensor(np.asarray(base, dtype=np.float64))
    value = graph.add(
        "TreeEnsembleRegressor",
        graph.matrix(inputs),
        domain=ML,
        n_targets=len(base),
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )
    return graph.double(value)


def float_sums(graph: GraphBuilder, inputs: Features, trees: list[Tree], targets: int) -> str:
    """As `sums`, but compared and added up in float32, one tree after the other."""
    attributes = _attributes(trees, "target", targets)
    for name in [name for name in attributes if name.endswith("_as_tensor")]:
        values = numpy_helper.to_array(attributes.pop(name))
        attributes[name.removesuffix("_as_tensor")] = values.astype(np.float32).tolist()
    return graph.add(
        "TreeEnsembleRegressor",
        graph.add("Cast", graph.matrix(inputs), to=TensorProto.FLOAT),
        domain=ML,
        n_targets=targets,
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )


def constant_tree(values: Sequence[float]) -> Tree:
    """A single leaf: where sums begin."""
    nothing = np.zeros(1, dtype=np.int64)
    is_leaf = np.ones(1, dtype=bool)
    row = np.asarray(values, dtype=np.float64).reshape(1, -1)
    return Tree(nothing, np.zeros(1), nothing, nothing, is_leaf, ~is_leaf, row)


def _attributes(trees: list[Tree], kind: str, count: int) -> dict[str, Any]:
    sizes = [len(tree.features) for tree in trees]
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    is_leaf = np.concatenate([tree.is_leaf for tree in trees])
    return {
        "nodes_treeids": tree_ids.tolist(),
        "nodes_nodeids": node_ids.tolist(),
        "nodes_featureids": _joined(trees, "features"),
        "nodes_values_as_tensor": _tensor(np.concatenate([tree.thresholds for tree in trees])),
        "nodes_modes": ["LEAF" if leaf else "BRANCH_LEQ" for leaf in is_leaf.tolist()],
        "nodes_truenodeids": _joined(trees, "left"),
        "nodes_falsenodeids": _joined(trees, "right"),
        "nodes_missing_value_tracks_true": _joined(trees, "missing_goes_left"),
        **_leaves(trees, kind),
    }


def _leaves(trees: list[Tree], kind: str) -> dict[str, Any]:
    tree_ids, node_ids, targets, weights = [], [], [], []
    for index, tree in enumerate(trees):
        leaves = np.flatnonzero(tree.is_leaf)
        width = tree.values.shape[1]
        tree_ids.append(np.full(len(leaves) * width, index))
        node_ids.append(np.repeat(leaves, width))
        targets.append(np.tile(np.arange(width) + tree.first_target, len(leaves)))
        weights.append(tree.values[leaves].ravel())
    return {
        f"{kind}_treeids": np.concatenate(tree_ids).tolist(),
        f"{kind}_nodeids": np.concatenate(node_ids).tolist(),
        f"{kind}_ids": np.concatenate(targets).tolist(),
        f"{kind}_weights_as_tensor": _tensor(np.concatenate(weights).astype(np.float64)),
    }


def _joined(trees: list[Tree], name: str) -> list[int]:
    return np.concatenate([getattr(tree, name) for tree in trees]).astype(np.int64).tolist()


def _tensor(values: np.ndarray) -> Any:
    return numpy_helper.from_array(values.astype(np.float64), "values")
