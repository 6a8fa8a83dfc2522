"""Making a stranger's texts fit to show: short, and without what tricks terminals and eyes."""

import unicodedata
from typing import Any

MAX_TEXT = 300
MAX_DEPTH = 12
MAX_VALUES = 1_000_000
CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Bidirectional marks and invisible characters. Joiners stay: Persian and emoji need them.
TRICKS = frozenset(
    "\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)


def clean(text: str) -> str:
    """At most 300 characters, none of them a control or a bidirectional mark."""
    text = text[:MAX_TEXT]
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\t\n\r":
        return " "
    is_unfit = character in TRICKS or unicodedata.category(character) in CONTROLS
    return "" if is_unfit else character


def clean_json(value: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with every text in it cleaned; what is too deep or too much is left out."""
    return _Cleaning().clean(value, depth=0)


class _Cleaning:
    def __init__(self) -> None:
        self._left = MAX_VALUES

    def clean(self, value: Any, *, depth: int) -> Any:
        self._left -= 1
        if isinstance(value, str):
            return clean(value)
        if not isinstance(value, dict | list):
            return value
        if depth == MAX_DEPTH:
            return None
        if isinstance(value, list):
            return [self.clean(one, depth=depth + 1) for one in value if self._left > 0]
        return {
            clean(name): self.clean(one, depth=depth + 1)
            for name, one in value.items()
            if self._left > 0
        }


def clean_labels(output: Any) -> Any:
    """Labels of a model's answer, cleaned as those of its signature are; arrays as they are."""
    if not isinstance(output, list):
        return output
    return [_clean_label(label) for label in output]


def _clean_label(label: Any) -> Any:
    if isinstance(label, str):
        return clean(label)
    return [_clean_label(part) for part in label] if isinstance(label, list) else label
