"""Reading rows one by one, and telling what is wrong with them. No framework in here."""

from collections.abc import Mapping, Sequence
from typing import Any

from registry.inputs import Input, json_name

MAX_FAULTS = 20
MAX_WARNINGS = 20

Fault = dict[str, str]


class InvalidRows(ValueError):
    """Rows that do not fit. `errors` holds at most MAX_FAULTS of `total` faults."""

    def __init__(self, errors: list[Fault], total: int) -> None:
        super().__init__(errors[0]["detail"])
        self.errors = errors
        self.total = total


class RowReader:
    """Reads rows and collects their faults. `positions`: of each column, by its name."""

    def __init__(
        self,
        inputs: Sequence[Input],
        positions: Mapping[str, int],
        *,
        many: bool,
        ignore_unknown: bool,
    ) -> None:
        self.inputs = inputs
        self.positions = positions
        self.many = many
        self.ignore_unknown = ignore_unknown
        self.faults: list[Fault] = []
        self.total = 0

    def read(self, row: Any, number: int, pointer: str) -> list[Any]:
        """The row in the signature's order, with gaps where there was a fault."""
        where = f"row {number}" if self.many else ""
        if isinstance(row, dict):
            return self._read_object(row, where, pointer)
        if not isinstance(row, list):
            expected = f"expected an object or a list, got {json_name(row)}"
            return self._fault(pointer, "wrong_type", where, expected)
        if len(row) != len(self.inputs):
            expected = f"expected {len(self.inputs)} values ({self._listed()}), got {len(row)}"
            return self._fault(pointer, "wrong_length", where, expected)
        return [self._value(i, row[i], where, f"{pointer}/{i}") for i in range(len(row))]

    def _read_object(self, row: dict[str, Any], where: str, pointer: str) -> list[Any]:
        if not self.ignore_unknown:
            for name in row.keys() - self.positions.keys():
                detail = f"unknown column; the model takes {self._listed()}"
                place = _place(where, name[:60])
                self._fault(f"{pointer}/{escaped(name)}", "unknown_column", place, detail)
        names = (column.name for column in self.inputs)
        return [
            self._value(i, row.get(name, _MISSING), where, f"{pointer}/{escaped(name)}")
            for i, name in enumerate(names)
        ]

    def _value(self, position: int, value: Any, where: str, pointer: str) -> Any:
        column = self.inputs[position]
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

    def _listed(self) -> str:
        shown = ", ".join(column.name for column in self.inputs[:12])
        return f"{shown} and {len(self.inputs) - 12} more" if len(self.inputs) > 12 else shown


_MISSING = object()


def warnings_of(
    column: Input,
    position: int,
    values: Sequence[Any],
    instances: Sequence[Any],
    pointers: Sequence[str],
) -> list[Fault]:
    """Of the first MAX_WARNINGS values that the model was not trained with, and copes with."""
    strange = {one for one in set(values) if one is not None and one == one} - column.known
    if not strange:
        return []
    found = [number for number, value in enumerate(values) if value in strange][:MAX_WARNINGS]
    return [
        {
            "pointer": f"{pointers[i]}/{_key(column, position, instances[i])}",
            "code": "unseen_category",
            "detail": f"{_place(_row(i, instances), column.name)}: {column.not_seen(values[i])}",
        }
        for i in found
    ]


def _key(column: Input, position: int, instance: Any) -> str:
    return escaped(column.name) if isinstance(instance, dict) else str(position)


def _row(number: int, instances: Sequence[Any]) -> str:
    return f"row {number}" if len(instances) > 1 else ""


def _place(where: str, column: str) -> str:
    return f"{where}, column {column}" if where else f"column {column}"


def escaped(name: str) -> str:
    """A name as part of a JSON pointer."""
    return name[:60].replace("~", "~0").replace("/", "~1")
