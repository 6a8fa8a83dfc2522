"""What to do about a text where a number was expected. No framework in here."""

import re
from datetime import UTC, date, datetime

NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
COMMA_NUMBER = re.compile(r"\s*[-+]?\d+,\d+\s*", re.ASCII)
ISO_DATE = re.compile(r"\s*\d{4}-\d{2}-\d{2}([T ].*)?\s*", re.ASCII)
OTHER_DATE = re.compile(r"\s*\d{1,4}[./-]\d{1,2}[./-]\d{2,4}(\s.*)?\s*", re.ASCII)
MISSING = frozenset(("", "nan", "na", "n/a", "null", "none", "<na>", "nat"))
INFINITE = frozenset(("inf", "-inf", "+inf", "infinity", "-infinity", "+infinity"))
MAX_LENGTH = 60


def advice_for(
    text: str, *, is_boolean: bool = False, known: tuple[float, float] | None = None
) -> str:
    """What to send instead; "" where nobody could tell. `known`: the column's smallest and largest.

    A model that took numbers took its dates as numbers too: which ones, only who trained it knows.
    """
    if len(text) > MAX_LENGTH:
        return ""
    word = text.strip().lower()
    if is_boolean and word in ("true", "false"):
        return f"send {word}, without quotes"
    if NUMBER.fullmatch(text):
        return f"send {text.strip()}, without quotes"
    if COMMA_NUMBER.fullmatch(text):
        return f"send {text.strip().replace(',', '.')}, with a point and without quotes"
    if word in MISSING:
        return "a missing value is null"
    if word in INFINITE:
        return "infinity is no number that a model takes"
    return _about_dates(text, known)


def _about_dates(text: str, known: tuple[float, float] | None) -> str:
    if not ISO_DATE.fullmatch(text) and not OTHER_DATE.fullmatch(text):
        return ""
    numbers = _numbers_of(text, known)
    such_as = f", such as {' or '.join(numbers)}" if numbers else ""
    return f"to this model a date is a number: send the one it was trained with{such_as}"


def _numbers_of(text: str, known: tuple[float, float] | None) -> list[str]:
    """The ways to write an ISO date as a number; those in the column's range where it is known."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return []
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = int(moment.timestamp())
    ways = {
        "days since 1970-01-01": (moment.date() - date(1970, 1, 1)).days,
        "seconds since then": seconds,
        "the year": moment.year,
        "yyyymmdd": int(moment.strftime("%Y%m%d")),
        "milliseconds since 1970-01-01": seconds * 1000,
        "nanoseconds since 1970-01-01": seconds * 10**9,
        "Python's ordinal": moment.toordinal(),
    }
    told = [f"{number} ({name})" for name, number in ways.items()]
    if known is None:
        return told[:2]
    low, high = known
    margin = high - low
    near = [low - margin <= number <= high + margin for number in ways.values()]
    fitting = [one for one, fits in zip(told, near, strict=True) if fits]
    return fitting[:2] or told[:2]
