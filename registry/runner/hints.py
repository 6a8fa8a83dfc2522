"""What rows to try a model with: typical values, spreads, split points, categories."""

import time
from typing import Any

import numpy as np

from registry.runner.columns import Column
from registry.runner.signature_reader import Reading, plain_labels, takes_values, typical_values

MAX_SPLITS = 64
SECONDS_TO_TRY = 1.0


def hints_of(reading: Reading) -> list[dict[str, Any]]:
    """One hint an input (of the signature); every number finite."""
    hints = [
        _hint(column, one["unseen"])
        for column, one in zip(reading.columns, reading.signature["inputs"], strict=True)
    ]
    for index in _positive(reading, hints):
        hints[index]["positive"] = True
    return hints


def _positive(reading: Reading, hints: list[dict[str, Any]]) -> list[int]:
    """The inputs in which the model refuses what is below zero: it takes a root, or counts."""
    typical = typical_values(reading.columns)
    numeric = [at for at, hint in enumerate(hints) if "splits" in hint and "values" not in hint]
    if takes_values(reading, _lowered(typical, hints, numeric)):
        return []
    until = time.monotonic() + SECONDS_TO_TRY
    found = []
    for index in numeric:
        if time.monotonic() > until:
            break
        if not takes_values(reading, _lowered(typical, hints, [index])):
            found.append(index)
    return found


def _lowered(typical: list[Any], hints: list[dict[str, Any]], which: list[int]) -> list[Any]:
    """A row far below zero in these inputs."""
    values = list(typical)
    for index in which:
        values[index] = -abs(hints[index]["center"]) - 3 * abs(hints[index]["scale"])
    return values


def _hint(column: Column, unseen: str) -> dict[str, Any]:
    if column.categories and column.dtype in ("float", "integer"):
        return _numeric_categories(column.categories, unseen)
    if column.categories is not None:
        return {"categories": plain_labels(column.categories)}
    if column.dtype == "boolean":
        return {"categories": [False, True]}
    if column.dtype == "string":
        return {"categories": []}
    splits = _splits(column.thresholds)
    center, scale = _center_and_scale(column, splits)
    return {"center": center, "scale": scale, "splits": splits}


def _numeric_categories(categories: list[float], unseen: str) -> dict[str, Any]:
    """Numbers that are categories: `values` to choose from, and a spread around one.

    Where others are an error the spread is too small to leave the category.
    """
    numbers = [float(one) for one in categories]
    center = next((one for one in numbers if one), 0.0)
    scale = 1e-300 if unseen == "error" else 1.0
    return {"center": center, "scale": scale, "splits": [], "values": numbers}


def _splits(thresholds: list[float]) -> list[float]:
    """At most MAX_SPLITS of them, spread evenly over their range."""
    known = np.unique(np.array(thresholds, dtype=float))
    if len(known) > MAX_SPLITS:
        known = known[np.linspace(0, len(known) - 1, MAX_SPLITS).astype(int)]
    return known.tolist()


def _center_and_scale(column: Column, splits: list[float]) -> tuple[float, float]:
    center, scale = column.center, column.scale
    if center is None:
        center = float(np.median(splits)) if splits else 0.0
    if scale is None and len(splits) > 1:
        scale = (splits[-1] - splits[0]) / 2
    if scale is None:
        scale = abs(center) / 4 or 1.0
    return float(center), float(scale)
