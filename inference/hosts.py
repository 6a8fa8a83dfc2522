"""This process's connections to the sandboxed hosts that hold the models."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.conf import settings

from inference import errors
from registry import sandbox
from registry.artifacts import open_artifact
from registry.rows import Rows
from registry.serving import Served

# Connections kept open while nobody uses them. Each belongs to one host, so this also bounds how
# many hosts a process keeps in touch with; those in use are bounded by the server's threads.
MAX_IDLE = 128

# Seconds before asking again: at once, then as long as a dying host takes to be buried.
PAUSES = (0.0, 0.01, 0.05)
PASSING = (sandbox.ChildDied.code, "host_gone", "busy")

Outputs = dict[str, Any]


class Pool:
    """Idle connections by host key, the last used one first. Thread-safe."""

    def __init__(self, max_idle: int = MAX_IDLE) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[sandbox.Host]] = {}
        self._count = 0
        self._max_idle = max_idle

    def take(self, key: str) -> sandbox.Host | None:
        with self._lock:
            connections = self._idle.get(key)
            return self._removed(key, connections, -1) if connections else None

    def give_back(self, key: str, host: sandbox.Host) -> None:
        with self._lock:
            self._idle[key] = [*self._idle.pop(key, []), host]  # last in the dict: used last
            self._count += 1
            spare = None
            if self._count > self._max_idle:
                spare = self._removed(*next(iter(self._idle.items())), 0)
        if spare:
            spare.close()

    def _removed(self, key: str, connections: list[sandbox.Host], index: int) -> sandbox.Host:
        self._count -= 1
        host = connections.pop(index)
        if not connections:
            del self._idle[key]
        return host

    def clear(self) -> None:
        for key in list(self._idle):
            self.forget(key)

    def forget(self, key: str) -> None:
        """Close the idle connections to a host that is gone."""
        with self._lock:
            connections = self._idle.pop(key, [])
            self._count -= len(connections)
        for host in connections:
            host.close()


pool = Pool()
# One lock a digest that this process has loaded.
_loading: dict[str, threading.Lock] = {}


def predict(served: Served, rows: Rows, methods: Sequence[str]) -> Outputs:
    """What the model answers to `rows`, by method.

    Loads the model into its host when that does not hold it. Raises
    ModelRaised, ModelTimedOut, ModelCrashed, ModelNotLoadable,
    RunnerUnavailable or BadReply (of inference.errors), or what
    `registry.artifacts.open_artifact` raises.
    """
    try:
        return _predict_or_reconnect(served, rows, methods)
    except sandbox.SandboxError as error:
        raise _problem(error) from error


def _predict_or_reconnect(served: Served, rows: Rows, methods: Sequence[str]) -> Outputs:
    """Ask again with a new connection when the host has died.

    It may have been evicted since the last request, or killed by what another
    caller sent. Rows that it dies of kill it once more; then that is told.
    """
    deaths = 0
    for pause in PAUSES:
        try:
            return _predict(served, rows, methods)
        except (sandbox.ChildDied, sandbox.RunnerUnavailable) as error:
            pool.forget(served.host_key)
            deaths += error.code == sandbox.ChildDied.code
            if deaths == 2 or error.code not in PASSING:
                raise
            time.sleep(pause)
    return _predict(served, rows, methods)


def _predict(served: Served, rows: Rows, methods: Sequence[str]) -> Outputs:
    deadline = settings.PREDICT_DEADLINE_SECONDS
    with _connection(served) as host:
        ask = partial(host.predict, served.served_digest, rows, methods, deadline=deadline)
        try:
            return ask()
        except sandbox.NotLoaded:
            return _load_and(ask, host, served)


def _load_and(ask: Callable[[], Outputs], host: sandbox.Host, served: Served) -> Outputs:
    """Of many first requests one reads the model's file; the others find it loaded."""
    with _loading.setdefault(served.served_digest, threading.Lock()):
        try:
            return ask()
        except sandbox.NotLoaded:
            _load(host, served)
    return ask()


def _load(host: sandbox.Host, served: Served) -> None:
    with open_artifact(served.served_digest) as file:
        host.load(
            served.served_digest,
            file.fileno(),
            fmt=served.fmt,
            signature=served.signature.to_json(),
            deadline=settings.LOAD_DEADLINE_SECONDS,
        )


@contextmanager
def _connection(served: Served) -> Iterator[sandbox.Host]:
    """A connection to the host; kept afterwards unless its exchange was cut off."""
    host = pool.take(served.host_key) or _connect(served)
    try:
        yield host
    except (sandbox.ModelRaised, sandbox.ModelRefused, sandbox.NotLoaded):
        pool.give_back(served.host_key, host)
        raise
    except BaseException:
        host.close()
        raise
    pool.give_back(served.host_key, host)


def _connect(served: Served) -> sandbox.Host:
    return sandbox.Runner(settings.RUNNER_SOCKET).host(served.host_key, kind=served.host_kind)


def _problem(error: sandbox.SandboxError) -> errors.InferenceError:
    problem, retry_after = _PROBLEMS.get(type(error), (errors.BadReply, None))
    return problem(error.reason, retry_after=retry_after)


# What is not named here is a reply that makes no sense.
_PROBLEMS: dict[type[sandbox.SandboxError], tuple[type[errors.InferenceError], int | None]] = {
    sandbox.ModelRaised: (errors.ModelRaised, None),
    sandbox.ModelRefused: (errors.ModelNotLoadable, 30),
    sandbox.ChildTimedOut: (errors.ModelTimedOut, None),
    sandbox.ChildDied: (errors.ModelCrashed, 5),
    sandbox.RunnerUnavailable: (errors.RunnerUnavailable, 2),
}
