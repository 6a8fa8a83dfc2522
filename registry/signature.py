"""What a model takes and gives, and the check of what is sent to it. No framework in here."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import orjson

from registry.rows import Block, Rows

# Trees compute in float32: a larger number would be refused by the model itself.
LARGEST = float(np.finfo(np.float32).max)
MAX_FAULTS = 20

_JSON_NAMES = {str: "a string", bool: "a boolean", dict: "an object", list: "a list"}


class InvalidSignature(ValueError):
    """A signature that cannot be ours: the inspected model may have forged it."""


class InvalidRows(ValueError):
    """Rows that do not fit. `errors` holds at most MAX_FAULTS of `total` faults."""

    def __init__(self, errors: list[dict[str, str]], total: int) -> None:
        super().__init__(errors[0]["detail"])
        self.errors = errors
        self.total = total


@dataclass(frozen=True)
class Input:
    """One column. `categories` are those seen in training; `unseen` says what others do."""

    name: str
    dtype: str  # "float" | "string" | "boolean"
    nullable: bool = False
    categories: tuple[str, ...] | tuple[float, ...] | None = None
    unseen: str = "ok"  # "ok" | "error"
    range: tuple[float, float] | None = None  # of the uploader's sample, not a limit
    examples: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.dtype not in ("float", "string", "boolean") or self.unseen not in ("ok", "error"):
            raise InvalidSignature(f"input {self.name!r} is of no known kind")
        object.__setattr__(self, "_known", frozenset(self.categories or ()))

    def read(self, value: Any) -> float | str | None:
        """The value as it travels. Raises ValueError, saying what was expected."""
        if value is None:
            if self.nullable:
                return None if self.dtype == "string" else float("nan")
            raise ValueError("a value is required, got null")
        return self._read_string(value) if self.dtype == "string" else self._read_number(value)

    def _read_string(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"expected a string, got {_json_name(value)}")
        self._refuse_unseen(value)
        return value

    def _read_number(self, value: Any) -> float:
        # true and false are numbers to a model: a data frame's boolean column was 0 and 1 to it.
        if not isinstance(value, int | float):
            expected = "a boolean" if self.dtype == "boolean" else "a number"
            raise ValueError(f"expected {expected}, got {_json_name(value)}")
        if self.dtype == "boolean" and value not in (0, 1):
            raise ValueError(f"expected a boolean, got {value}")
        if not -LARGEST <= value <= LARGEST:  # also true of NaN, which JSON cannot carry
            raise ValueError(f"the number is out of range (up to {LARGEST:.3g})")
        self._refuse_unseen(value)
        return float(value)

    def _refuse_unseen(self, value: str | float) -> None:
        """A graph would answer something for a category that the model itself refuses."""
        if self.is_closed and value not in self._known:
            known = ", ".join(f"{c:g}" if isinstance(c, float) else c for c in self.categories[:10])
            shown = repr(value)[:60]
            raise ValueError(f"unknown category {shown}; the model knows {known}")

    @property
    def is_closed(self) -> bool:
        """Whether the model fails on anything but its categories."""
        return self.unseen == "error" and bool(self.categories)


def _json_name(value: Any) -> str:
    return _JSON_NAMES.get(type(value), "a number")


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

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Signature":
        """Raises InvalidSignature: what the inspector reports is the uploader's word."""
        try:
            inputs = tuple(_input_from_json(column) for column in data["inputs"])
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

    def example(self) -> dict[str, Any]:
        """One row that has the right shape, for messages and documentation."""
        return {column.name: _example_of(column) for column in self.inputs}

    def to_rows(self, instances: Sequence[Any], *, pointers: Sequence[str], first: int = 0) -> Rows:
        """Check `instances` and put them into blocks.

        Each instance is an object of named values or a list in the
        signature's order; `pointers` are their JSON pointers, `first` the
        number of the first row. Raises InvalidRows, naming row and column of
        each fault.
        """
        reader = _Reader(self, many=len(instances) > 1)
        rows = [
            self._quick(row) or reader.read(row, number, pointer)
            for number, (row, pointer) in enumerate(zip(instances, pointers, strict=True), first)
        ]
        reader.raise_faults()
        return Rows(self._blocks(rows), len(rows))

    def _quick(self, row: Any) -> Sequence[float] | None:
        """The row when it is all numbers and complete (nearly always); else None."""
        if not self._is_plain:
            return None
        if type(row) is dict and len(row) == len(self.names):
            try:
                row = self._pick(row)
            except KeyError:
                return None
        elif type(row) is not list or len(row) != len(self.names):
            return None
        if set(map(type, row)) <= {int, float} and max(map(abs, row)) <= LARGEST:
            return row
        return None

    def _blocks(self, rows: list[Sequence[Any]]) -> list[Block]:
        if self._all_float:
            return [np.array(rows, dtype=np.float64).reshape(len(rows), len(self.inputs))]
        blocks: list[Block] = []
        columns = list(zip(*rows, strict=True))
        kinds = groupby(range(len(self.inputs)), lambda i: self.inputs[i].dtype == "string")
        for is_string, positions in kinds:
            if is_string:
                blocks.extend(list(columns[i]) for i in positions)
            else:
                matrix = np.array([columns[i] for i in positions], dtype=np.float64)
                blocks.append(np.ascontiguousarray(matrix.T))
        return blocks


class _Reader:
    """Reads rows one by one and collects their faults."""

    def __init__(self, signature: Signature, *, many: bool) -> None:
        self.signature = signature
        self.many = many
        self.faults: list[dict[str, str]] = []
        self.total = 0

    def read(self, row: Any, number: int, pointer: str) -> list[Any]:
        """The row in the signature's order, with gaps where there was a fault."""
        names = self.signature.names
        where = f"row {number}" if self.many else ""
        if isinstance(row, list):
            if len(row) != len(names):
                expected = f"expected {len(names)} values ({_listed(names)}), got {len(row)}"
                return self._fault(pointer, "wrong_length", where, expected)
            return [self._value(i, row[i], where, f"{pointer}/{i}") for i in range(len(names))]
        if not isinstance(row, dict):
            expected = f"expected an object or a list, got {_json_name(row)}"
            return self._fault(pointer, "wrong_type", where, expected)
        return self._read_object(row, where, pointer)

    def _read_object(self, row: dict[str, Any], where: str, pointer: str) -> list[Any]:
        for name in row.keys() - self.signature._position.keys():
            known = _listed(self.signature.names)
            place = _place(where, name[:60])
            detail = f"unknown column; the model takes {known}"
            self._fault(f"{pointer}/{_escaped(name)}", "unknown_column", place, detail)
        return [
            self._value(i, row.get(name, _MISSING), where, f"{pointer}/{_escaped(name)}")
            for i, name in enumerate(self.signature.names)
        ]

    def _value(self, position: int, value: Any, where: str, pointer: str) -> Any:
        column = self.signature.inputs[position]
        if value is _MISSING:
            value = None
            if not column.nullable:
                place = _place(where, column.name)
                return self._fault(pointer, "missing", place, "a value is required")
        try:
            return column.read(value)
        except ValueError as error:
            return self._fault(pointer, "invalid_value", _place(where, column.name), str(error))

    def _fault(self, pointer: str, code: str, place: str, detail: str) -> list[Any]:
        self.total += 1
        if len(self.faults) < MAX_FAULTS:
            text = f"{place}: {detail}" if place else detail
            self.faults.append({"pointer": pointer, "code": code, "detail": text})
        return []

    def raise_faults(self) -> None:
        if self.faults:
            raise InvalidRows(self.faults, self.total)


_MISSING = object()


def _place(where: str, column: str) -> str:
    return f"{where}, column {column}" if where else f"column {column}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown


def _escaped(name: str) -> str:
    return name[:60].replace("~", "~0").replace("/", "~1")


def _single(names: tuple[str, ...]) -> Any:
    return lambda row: (row[names[0]],)


def _example_of(column: Input) -> float | str | bool:
    if column.dtype == "boolean":
        return True
    if column.dtype == "float":
        return column.categories[0] if column.categories else 0.0
    return column.categories[0] if column.categories else "text"


def _input_from_json(data: Mapping[str, Any]) -> Input:
    categories = data.get("categories")
    return Input(
        name=str(data["name"])[:300],
        dtype=data["dtype"],
        nullable=bool(data.get("nullable")),
        categories=_categories(categories, str if data["dtype"] == "string" else float),
        unseen=data.get("unseen") or "ok",
        range=None if data.get("range") is None else _range(data["range"]),
        examples=tuple(data.get("examples") or ()),
    )


def _range(ends: Sequence[Any]) -> tuple[float, float]:
    low, high = ends
    return float(low), float(high)


def _categories(values: Sequence[Any] | None, kind: type) -> tuple[Any, ...] | None:
    return None if values is None else tuple(kind(value) for value in values if value is not None)


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
        keys = {label if isinstance(label, str) else orjson.dumps(label).decode() for label in one}
        if len(keys) != len(one):
            raise InvalidSignature("two class labels look the same once they are cleaned")
    return {"classes": [list(one) for one in classes]}
