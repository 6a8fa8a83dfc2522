"""What a model takes and gives, and the check of what is sent to it. No framework in here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from registry.inputs import LARGEST, Input, InvalidSignature, input_from_json
from registry.row_reader import MAX_WARNINGS, Fault, InvalidRows, RowReader, warnings_of
from registry.rows import Block, Rows

# From more rows on, looking at each column once is quicker than at each row.
FEW_ROWS = 8

__all__ = ["LARGEST", "Input", "InvalidRows", "InvalidSignature", "Signature"]

# Every web process keeps signatures in memory: inputs, and the categories of all of them.
MAX_COLUMNS = 200_000


@dataclass(frozen=True)
class Signature:
    """The inputs in the order of fitting, and what comes out.

    `outputs["predict"]` is {"dtype", "count"}; `outputs["predict_proba"]` is
    {"classes": one list an output} or None. A model fitted without column
    names has inputs x0, x1, … and `named` False.
    """

    inputs: tuple[Input, ...]
    named: bool
    outputs: Mapping[str, Any]
    methods: tuple[str, ...] = ("predict",)
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.inputs))
        object.__setattr__(self, "_position", {n: i for i, n in enumerate(self.names)})
        pick = itemgetter(*self.names) if len(self.names) > 1 else _single(self.names)
        object.__setattr__(self, "_pick", pick)
        floats = all(column.dtype == "float" for column in self.inputs)
        object.__setattr__(self, "_all_float", floats)
        quick = floats and not any(column.is_closed for column in self.inputs)
        object.__setattr__(self, "_is_plain", quick)
        object.__setattr__(self, "_watched", self._places_of_watched())

    def _places_of_watched(self) -> list[tuple[int, int, int | None]]:
        """Of each column whose categories are open: its position, its block, where in that."""
        places: list[tuple[int, int, int | None]] = []
        block, start = -1, 0
        for i, column in enumerate(self.inputs):
            if i == 0 or "string" in (column.dtype, self.inputs[i - 1].dtype):
                block, start = block + 1, i
            if column.is_watched:
                within = None if column.dtype == "string" else i - start
                places.append((i, block, within))
        return places

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Signature":
        """Raises InvalidSignature: what the inspector reports is the uploader's word."""
        try:
            inputs = tuple(input_from_json(column) for column in data["inputs"])
            methods = tuple(data.get("methods") or ("predict",))
            outputs = {
                "predict": _predict_from_json(data["outputs"]["predict"]),
                "predict_proba": _proba_from_json(data["outputs"].get("predict_proba")),
            }
            signature = cls(inputs, bool(data["named"]), outputs, methods)
        except InvalidSignature:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InvalidSignature(f"malformed: {error}") from error
        signature._check()
        return signature

    def _check(self) -> None:
        if sum(1 + len(column.categories or ()) for column in self.inputs) > MAX_COLUMNS:
            raise InvalidSignature(f"more than {MAX_COLUMNS:,} inputs and categories")
        if not self.inputs or len(set(self.names)) != len(self.names):
            raise InvalidSignature("a model needs at least one input, each with its own name")
        if not set(self.methods) <= {"predict", "predict_proba"} or "predict" not in self.methods:
            raise InvalidSignature("a model needs the method predict")
        if ("predict_proba" in self.methods) != (self.outputs["predict_proba"] is not None):
            raise InvalidSignature("probabilities need their class labels")

    def to_json(self) -> dict[str, Any]:
        return {
            "inputs": [asdict(column) for column in self.inputs],
            "named": self.named,
            "outputs": dict(self.outputs),
            "methods": list(self.methods),
        }

    def example(self, answered: Sequence[Any] = (), *, digits: int = 6) -> dict[str, Any]:
        """One row for people: of the sample where there was one, else `answered` by the model.

        Without either it has the right shape, no more. Numbers are cut to so many digits.
        """
        row = {column.name: _example_of(column) for column in self.inputs}
        for column, value in zip(self.inputs, answered, strict=False):
            if value is not None and not column.examples:
                row[column.name] = _short(column, value, digits)
        return row

    def to_rows(
        self,
        instances: Sequence[Any],
        *,
        pointers: Sequence[str],
        first: int = 0,
        ignore_unknown: bool = False,
    ) -> Rows:
        """Check `instances` and put them into blocks.

        Each instance is an object of named values or a list in the
        signature's order; `pointers` are their JSON pointers, `first` the
        number of the first row. Raises InvalidRows, naming row and column of
        each fault.
        """
        if len(instances) > FEW_ROWS or not self._is_plain:
            columns = self._quick_columns(instances, ignore_unknown)
            if columns is not None:
                return Rows(self._blocks(columns), len(instances))
        rows: list[Any] = [self._quick(row, ignore_unknown) for row in instances]
        if None in rows:
            reader = RowReader(
                self.inputs,
                self._position,
                many=len(instances) > 1,
                ignore_unknown=ignore_unknown,
            )
            places = zip(rows, instances, pointers, strict=True)
            rows = [
                known or reader.read(row, number, pointer)
                for number, (known, row, pointer) in enumerate(places, first)
            ]
            reader.raise_faults()
        if self._all_float:
            numbers = np.array(rows, dtype=np.float64).reshape(len(rows), len(self.inputs))
            return Rows([numbers], len(rows))
        return Rows(self._blocks(list(zip(*rows, strict=True))), len(rows))

    def warnings(
        self, rows: Rows, instances: Sequence[Any], *, pointers: Sequence[str]
    ) -> list[Fault]:
        """What the model answers without having learned it: at most MAX_WARNINGS.

        `rows` are those of `instances`. The same whether the answer comes from a cache or not.
        """
        found: list[Fault] = []
        for position, block, place in self._watched:
            values = rows.blocks[block]
            if place is not None:
                values = values[:, place].tolist()
            column = self.inputs[position]
            found += warnings_of(column, position, values, instances, pointers)
            if len(found) >= MAX_WARNINGS:
                break
        return found[:MAX_WARNINGS]

    def _quick(self, row: Any, ignore_unknown: bool) -> Sequence[float] | None:
        """The row when it is all numbers and complete (nearly always); else None."""
        if not self._is_plain:
            return None
        values = self._whole(row, ignore_unknown)
        if values is None:
            return None
        if set(map(type, values)) <= {int, float} and max(map(abs, values)) <= LARGEST:
            return values
        return None

    def _whole(self, row: Any, ignore_unknown: bool) -> Sequence[Any] | None:
        """The row's values in order where it has all of them, and no others."""
        if type(row) is dict and (len(row) == len(self.names) or ignore_unknown):
            try:
                return self._pick(row)
            except KeyError:
                return None
        return row if type(row) is list and len(row) == len(self.names) else None

    def _quick_columns(
        self, instances: Sequence[Any], ignore_unknown: bool
    ) -> list[Sequence[Any]] | None:
        """The same by column, for many rows or several types: all of the rows, or None."""
        rows = [self._whole(row, ignore_unknown) for row in instances]
        if not rows or None in rows:
            return None
        columns = list(zip(*rows, strict=True))
        fitting = (column.fits(values) for column, values in zip(self.inputs, columns, strict=True))
        return columns if all(fitting) else None

    def _blocks(self, columns: Sequence[Sequence[Any]]) -> list[Block]:
        """Neighbouring columns of numbers as one matrix, each column of texts by itself."""
        blocks: list[Block] = []
        kinds = groupby(range(len(self.inputs)), lambda i: self.inputs[i].dtype == "string")
        for is_string, positions in kinds:
            if is_string:
                blocks.extend(list(columns[i]) for i in positions)
            else:
                matrix = np.array([columns[i] for i in positions], dtype=np.float64)
                blocks.append(np.ascontiguousarray(matrix.T))
        return blocks


def _single(names: tuple[str, ...]) -> Any:
    return lambda row: (row[names[0]],)


def _example_of(column: Input) -> float | str | bool:
    if column.examples:
        return column.examples[0]
    if column.dtype == "boolean":
        return True
    if column.dtype == "integer":
        return int(column.categories[0]) if column.categories else 0
    if column.dtype == "float":
        return column.categories[0] if column.categories else 0.0
    return column.categories[0] if column.categories else "text"


def label_key(label: Any) -> str:
    """A class label as a key of JSON: text as it is, else as JSON writes it (1, 0.5, true)."""
    return label if isinstance(label, str) else orjson.dumps(label).decode()


def _short(column: Input, value: Any, digits: int) -> Any:
    if column.dtype in ("boolean", "integer"):
        return bool(value) if column.dtype == "boolean" else int(value)
    # A category is what it is: rounded, it would be another one.
    is_measure = isinstance(value, float) and not column.categories
    return float(f"{value:.{digits}g}") if is_measure else value


def _predict_from_json(data: Mapping[str, Any]) -> dict[str, Any]:
    if data["dtype"] not in ("integer", "float", "string", "boolean"):
        raise InvalidSignature("the prediction is of no known type")
    count = data.get("count", 1)
    if not isinstance(count, int) or not 1 <= count <= 10_000:
        raise InvalidSignature("the number of outputs is out of range")
    return {"dtype": data["dtype"], "count": count}


def _proba_from_json(data: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if data is None:
        return None
    classes = data["classes"]
    labels = [label for one in classes for label in one]
    if not labels or not all(isinstance(label, str | int | float | bool) for label in labels):
        raise InvalidSignature("a class label is neither a string, a number nor a boolean")
    for one in classes:
        if len(set(map(label_key, one))) != len(one):
            raise InvalidSignature("two class labels look the same once they are cleaned")
    return {"classes": [list(one) for one in classes]}
