"""What a CatBoost file says of its trees.

The library writes them readably to files only, and a child has none; so its binary
format is read here: "CBM1", a length, and a FlatBuffers table of NCatBoostFbs.TModelCore.
A file that points outside of itself raises ValueError, IndexError or struct.error.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC = b"CBM1"
START = 8
# The places of fields in their tables, by the schema's order.
TREES = 1
DIMENSION, SPLITS, SIZES, STARTS = 0, 1, 2, 3
FLOATS, ONE_HOTS, CTRS, LEAVES = 5, 6, 7, 8
STEPS, LEAF_OF_NODE, ESTIMATED = 10, 11, 13
FLAT_INDEX, BORDERS, MISSING = 2, 3, 5
AS_TRUE = 2  # how a missing value compares with every border of its column


@dataclass(frozen=True)
class Forest:
    """`splits[starts[i]:starts[i] + sizes[i]]` are tree i's: indices into `borders`."""

    dimension: int
    splits: np.ndarray
    sizes: np.ndarray
    starts: np.ndarray
    columns: np.ndarray  # of each border: the column it is for
    borders: np.ndarray  # float32
    missing_is_more: np.ndarray
    leaves: np.ndarray
    steps: np.ndarray  # a node's ways to its two children; empty where trees are symmetric
    leaf_of_node: np.ndarray
    others: int  # how many splits are of another kind


def read_forest(content: bytes) -> Forest:
    """The trees of a file's bytes."""
    if not content.startswith(MAGIC):
        raise ValueError("no CatBoost file")
    core = _Table(content, START + _number("<I", content, START), START)
    trees = core.table(TREES)
    columns, borders, missing = _float_borders(trees)
    return Forest(
        dimension=trees.number(DIMENSION, "<i"),
        splits=trees.numbers(SPLITS, "<i4"),
        sizes=trees.numbers(SIZES, "<i4"),
        starts=trees.numbers(STARTS, "<i4"),
        columns=columns,
        borders=borders,
        missing_is_more=missing,
        leaves=trees.numbers(LEAVES, "<f8"),
        steps=trees.numbers(STEPS, "<u2,<u2"),
        leaf_of_node=trees.numbers(LEAF_OF_NODE, "<u4"),
        others=sum(len(trees.tables(field)) for field in (ONE_HOTS, CTRS, ESTIMATED)),
    )


def _float_borders(trees: "_Table") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    columns: list[int] = []
    borders: list[float] = []
    missing: list[bool] = []
    for feature in trees.tables(FLOATS):
        own = feature.numbers(BORDERS, "<f4").tolist()
        borders += own
        columns += [feature.number(FLAT_INDEX, "<i", -1)] * len(own)
        missing += [feature.number(MISSING, "<b") == AS_TRUE] * len(own)
    return (
        np.array(columns, dtype=np.int64),
        np.array(borders, dtype=np.float32),
        np.array(missing, dtype=bool),
    )


@dataclass(frozen=True)
class _Table:
    """A FlatBuffers table that begins at `at`; its fields' places stand in its vtable."""

    content: bytes
    at: int
    base: int = 0

    def _field(self, index: int) -> int:
        """Where a field is; 0 where the table does not have it."""
        vtable = self.at - _number("<i", self.content, self.at)
        entry = 4 + 2 * index
        if entry >= _number("<H", self.content, vtable):
            return 0
        offset = _number("<H", self.content, vtable + entry)
        return self.at + offset if offset else 0

    def number(self, index: int, kind: str, default: int = 0) -> int:
        at = self._field(index)
        return _number(kind, self.content, at) if at else default

    def table(self, index: int) -> "_Table":
        return self._at(self._field(index))

    def _at(self, place: int) -> "_Table":
        return _Table(self.content, place + _number("<I", self.content, place))

    def _vector(self, index: int) -> tuple[int, int]:
        """(where its elements begin, how many there are)"""
        place = self._field(index)
        if not place:
            return 0, 0
        start = place + _number("<I", self.content, place)
        return start + 4, _number("<I", self.content, start)

    def numbers(self, index: int, kind: str) -> np.ndarray:
        start, count = self._vector(index)
        if not count:
            return np.zeros(0, dtype=kind)
        return np.frombuffer(self.content, dtype=kind, count=count, offset=start)

    def tables(self, index: int) -> "list[_Table]":
        start, count = self._vector(index)
        if start + 4 * count > len(self.content):
            raise ValueError("a list that is longer than its file")
        return [self._at(start + 4 * at) for at in range(count)]


def _number(kind: str, content: bytes, at: int) -> Any:
    if at < 0:
        raise ValueError("a place before the file's beginning")
    return struct.unpack_from(kind, content, at)[0]
