"""How many requests a minute are let in: counted in Redis, or here while Redis is away."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from django.conf import settings

from accounts.errors import RateLimited

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Verdict:
    """`resets_in` seconds the next window begins."""

    limit: int
    used: int
    resets_in: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def enforce(self) -> None:
        """Raises RateLimited."""
        if self.used > self.limit:
            raise RateLimited(
                f"At most {self.limit} requests a minute are answered here. "
                f"Try again in {self.resets_in} seconds.",
                retry_after=self.resets_in,
            )


def key_of(name: str) -> str:
    """Where requests by this name are counted during this minute."""
    return f"rate:{name}:{int(time.time()) // SECONDS}"


def verdict(*, limit: int, used: int) -> Verdict:
    return Verdict(limit, used, SECONDS - int(time.time()) % SECONDS)


class LocalWindows:
    """Counts of this process alone. Bounded: each minute begins with none.

    Names beyond the first MOST are counted together: their sender has too many.
    """

    MOST = 100_000

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._minute = 0
        self._counts: dict[str, int] = {}

    def count(self, name: str, *, limit: int) -> Verdict:
        """One more. Every process grants its share, so that all together keep the limit."""
        minute = int(self._clock()) // SECONDS
        with self._lock:
            if minute != self._minute:
                self._minute, self._counts = minute, {}
            if name not in self._counts and len(self._counts) >= self.MOST:
                name = ""
            used = self._counts[name] = self._counts.get(name, 0) + 1
        return verdict(limit=ceil(limit / settings.WEB_WORKERS), used=used)

    def clear(self) -> None:
        with self._lock:
            self._counts = {}


local = LocalWindows()
