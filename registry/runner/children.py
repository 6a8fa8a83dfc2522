"""Forking a child: locked down first, then serving until its connections are gone."""

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from registry.runner import probes
from registry.runner.exchange import Answerer, Exchange
from registry.runner.host import Host, Inspection
from registry.runner.lockdown import MAILBOX, Fences, lock_down
from registry.runner.measuring import Usage

NOT_LOCKED = 70  # exit code of a child whose fences did not come up
FAILED = 71

Answering = Callable[[], Answerer]


def _inspector() -> Answerer:
    return Inspection().answer


def _host() -> Answerer:
    return Host().answer


def _self_test() -> Answerer:
    return probes.answer


ANSWERING: dict[str, Answering] = {"inspector": _inspector, "graph": _host, "estimator": _host}


@dataclass
class Child:
    """A live child, as the zygote knows it."""

    number: int  # never used twice, unlike a pid
    kind: str
    pid: int
    pidfd: int  # taken at once: a reaped child's pid may be anyone's
    slot: int
    mailbox: socket.socket
    key: str | None = None
    deadline: float | None = None
    started: float = field(default_factory=monotonic)
    used: float = field(default_factory=monotonic)
    usage: Usage = field(default_factory=Usage)
    settled: int | None = None  # its memory after the last load; None until measured
    requests: int = 0  # as its clients report
    leases: list[float] = field(default_factory=list)
    doom: str = ""  # why we ended it; empty while it lives, and when it died by itself

    def connect(self) -> socket.socket:
        """A new connection to the child: the client's end. Raises BlockingIOError, OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            theirs.setblocking(False)
            try:
                socket.send_fds(self.mailbox, [b"+"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        self.used = monotonic()
        return ours

    def seal(self) -> None:
        """No further connection: the child ends when the last one does."""
        self.mailbox.close()

    def kill(self, doom: str = "killed") -> None:
        self.doom = self.doom or doom
        # SIGKILL alone cannot be ignored, and the child has no children of its own.
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def reap(self) -> int:
        """Wait for its end (so kill it first, unless its pidfd says so): the exit code."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.pidfd)
        self.mailbox.close()
        return os.waitstatus_to_exitcode(status)


def fork(
    fences: Fences, *, number: int, kind: str, slot: int, answering: Answering | None = None
) -> Child:
    """Start a child of this kind. It reads nothing before it is locked down."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    pid = os.fork()
    if pid == 0:
        _live(fences, kind, slot, theirs.detach(), answering or ANSWERING[kind])
    theirs.close()
    ours.setblocking(False)
    return Child(number, kind, pid, os.pidfd_open(pid), slot, ours)


def fork_self_test(fences: Fences, *, kind: str) -> Child:
    """A child like any other of this kind, which tries to break out when asked."""
    return fork(fences, number=0, kind=kind, slot=0, answering=_self_test)


def _live(fences: Fences, kind: str, slot: int, mailbox: int, answering: Answering) -> None:
    # Never back into the zygote's frames: their sockets are closed here, and their
    # numbers soon belong to others.
    status = NOT_LOCKED
    try:
        _forget_signals()
        lock_down(fences, kind=kind, slot=slot, mailbox=mailbox)
        status = FAILED
        Exchange(MAILBOX, answering()).run()
        status = 0
    finally:
        os._exit(status)


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
