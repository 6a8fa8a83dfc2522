"""The zygote's children: who lives, for whom, and when each has to end."""

import os
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

from registry.runner import children
from registry.runner.children import Child
from registry.runner.lockdown import Fences

MAX_PRIVATE = 32
MAX_LISTED = 300  # status is one packet
PRIVATE_SECONDS = 1800.0  # a fresh host whose owner forgot it

OnBirth = Callable[[int, int], None]


class NoRoom(Exception):
    """As many children live as may."""


class Family:
    """Hosts by key, the least recently used one first, and private children by owner."""

    def __init__(self, fences: Fences, *, max_hosts: int, idle_seconds: float) -> None:
        self._fences = fences
        self._max_hosts = max_hosts
        self._idle_seconds = idle_seconds
        self._children: dict[int, Child] = {}
        self._hosts: dict[tuple[str, str], Child] = {}
        self._owners: dict[int, socket.socket] = {}
        # Slots stay taken until the child is buried: no two live children share a uid.
        self._slots = set(range(2 * (max_hosts + MAX_PRIVATE)))
        self._last_number = 0

    def connect(
        self, request: dict[str, Any], *, owner: socket.socket, on_birth: OnBirth
    ) -> tuple[int, socket.socket]:
        """A child as asked for, and the client's end of a new connection to it.

        Raises NoRoom or OSError.
        """
        if request["op"] == "host":
            return self._connect_host(request["kind"], request["key"], on_birth)
        if len(self._owners) >= MAX_PRIVATE:
            raise NoRoom("Too many models are being opened at once.")
        kind = request.get("kind", "inspector")
        child = self._fork(kind, on_birth)
        child.deadline = monotonic() + request.get("deadline", PRIVATE_SECONDS)
        self._owners[child.number] = owner
        connection = child.connect()
        child.seal()
        return child.number, connection

    def _connect_host(self, kind: str, key: str, on_birth: OnBirth) -> tuple[int, socket.socket]:
        child = self._hosts.get((kind, key))
        if child is None:
            self._make_room()
            child = self._hosts[kind, key] = self._fork(kind, on_birth)
            child.key = key
        try:
            return child.number, child.connect()
        except BlockingIOError:
            # It has not taken its mail for hundreds of connections.
            raise NoRoom("The model's host is too busy for another connection.") from None
        except OSError:
            self.kill(child.number)  # it has just ended: the next request gets a new one
            raise

    def _make_room(self) -> None:
        while len(self._hosts) >= self._max_hosts:
            self.kill(min(self._hosts.values(), key=_last_use).number)

    def _fork(self, kind: str, on_birth: OnBirth) -> Child:
        if not self._slots:
            raise NoRoom("Too many children live.")
        self._last_number += 1
        slot = min(self._slots)
        child = children.fork(self._fences, number=self._last_number, kind=kind, slot=slot)
        self._slots.discard(slot)
        self._children[child.number] = child
        on_birth(child.number, child.pidfd)
        return child

    def kill(self, number: int) -> bool:
        """End this child now; False if it is no more. Its key gets a new child next time."""
        child = self._children.get(number)
        if child is None:
            return False
        self._forget_host(child)
        child.kill()
        return True

    def bury(self, number: int) -> tuple[socket.socket | None, int]:
        """The child has ended: free what it had; answers with its owner and exit code."""
        child = self._children.pop(number)
        self._forget_host(child)
        exit_code = child.reap()
        self._slots.add(child.slot)
        return self._owners.pop(number, None), exit_code

    def _forget_host(self, child: Child) -> None:
        if child.key is not None and self._hosts.get((child.kind, child.key)) is child:
            del self._hosts[child.kind, child.key]

    def end_private_of(self, owner: socket.socket) -> None:
        for number, other in self._owners.items():
            if other is owner:
                self.kill(number)

    def kill_overdue(self) -> None:
        now = monotonic()
        for child in self._children.values():
            if child.deadline is not None and child.deadline <= now:
                child.deadline = None
                child.kill()

    def seconds_to_deadline(self) -> float:
        deadlines = [one.deadline for one in self._children.values() if one.deadline is not None]
        return max(0.0, min(deadlines) - monotonic()) if deadlines else float("inf")

    def end_idle(self) -> None:
        """End hosts that nobody has asked anything for long."""
        for child in list(self._hosts.values()):
            if monotonic() - _last_use(child) > self._idle_seconds:
                self.kill(child.number)

    def end_all(self) -> None:
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.reap()
        self._children.clear()

    def facts(self) -> dict[str, Any]:
        """For status: the children, and how much memory each has taken beyond the zygote's."""
        shared = _status_of(os.getpid()).get("RssAnon", 0)
        lives = [
            {
                "child": child.number,
                "kind": child.kind,
                "key": child.key,
                "pid": child.pid,
                "age": round(monotonic() - child.started, 1),
                "memory": max(0, _status_of(child.pid).get("RssAnon", 0) - shared) * 1024,
            }
            for child in list(self._children.values())[:MAX_LISTED]
        ]
        return {
            "hosts": len(self._hosts),
            "children": lives,
            "memory": sum(one["memory"] for one in lives),
        }


def _last_use(child: Child) -> float:
    """When it was last awake: the kernel counts, so that clients need not report."""
    status = _status_of(child.pid)
    wakes = status.get("voluntary_ctxt_switches", 0) + status.get("nonvoluntary_ctxt_switches", 0)
    if wakes != child.wakes:
        child.wakes, child.used = wakes, monotonic()
    return child.used


def _status_of(pid: int) -> dict[str, int]:
    try:
        with open(f"/proc/{pid}/status") as file:
            fields = (line.split(":", 1) for line in file)
            return {
                name: int(value.split()[0])
                for name, value in fields
                if value.split() and value.split()[0].isdigit()
            }
    except OSError:
        return {}
