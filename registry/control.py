"""The runner's control socket: one packet a question, one an answer, perhaps with a descriptor."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

import orjson

from registry.plain_text import clean
from registry.sandbox_errors import Parked, RunnerUnavailable

CONTROL_SECONDS = 2.0
MAX_REPLY = 256 << 10
SILENT = "The sandboxed runner does not answer."


class Control:
    """The way to the runner at a path. Thread-safe: each question has a connection of its own."""

    def __init__(self, path: str) -> None:
        self._path = path

    def asked(
        self, request: Mapping[str, Any], *, timeout: float = CONTROL_SECONDS
    ) -> dict[str, Any]:
        """The runner's reply. Raises RunnerUnavailable or Parked."""
        with self.connected(timeout) as control:
            return ask(control, request)[0]

    def given(
        self, request: Mapping[str, Any], *, timeout: float
    ) -> tuple[int, socket.socket | None]:
        """A child's number, and a connection to it if one came. Raises as `asked`."""
        with self.connected(timeout) as control:
            return _child(*ask(control, request))

    @contextmanager
    def connected(self, timeout: float) -> Iterator[socket.socket]:
        """A connection for several questions. Raises RunnerUnavailable."""
        with self.connect(timeout) as control:
            yield control

    def connect(self, timeout: float) -> socket.socket:
        """The same for one who closes it himself."""
        control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control.settimeout(timeout)
        try:
            _connect_in_turn(control, self._path, until=monotonic() + timeout)
        except OSError as error:
            control.close()
            raise RunnerUnavailable(SILENT) from error
        return control


def ask(control: socket.socket, request: Mapping[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """One question: the reply, and the descriptors that came along.

    Raises RunnerUnavailable or Parked.
    """
    try:
        control.send(orjson.dumps(request))
        packet, descriptors, _, _ = socket.recv_fds(control, MAX_REPLY, 1)
        reply = orjson.loads(packet)
    except (OSError, orjson.JSONDecodeError) as error:
        raise RunnerUnavailable(SILENT) from error
    if "error" in reply:
        for descriptor in descriptors:
            os.close(descriptor)
        raise _refusal(reply["error"])
    return reply, descriptors


def given(control: socket.socket, request: Mapping[str, Any]) -> tuple[int, socket.socket]:
    """A child and a connection to it, for who holds `control`. Raises as `ask`."""
    child, connection = _child(*ask(control, request))
    if connection is None:
        raise RunnerUnavailable("The sandboxed runner gave no connection.")
    return child, connection


def _child(reply: dict[str, Any], descriptors: list[int]) -> tuple[int, socket.socket | None]:
    connection = socket.socket(fileno=descriptors[0]) if descriptors else None
    return reply["child"], connection


def _refusal(error: Mapping[str, Any]) -> RunnerUnavailable:
    reason = clean(error["reason"])
    if error["code"] == Parked.code:
        return Parked(reason, retry_after=error["retry_after"])
    return RunnerUnavailable(reason, code=error["code"])


def _connect_in_turn(control: socket.socket, path: str, *, until: float) -> None:
    # With a time-out set, a full queue is an error at once instead of a wait.
    while True:
        try:
            return control.connect(path)
        except BlockingIOError:
            if monotonic() > until:
                raise
            sleep(0.005)
