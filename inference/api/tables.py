"""Rows that come as a table: by column in JSON, or as CSV."""

import csv
import io
import re
from typing import Any

from inference.api.shapes import Asked, check_count
from inference.errors import UnknownShape
from registry.inputs import Input
from registry.signature import Signature

# A JSON number: what CSV says beyond it ("1,5", "NaN", " 7") is told as the text it is.
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "false": False, "True": True, "False": False}


def of_columns(columns: dict[str, Any]) -> Asked:
    """{"income": [1, 2], "city": ["Bonn", "Kiel"]}: two rows. Raises UnknownShape, TooManyRows."""
    for name, values in columns.items():
        if not isinstance(values, list):
            raise UnknownShape(f"The column {name[:60]!r} is no list of values.")
    lengths = {name: len(values) for name, values in columns.items()}
    count = max(lengths.values(), default=0)
    if count == 0:
        raise UnknownShape("The columns have no values: send at least one row.")
    for name, length in lengths.items():
        if length != count:
            raise UnknownShape(
                f"The column {name[:60]!r} has {length} values and another one {count}: they "
                "must be of one length."
            )
    check_count(count)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return Asked(rows, [f"/columns/{i}" for i in range(count)], is_single=False, by_column=True)


def of_csv(body: bytes, signature: Signature) -> Asked:
    """A header line and one line a row; an empty field is a missing value.

    Fields of numeric and boolean columns are read as JSON writes these; what is not written so
    stays a text, which the check of the row refuses. Raises UnknownShape or TooManyRows.
    """
    try:
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        names = next(lines, [])
        rows = [line for line in lines if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnknownShape(f"The body is no CSV in UTF-8: {error}.") from error
    _check_header(names, rows)
    check_count(len(rows))
    columns = {column.name: column for column in signature.inputs}
    instances = [
        {name: _value(field, columns.get(name)) for name, field in zip(names, row, strict=True)}
        for row in rows
    ]
    return Asked(instances, [f"/{i}" for i in range(len(rows))], is_single=False)


def _check_header(names: list[str], rows: list[list[str]]) -> None:
    if not rows:
        raise UnknownShape("The CSV has no rows: send a header line and one line for each row.")
    if len(set(names)) < len(names):
        raise UnknownShape("Two columns of the CSV have the same name.")
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise UnknownShape(
                f"Row {number} of the CSV has {len(row)} fields, its header {len(names)}."
            )


def _value(field: str, column: Input | None) -> Any:
    if field == "":
        return None
    if column is None or column.dtype == "string":
        return field
    if column.dtype == "boolean" and field in _BOOLEANS:
        return _BOOLEANS[field]
    return float(field) if _NUMBER.fullmatch(field) else field
