"""What somebody wrote down of a model's columns beside it, and how far the model agrees."""

from typing import Any

from registry.runner.facts import clean
from registry.runner.loading import Stated
from registry.runner.signature_reader import Reading

NUMBERS = ("float", "integer", "boolean")


def honour(reading: Reading, stated: list[Stated]) -> list[str]:
    """Put what is stated into the signature; the sentences for people on what does not fit.

    Names are taken where the model knows none. Types only sharpen: a number may be an integer
    or a boolean. A required column may not be missing, even where the model would cope.
    """
    if not stated:
        return []
    inputs = reading.signature["inputs"]
    if not reading.signature["named"]:
        if len(stated) != len(inputs):
            return [f"Its signature has {len(stated)} columns, the model takes {len(inputs)}."]
        _name(reading, stated)
    by_name = {clean(one.name): one for one in stated}
    missing = [one["name"] for one in inputs if one["name"] not in by_name]
    for one, column in zip(inputs, reading.columns, strict=True):
        if one["name"] in by_name:
            _sharpen(one, column, by_name[one["name"]])
    if missing:
        return [f"Its signature does not name {', '.join(missing[:5])}, which the model takes."]
    return []


def _name(reading: Reading, stated: list[Stated]) -> None:
    names = [clean(one.name) for one in stated]
    if len(set(names)) < len(names):
        return
    for one, column, name in zip(reading.signature["inputs"], reading.columns, names, strict=True):
        one["name"] = column.name = name


def _sharpen(one: dict[str, Any], column: Any, stated: Stated) -> None:
    if one["dtype"] == "float" and stated.dtype in NUMBERS:
        one["dtype"] = column.dtype = stated.dtype
    if stated.is_required:
        one["nullable"] = False
