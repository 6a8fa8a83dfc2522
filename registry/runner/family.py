"""The zygote's children: who lives, for whom, and when each has to end."""

import signal
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time_ns
from typing import Any

from registry.runner import children
from registry.runner.children import Child
from registry.runner.lockdown import Fences
from registry.runner.parking import Parked, Parking
from registry.runner.replicas import Replicas

MAX_PRIVATE = 32
PRIVATE_SECONDS = 1800.0  # a fresh host whose owner forgot it
RETIRED_SECONDS = 30.0  # for what a host is asked still, before it ends
FATES = 512
# Ended by us, and yet its own doing.
FAULTS = {"late": "it did not answer in time", "broken": "its answer made no sense"}

OnBirth = Callable[[int, int], None]
HostKey = tuple[str, str]  # kind, key


class NoRoom(Exception):
    """As many children live as may."""


class IsParked(Exception):
    """The host of this key has died too often lately."""

    def __init__(self, parked: Parked) -> None:
        super().__init__(parked.cause)
        self.parked = parked


@dataclass(frozen=True)
class Rules:
    """How many and how much; see the program's options."""

    max_hosts: int
    idle_seconds: float
    memory_budget: int
    recycle_requests: int
    recycle_growth: int
    max_replicas: int


class Family:
    """Hosts by key, and private children by owner."""

    def __init__(self, fences: Fences, rules: Rules) -> None:
        self._fences = fences
        self.rules = rules
        self.children: dict[int, Child] = {}
        self.hosts: dict[HostKey, Replicas] = {}
        self.parking = Parking()
        self._owners: dict[int, socket.socket] = {}
        self._fates: OrderedDict[int, dict[str, Any]] = OrderedDict()
        # Slots stay taken until the child is buried: no two live children share a uid.
        self._slots = set(range(2 * (rules.max_hosts + MAX_PRIVATE)))
        # Never those of the runner before this one: some client may still speak of them.
        self._last_number = time_ns() // 1000
        self._on_birth: OnBirth = lambda number, pidfd: None

    def announce_to(self, on_birth: OnBirth) -> None:
        """Call this with number and pidfd of every child from now on."""
        self._on_birth = on_birth

    def connect(
        self, request: dict[str, Any], *, owner: socket.socket
    ) -> tuple[int, socket.socket | None]:
        """A child as asked for, and the client's end of a new connection to it.

        No connection when the one that the client has will do. Raises NoRoom, IsParked
        or OSError.
        """
        if request["op"] == "host":
            return self._connect_host(request)
        if len(self._owners) >= MAX_PRIVATE:
            raise NoRoom("Too many models are being opened at once.")
        child = self._fork(request.get("kind", "inspector"))
        child.deadline = monotonic() + request.get("deadline", PRIVATE_SECONDS)
        self._owners[child.number] = owner
        connection = child.connect()
        child.seal()
        return child.number, connection

    def _connect_host(self, request: dict[str, Any]) -> tuple[int, socket.socket | None]:
        had = self.children.get(request.get("child", 0))
        if had is not None:
            had.requests += request.get("requests", 0)
            self._recycle_if_worn(had)
        host_key = request["kind"], request["key"]
        child = self._replicas(host_key).choose(had and had.number, at=monotonic())
        if child is had:
            child.used = monotonic()
            return child.number, None
        try:
            return child.number, child.connect()
        except BlockingIOError:
            # It has not taken its mail for hundreds of connections.
            raise NoRoom("The model's host is too busy for another connection.") from None
        except OSError:
            self.kill(child.number)  # it has just ended: the next request gets a new one
            raise

    def _replicas(self, host_key: HostKey) -> Replicas:
        replicas = self.hosts.get(host_key)
        if replicas is None:
            if parked := self.parking.parked(host_key, at=monotonic()):
                raise IsParked(parked)
            self._make_room()
            replicas = Replicas([self._host(host_key)])
            self.hosts[host_key] = replicas
        return replicas

    def add_replica(self, host_key: HostKey) -> None:
        """One more host of this key, if there is room without ending another."""
        if self._host_count() < self.rules.max_hosts:
            replicas = self.hosts[host_key]
            replicas.children.append(self._host(host_key))
            replicas.changed()

    def _host(self, host_key: HostKey) -> Child:
        child = self._fork(host_key[0])
        child.key = host_key[1]
        return child

    def _host_count(self) -> int:
        return sum(len(replicas.children) for replicas in self.hosts.values())

    def _make_room(self) -> None:
        while self._host_count() >= self.rules.max_hosts:
            self.kill(self.used_least()[0].number, "evicted")

    def used_least(self) -> list[Child]:
        """The hosts that get requests, the one used least recently first."""
        live = [child for replicas in self.hosts.values() for child in replicas.children]
        for child in live:
            if child.usage.was_awake(child.pid):
                child.used = monotonic()
        return sorted(live, key=lambda child: child.used)

    def _recycle_if_worn(self, child: Child) -> None:
        if child.requests >= self.rules.recycle_requests > 0:
            self.retire(child)

    def retire(self, child: Child, *, within: float = RETIRED_SECONDS, doom: str = "") -> None:
        """Give it no more clients; it ends when the last it has is gone, or after `within`."""
        if child.key is None or not self._forget_host(child):
            return
        child.deadline = monotonic() + within
        child.doom = doom or "retired"
        child.seal()

    def _fork(self, kind: str) -> Child:
        if not self._slots:
            raise NoRoom("Too many children live.")
        self._last_number += 1
        slot = min(self._slots)
        child = children.fork(self._fences, number=self._last_number, kind=kind, slot=slot)
        self._slots.discard(slot)
        self.children[child.number] = child
        self._on_birth(child.number, child.pidfd)
        return child

    def kill(self, number: int, doom: str = "killed") -> bool:
        """End this child now; False if it is no more. Its key gets a new child next time."""
        child = self.children.get(number)
        if child is None:
            return False
        self._forget_host(child)
        child.kill(doom)
        return True

    def bury(self, number: int) -> tuple[socket.socket | None, int]:
        """The child has ended: free what it had; answers with its owner and exit code."""
        child = self.children.pop(number)
        self._forget_host(child)
        exit_code = child.reap()
        self._slots.add(child.slot)
        self._remember(child, exit_code)
        return self._owners.pop(number, None), exit_code

    def _remember(self, child: Child, exit_code: int) -> None:
        self._fates[child.number] = {"doom": child.doom, "exit": exit_code}
        if len(self._fates) > FATES:
            self._fates.popitem(last=False)
        if child.key is not None and child.doom in ("", *FAULTS):
            cause = FAULTS.get(child.doom) or _cause(exit_code)
            self.parking.died((child.kind, child.key), cause, at=monotonic())

    def fate(self, number: int) -> dict[str, Any]:
        """{"alive": bool}, and of one that has ended lately why we ended it and its exit code."""
        if number in self.children:
            return {"alive": True}
        return {"alive": False, **self._fates.get(number, {})}

    def _forget_host(self, child: Child) -> bool:
        """Whether it was one that gets clients."""
        replicas = self.hosts.get((child.kind, child.key or ""))
        if replicas is None or child not in replicas.children:
            return False
        replicas.children.remove(child)
        replicas.changed()
        if not replicas.children:
            del self.hosts[child.kind, child.key]
        return True

    def end_private_of(self, owner: socket.socket) -> None:
        for number, other in self._owners.items():
            if other is owner:
                self.kill(number)

    def kill_overdue(self) -> None:
        now = monotonic()
        for child in self.children.values():
            if child.deadline is not None and child.deadline <= now:
                child.deadline = None
                child.kill("overdue")

    def seconds_to_deadline(self) -> float:
        deadlines = [one.deadline for one in self.children.values() if one.deadline is not None]
        return max(0.0, min(deadlines) - monotonic()) if deadlines else float("inf")

    def end_all(self) -> None:
        for child in self.children.values():
            child.kill("shutdown")
        for child in self.children.values():
            child.reap()
        self.children.clear()


def _cause(exit_code: int) -> str:
    if exit_code >= 0:
        return f"it ended itself with code {exit_code}"
    names = {one.value: one.name for one in signal.Signals}
    name = names.get(-exit_code, "a signal")
    return "it used more time or memory than it may" if name == "SIGKILL" else f"it died of {name}"
