"""What a child costs: memory, processor and wakefulness, read from outside, in the zygote.

A child counts nothing about itself: it is not to be believed.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

TICKS = os.sysconf("SC_CLK_TCK")
# What a child has copied of the zygote's pages when nobody could measure it yet.
COPIED = 8 << 20
# Looking through a child's page tables holds the zygote up for some 15 ms.
EXACT_EVERY_SECONDS = 30.0


@dataclass
class Usage:
    """The last measurement of one child."""

    memory: int = COPIED  # bytes beyond what it shares with the zygote
    cpu: float = 0.0  # seconds since it was born
    busy: float = 0.0  # share of one core since the measurement before
    wakes: int = 0
    at: float = 0.0
    copied: int = COPIED
    exactly_at: float = 0.0

    def was_awake(self, pid: int) -> bool:
        """Whether it did anything since this was asked last: no client need report it."""
        status = status_of(pid)
        wakes = status.get("voluntary_ctxt_switches", 0)
        wakes += status.get("nonvoluntary_ctxt_switches", 0)
        before, self.wakes = self.wakes, wakes
        return wakes != before

    def measure(self, pid: int, *, shared: int) -> None:
        """Look again. `shared` is the zygote's own memory."""
        now, cpu = monotonic(), _cpu_seconds(pid)
        if self.at:
            self.busy = max(0.0, cpu - self.cpu) / max(now - self.at, 0.001)
        self.cpu, self.at = cpu, now
        self.memory = max(0, anonymous(status_of(pid)) - shared) + self.copied

    def measure_exactly(self, pid: int, *, shared: int) -> None:
        """Count the pages it has copied too, where /proc tells."""
        self.exactly_at = monotonic()
        private = _private(pid)
        if private:
            self.copied = max(0, private - max(0, anonymous(status_of(pid)) - shared))
            self.memory = private


def is_due(usage: Usage, now: float) -> bool:
    return now - usage.exactly_at > EXACT_EVERY_SECONDS


def anonymous(status: Mapping[str, int]) -> int:
    """Bytes that belong to no file."""
    return 1024 * (status.get("RssAnon", 0) + status.get("VmSwap", 0))


def status_of(pid: int) -> dict[str, int]:
    """The numbers in /proc/PID/status; none where it does not exist any more."""
    try:
        # As bytes: the name in it is the child's to choose, and need not be text.
        with open(f"/proc/{pid}/status", "rb") as file:
            fields = [line.split() for line in file]
    except OSError:
        return {}
    return {
        name.rstrip(b":").decode(): int(value)
        for name, value, *_ in (one for one in fields if len(one) > 1)
        if value.isdigit()
    }


def _cpu_seconds(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _private(pid: int) -> int:
    """Bytes that are this process's alone; 0 where we may not look (another uid, no capability)."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            fields = [line.split() for line in file][1:]
    except OSError:
        return 0
    sizes = {one[0]: int(one[1]) for one in fields}
    return 1024 * (sizes.get("Private_Dirty:", 0) + sizes.get("Swap:", 0))
