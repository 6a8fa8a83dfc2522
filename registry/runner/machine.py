"""How much of this machine the runner may use: the smaller of what it has and what we are given."""

import os
from math import ceil

GIVEN_MEMORY = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
GIVEN_CORES = "/sys/fs/cgroup/cpu.max"
SHARE_OF_MEMORY = 0.5  # the rest is for the database, the web processes and the files' cache
LEAST_MEMORY = 256 << 20
TICKS = os.sysconf("SC_CLK_TCK")


def default_budget() -> int:
    """Bytes that all children together may have when nobody says."""
    return max(LEAST_MEMORY, int(SHARE_OF_MEMORY * _memory()))


def _memory() -> int:
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([has, *(int(told) for told in map(_read, GIVEN_MEMORY) if told.isdigit())])


def cores() -> int:
    """Processors we may run on."""
    has = len(os.sched_getaffinity(0))
    quota, _, period = _read(GIVEN_CORES).partition(" ")
    return min(has, ceil(int(quota) / int(period))) if quota.isdigit() and period else has


class Idleness:
    """How many cores had nothing to do since the last time somebody asked."""

    def __init__(self) -> None:
        self._idle = _idle_seconds()

    def cores_over(self, seconds: float) -> float:
        before, self._idle = self._idle, _idle_seconds()
        return (self._idle - before) / max(seconds, 0.001)


def _idle_seconds() -> float:
    fields = _read("/proc/stat").partition("\n")[0].split()
    return (int(fields[4]) + int(fields[5])) / TICKS if len(fields) > 5 else 0.0


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
