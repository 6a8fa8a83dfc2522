"""One input column of a model, and what its fitted estimators tell of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAX_CATEGORIES = 1000
MAX_THRESHOLDS = 4096


@dataclass
class Column:
    """What fitted estimators know of one input."""

    name: str
    dtype: str = "float"
    categories: list[Any] | None = None
    missing: Any = np.nan  # what stands for "missing" where this column was fitted
    center: float | None = None
    scale: float | None = None
    fallback: float = 0.0  # what to try where nothing is known
    is_used: bool | None = None  # None where that is not known
    thresholds: list[float] = field(default_factory=list)
    known: list[Any] | None = None  # the categories, where rows have to be pandas categoricals
    is_closed: bool = False  # whether others are an error

    def typical(self, center: float, scale: float) -> None:
        """Remember the first plausible value and spread seen."""
        if self.center is None and np.isfinite(center):
            self.center = float(center)
            self.scale = float(scale) if np.isfinite(scale) and scale > 0 else None

    def categorical(self, known: list[Any], *, is_closed: bool) -> None:
        """It was a pandas categorical, and the model wants one again."""
        self.known = known
        self.is_closed = is_closed
        if all(isinstance(one, str) for one in known):
            self.dtype = "string"
            self.missing = None
        self.categories = known[:MAX_CATEGORIES] if len(known) <= MAX_CATEGORIES else None

    def split_at(self, thresholds: np.ndarray) -> None:
        room = MAX_THRESHOLDS - len(self.thresholds)
        self.thresholds.extend(thresholds[np.isfinite(thresholds)][:room].tolist())


@dataclass
class Shifted:
    """A column as it is behind a scaler; `back` brings a value into the input's own unit."""

    column: "Column | Shifted"
    back: Callable[[Any], Any]
    dtype: str = "float"
    categories: list[Any] | None = None
    missing: Any = np.nan

    def typical(self, center: float, scale: float) -> None:
        spread = abs(self.back(center + scale) - self.back(center)) if scale == scale else np.nan
        self.column.typical(self.back(center), spread)

    def split_at(self, thresholds: np.ndarray) -> None:
        self.column.split_at(self.back(np.asarray(thresholds, dtype=float)))
