"""This process's connections to the hosts, kept for the next request."""

import threading
from time import monotonic

from django.conf import settings

from registry.sandbox import Host, Runner
from registry.sandbox_errors import RunnerUnavailable

# Connections kept open while nobody uses them. Each belongs to one host, so this also bounds how
# many hosts a process keeps in touch with; those in use are bounded by the server's threads.
MAX_IDLE = 128
# Then the runner is asked again who serves this model: it knows of newer hosts, and of idle ones.
LEASE_SECONDS = 2.0


class Pool:
    """Idle connections by host key, the last used one first. Thread-safe."""

    def __init__(self, max_idle: int = MAX_IDLE) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[Host]] = {}
        self._count = 0
        self._max_idle = max_idle

    def take(self, key: str) -> Host | None:
        with self._lock:
            connections = self._idle.get(key)
            return self._removed(key, connections, -1) if connections else None

    def give_back(self, key: str, host: Host) -> None:
        with self._lock:
            self._idle[key] = [*self._idle.pop(key, []), host]  # last in the dict: used last
            self._count += 1
            spare = None
            if self._count > self._max_idle:
                spare = self._removed(*next(iter(self._idle.items())), 0)
        if spare:
            spare.close()

    def _removed(self, key: str, connections: list[Host], index: int) -> Host:
        self._count -= 1
        host = connections.pop(index)
        if not connections:
            del self._idle[key]
        return host

    def clear(self) -> None:
        for key in list(self._idle):
            self.forget(key)

    def forget(self, key: str, *, child: int | None = None) -> None:
        """Close the idle connections of this key, or only those to a child that is gone."""
        with self._lock:
            had = self._idle.pop(key, [])
            gone = [host for host in had if child in (None, host.child)]
            left = [host for host in had if host not in gone]
            if left:
                self._idle[key] = left
            self._count -= len(gone)
        for host in gone:
            host.close()


pool = Pool()


def connection(key: str, *, kind: str) -> Host:
    """A connection to a host of this key, whose lease has not run out.

    Raises RunnerUnavailable or Parked.
    """
    runner = Runner(settings.RUNNER_SOCKET)
    host = pool.take(key)
    if host is None:
        return runner.host(key, kind=kind)
    if monotonic() - host.since < LEASE_SECONDS:
        return host
    try:
        return runner.host(key, kind=kind, instead_of=host)
    except RunnerUnavailable:
        # The host itself may well answer; if it does not, that is told then.
        host.renew()
        return host
