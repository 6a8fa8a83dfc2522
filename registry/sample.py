"""A table of the uploader's, read by a model's signature. Arithmetic only."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.plain_text import clean
from registry.signature import Input, InvalidRows, Signature

SHOWN_NAMES = 12
# What pandas reads as missing, since that is what most models were trained by.
MISSING = frozenset(
    ("", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "-nan", "-NaN")
)
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
TRUTHS = {"true": True, "false": False}


class UnusableSample(ValueError):
    """The table does not fit the model; the message is for the uploader."""


@dataclass(frozen=True)
class Sample:
    """Rows in the signature's order, and the expected answers beside them, if there are any."""

    instances: list[list[Any]]
    expected: list[list[Any]] | None  # one list an output
    of_rows: int  # as many rows the file has


def read_sample(table: Mapping[str, Any], signature: Signature, *, expected: str = "") -> Sample:
    """The model's columns of a table of `Runner.read_table`. Raises UnusableSample."""
    wanted = _answers_named(expected, table["columns"], signature) if expected else []
    names = _inputs_named(table["columns"], signature, wanted)
    columns = [
        [_typed(value, column) for value in table["columns"][name]]
        if not table["typed"]
        else table["columns"][name]
        for name, column in zip(names, signature.inputs, strict=True)
    ]
    instances = [list(row) for row in zip(*columns, strict=True)]
    answers = [[_answer(value) for value in table["columns"][name]] for name in wanted]
    return Sample(instances, answers or None, table["rows"])


def faults_told(error: InvalidRows) -> str:
    """Which row and column does not fit, in a sentence."""
    first = error.errors[0]["detail"]
    if error.total == 1:
        return f"The sample does not fit the model. {_capital(first)}."
    return f"The sample does not fit the model in {error.total} places. {_capital(first)}."


def _inputs_named(
    columns: Mapping[str, Any], signature: Signature, answers: Sequence[str]
) -> list[str]:
    missing = [name for name in signature.names if name not in columns]
    if not missing:
        return list(signature.names)
    others = [name for name in columns if name not in answers]
    if not signature.named and len(others) == len(signature.names):
        return others  # fitted without names: the order decides, as it did in training
    raise UnusableSample(
        f"The sample lacks the model's {_columns(missing)}; it has {_listed(list(columns))}."
    )


def _answers_named(expected: str, columns: Mapping[str, Any], signature: Signature) -> list[str]:
    """The column of this name; for a model of several outputs as many, with commas."""
    whole = clean(expected)  # as the table's names are
    names = [whole] if whole in columns else [name.strip() for name in whole.split(",")]
    missing = [name for name in names if name not in columns]
    if missing:
        raise UnusableSample(
            f"The sample has no {_columns(missing)} with the expected answers; it has "
            f"{_listed(list(columns))}."
        )
    count = signature.outputs["predict"]["count"]
    if len(names) != count:
        raise UnusableSample(
            f"The model gives {count} answers a row, so `expected` must name {count} columns "
            f"with commas between them; it names {len(names)}."
        )
    return names


def _typed(text: str, column: Input) -> Any:
    """A CSV's text as the column wants it; as it is where it cannot be that."""
    if text in MISSING and text not in (column.categories or ()):
        return None
    if column.dtype == "string":
        return text
    return _number(text)


def _answer(value: Any) -> Any:
    return None if isinstance(value, str) and value in MISSING else value


def _number(text: str) -> Any:
    stripped = text.strip()
    if NUMBER.fullmatch(stripped):
        return float(stripped)
    return TRUTHS.get(stripped.lower(), text)


def _columns(names: Sequence[str]) -> str:
    return f"column{'s' if len(names) > 1 else ''} {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN_NAMES])
    left = len(names) - SHOWN_NAMES
    return f"{shown} and {left} more" if left > 0 else shown


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
