"""Our child processes: started, waited for, started again when they die, and stopped in order.

Nothing may outlive the launcher, however it ends. Three things see to that:
- the keeper (it runs this module's Supervisor) is a process beside run.py and holds the reading end
  of a pipe; run.py's death, even by kill -9, is its end of file, and the keeper stops everything;
- each child has a process group, so that its own children are killed with it;
- the kernel signals each child when the keeper itself dies.
"""

import ctypes
import os
import select
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from mlplatform.embedded.console import Trouble, say

PR_SET_PDEATHSIG = 1
STEADY = 30.0  # a child that lived this long starts again at once
LONGEST_BACKOFF = 30.0
LARGEST_LOG = 10_000_000
_libc = ctypes.CDLL(None, use_errno=True)


class StopAsked(Exception):
    """Ctrl-C, SIGTERM, or run.py is gone."""


@dataclass(frozen=True)
class Program:
    """How to run one child."""

    name: str
    argv: list[str]
    env: dict[str, str]
    cwd: Path
    uid: int | None = None
    gid: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 10.0


@dataclass
class Child:
    program: Program
    log: Path
    process: subprocess.Popen
    started: float
    log_starts: int = 0
    failures: int = 0
    restart_at: float | None = field(default=None)

    def has_ended(self) -> bool:
        """Whether the child is gone; what is left of its process group is killed first."""
        if self.process.returncode is not None:
            return True
        if not _has_ended(self.process):
            return False
        # Before it is reaped: until then its number, and so its group's, cannot be anybody else's.
        _signal_group(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return True


class Supervisor:
    """Runs the children. All waiting happens here, so a stop is heard everywhere."""

    def __init__(self, logs: Path, lifeline: int) -> None:
        self.logs = logs
        self.children: list[Child] = []
        self._lifeline = lifeline
        self._asked = False
        self._wakeup, writing = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask)

    def start(self, program: Program) -> Child:
        log = self.logs / f"{program.name}.log"
        rotate(log)
        written = log.stat().st_size if log.exists() else 0
        child = Child(program, log, launch(program, log), monotonic(), log_starts=written)
        self.children.append(child)
        return child

    def until(self, ready: Callable[[], bool], *, child: Child, within: float) -> None:
        """Wait until `ready` says so. Raises Trouble when the child ends or takes too long."""
        deadline = monotonic() + within
        name = child.program.name
        while not ready():
            if child.has_ended():
                said = tail(child.log, since=child.log_starts)
                raise Trouble(
                    f"{name} ended at once ({ending(child.process.returncode)}): {said}",
                    fix="see its log; `python3 run.py doctor` checks the machine",
                    log=child.log,
                )
            if monotonic() > deadline:
                raise Trouble(
                    f"{name} was not ready after {within:.0f} seconds.",
                    fix="see its log; is the machine very busy?",
                    log=child.log,
                )
            self.pause(0.02)

    def run(self, program: Program, *, within: float) -> str:
        """Run to the end and return what it printed. Raises Trouble when it fails."""
        errors = self.logs / "setup.log"
        with open(errors, "ab") as log:
            process = launch(program, log)
            output = self._finish(process, program.name, within, errors)
        if process.returncode != 0:
            raise Trouble(
                f"{program.name} failed ({ending(process.returncode)}): {tail(errors)}",
                fix="see the log",
                log=errors,
            )
        return output

    def _finish(self, process: subprocess.Popen, name: str, within: float, log: Path) -> str:
        deadline, printed = monotonic() + within, b""
        try:
            while True:
                readable = self.pause(max(0.0, deadline - monotonic()), process.stdout)
                if monotonic() >= deadline:
                    raise Trouble(
                        f"{name} took over {within:.0f} seconds.", fix="see the log", log=log
                    )
                if process.stdout not in readable:
                    continue
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    break
                printed += chunk
            process.wait(timeout=within)
        finally:
            if process.poll() is None:
                _signal_group(process.pid, signal.SIGKILL)
                process.wait()
        return printed.decode(errors="replace")

    def call(self, program: Program) -> int:
        """Run a program on our own terminal and return its exit code."""
        process = launch(program, None)
        child = Child(program, self.logs, process, monotonic())
        self.children.append(child)
        while not child.has_ended():
            self.pause(5.0)
        return process.returncode if process.returncode >= 0 else 128 - process.returncode

    def watch(self) -> None:
        """Start again whatever dies, a little later each time, until a stop is asked."""
        while True:
            waits = [self._look_after(child) for child in self.children]
            self.pause(min([5.0, *waits]))

    def _look_after(self, child: Child) -> float:
        if child.restart_at is None:
            if not child.has_ended():
                return 5.0
            self._plan_restart(child)
        if monotonic() >= child.restart_at:
            child.process, child.started = launch(child.program, child.log), monotonic()
            child.restart_at = None
            return 5.0
        return child.restart_at - monotonic()

    def _plan_restart(self, child: Child) -> None:
        steady = monotonic() - child.started > STEADY
        child.failures = 0 if steady else child.failures + 1
        delay = min(LONGEST_BACKOFF, 0.5 * 2**child.failures) if child.failures else 0.0
        child.restart_at = monotonic() + delay
        say(
            f"  {child.program.name} ended ({ending(child.process.returncode)}); "
            f"starting it again in {delay:.1f} s. Log: {child.log}"
        )

    def stop(self) -> None:
        """End all children, the last started first; each gets its time, then is killed."""
        while self.children:
            stop_child(self.children.pop())

    def pause(self, seconds: float, *others: object) -> list:
        """Wait for a signal, one of the files, or the time. Raises StopAsked."""
        readable = []
        if not self._asked:
            readable, _, _ = select.select(
                [self._lifeline, self._wakeup, *others], [], [], min(seconds, 5.0)
            )
            if self._wakeup in readable:
                os.read(self._wakeup, 4096)
        if self._asked or self._lifeline in readable:
            self._asked = False
            raise StopAsked
        return readable

    def _ask(self, *_: object) -> None:
        self._asked = True


def launch(program: Program, log: Path | object | None) -> subprocess.Popen:
    """Start the program in a process group. With an open file as log, its output is a pipe."""
    if isinstance(log, Path):
        with open(log, "ab") as out:
            return _popen(program, stdout=out, stderr=subprocess.STDOUT)
    if log is None:
        return _popen(program)
    return _popen(program, stdout=subprocess.PIPE, stderr=log)


def _popen(program: Program, **files: object) -> subprocess.Popen:
    files.setdefault("stdin", subprocess.DEVNULL)
    who = {}
    if program.uid is not None:
        who = {"user": program.uid, "group": program.gid, "extra_groups": []}
    return subprocess.Popen(
        program.argv,
        env=program.env,
        cwd=program.cwd,
        process_group=0,
        # Runs after the change of user, which would clear the setting. We have no threads.
        preexec_fn=die_with(program.stop_signal),
        **files,
        **who,
    )


def die_with(number: signal.Signals) -> Callable[[], None]:
    """What a child calls so that the kernel sends it `number` when its parent dies."""
    parent = os.getpid()

    def ask_kernel() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the kernel was asked

    return ask_kernel


def stop_child(child: Child) -> None:
    """Ask, wait, then kill; the whole group is gone afterwards."""
    if child.process.returncode is None:
        _signal_process(child.process.pid, child.program.stop_signal)
        deadline = monotonic() + child.program.stop_within
        while not child.has_ended() and monotonic() < deadline:
            select.select([], [], [], 0.02)
    if child.process.returncode is None:
        say(f"  {child.program.name} did not stop in time and is killed.")
        _signal_group(child.process.pid, signal.SIGKILL)
        child.process.wait()


def rotate(log: Path) -> None:
    """Keep one older log once this one is large."""
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_name(log.name + ".1"))


def tail(log: Path, *, since: int = 0, lines: int = 3) -> str:
    """The last lines written since then that say something, for an error message."""
    try:
        written = log.read_bytes()[since:][-4000:].decode(errors="replace").splitlines()
    except OSError:
        return "no log"
    return " | ".join([line.strip() for line in written if line.strip()][-lines:])


def ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _has_ended(process: subprocess.Popen) -> bool:
    """Whether it ended. It is not reaped yet."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, flags) is not None


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass  # nobody is left in it


def _signal_process(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # it was quicker


def keep(work: Callable[[int], int]) -> int:
    """Run `work(lifeline)` in a keeper process of its own session; return its exit code.

    The terminal's Ctrl-C reaches only us and is passed on, so that children are stopped in order
    and not all at the same time.
    """
    reading, writing = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(writing)
        os.setsid()
        os._exit(work(reading))
    os.close(reading)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: _signal_process(keeper, signal.SIGTERM))
    _, status = os.waitpid(keeper, 0)
    return os.waitstatus_to_exitcode(status)
