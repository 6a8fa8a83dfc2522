"""A circuit breaker: a store that hangs is asked rarely, not by every request."""

import threading
import time
from collections import deque


class Breaker:
    """Opens after `failures` within `window` seconds; after `pause` seconds lets one trial through.

    Thread-safe, one per process and store. A time-out per call is not enough:
    several calls in one request add up.
    """

    def __init__(self, *, failures: int = 3, window: float = 10.0, pause: float = 5.0) -> None:
        self._lock = threading.Lock()
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._window = window
        self._pause = pause
        self._opened_at: float | None = None

    def allows(self) -> bool:
        """Whether to call now. While open, True once per pause: that call is the trial."""
        if self._opened_at is None:
            return True
        with self._lock:
            now = time.monotonic()
            if self._opened_at is not None and now - self._opened_at >= self._pause:
                self._opened_at = now
                return True
            return self._opened_at is None

    def succeeded(self) -> None:
        if self._opened_at is not None or self._failed_at:
            with self._lock:
                self._opened_at = None
                self._failed_at.clear()

    def failed(self) -> None:
        with self._lock:
            now = time.monotonic()
            self._failed_at.append(now)
            full = len(self._failed_at) == self._failed_at.maxlen
            if full and now - self._failed_at[0] <= self._window:
                self._opened_at = now

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None
