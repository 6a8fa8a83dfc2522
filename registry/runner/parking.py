"""Who dies again and again has to wait, longer each time, so that its deaths cost nobody else.

Arithmetic only: the caller brings the time.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

DEATHS = 4  # a request that kills its model does so twice, being asked again once
WITHIN_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 300.0
FORGOTTEN_AFTER = 600.0
MAX_KEYS = 1000


@dataclass
class _Record:
    deaths: list[float] = field(default_factory=list)
    pause: float = 0.0
    until: float = 0.0
    cause: str = ""


@dataclass(frozen=True)
class Parked:
    seconds: float  # until it may be tried again
    cause: str  # of the last death


class Parking:
    """Deaths by key."""

    def __init__(self) -> None:
        self._records: OrderedDict[Hashable, _Record] = OrderedDict()

    def died(self, key: Hashable, cause: str, *, at: float) -> None:
        record = self._records.setdefault(key, _Record())
        self._records.move_to_end(key)
        if record.deaths and at - record.deaths[-1] > FORGOTTEN_AFTER:
            record.deaths, record.pause = [], 0.0
        record.deaths = [*record.deaths[1 - DEATHS :], at]
        record.cause = cause
        if record.pause or self._is_often(record.deaths):
            record.pause = min(LONGEST_PAUSE, 2 * record.pause or FIRST_PAUSE)
            record.until = at + record.pause
        if len(self._records) > MAX_KEYS:
            self._records.popitem(last=False)

    def _is_often(self, deaths: list[float]) -> bool:
        return len(deaths) == DEATHS and deaths[-1] - deaths[0] <= WITHIN_SECONDS

    def parked(self, key: Hashable, *, at: float) -> Parked | None:
        """None when it may live."""
        record = self._records.get(key)
        if record is None or record.until <= at:
            return None
        return Parked(record.until - at, record.cause)

    def count(self, *, at: float) -> int:
        return sum(record.until > at for record in self._records.values())
