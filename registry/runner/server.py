"""The zygote's loop: who asks for a child gets a connection to one.

One thread, and nothing in it waits for anybody: a control message is one packet each
way, children are talked to by their clients directly, and the zygote itself reads
neither an artifact nor a single byte of a child.
"""

import errno
import os
import resource
import selectors
import signal
import socket
import struct
from collections.abc import Callable
from functools import partial
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Any

import orjson

from registry.runner import libraries
from registry.runner.family import Family, IsParked, NoRoom, Rules
from registry.runner.lockdown import MAX_DESCRIPTOR, prepare
from registry.runner.permits import Permits
from registry.runner.requests import BadRequest, understood
from registry.runner.self_test import self_test
from registry.runner.upkeep import SWEEP_SECONDS, Upkeep

MAX_MESSAGE = 16 << 10
MAX_CLIENTS = 512
ACCEPTED_AT_ONCE = 32


class Busy(Exception):
    """Another runner answers at this socket."""


def serve(path: Path, *, rules: Rules, loads_at_once: int, may_be_incomplete: bool = False) -> int:
    """Listen at `path` until SIGTERM or SIGINT, then take all children along.

    Prints one line when it accepts connections. Raises Busy.
    """
    os.chdir("/")
    _raise_own_limits()
    listener = listen(path)
    fences = prepare(may_be_incomplete=may_be_incomplete)
    tested = self_test(fences)
    family = Family(fences, rules)
    server = Server(listener, family, Permits(loads_at_once), fences=tested)
    os.write(1, f"runner ready at {path}, {said_of(tested)}\n".encode())
    try:
        server.run()
    finally:
        family.end_all()
        path.unlink(missing_ok=True)
    return 0


def said_of(tested: dict[str, Any]) -> str:
    """For the log, which is where an operator looks first."""
    gaps = ", ".join(tested["broken"]) or "seccomp"
    if tested["allowed_incomplete"]:
        return f"WARNING: THE SANDBOX HAS GAPS ({gaps}), AND MODELS ARE OPENED ALL THE SAME"
    return f"sandbox complete: {tested['complete']}" + ("" if tested["complete"] else f" ({gaps})")


def listen(path: Path) -> socket.socket:
    """The control socket, for this user only. Raises Busy."""
    if _answers(path):
        raise Busy(f"Another runner answers at {path}.")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
        except TimeoutError:
            return True
        except OSError as error:
            return error.errno not in (errno.ENOENT, errno.ECONNREFUSED)
        return True


def _raise_own_limits() -> None:
    # A control connection, a mailbox and a pidfd for each of many children.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, MAX_DESCRIPTOR), hard))


class Server:
    """Answers control connections; see `registry.runner.requests` for what they may say."""

    def __init__(
        self,
        listener: socket.socket,
        family: Family,
        permits: Permits,
        *,
        fences: dict[str, Any],
    ) -> None:
        self._listener = listener
        self._family = family
        self._upkeep = Upkeep(family)
        self._permits = permits
        self._fences = fences
        self._libraries = libraries.versions()
        self._started = monotonic()
        self._swept = monotonic()
        self._clients: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._running = True
        self._is_granting = False
        self._wake_on_signals()
        family.announce_to(self._watch_child)

    def run(self) -> None:
        self._watch(self._listener, self._accept)
        while self._running:
            for event, _ in self._selector.select(self._seconds_to_sleep()):
                event.data()
            self._family.kill_overdue()
            if monotonic() - self._swept > SWEEP_SECONDS:
                self._swept = monotonic()
                self._unsettle_loading()
                self._upkeep.sweep()
                self._grant_permits()

    def _seconds_to_sleep(self) -> float:
        # SWEEP_SECONDS bounds it; an earlier deadline of a child shortens it.
        return min(self._family.seconds_to_deadline(), SWEEP_SECONDS)

    def _wake_on_signals(self) -> None:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._wakeup = writer
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._watch(reader, partial(reader.recv, 64))

    def _stop(self, *_: object) -> None:
        self._running = False

    def _watch(self, file: socket.socket | int, act: Callable[[], object]) -> None:
        self._selector.register(file, selectors.EVENT_READ, act)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if len(self._clients) >= MAX_CLIENTS:
                client.close()
                continue
            client.setblocking(False)
            self._clients.add(client)
            self._watch(client, partial(self._attend, client))

    def _attend(self, client: socket.socket) -> None:
        if client not in self._clients:
            return  # it left earlier in this turn of the loop
        try:
            message = client.recv(MAX_MESSAGE)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._leave(client)
            return
        try:
            self._answer(client, understood(message))
        except (BadRequest, IsParked, NoRoom, OSError) as error:
            self._reply(client, {"error": _refusal(error)})

    def _leave(self, client: socket.socket) -> None:
        if client not in self._clients:
            return  # it left earlier in this turn of the loop
        self._selector.unregister(client)
        self._clients.discard(client)
        self._family.end_private_of(client)
        self._end_load(client)
        client.close()

    def _end_load(self, client: socket.socket) -> None:
        child = self._family.children.get(self._permits.leave(client) or 0)
        if child is not None:
            child.settled = None
        self._grant_permits()

    def _grant_permits(self) -> None:
        # Not from within itself: of many clients that are gone each would be a call deeper.
        if self._is_granting:
            return
        self._is_granting = granted = True
        try:
            while granted:
                granted = False
                for client in self._permits.granted():
                    granted = True
                    self._reply(client, {"permit": True})
        finally:
            self._is_granting = False

    def _unsettle_loading(self) -> None:
        """What a model takes while it is loaded is no growth."""
        for number in self._permits.loading():
            if number in self._family.children:
                self._family.children[number].settled = None

    def _answer(self, client: socket.socket, request: dict[str, Any]) -> None:
        if request["op"] == "status":
            self._reply(client, self.status())
        elif request["op"] == "kill":
            because = request.get("because", "killed")
            self._reply(client, {"killed": self._family.kill(request["child"], because)})
        elif request["op"] == "fate":
            self._reply(client, self._family.fate(request["child"]))
        elif request["op"] == "permit":
            self._permits.ask(client, request["child"])
            self._grant_permits()
        elif not self._fences["complete"]:
            self._reply(client, {"error": {"code": "sandbox_incomplete", "reason": self._why()}})
        else:
            self._give_child(client, request)

    def _give_child(self, client: socket.socket, request: dict[str, Any]) -> None:
        child, connection = self._family.connect(request, owner=client)
        if connection is None:
            self._reply(client, {"child": child})
            return
        with connection:
            self._reply(client, {"child": child}, connection.fileno())

    def _watch_child(self, number: int, pidfd: int) -> None:
        self._watch(pidfd, partial(self._bury, number, pidfd))

    def _bury(self, number: int, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        owner, exit_code = self._family.bury(number)
        if owner in self._clients:
            self._reply(owner, {"ended": {"child": number, "exit": exit_code}})

    def _reply(
        self, client: socket.socket, reply: dict[str, Any], descriptor: int | None = None
    ) -> None:
        ancillary = []
        if descriptor is not None:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", descriptor))]
        try:
            client.sendmsg([orjson.dumps(reply)], ancillary)
        except OSError:
            # Gone, or it asks without reading the answers: it can ask again.
            self._leave(client)

    def status(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "uptime": round(monotonic() - self._started, 1),
            "fences": self._fences,
            "libraries": self._libraries,
            **self._upkeep.facts(),
            "loads": self._permits.facts(),
        }

    def _why(self) -> str:
        broken = ", ".join(self._fences["broken"]) or "seccomp"
        return (
            f"Models are not opened here, because the sandbox has gaps ({broken}). An operator "
            "can mend that, or take the risk with ALLOW_INCOMPLETE_SANDBOX=yes."
        )


def _refusal(error: Exception) -> dict[str, Any]:
    if isinstance(error, BadRequest):
        return {"code": "bad_request", "reason": str(error)}
    if isinstance(error, IsParked):
        reason = f"The model keeps crashing; the last time {error.parked.cause}."
        return {"code": "parked", "reason": reason, "retry_after": ceil(error.parked.seconds)}
    if isinstance(error, NoRoom):
        return {"code": "busy", "reason": str(error)}
    # no memory or descriptors for one more child
    return {"code": "busy", "reason": f"No child: {error}"}
