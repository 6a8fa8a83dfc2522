"""The arrays that joblib writes between a pickle's opcodes: how long they are."""

from typing import Any

from registry.runner.pickle_values import Lost, Made, Several

ARRAY_WRAPPER = "NumpyArrayWrapper"


def is_array(made: Made) -> bool:
    return made.callee.attribute.rpartition(".")[2] == ARRAY_WRAPPER


def count_of(shape: Any) -> int:
    if not isinstance(shape, Several):
        raise Lost
    count = 1
    for length in shape.items:
        if not isinstance(length, int):
            raise Lost
        count *= length
    return count if 0 <= count < 1 << 62 else 1 << 62


def item_size(dtype: Any) -> int | None:
    """Bytes an element takes; None where the elements are objects, a pickle of their own."""
    if not isinstance(dtype, Made) or not dtype.arguments:
        raise Lost
    code, size = dtype.arguments[0], _stated_size(dtype.state)
    if size is not None:
        return size
    if not isinstance(code, str) or not code:
        raise Lost
    code = code.lstrip("<>=|")
    if code.startswith(("O", "object")):
        return None
    digits = code[1:]
    number = int(digits) if digits.isdecimal() and len(digits) < 10 else 1
    return number * 4 if code.startswith("U") else number


def _stated_size(state: Any) -> int | None:
    """Records and texts say in their state how long they are; the others say minus one."""
    size = state.items[5] if isinstance(state, Several) and len(state.items) > 5 else None
    return size if isinstance(size, int) and size > 0 else None
