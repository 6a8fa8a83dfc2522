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


@dataclass(frozen=True)
class Parity:
    """What the comparison found. `reason` is empty when the graph may serve."""

    rows: int
    labels_equal: float | None  # share of rows, 0 to 1; None for numbers
    largest_difference: float
    reason: str = ""

    @property
    def holds(self) -> bool:
        return not self.reason

    def to_json(self) -> dict[str, Any]:
        """JSON knows no infinity, which is how far NaN is from a number: None stands for it."""
        finite = isfinite(self.largest_difference)
        return {**asdict(self), "largest_difference": self.largest_difference if finite else None}


def compare(original: Mapping[str, Any], graph: Mapping[str, Any], *, rows: int) -> Parity:
    """Compare outputs by method, as `registry.sandbox.Host.predict` gives them."""
    agreement: float | None = None
    largest = 0.0
    reasons: list[str] = []
    for method, expected in original.items():
        if method not in graph:
            return Parity(rows, None, 0.0, f"the graph does not give {method}")
        for one, other in zip(_parts(expected), _parts(graph[method]), strict=True):
            if one.shape != other.shape:
                return Parity(rows, None, 0.0, f"{method} has another shape in the graph")
            if one.dtype.kind == "f":
                largest = max(largest, largest_difference(one, other))
                if not close(one, other):
                    reasons.append(f"{method} differs by up to {largest:.3g}")
            else:
                agreement = float(np.mean(one == other))
                if agreement < 1:
                    reasons.append(f"{1 - agreement:.2%} of the labels differ")
    return Parity(rows, agreement, largest, "; ".join(dict.fromkeys(reasons)))


def close(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(other, one, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True))


def largest_difference(one: np.ndarray, other: np.ndarray) -> float:
    """The largest absolute difference; NaN against NaN is none, NaN against a number infinite."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(one - other)
    both = (one == other) | (np.isnan(one) & np.isnan(other))
    difference = np.where(both, 0.0, np.where(np.isnan(difference), np.inf, difference))
    return float(difference.max(initial=0.0))


def _parts(output: Any) -> list[np.ndarray]:
    """An output as arrays: one, or one an output of a multi-output model."""
    if isinstance(output, list) and output and isinstance(output[0], np.ndarray):
        return output
    return [output if isinstance(output, np.ndarray) else np.array(output, dtype=object)]
