"""How these tests inspect a model and ask it, without a sandbox around."""

import io
from typing import Any

import numpy as np

from registry.rows import Rows
from registry.runner import inspector, predictors


def inspect(content: bytes, fmt: str = "sklearn") -> tuple[dict, list[bytes]]:
    return inspector.inspect(io.BytesIO(content), fmt=fmt)


def load(content: bytes, signature: dict, fmt: str = "sklearn") -> predictors.Predictor:
    return predictors.load(io.BytesIO(content), fmt=fmt, signature=signature)


def matrix(values: Any) -> Rows:
    values = np.asarray(values, dtype=np.float64)
    return Rows([values], len(values))


def mixed(table: Any) -> Rows:
    """The rows of `artifacts.people`: two numbers, two strings."""
    strings = [
        [None if one is None or one != one else one for one in table[name]]
        for name in ("city", "job")
    ]
    return Rows([table[["age", "income"]].to_numpy(float), *strings], len(table))
