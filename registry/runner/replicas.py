"""The hosts of one key: one while it keeps up, more while it does not and a core is idle.

Clients come back after every lease, and are then given to whoever has the fewest of them;
that moves a crowd to a new host, and away from one that retires, without a word to anybody.
"""

from dataclasses import dataclass, field

from registry.runner.children import Child

LEASE_SECONDS = 5.0  # longer than any client's: then it is gone, or asks for nothing
HOT, COLD = 0.5, 0.35  # share of a core
HOT_SWEEPS, COLD_SWEEPS = 2, 5
IDLE_CORES = 0.6  # of which a new host is to be made


@dataclass
class Replicas:
    """Never empty while it is listed."""

    children: list[Child] = field(default_factory=list)
    hot_sweeps: int = 0
    cold_sweeps: int = 0

    def choose(self, current: int | None, *, at: float) -> Child:
        """Who serves this client from now on; `current` is whom it has."""
        for child in self.children:
            child.leases = [since for since in child.leases if at - since < LEASE_SECONDS]
        least = min(self.children, key=_leases)
        had = next((child for child in self.children if child.number == current), None)
        if had is not None:
            del had.leases[:1]
        chosen = had if had is not None and _leases(had) <= _leases(least) else least
        chosen.leases.append(at)
        return chosen

    def needs_another(self, *, most: int, idle_cores: float) -> bool:
        """After each sweep: whether all are busy with several clients, and have been."""
        leases = sum(map(_leases, self.children))
        is_hot = all(child.usage.busy > HOT for child in self.children)
        self.hot_sweeps = self.hot_sweeps + 1 if is_hot else 0
        return (
            self.hot_sweeps >= HOT_SWEEPS
            and idle_cores > IDLE_CORES
            and len(self.children) < min(most, leases)
        )

    def has_one_too_many(self) -> bool:
        """After each sweep: whether one less would do, and would have done for a while."""
        busy = sum(child.usage.busy for child in self.children)
        is_cold = busy < COLD * (len(self.children) - 1)
        self.cold_sweeps = self.cold_sweeps + 1 if is_cold else 0
        return self.cold_sweeps >= COLD_SWEEPS

    def changed(self) -> None:
        self.hot_sweeps = self.cold_sweeps = 0


def _leases(child: Child) -> int:
    return len(child.leases)
