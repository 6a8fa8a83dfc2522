"""Whether a model gives the answers its uploader expects. Arithmetic only.

The one way to catch a model that loads without a word and answers differently, as some of
scikit-learn 1.2 and 1.3 do under a newer release.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isclose, isfinite
from statistics import median
from typing import Any

import numpy as np

from registry.plain_text import clean

RELATIVE = 1e-6
ABSOLUTE = 1e-9  # beside zero
SHOWN = 5
# Longer ones are no labels, and no numbers that a computer would count with.
INTEGER = re.compile(r"\s*[-+]?\d{1,18}\s*", re.ASCII)
TRUTHS = {"true": 1, "false": 0}


@dataclass(frozen=True)
class Comparison:
    """`differences`: the first few, each {"row" (1 is the first), "expected", "got"}."""

    rows: int
    differing: int
    differences: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "differences": list(self.differences)}

    def told(self, column: str) -> str:
        shown = "; ".join(
            f"row {one['row']}: expected {one['expected']}, got {one['got']}"
            for one in self.differences
        )
        more = ", …" if self.differing > len(self.differences) else ""
        return (
            f"{self.differing} of {self.rows} answers are not what the sample's column {column} "
            f"expects ({shown}{more})."
        )


def compare(expected: Sequence[Sequence[Any]], answers: Sequence[Sequence[Any]]) -> Comparison:
    """Compare the expected columns, one an output, with what `by_row` makes of answers.

    Labels must be equal, numbers to RELATIVE of the value or of the column's median: where a
    small value is the difference of large ones, two machines agree no better. A row without any
    expected answer is not compared, and none that the model was not asked about.
    """
    tolerances = [_tolerance(column) for column in expected]
    rows = differing = 0
    shown: list[dict[str, Any]] = []
    pairs = zip(zip(*expected, strict=True), answers, strict=False)
    for number, (wanted, got) in enumerate(pairs, 1):
        if all(one is None for one in wanted):
            continue
        rows += 1
        if not all(map(_same, wanted, got, tolerances)):
            differing += 1
            if len(shown) < SHOWN:
                shown.append({"row": number, "expected": _shown(wanted), "got": _shown(got)})
    return Comparison(rows, differing, tuple(shown))


def by_row(answers: Any) -> list[list[Any]]:
    """Of the answers of predict each row's, one an output."""
    plain = answers.tolist() if isinstance(answers, np.ndarray) else list(answers)
    return [row if isinstance(row, list) else [row] for row in plain]


def _tolerance(column: Sequence[Any]) -> float:
    numbers = [_number(value) for value in column if value is not None]
    sizes = [abs(number) for number in numbers if number is not None and isfinite(number)]
    return max(ABSOLUTE, RELATIVE * median(sizes)) if sizes else ABSOLUTE


def _same(expected: Any, got: Any, tolerance: float) -> bool:
    if isinstance(got, float) and got != got:
        got = None
    if expected is None or got is None:
        return expected is got
    if isinstance(got, str):
        return clean(_text(expected)) == got
    number = _number(expected)
    if number is None:
        return False
    if isinstance(got, float):
        return isclose(number, got, rel_tol=RELATIVE, abs_tol=tolerance)
    return number == got


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _number(value: Any) -> float | None:
    if not isinstance(value, str):
        return value
    try:
        # An integer exactly: a label may be larger than a float can tell apart.
        return int(value) if INTEGER.fullmatch(value) else float(value)
    except ValueError:
        return TRUTHS.get(value.strip().lower())


def _shown(values: Sequence[Any]) -> Any:
    plain = [_plain(value) for value in values]
    return plain[0] if len(plain) == 1 else plain


def _plain(value: Any) -> Any:
    """As JSON can say it: nan and inf as words."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return clean(value) if isinstance(value, str) else value
