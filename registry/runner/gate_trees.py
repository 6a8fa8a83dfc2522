"""The gate's rules for tree ensembles: whole trees, every node reached once.

The runtime's tree operators have had memory faults; what is checked here is what
they follow as indices.
"""

from typing import Any

import numpy as np

from registry.runner.gate_tensors import check_tensor, refuse, values_of
from registry.runner.refusals import Refused

MODES = frozenset(
    {b"BRANCH_LEQ", b"BRANCH_LT", b"BRANCH_GTE", b"BRANCH_GT", b"BRANCH_EQ", b"BRANCH_NEQ", b"LEAF"}
)
MAX_TARGETS = 10_000


def check_trees(node: Any, attributes: dict[str, Any], constants: dict) -> None:
    """Raises Refused unless nodes, edges and leaves fit together."""
    trees = _lengths_agree(attributes)
    _check_edges(attributes, trees)
    kind = "class" if node.op_type == "TreeEnsembleClassifier" else "target"
    count = _count(attributes, kind)
    if not 0 < count <= MAX_TARGETS:
        raise _refuse("has no classes or targets, or too many")
    _check_leaves(attributes, kind, count, trees)
    base = _numbers(attributes, "base_values")
    if len(base) not in (0, 1, count):
        raise _refuse("has base values that do not fit its classes or targets")


def _lengths_agree(attributes: dict[str, Any]) -> dict[tuple[int, int], int]:
    """Where each (tree, node) is in the arrays."""
    tree_ids, node_ids = attributes.get("nodes_treeids", []), attributes.get("nodes_nodeids", [])
    size = len(tree_ids)
    names = "nodes_nodeids nodes_featureids nodes_modes nodes_truenodeids nodes_falsenodeids"
    if not size or any(len(attributes.get(name, [])) != size for name in names.split()):
        raise _refuse("has node arrays of different lengths")
    for name in ("nodes_values", "nodes_hitrates"):
        if len(_numbers(attributes, name)) not in (size, 0 if name == "nodes_hitrates" else size):
            raise _refuse("has node arrays of different lengths")
    if len(attributes.get("nodes_missing_value_tracks_true", [])) not in (0, size):
        raise _refuse("has node arrays of different lengths")
    if not set(attributes["nodes_modes"]) <= MODES:
        raise _refuse("compares in a way that is not known")
    places = {key: at for at, key in enumerate(zip(tree_ids, node_ids, strict=True))}
    if len(places) < size:
        raise _refuse("names a node twice")
    return places


def _check_edges(attributes: dict[str, Any], places: dict[tuple[int, int], int]) -> None:
    """Each child exists and has one parent; one root a tree; no node out of reach."""
    trees = attributes["nodes_treeids"]
    children: list[list[int]] = []
    parents = np.zeros(len(trees), dtype=np.int64)
    ends = zip(
        trees,
        attributes["nodes_modes"],
        attributes["nodes_truenodeids"],
        attributes["nodes_falsenodeids"],
        strict=True,
    )
    for tree, mode, if_true, if_false in ends:
        below = (
            [] if mode == b"LEAF" else [places.get((tree, one), -1) for one in (if_true, if_false)]
        )
        if -1 in below:
            raise _refuse("points to a node that is not there")
        children.append(below)
        for one in below:
            parents[one] += 1
    if parents.max() > 1:
        raise _refuse("has a node with two parents")
    roots = np.flatnonzero(parents == 0).tolist()
    if len(roots) != len(set(trees)) or _reached(roots, children) != len(trees):
        raise _refuse("has a cycle or a node out of reach")


def _reached(roots: list[int], children: list[list[int]]) -> int:
    # One parent at most for each node, so nothing is met twice.
    waiting, count = list(roots), 0
    while waiting:
        count += 1
        waiting.extend(children[waiting.pop()])
    return count


def _check_leaves(
    attributes: dict[str, Any], kind: str, count: int, places: dict[tuple[int, int], int]
) -> None:
    names = [f"{kind}_{part}" for part in ("treeids", "nodeids", "ids")]
    tree_ids, node_ids, ids = (attributes.get(name, []) for name in names)
    size = len(ids)
    weights = len(_numbers(attributes, f"{kind}_weights"))
    if not size or {len(tree_ids), len(node_ids), weights} != {size}:
        raise _refuse("has leaf arrays of different lengths")
    if not 0 <= min(ids) <= max(ids) < count:
        raise _refuse("votes for a class or target that is not there")
    modes = attributes["nodes_modes"]
    for key in set(zip(tree_ids, node_ids, strict=True)):
        at = places.get(key)
        if at is None or modes[at] != b"LEAF":
            raise _refuse("has a weight that is not on a leaf")


def _count(attributes: dict[str, Any], kind: str) -> int:
    if kind == "target":
        return int(attributes.get("n_targets", 0))
    texts, numbers = (
        attributes.get("classlabels_strings", []),
        attributes.get("classlabels_int64s", []),
    )
    if len(texts) and len(numbers):
        raise _refuse("has two lists of classes")
    return max(len(texts), len(numbers))


def _numbers(attributes: dict[str, Any], name: str) -> Any:
    tensor = attributes.get(f"{name}_as_tensor")
    if tensor is None:
        return attributes.get(name, [])
    check_tensor(tensor)
    if len(tensor.dims) != 1 or name in attributes:
        raise _refuse("has numbers that are not a plain list")
    return values_of(tensor)


def _refuse(reason: str) -> Refused:
    return refuse(f"a tree ensemble {reason}")
