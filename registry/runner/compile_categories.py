"""Splits on categories: for each set of them that a tree asks for, a column of 0 and 1.

The columns of one input come from one table, a row a category: a lookup, however many sets.
"""

from typing import Any

import numpy as np
from onnx import TensorProto

from registry.runner.compile_columns import MISSING
from registry.runner.graph_builder import ML, Feature, Features, GraphBuilder
from registry.runner.not_compiled import NotCompiled

MAX_TABLE = 2_000_000
# Beyond it float32, as which the runtime looks numbers up, has not every integer.
MAX_CODE = 1 << 24


class CategorySets:
    """Collects the sets while trees are read; then widens the inputs by their columns."""

    def __init__(self, inputs: int, known: dict[int, list[Any]], *, above: float) -> None:
        # Numbers up to `above` are no category.
        self._above = above
        # Of inputs that were data frame categories, these, in the order of their codes.
        self._known = known
        self._count = inputs
        self._sets: dict[tuple[int, frozenset[int]], int] = {}

    def column(self, feature: int, members: frozenset[int]) -> int:
        """The place of the column that is 1 where input `feature` is one of `members`."""
        return self._sets.setdefault((feature, members), self._count + len(self._sets))

    def widened(self, graph: GraphBuilder, inputs: Features, *, missing: float) -> Features:
        """`inputs`, and behind them the columns, which are `missing` where the input is.

        A string has no other meaning to trees: the place of one is taken by a column.
        """
        columns: dict[int, Feature] = {}
        for feature in dict.fromkeys(feature for feature, _ in self._sets):
            asked = [one for one in self._sets if one[0] == feature]
            made = self._looked_up(graph, inputs[feature], feature, asked, missing)
            columns.update(zip((self._sets[one] for one in asked), made, strict=True))
        behind = [columns[place] for place in sorted(columns)]
        numeric = [one for one in [*behind, *inputs] if not one.is_string]
        if not numeric:
            raise NotCompiled("trees that never split on strings")
        return [numeric[0] if one.is_string else one for one in inputs] + behind

    def _looked_up(
        self,
        graph: GraphBuilder,
        one: Feature,
        feature: int,
        asked: list[tuple[int, frozenset[int]]],
        missing: float,
    ) -> Features:
        known = self._known.get(feature)
        size = 1 + max((max(members, default=0) for _, members in asked), default=0)
        size = max(size, len(known or ()))
        if size * len(asked) > MAX_TABLE:
            raise NotCompiled("trees that split on so many sets of categories")
        # Behind the categories a row for others, which are in no set, and one for missing values.
        table = np.zeros((size + 2, len(asked)))
        for place, (_, members) in enumerate(asked):
            table[list(members), place] = 1.0
        table[size + 1] = missing
        if known is not None:
            code = _place(graph, one, known, size)
        else:
            code = _code(graph, one, size, self._above)
        rows = graph.add("Gather", graph.constant(table), code, axis=0)
        shape = graph.constant([-1, len(asked)], np.int64)
        return graph.features(graph.add("Reshape", rows, shape), len(asked))


def _place(graph: GraphBuilder, one: Feature, known: list[Any], size: int) -> str:
    """Where a value stands among the known ones."""
    value, places, default = graph.matrix([one]), list(range(len(known))), size + 1
    if one.is_string:
        keys = {"keys_strings": [*map(str, known), MISSING]}
        places, default = [*places, size + 1], size
    elif all(abs(float(key)) < MAX_CODE for key in known):
        value = graph.add("Cast", value, to=TensorProto.FLOAT)
        keys = {"keys_floats": [float(key) for key in known]}
    else:
        raise NotCompiled("categories that are large numbers")
    if MISSING in known or len(set(known)) < len(known):
        raise NotCompiled("categories that are not distinct")
    place = graph.add(
        "LabelEncoder",
        value,
        domain=ML,
        values_int64s=places,
        default_int64=default,
        **keys,
    )
    return _flat(graph, place)


def _code(graph: GraphBuilder, one: Feature, size: int, above: float) -> str:
    """A number that is a category itself, as the libraries cut it off to an integer."""
    value = graph.matrix([one])
    is_known = graph.add(
        "And",
        graph.add("Greater", value, graph.constant(above)),
        graph.add("Less", value, graph.constant(float(size))),
    )
    cut = graph.add("Floor", graph.add("Max", value, graph.constant(0.0)))
    code = graph.add("Where", is_known, cut, graph.constant(float(size)))
    is_missing = graph.add("IsNaN", value)
    code = graph.add("Where", is_missing, graph.constant(float(size + 1)), code)
    return _flat(graph, graph.integer(code))


def _flat(graph: GraphBuilder, value: str) -> str:
    return graph.add("Reshape", value, graph.constant([-1], np.int64))
