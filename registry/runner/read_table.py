"""The first rows of a table, CSV or Parquet by its bytes, as plain columns.

Its child opens no model, and may start no thread: so CSV is read by the standard library
(pyarrow's reader starts one even when told not to), Parquet by pyarrow without read-ahead.
"""

import csv
import io
import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, BinaryIO

from registry.runner.facts import clean
from registry.runner.refusals import Refused

MAX_ROWS = 5_000
MAX_COLUMNS = 2_000
MAX_CELLS = 1_000_000
MAX_CHARACTERS = 16 << 20  # of all texts together
DELIMITERS = ",;\t|"
UNREADABLE = "sample_unreadable"

Cell = str | int | float | bool | None


def read_table(file: BinaryIO) -> dict[str, Any]:
    """{"columns": {name: values}, "rows": in the file, "read": of them, "typed": …, "dates": […]}.

    The first rows, at most MAX_ROWS of them and MAX_CELLS values. A CSV's values are its texts,
    "" where there is none (`typed` is false); a Parquet file's are plain values, None where one
    is missing. Dates and times become ISO texts, and `dates` names their columns. Raises Refused.
    """
    content = file.read()
    try:
        if content.startswith(b"PAR1"):
            return _read_parquet(content)
        return _read_csv(_decoded(content))
    except MemoryError:
        raise Refused(UNREADABLE, "Reading the table needs more memory than it may.") from None


def _decoded(content: bytes) -> str:
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if is_utf16 else "utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Refused(
            UNREADABLE,
            f"The table is neither Parquet nor UTF-8 text (line {line}). Save it as CSV in UTF-8.",
        ) from None
    if "\0" in text:
        raise Refused(UNREADABLE, "The table is neither Parquet nor CSV: it holds binary zeros.")
    return text


def _read_csv(text: str) -> dict[str, Any]:
    lines = _lines(text)
    header = next(lines, None)
    if header is None:
        raise Refused(UNREADABLE, "The table is empty: its first line must name the columns.")
    names = _names(header)
    rows = list(islice(lines, _most_rows(len(names))))
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise Refused(
                UNREADABLE,
                f"Row {number} has {len(row)} values, the header names {len(names)} columns.",
            )
    _check_size(len(cell) for row in rows for cell in row)
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    total = len(rows) + sum(1 for _ in lines)
    return _report(names, columns, total=total, typed=False, dates=[])


def _lines(text: str) -> Iterator[list[str]]:
    first = text[:65536].partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from (row for row in reader if row)  # an empty line is no row
    except csv.Error as error:
        raise Refused(UNREADABLE, f"Line {reader.line_num} is no CSV: {error}.") from None


def _read_parquet(content: bytes) -> dict[str, Any]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(pyarrow.BufferReader(content), pre_buffer=False)
        names = _names(file.schema_arrow.names)
        most = _most_rows(len(names))
        batch = next(file.iter_batches(batch_size=most, use_threads=False), None)
        columns = [] if batch is None else [_values(column) for column in batch.columns]
        total = file.metadata.num_rows
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        said = clean(str(error).partition("\n")[0])
        raise Refused(UNREADABLE, f"The Parquet file cannot be read: {said}") from None
    dates = [
        name
        for name, column in zip(names, columns, strict=False)
        if any(isinstance(value, date | datetime | time) for value in column[:100])
    ]
    plain = [[_plain(value) for value in column] for column in columns] or [[] for _ in names]
    _check_size(len(cell) for column in plain for cell in column if isinstance(cell, str))
    return _report(names, plain, total=total, typed=True, dates=dates)


def _values(column: Any) -> list[Any]:
    """As UTC and microseconds, a time needs no table of time zones, which a child has not."""
    import pyarrow

    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us"), safe=False)
    return column.to_pylist()


def _plain(value: Any) -> Cell:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else float(value)
    if isinstance(value, float | Decimal):
        return _number(float(value))
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return clean(
        str(value)
    )  # a list, a struct, bytes: no column of a model, but perhaps a passenger


def _number(value: float) -> Cell:
    """NaN is how data frames say missing; infinity is refused later, by name."""
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _names(header: list[str]) -> list[str]:
    names = [clean(name.strip()) for name in header]
    if len(names) > MAX_COLUMNS:
        raise Refused(
            UNREADABLE, f"The table has {len(names)} columns; at most {MAX_COLUMNS} are read."
        )
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise Refused(UNREADABLE, f"Two columns of the table are named {twice}.")
    return names


def _most_rows(columns: int) -> int:
    return max(1, min(MAX_ROWS, MAX_CELLS // max(columns, 1)))


def _check_size(lengths: Iterator[int]) -> None:
    if sum(lengths) > MAX_CHARACTERS:
        raise Refused(
            UNREADABLE,
            f"The first {MAX_ROWS} rows hold more text than {MAX_CHARACTERS} characters.",
        )


def _report(
    names: list[str], columns: list[list[Cell]], *, total: int, typed: bool, dates: list[str]
) -> dict[str, Any]:
    read = len(columns[0]) if columns else 0
    if read == 0:
        raise Refused(UNREADABLE, "The table has no rows below its header.")
    return {
        "columns": dict(zip(names, columns, strict=True)),
        "rows": total,
        "read": read,
        "typed": typed,
        "dates": dates,
    }
