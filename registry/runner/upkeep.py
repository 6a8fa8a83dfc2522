"""What the zygote does every two seconds: measure its children, and act on what it sees."""

import os
from time import monotonic
from typing import Any

from registry.runner.children import Child
from registry.runner.family import Family, HostKey, NoRoom
from registry.runner.machine import Idleness
from registry.runner.measuring import anonymous, is_due, status_of
from registry.runner.replicas import Replicas

SWEEP_SECONDS = 2.0  # also how exactly the last use of a host is known
EVICTED_SECONDS = 5.0  # for a host that had something to do when it was chosen
MAX_LISTED = 300  # status is one packet


class Upkeep:
    """Keeps the family within its rules."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._idleness = Idleness()
        self._swept = monotonic()

    def sweep(self) -> None:
        now = monotonic()
        idle_cores = self._idleness.cores_over(now - self._swept)
        self._swept = now
        self._measure(now)
        self._end_idle(now)
        self._recycle_grown()
        self._keep_budget(now)
        for host_key, replicas in list(self._family.hosts.items()):
            self._fit_to_demand(host_key, replicas, idle_cores)

    def _measure(self, now: float) -> None:
        shared = anonymous(status_of(os.getpid()))
        for child in self._family.children.values():
            child.usage.measure(child.pid, shared=shared)
        # One at a time, for what it costs; the one that has waited longest.
        due = [child for child in self._family.children.values() if is_due(child.usage, now)]
        if due:
            chosen = min(due, key=lambda child: child.usage.exactly_at)
            chosen.usage.measure_exactly(chosen.pid, shared=shared)
        for child in self._family.children.values():
            if child.settled is None:
                child.settled = child.usage.memory

    def _end_idle(self, now: float) -> None:
        """End hosts that nobody has asked anything for long."""
        for child in self._family.used_least():
            if now - child.used > self._family.rules.idle_seconds:
                self._family.kill(child.number, "idle")

    def _recycle_grown(self) -> None:
        limit = self._family.rules.recycle_growth
        for child in self._family.used_least():
            if child.settled is not None and child.usage.memory - child.settled > limit > 0:
                self._family.retire(child)

    def _keep_budget(self, now: float) -> None:
        """Evict until all fit; the host that was used last is left, whatever its size."""
        children = self._family.children.values()
        ending = sum(child.usage.memory for child in children if child.doom)
        over = self.memory() - ending - self._family.rules.memory_budget
        for child in self._family.used_least()[:-1]:
            if over <= 0:
                return
            over -= child.usage.memory
            if child.used < now:
                self._family.kill(child.number, "evicted")
            else:
                self._family.retire(child, within=EVICTED_SECONDS, doom="evicted")

    def _fit_to_demand(self, host_key: HostKey, replicas: Replicas, idle_cores: float) -> None:
        most = self._family.rules.max_replicas
        if replicas.needs_another(most=most, idle_cores=idle_cores):
            try:
                self._family.add_replica(host_key)
            except (NoRoom, OSError):
                pass  # no slot, memory or descriptor for it now: one less will do
        elif len(replicas.children) > 1 and replicas.has_one_too_many():
            self._family.retire(replicas.children[-1])

    def memory(self) -> int:
        """Bytes that all children have beyond the zygote's, when they were last measured."""
        return sum(child.usage.memory for child in self._family.children.values())

    def facts(self) -> dict[str, Any]:
        """For status."""
        family, now = self._family, monotonic()
        listed = [_facts_of(child) for child in list(family.children.values())[:MAX_LISTED]]
        return {
            "hosts": sum(len(replicas.children) for replicas in family.hosts.values()),
            "replicated": sum(len(replicas.children) > 1 for replicas in family.hosts.values()),
            "parked": family.parking.count(at=now),
            "children": listed,
            "memory": self.memory(),
            "memory_budget": family.rules.memory_budget,
        }


def _facts_of(child: Child) -> dict[str, Any]:
    return {
        "child": child.number,
        "kind": child.kind,
        "key": child.key,
        "pid": child.pid,
        "age": round(monotonic() - child.started, 1),
        "state": child.doom or "live",
        "memory": child.usage.memory,
        "settled": child.settled,
        "cpu": round(child.usage.cpu, 2),
        "busy": round(child.usage.busy, 2),
        "requests": child.requests,
        "clients": len(child.leases),
    }
