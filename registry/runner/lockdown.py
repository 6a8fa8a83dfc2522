"""How a forked child locks itself in, for good, before it reads one untrusted byte.

The zygote calls `prepare` once; each child calls `lock_down` first of all. After it
the child has no path, no network, no new process or thread and no way back; what is
left is memory, the clock, and the connections it is handed.
"""

import ctypes
import os
import resource
import signal
from dataclasses import dataclass
from typing import Any

import landlockpy
import seccompy

from registry.runner.system_calls import build_filter

MAILBOX = 3  # the one descriptor a child keeps: its connections arrive over it
FIRST_SLOT_UID = 60000
GIB = 1 << 30

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SYS_CLOSE_RANGE = 436  # on every architecture
MAX_DESCRIPTOR = 65536  # the zygote opens none above
CAP_SETGID, CAP_SETUID, CAP_SETPCAP = 6, 7, 8
CAPABILITY_VERSION_3 = 0x20080522


class NotLocked(Exception):
    """A mandatory fence did not come up: the child must not serve."""


@dataclass(frozen=True)
class Limits:
    """What a child of one kind may use; None is unlimited."""

    address_space: int
    data: int
    cpu_seconds: int | None
    files: int
    niceness: int = 0


# Addresses are counted with the 0.9 GiB that the zygote's libraries reserve, data with its 0.3.
# What is left holds a file of the largest size accepted (MAX_ARTIFACT_BYTES) and twice as much
# of objects; that all hosts together fit is the runner's memory budget to see to.
# Hosts live long, so a limit on their CPU time would only choose a moment to die:
# there the trusted side's deadline of each exchange holds.
HOST_LIMITS = Limits(3 * GIB, 2 * GIB, None, 256)
LIMITS = {
    "inspector": Limits(3 * GIB, 2 * GIB, 60, 64, niceness=5),
    "graph": HOST_LIMITS,
    "estimator": HOST_LIMITS,
}


@dataclass(frozen=True)
class Fences:
    """What this machine offers, found out once in the zygote."""

    landlock: int  # ABI version, 0 where the kernel has none
    seccomp: bool
    uid_drop: bool
    system_calls: seccompy.Filter
    libc: ctypes.CDLL
    zygote: int
    null: int
    may_be_incomplete: bool = False

    def facts(self) -> dict[str, Any]:
        return {"landlock": self.landlock, "seccomp": self.seccomp, "uid_drop": self.uid_drop}


def prepare(*, may_be_incomplete: bool = False) -> Fences:
    """Ask kernel and libraries what they offer, in the zygote.

    Both libraries look for libc by starting processes on first use; a child could not.
    """
    system_calls = build_filter()
    _ = system_calls.program  # compiled here, once
    return Fences(
        landlock=landlockpy.abi_version(),
        seccomp=seccompy.supported(),
        uid_drop=_may_change_uid(),
        system_calls=system_calls,
        libc=ctypes.CDLL(None, use_errno=True),
        zygote=os.getpid(),
        null=os.open(os.devnull, os.O_RDWR),
        may_be_incomplete=may_be_incomplete,
    )


def _may_change_uid() -> bool:
    # Root of a container may lack the capabilities: then all children share its uid.
    if os.geteuid() != 0:
        return False
    with open("/proc/self/status") as status:
        effective = next(line.split()[1] for line in status if line.startswith("CapEff:"))
    needed = 1 << CAP_SETUID | 1 << CAP_SETGID | 1 << CAP_SETPCAP
    return int(effective, 16) & needed == needed


def lock_down(fences: Fences, *, kind: str, slot: int, mailbox: int) -> None:
    """Close every fence, in the one order that works. Raises NotLocked or OSError."""
    limits = LIMITS[kind]
    _let_go(fences, mailbox, limits)
    _limit(limits, own_uid=fences.uid_drop)
    if fences.uid_drop:
        _change_uid(fences.libc, FIRST_SLOT_UID + slot)
    _drop_capabilities(fences.libc)
    # After the change of uid, which clears the death signal.
    _prctl(fences.libc, PR_SET_DUMPABLE, 0)
    _prctl(fences.libc, PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != fences.zygote:
        raise NotLocked("the zygote is gone")
    _prctl(fences.libc, PR_SET_NO_NEW_PRIVS, 1)
    if fences.landlock:
        _allow_no_file()
    _filter_system_calls(fences)


def _let_go(fences: Fences, mailbox: int, limits: Limits) -> None:
    os.setsid()
    os.nice(limits.niceness)
    _offer_to_oom_killer()
    for standard in (0, 1, 2):
        os.dup2(fences.null, standard)
    if mailbox != MAILBOX:
        os.dup2(mailbox, MAILBOX)
    _close_from(fences.libc, MAILBOX + 1)
    os.chdir("/")
    os.umask(0o777)


def _close_from(libc: ctypes.CDLL, first: int) -> None:
    # The system call itself: os.closerange of a Python built on an older glibc walks up to
    # a limit that may be a milliard, or infinity.
    if libc.syscall(SYS_CLOSE_RANGE, first, ctypes.c_uint(-1), 0) != 0:
        os.closerange(first, MAX_DESCRIPTOR)


def _offer_to_oom_killer() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass  # no /proc: then the kernel chooses by size


def _limit(limits: Limits, *, own_uid: bool) -> None:
    hard = {
        resource.RLIMIT_AS: limits.address_space,
        resource.RLIMIT_DATA: limits.data,
        resource.RLIMIT_STACK: 8 << 20,
        resource.RLIMIT_NOFILE: limits.files,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if limits.cpu_seconds is not None:
        hard[resource.RLIMIT_CPU] = limits.cpu_seconds
    if own_uid:  # else it would count the processes of the whole service
        hard[resource.RLIMIT_NPROC] = 0
    for limit, wanted in hard.items():
        _, allowed = resource.getrlimit(limit)
        value = wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)
        resource.setrlimit(limit, (value, value))


def _change_uid(libc: ctypes.CDLL, uid: int) -> None:
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # past the last one the kernel knows
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise NotLocked("the way back to root is open")


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    _prctl(libc, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if libc.capset(header, nothing) != 0:
        raise NotLocked(f"capset: {os.strerror(ctypes.get_errno())}")


def _prctl(libc: ctypes.CDLL, option: int, value: int) -> None:
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise NotLocked(f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def _allow_no_file() -> None:
    # No rule at all: everything a model needs is imported, and its bytes come as an
    # open descriptor, which Landlock leaves alone.
    scopes = landlockpy.Scope.ABSTRACT_UNIX_SOCKET | landlockpy.Scope.SIGNAL
    with landlockpy.Ruleset(scoped=scopes) as ruleset:
        ruleset.restrict()


def _filter_system_calls(fences: Fences) -> None:
    try:
        fences.system_calls.load()
    except OSError as error:
        if not fences.may_be_incomplete:
            raise NotLocked(f"no seccomp: {error}") from error
