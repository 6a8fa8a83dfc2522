"""The signature of a fitted estimator: what goes in and what comes out.

What the estimator says of itself is only the first draft; whether it takes a
missing value or a category it never saw is found by asking it.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from registry.rows import Block, Rows
from registry.runner.columns import Column, attempt, columns_of, takes_text, unwrapped
from registry.runner.facts import clean, plain
from registry.runner.predictors import EstimatorPredictor
from registry.runner.refusals import Refused

MAX_INPUTS = 100_000
WIDTHS_TO_TRY = range(1, 129)
SECONDS_TO_TRY = 2.0
NEVER_SEEN = "\ufdd1 never seen"
NEVER_SEEN_NUMBER = 987654321.0
TYPICAL_TEXT = "the quick brown fox"


@dataclass
class Reading:
    """A signature, and what is needed to go on asking the estimator."""

    signature: dict[str, Any]
    columns: list[Column]
    predictor: EstimatorPredictor
    methods: list[str]


def read_signature(estimator: Any) -> Reading:
    """Raises Refused when no typical row can be predicted."""
    reading = _working_draft(estimator)
    reading.methods = ["predict"]
    _read_outputs(reading)
    _try_inputs(reading)
    return reading


def rows_of(columns: list[Column], values: list[Any]) -> Rows:
    """One row of plain values, cut into blocks as the columns' types ask."""
    if all(column.dtype != "string" for column in columns):
        return Rows([np.array([values], dtype=np.float64)], 1)
    blocks: list[Block] = []
    numbers: list[float] = []
    for column, value in zip(columns, values, strict=True):
        if column.dtype != "string":
            numbers.append(np.nan if value is None else value)
            continue
        if numbers:
            blocks.append(np.array([numbers]))
            numbers = []
        blocks.append([value])
    if numbers:
        blocks.append(np.array([numbers]))
    return Rows(blocks, 1)


def typical_values(columns: list[Column]) -> list[Any]:
    return [_typical_value(column) for column in columns]


def _typical_value(column: Column) -> Any:
    if column.categories:
        return column.categories[0]
    if column.dtype == "string":
        return TYPICAL_TEXT
    if column.dtype == "boolean":
        return 0.0
    if column.center is not None:
        return column.center
    return float(np.median(column.thresholds)) if column.thresholds else column.fallback


def _working_draft(estimator: Any) -> Reading:
    """The first draft on which the estimator answers a typical row."""
    problem: Exception | None = None
    second_best: Reading | None = None
    for reading in _drafts(estimator):
        try:
            answer = np.asarray(_answer(reading, typical_values(reading.columns), "predict"))
            if answer.dtype.kind != "f" or np.isfinite(answer).all():
                return reading
            # Not a number: out of the range it knows, perhaps.
            second_best = second_best or reading
        except NotFittedError:
            raise Refused(
                "not_fitted", "The model has not been fitted. Call fit, then save it."
            ) from None
        except MemoryError:
            raise
        except Exception as error:
            problem = problem or error
    if second_best is not None:
        return second_best
    said = clean(f"{type(problem).__name__}: {problem}")
    raise Refused("predict_failed", f"The model cannot predict even a typical row: {said}")


def _drafts(estimator: Any) -> Any:
    if takes_text(estimator):
        yield _draft(estimator, ["text"], named=False, dtype="string")
        return
    names, named = _input_names(estimator)
    if names is None:
        for width in WIDTHS_TO_TRY:
            yield _draft(estimator, _made_up(width), named=False)
        return
    yield _draft(estimator, names, named=named)
    # A logarithm of zero is none: some models take only numbers above it.
    yield _draft(estimator, names, named=named, fallback=1.0)
    yield _draft(estimator, names, named=named, dtype="string")


def _draft(
    estimator: Any,
    names: list[str],
    *,
    named: bool,
    dtype: str | None = None,
    fallback: float = 0.0,
) -> Reading:
    columns = columns_of(estimator, names)
    for column in columns:
        column.fallback = fallback
        if dtype and column.center is None and not column.thresholds:
            column.dtype = dtype
    inputs = [_draft_input(column) for column in columns]
    signature = {"inputs": inputs, "named": named, "outputs": {}}
    return Reading(signature, columns, EstimatorPredictor(estimator, signature), [])


def _draft_input(column: Column) -> dict[str, Any]:
    return {
        "name": clean(column.name),
        "dtype": column.dtype,
        "nullable": False,
        "categories": None if column.categories is None else plain_labels(column.categories),
        "unseen": "ok",
        **({"ignored": True} if column.is_used is False and column.dtype == "float" else {}),
    }


def _input_names(estimator: Any) -> tuple[list[str] | None, bool]:
    names = _attribute(estimator, "feature_names_in_")
    if names is not None:
        return [str(name) for name in names], True
    width = _attribute(estimator, "n_features_in_")
    if width is None:
        return None, False
    if not 0 < int(width) <= MAX_INPUTS:
        raise Refused(
            "too_large", f"The model takes {width} inputs; up to {MAX_INPUTS} are served."
        )
    return _made_up(int(width)), False


def _made_up(width: int) -> list[str]:
    return [f"x{index}" for index in range(width)]


def _attribute(estimator: Any, name: str) -> Any:
    for candidate in (estimator, unwrapped(estimator)):
        found = attempt(getattr, candidate, name, None)
        if found is not None:
            return found
    return None


def _answer(reading: Reading, values: list[Any], method: str) -> Any:
    rows = rows_of(reading.columns, values)
    return reading.predictor.predict(rows, [method])[method]


def _read_outputs(reading: Reading) -> None:
    typical = typical_values(reading.columns)
    outputs = reading.signature["outputs"]
    outputs["predict"] = _predict_output(_answer(reading, typical, "predict"))
    outputs["predict_proba"] = None
    try:
        probabilities = _answer(reading, typical, "predict_proba")
        outputs["predict_proba"] = {"classes": _classes(reading, probabilities)}
        reading.methods.append("predict_proba")
    except MemoryError:
        raise
    except Exception:
        # Many models have no probabilities, or say so only when asked.
        return


def _predict_output(answer: Any) -> dict[str, Any]:
    kinds = {"i": "integer", "f": "float", "b": "boolean"}
    array = np.asarray(answer)
    count = int(array.shape[1]) if array.ndim > 1 else 1
    return {"dtype": kinds.get(array.dtype.kind, "string"), "count": count}


def _classes(reading: Reading, probabilities: Any) -> list[list[Any]]:
    """One list of labels an output, as wide as its probabilities. Raises ValueError."""
    known = _attribute(reading.predictor.estimator, "classes_")
    many = isinstance(probabilities, list)
    tables = probabilities if many else [probabilities]
    if known is None or (isinstance(known, list) and not many):
        # A mixture's components, a chain's outputs: numbered, in the order of the columns.
        known = np.arange(probabilities.shape[1])
    labels = list(known) if many else [known]
    widths = [table.shape[1] for table in tables]
    if [len(one) for one in labels] != widths:
        raise ValueError("The probabilities do not fit the classes.")
    return [plain_labels(one) for one in labels]


def plain_labels(labels: Any) -> list[Any]:
    return [_plain_label(one) for one in np.asarray(labels).tolist()]


def _plain_label(label: Any) -> Any:
    if isinstance(label, list):  # a ClassifierChain's classes, one list an output
        raise ValueError("A label is a list.")
    if label is None or isinstance(label, bool | int | float):
        return plain(label)
    return str(label)  # as `predictors.normalized` writes dates and the like


def _try_inputs(reading: Reading) -> None:
    """Ask with a missing value, then with an unknown category, in each input in turn."""
    typical = typical_values(reading.columns)
    inputs = reading.signature["inputs"]
    until = time.monotonic() + SECONDS_TO_TRY
    all_nullable = takes_values(reading, [None] * len(typical))
    for index, column in enumerate(reading.columns):
        if time.monotonic() > until:
            return
        one = inputs[index]
        one["nullable"] = all_nullable or _takes(reading, typical, index, None)
        if column.categories is not None or column.dtype == "string":
            never = NEVER_SEEN if column.dtype == "string" else NEVER_SEEN_NUMBER
            one["unseen"] = "ok" if _takes(reading, typical, index, never) else "error"


def _takes(reading: Reading, typical: list[Any], index: int, value: Any) -> bool:
    values = list(typical)
    values[index] = value
    return takes_values(reading, values)


def takes_values(reading: Reading, values: list[Any]) -> bool:
    """Whether the model answers this row, and with a number where it answers numbers."""
    known = [
        np.nan if value is None and column.dtype != "string" else value
        for value, column in zip(values, reading.columns, strict=True)
    ]
    try:
        answer = np.asarray(_answer(reading, known, "predict"))
    except MemoryError:
        raise
    except Exception:
        return False
    return answer.dtype.kind != "f" or bool(np.isfinite(answer).all())
