"""Whether two answers to the same rows are the same. Arithmetic only; judged by the trusted side.

A graph is compiled beside the uploader's code, so the claim that it equals
the original counts for nothing until both have answered rows of our choice.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

# Labels must be equal. Numbers may differ by float32 rounding, far below what
# a caller could tell: relative to the value, and absolutely near zero.
RELATIVE = 5e-6
ABSOLUTE = 1e-9
# A probability is read to five places.
ABSOLUTE_OF_PROBABILITIES = 1e-6
# Two classes this close in probability are a tie: either label is the model's answer. Where
# many rows are ties (a saturated score), labels follow something finer, and must be equal.
TIE = 1e-9
MOST_TIES = 0.01
# What float32 rounding amounts to, far from any threshold.
FLOAT32 = 1e-5


@dataclass(frozen=True)
class Parity:
    """What the comparison found. `reason` is empty when the graph may serve."""

    rows: int
    labels_equal: float | None  # share of rows, 0 to 1; None for numbers
    largest_difference: float
    reason: str = ""
    disagreeing: int = 0  # rows with another label, or a number out of tolerance
    ties: int = 0  # rows with another label of the same probability

    @property
    def holds(self) -> bool:
        return not self.reason

    def to_json(self) -> dict[str, Any]:
        """JSON knows no infinity, which is how far NaN is from a number: None stands for it."""
        finite = isfinite(self.largest_difference)
        return {**asdict(self), "largest_difference": self.largest_difference if finite else None}


def compare(original: Mapping[str, Any], graph: Mapping[str, Any], *, rows: int) -> Parity:
    """Compare outputs by method, as `registry.sandbox.Host.predict` gives them."""
    found = _Found(rows, _tied(original.get("predict_proba"), rows))
    for method, expected in original.items():
        if method not in graph:
            return Parity(rows, None, 0.0, f"the graph does not give {method}")
        ours, theirs = _parts(expected), _parts(graph[method])
        if [one.shape for one in ours] != [one.shape for one in theirs]:
            return Parity(rows, None, 0.0, f"{method} has another shape in the graph")
        for one, other in zip(ours, theirs, strict=True):
            found.add(method, one, other)
    return found.parity()


class _Found:
    """Collects differences row by row."""

    def __init__(self, rows: int, tied: np.ndarray) -> None:
        self.rows = rows
        self.tied = tied
        self.differing = np.zeros(rows, dtype=bool)
        self.unequal: np.ndarray | None = None
        self.largest = 0.0
        self.reasons: list[str] = []

    def add(self, method: str, one: np.ndarray, other: np.ndarray) -> None:
        if one.dtype.kind == "f":
            self._add_numbers(method, one, other)
        else:
            self._add_labels(_by_row(one != other, self.rows))

    def _add_numbers(self, method: str, one: np.ndarray, other: np.ndarray) -> None:
        difference = largest_difference(one, other)
        self.largest = max(self.largest, difference)
        far = _by_row(~_is_close(one, other, absolute=_absolute(method)), self.rows)
        if far.any():
            self.differing |= far
            self.reasons.append(f"{method} differs by up to {difference:.3g}{_cause(one, other)}")

    def _add_labels(self, unequal: np.ndarray) -> None:
        self.unequal = unequal if self.unequal is None else self.unequal | unequal
        many = (unequal & self.tied).mean() > MOST_TIES
        wrong = unequal if many else unequal & ~self.tied
        if wrong.any():
            self.differing |= wrong
            self.reasons.append(f"{wrong.mean():.2%} of the labels differ")

    def parity(self) -> Parity:
        return Parity(
            rows=self.rows,
            labels_equal=None if self.unequal is None else float(1 - self.unequal.mean()),
            largest_difference=self.largest,
            reason="; ".join(dict.fromkeys(self.reasons)),
            disagreeing=int(self.differing.sum()),
            ties=0 if self.unequal is None else int((self.unequal & ~self.differing).sum()),
        )


def close(one: np.ndarray, other: np.ndarray, *, absolute: float = ABSOLUTE) -> bool:
    return bool(_is_close(one, other, absolute=absolute).all())


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest absolute difference; NaN against NaN is none, NaN against a number infinite."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(one - other)
    both = (one == other) | (np.isnan(one) & np.isnan(other))
    difference = np.where(both, 0.0, np.where(np.isnan(difference), np.inf, difference))
    return float(difference.max(initial=0.0))


def examples(golden: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The golden example and those kept with it: {"input": [value, …], method: answer}."""
    first = {name: value for name, value in golden.items() if name != "more"}
    return [first, *golden.get("more", ())] if "input" in first else []


def matches(golden: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
    """Whether `outputs`, of the golden examples' inputs in order, are the golden answers.

    `outputs` are as `registry.sandbox.Host.predict` gives them.
    """
    known = examples(golden)
    if not known:
        return False
    for method in known[0].keys() - {"input"}:
        if method not in outputs:
            return False
        expected = [one[method] for one in known]
        if not _same_answers(method, expected, _rows_of(outputs[method], len(known))):
            return False
    return True


def _same_answers(method: str, expected: list[Any], found: list[Any]) -> bool:
    one, other = (np.array(_flat(value), dtype=object) for value in (expected, found))
    if one.shape != other.shape:
        return False
    if all(_is_number(value) for value in [*one, *other]):
        numbers = [np.array([np.nan if v is None else v for v in x], float) for x in (one, other)]
        return close(*numbers, absolute=_absolute(method))
    return bool((one == other).all())


def _rows_of(output: Any, rows: int) -> list[Any]:
    parts = [part.tolist() for part in _parts(output)]
    if any(len(part) != rows for part in parts):
        return []
    return [list(row) for row in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]


def _flat(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [inner for one in value for inner in _flat(one)]
    return [None if isinstance(value, float) and not isfinite(value) else value]


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _absolute(method: str) -> float:
    return ABSOLUTE_OF_PROBABILITIES if method == "predict_proba" else ABSOLUTE


def _is_close(one: np.ndarray, other: np.ndarray, *, absolute: float) -> np.ndarray:
    return np.isclose(other, one, rtol=RELATIVE, atol=absolute, equal_nan=True)


def _by_row(cells: np.ndarray, rows: int) -> np.ndarray:
    """Whether any cell of a row is true."""
    return cells.reshape(rows, -1).any(axis=1) if rows else np.zeros(0, dtype=bool)


def _cause(one: np.ndarray, other: np.ndarray) -> str:
    small = np.isclose(other, one, rtol=FLOAT32, atol=FLOAT32, equal_nan=True).all()
    return ", as numbers of 32 bits do" if small else ""


def _tied(probabilities: Any, rows: int) -> np.ndarray:
    """Rows whose two most probable classes are equally probable to the original."""
    if not isinstance(probabilities, np.ndarray) or probabilities.ndim != 2:
        return np.zeros(rows, dtype=bool)
    if probabilities.shape[1] < 2:
        return np.zeros(rows, dtype=bool)
    best = np.sort(probabilities, axis=1)[:, -2:]
    return best[:, 1] - best[:, 0] <= TIE


def _parts(output: Any) -> list[np.ndarray]:
    """An output as arrays: one, or one an output of a multi-output model."""
    if isinstance(output, list) and output and isinstance(output[0], np.ndarray):
        return output
    return [output if isinstance(output, np.ndarray) else np.array(output, dtype=object)]
