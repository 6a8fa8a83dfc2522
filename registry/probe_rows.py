"""Rows for judging whether a compiled graph answers as the original. Arithmetic only.

What the inspector reports of the model (hints) only decides where we look;
the comparison itself is ours (`registry.parity`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from registry import parity
from registry.inputs import LARGEST, LARGEST_INTEGER, Input
from registry.rows import Block, Rows
from registry.signature import Signature

Hints = Sequence[Mapping[str, Any]]


MOST_ROWS = 2000
# A wide model gets fewer rows: they travel to a child in one frame.
MOST_VALUES = 4_000_000


def make_rows(signature: Signature, hints: Hints, *, count: int = MOST_ROWS, seed: int = 0) -> Rows:
    """Up to `count` rows across the ranges the model knows.

    Numbers are drawn around the hinted centre, at several widths; a third of
    them lie on a tree's threshold or one float32 or float64 step beside it,
    where rounding would flip a branch. Inputs that may be missing are missing
    in one row of eight.
    """
    random = np.random.default_rng(seed)
    count = min(count, max(40, MOST_VALUES // len(signature.inputs)))
    hints = [*hints, *({} for _ in signature.inputs[len(hints) :])]
    columns = [
        _strings(column, hint, count, random)
        if column.dtype == "string"
        else _numbers(column, hint, count, random)
        for column, hint in zip(signature.inputs, hints, strict=False)
    ]
    return Rows(_blocks(signature, columns), count)


def typical_row(signature: Signature, hints: Hints) -> Rows:
    """One row at the centre of everything: every model should answer it."""
    hints = [*hints, *({} for _ in signature.inputs[len(hints) :])]
    columns: list[Block] = []
    for column, hint in zip(signature.inputs, hints, strict=False):
        if column.dtype == "string":
            columns.append(_words(column, hint)[:1])
        else:
            center = _finite(hint.get("center"), 0.0)
            center = round(center) if column.dtype == "integer" else center
            columns.append(np.array([column.categories[0] if column.is_closed else center]))
    return Rows(_blocks(signature, columns), 1)


def golden_rows(signature: Signature, golden: Mapping[str, Any]) -> Rows:
    """The inputs of the golden examples, to be asked again; compare with `parity.matches`."""
    columns = list(zip(*(one["input"] for one in parity.examples(golden)), strict=True))
    values: list[Block] = [
        list(known) if column.dtype == "string" else np.array(known, dtype=np.float64)
        for column, known in zip(signature.inputs, columns, strict=True)
    ]
    return Rows(_blocks(signature, values), len(columns[0]))


def as_instances(signature: Signature, rows: Rows) -> list[list[Any]]:
    """The rows as plain lists, None where a value is missing: for storing an example."""
    columns: list[list[Any]] = []
    for block in rows.blocks:
        if isinstance(block, list):
            columns.append(block)
        else:
            columns.extend([None if v != v else v for v in column] for column in block.T.tolist())
    return [list(row) for row in zip(*columns, strict=True)]


def _numbers(
    column: Input, hint: Mapping[str, Any], count: int, random: np.random.Generator
) -> np.ndarray:
    if column.dtype == "boolean":
        return random.integers(0, 2, count).astype(np.float64)
    if column.is_closed:
        return random.choice(np.array(column.categories, dtype=np.float64), count)
    center, scale = _finite(hint.get("center"), 0.0), abs(_finite(hint.get("scale"), 1.0)) or 1.0
    widths = random.choice([0.5, 1.0, 2.0, 4.0], count)
    values = center + random.standard_normal(count) * scale * widths
    if hint.get("positive") is True:
        values = np.abs(values)
    known = hint.get("values")
    if known:
        chosen = random.random(count) < 0.5
        values[chosen] = random.choice(_clean(known), int(chosen.sum()))
    splits = _clean(hint.get("splits") or ())
    if len(splits):
        chosen = random.random(count) < 1 / 3
        values[chosen] = random.choice(_neighbours(splits), int(chosen.sum()))
    if column.dtype == "integer":
        values = np.clip(np.round(values), -LARGEST_INTEGER, LARGEST_INTEGER)
    if column.nullable:
        values[random.random(count) < 1 / 8] = np.nan
    return np.clip(values, -LARGEST, LARGEST)


def _neighbours(splits: np.ndarray) -> np.ndarray:
    """Each threshold, its float32 rounding, and the numbers just below and above both."""
    rounded = splits.astype(np.float32)
    steps32 = [np.nextafter(rounded, np.float32(end)) for end in (-np.inf, np.inf)]
    steps64 = [np.nextafter(splits, end) for end in (-np.inf, np.inf)]
    found = np.concatenate([splits, rounded, *steps32, *steps64]).astype(np.float64)
    return found[np.isfinite(found)]


def _strings(
    column: Input, hint: Mapping[str, Any], count: int, random: np.random.Generator
) -> list[str | None]:
    pool: list[str | None] = _words(column, hint)[:1000]
    if column.unseen == "ok":
        pool += ["", "a value never seen"][: 1 + len(pool) // 8]
    drawn = [pool[i] for i in random.integers(0, len(pool), count)]
    if column.nullable:
        drawn = [
            None if gone else v for v, gone in zip(drawn, random.random(count) < 1 / 8, strict=True)
        ]
    return drawn


def _words(column: Input, hint: Mapping[str, Any]) -> list[str]:
    hinted = hint.get("categories")
    known = column.categories or (hinted if isinstance(hinted, list) else ())
    return [str(word) for word in known] or ["text", "other words"]


def _blocks(signature: Signature, columns: Sequence[Block]) -> list[Block]:
    """Neighbouring numeric columns as one matrix, as `Signature.to_rows` does."""
    blocks: list[Block] = []
    run: list[np.ndarray] = []
    for column, values in zip(signature.inputs, columns, strict=True):
        if column.dtype != "string":
            run.append(values)
            continue
        if run:
            blocks.append(np.ascontiguousarray(np.array(run).T))
            run = []
        blocks.append(values)
    if run:
        blocks.append(np.ascontiguousarray(np.array(run).T))
    return blocks


def _finite(value: Any, default: float) -> float:
    """A hint comes from a child: it may be anything."""
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable and abs(value) <= LARGEST else default


def _clean(values: Sequence[Any]) -> np.ndarray:
    numbers = [_finite(value, np.nan) for value in list(values)[:1000]]
    found = np.array(numbers, dtype=np.float64)
    return found[np.isfinite(found)]
