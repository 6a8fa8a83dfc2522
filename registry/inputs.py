"""One column of a model: what it takes, and what to say to a value it does not. No framework."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from registry.advice import advice_for

# Trees compute in float32: a larger number would be refused by the model itself.
LARGEST = float(np.finfo(np.float32).max)
# Numbers travel as doubles: beyond this, two integers would be one.
LARGEST_INTEGER = 2**53

DTYPES = ("float", "integer", "string", "boolean")
EXPECTED = {"float": "a number", "integer": "an integer", "boolean": "a boolean"}
MAX_EXAMPLES = 10

_BOUNDS = {"float": LARGEST, "integer": LARGEST_INTEGER}
_USUAL = {"float": {int, float}, "integer": {int}, "boolean": {bool}, "string": {str}}
_JSON_NAMES = {str: "a string", bool: "a boolean", dict: "an object", list: "a list"}


class InvalidSignature(ValueError):
    """A signature that cannot be ours: the inspected model may have forged it."""


@dataclass(frozen=True)
class Input:
    """One column. `categories` are those seen in training; `unseen` says what others do.

    `range` and `examples` come from the uploader's sample: they describe, and refuse nothing.
    """

    name: str
    dtype: str  # one of DTYPES
    nullable: bool = False
    categories: tuple[str, ...] | tuple[float, ...] | None = None
    unseen: str = "ok"  # "ok" | "error"
    range: tuple[float, float] | None = None
    examples: tuple[Any, ...] = ()
    ignored: bool = False  # in the table it was fitted on, and then dropped: anything goes

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES or self.unseen not in ("ok", "error"):
            raise InvalidSignature(f"input {self.name!r} is of no known kind")
        object.__setattr__(self, "known", frozenset(self.categories or ()))
        kinds = _USUAL[self.dtype] | ({type(None)} if self.nullable else set())
        object.__setattr__(self, "_usual", kinds)

    def fits(self, values: Sequence[Any]) -> bool:
        """Whether all are of the usual types and in range: then they travel as they are.

        `read` has the last word on the others, and says what is wrong with them.
        """
        if not set(map(type, values)) <= self._usual:
            return False
        if self.nullable:
            values = [value for value in values if value is not None]
        bound = _BOUNDS.get(self.dtype)
        if bound is not None and values and max(map(abs, values)) > bound:
            return False
        return not self.is_closed or set(values) <= self.known

    def read(self, value: Any) -> float | str | None:
        """The value as it travels. Raises ValueError, saying what was expected."""
        if self.ignored:
            return float("nan")
        if value is None:
            if self.nullable:
                return None if self.dtype == "string" else float("nan")
            raise ValueError("a value is required, got null")
        return self._read_string(value) if self.dtype == "string" else self._read_number(value)

    def _read_string(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"expected a string, got {json_name(value)}")
        self._refuse_unseen(value)
        return value

    def _read_number(self, value: Any) -> float:
        # true and false are numbers to a model: a data frame's boolean column was 0 and 1 to it.
        if not isinstance(value, int | float):
            raise ValueError(self._not_a_number(value))
        if self.dtype == "boolean" and value not in (0, 1):
            raise ValueError(f"expected a boolean, got {value}")
        if self.dtype == "integer":
            _refuse_fraction(value)
        if not -LARGEST <= value <= LARGEST:  # also true of NaN, which JSON cannot carry
            raise ValueError(f"the number is out of range (up to {LARGEST:.3g})")
        self._refuse_unseen(value)
        return float(value)

    def _not_a_number(self, value: Any) -> str:
        fault = f"expected {EXPECTED[self.dtype]}, got {json_name(value)}"
        if not isinstance(value, str):
            return fault
        advice = advice_for(value, is_boolean=self.dtype == "boolean", known=self.range)
        return f"{fault}; {advice}" if advice else fault

    def _refuse_unseen(self, value: str | float) -> None:
        """A graph would answer something for a category that the model itself refuses."""
        if self.is_closed and value not in self.known:
            raise ValueError(f"unknown category {_shown(value)}; the model knows {self.listed()}")

    def not_seen(self, value: str | float) -> str:
        """What to say of a category that the model copes with."""
        return f"category {_shown(value)} was not in the training data, which had {self.listed()}"

    def listed(self) -> str:
        """The first of its categories."""
        return ", ".join(f"{c:g}" if isinstance(c, float) else c for c in self.categories[:10])

    @property
    def spread(self) -> str:
        """Its range in words, "" where none is known."""
        return f"{self.range[0]:g} to {self.range[1]:g}" if self.range else ""

    @property
    def is_closed(self) -> bool:
        """Whether the model fails on anything but its categories."""
        return self.unseen == "error" and bool(self.categories)

    @property
    def is_watched(self) -> bool:
        """Whether the model copes with other categories, without having learned from them."""
        return self.unseen == "ok" and bool(self.categories)


def _refuse_fraction(value: float) -> None:
    if value % 1:
        raise ValueError(f"expected an integer, got {value}")
    if abs(value) > LARGEST_INTEGER:
        raise ValueError(f"the integer is out of range (up to {LARGEST_INTEGER})")


def json_name(value: Any) -> str:
    """What JSON calls it."""
    return _JSON_NAMES.get(type(value), "a number")


def _shown(value: str | float) -> str:
    return (f"{value:g}" if isinstance(value, float) else repr(value))[:60]


def input_from_json(data: dict[str, Any]) -> Input:
    """Raises InvalidSignature, or KeyError, TypeError or ValueError of a forged one."""
    categories, ends = data.get("categories"), data.get("range")
    return Input(
        name=str(data["name"])[:300],
        dtype=data["dtype"],
        nullable=bool(data.get("nullable")),
        categories=_categories(categories, str if data["dtype"] == "string" else float),
        unseen=data.get("unseen") or "ok",
        range=None if ends is None else (float(ends[0]), float(ends[1])),
        examples=_examples(data.get("examples")),
        ignored=bool(data.get("ignored")) and data["dtype"] == "float",
    )


def _examples(values: object) -> tuple[Any, ...]:
    listed = values[:MAX_EXAMPLES] if isinstance(values, list | tuple) else ()
    # PostgreSQL gives 1e20 back as an integer, which JSON on our wire does not take.
    return tuple(
        float(value) if isinstance(value, int) and abs(value) > LARGEST_INTEGER else value
        for value in listed
        if isinstance(value, str | int | float)
    )


def _categories(values: list[Any] | None, kind: type) -> tuple[Any, ...] | None:
    return None if values is None else tuple(kind(value) for value in values if value is not None)
