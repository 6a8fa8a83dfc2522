"""Time-ordered ids (RFC 9562, version 7)."""

import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A new id: 48 bits of Unix milliseconds, then 12 of sub-millisecond and 62 random ones.

    Ids of one process are strictly increasing, so an index grows at its end
    (RFC 9562 section 6.2, method 3).
    """
    global _last
    with _lock:
        ticks = time.time_ns() * 4096 // 1_000_000  # 1/4096 of a millisecond
        _last = ticks = max(ticks, _last + 1)
    milliseconds, fraction = divmod(ticks, 4096)
    random = int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random)


def created_at(identifier: UUID) -> datetime:
    """The time a version 7 id carries, to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, tz=UTC)
