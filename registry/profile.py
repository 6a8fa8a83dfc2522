"""What a sample says of each input: ranges, missing values, examples, a histogram.

Arithmetic only. The histogram is the reference that later rows are compared with: its bins
hold about as many rows each, so that a shift shows wherever it happens.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from registry.plain_text import clean
from registry.signature import Input, Signature

BINS = 20
TOP = 50  # categories whose counts are kept
EXAMPLES = 3
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def profile_of(
    signature: Signature, instances: Sequence[Sequence[Any]], *, of_rows: int
) -> dict[str, Any]:
    """{"rows": looked at, "of_rows": in the file, "inputs": [one object an input]}."""
    columns = list(zip(*instances, strict=True))
    whole = next((i for i, row in enumerate(instances) if None not in row), 0)
    inputs = [
        describe(column, values, whole)
        for column, values in zip(signature.inputs, columns, strict=True)
    ]
    return {"rows": len(instances), "of_rows": of_rows, "inputs": inputs}


def describe(column: Input, values: Sequence[Any], whole: int = 0) -> dict[str, Any]:
    """One input's figures; its examples begin with the value of row `whole`."""
    present = [value for value in values if value is not None]
    about: dict[str, Any] = {
        "name": column.name,
        "missing": round(1 - len(present) / len(values), 6),
        "distinct": len(set(present)),
        "examples": _examples(column, [values[whole], *present]),
    }
    if column.dtype == "string" or column.categories:
        about["top"] = _top(present)
    if column.dtype != "string" and not column.ignored and present:
        about.update(_figures(np.array(present, dtype=np.float64)))
    return about


def described(signature: Signature, profile: dict[str, Any]) -> Signature:
    """The signature with the ranges and examples of a profile."""
    inputs = (
        replace(
            column,
            range=(about["min"], about["max"]) if "min" in about else None,
            examples=tuple(about["examples"]),
        )
        for column, about in zip(signature.inputs, profile["inputs"], strict=True)
    )
    return replace(signature, inputs=tuple(inputs))


def _examples(column: Input, values: Sequence[Any]) -> list[Any]:
    distinct = dict.fromkeys(_shown(value) for value in values if value is not None)
    if column.dtype in ("boolean", "integer"):
        kind = bool if column.dtype == "boolean" else int
        return [kind(value) for value in distinct][:EXAMPLES]
    return list(distinct)[:EXAMPLES]


def _top(present: Sequence[Any]) -> list[dict[str, Any]]:
    counts = Counter(_shown(value) for value in present)
    return [{"value": value, "count": count} for value, count in counts.most_common(TOP)]


def _shown(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _figures(numbers: np.ndarray) -> dict[str, Any]:
    quantiles = np.quantile(numbers, QUANTILES).tolist()
    return {
        "min": float(numbers.min()),
        "max": float(numbers.max()),
        "mean": float(numbers.mean()),
        "quantiles": {str(q): value for q, value in zip(QUANTILES, quantiles, strict=True)},
        "histogram": _histogram(numbers),
    }


def _histogram(numbers: np.ndarray) -> dict[str, list[float]]:
    """Edges at quantiles; a value belongs to the bin it begins, the largest to the last one."""
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)))
    if len(edges) == 1:
        return {"edges": [edges[0].item()] * 2, "counts": [len(numbers)]}
    counts, _ = np.histogram(numbers, edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}
