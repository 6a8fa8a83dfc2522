"""Which of the runner's fences this machine's kernel gives, by name. Standard library only."""

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

SYS_LANDLOCK_CREATE_RULESET, VERSION = 444, 1
CAP_SETGID, CAP_SETUID, CAP_SETPCAP = 6, 7, 8


def of_this_kernel() -> dict[str, object]:
    """As `registry.runner.lockdown.Fences.facts` says it, asked without a runner."""
    return {"seccomp": _seccomp(), "landlock": _landlock(), "uid_drop": _uid_drop()}


def lines(fences: dict) -> Iterator[tuple[bool, str]]:
    """Each fence: whether it may be as it is, and a sentence."""
    seccomp, landlock = fences.get("seccomp"), fences.get("landlock") or 0
    yield bool(seccomp), f"seccomp (system calls): {'yes' if seccomp else 'no: needed'}"
    yield True, f"Landlock (files): {f'yes, ABI {landlock}' if landlock else _without_landlock()}"
    own = "yes" if fences.get("uid_drop") else "no, all have the runner's: they are held apart by"
    rest = "" if fences.get("uid_drop") else " the other fences (to have it, run as root)"
    yield True, f"a user id for each child: {own}{rest}"


def _without_landlock() -> str:
    return "no; a child may name no path anyway"


def _seccomp() -> bool:
    return Path("/proc/sys/kernel/seccomp/actions_avail").exists()


def _landlock() -> int:
    version = ctypes.CDLL(None).syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, VERSION)
    return max(0, version)


def _uid_drop() -> bool:
    if os.geteuid() != 0:
        return False
    status = Path("/proc/self/status").read_text().splitlines()
    effective = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    needed = 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_SETPCAP
    return int(effective, 16) & needed == needed
