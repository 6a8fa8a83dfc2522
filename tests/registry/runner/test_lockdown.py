"""Attacks from inside a child. After each of them the runner serves others as before."""

import ctypes
import json
import os
from pathlib import Path
from time import monotonic

import numpy as np
import pytest

from registry.rows import Rows
from registry.runner.lockdown import FIRST_SLOT_UID
from registry.runner.system_calls import build_filter
from registry.sandbox import ChildDied, ChildTimedOut, ModelRaised, ModelRefused
from tests.registry.waiting import eventually

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has uids to give away")

ATTEMPT = """
import ctypes, errno, mmap, os, resource, signal, socket, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
def raw(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "raw")
    return "done"
try:
    said = repr({attempt})
except OSError as error:
    said = errno.errorcode[error.errno]
except MemoryError:
    said = "MemoryError"
except RuntimeError as error:
    said = str(error)
"""


@pytest.fixture
def attempt(runner, artifact):
    """What an expression comes to inside an inspector."""

    def attempt(expression):
        source = ATTEMPT.replace("{attempt}", expression)
        return runner.inspect(artifact(source), fmt="sklearn", deadline=10).report["said"]

    yield attempt
    assert attempt("6 * 7") == "42"


def test_it_works(attempt):
    assert attempt("sum(range(10))") == "45"


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/etc/shadow",
        "/proc/self/environ",
        "/proc/1/environ",
        "/dev/null",
        "/bin/true",
    ],
)
def test_no_file_can_be_read(attempt, path):
    assert attempt(f"open({path!r}, 'rb').read(1)") == "ENOENT"


def test_the_askers_environment_cannot_be_read(attempt):
    assert attempt(f"open('/proc/{os.getpid()}/environ', 'rb')") == "ENOENT"


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("open('/tmp/breakout', 'w')", "ENOENT"),
        ("os.listdir('/')", "ENOENT"),
        ("os.stat('/etc/passwd')", "ENOENT"),
        ("raw(262, -100, b'/etc/passwd', ctypes.create_string_buffer(256), 0x1000)", "ENOENT"),
        ("raw(437, -100, b'/etc/passwd', ctypes.create_string_buffer(24), 24)", "ENOENT"),
        ("os.mkdir('/tmp/breakout')", "EPERM"),
        ("os.unlink('/tmp/breakout')", "EPERM"),
        ("os.chmod('/tmp', 0o777)", "EPERM"),
        ("os.chroot('/')", "EPERM"),
    ],
)
def test_there_is_no_file_system(attempt, expression, error):
    assert attempt(expression) == error
    assert not Path("/tmp/breakout").exists()


@pytest.mark.parametrize(
    "expression",
    [
        "socket.socket(socket.AF_INET)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.socket(socket.AF_INET6)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        "socket.socketpair()",
        "socket.create_connection(('127.0.0.1', 22))",
    ],
)
def test_there_is_no_network(attempt, expression):
    assert attempt(expression) == "EPERM"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("os.system('true')", "32512"),
        ("os.popen('id').read()", "EPERM"),
        ("os.fork()", "EPERM"),
        ("raw(58)", "EPERM"),
        ("raw(435, ctypes.create_string_buffer(88), 88)", "ENOSYS"),
        ("os.execv('/bin/true', ['true'])", "EPERM"),
        ("threading.Thread(target=int, daemon=True).start()", "can't start new thread"),
    ],
)
def test_no_process_and_no_thread(attempt, expression, said):
    assert attempt(expression) == said


@pytest.mark.parametrize(
    "expression",
    [
        "os.kill(os.getppid(), 0)",
        "os.kill(os.getppid(), signal.SIGKILL)",
        "os.kill(1, 0)",
        "os.kill(-1, signal.SIGKILL)",
        "raw(234, os.getppid(), os.getppid(), 0)",
        "raw(434, os.getppid(), 0)",
        "raw(101, 16, os.getppid(), 0, 0)",
        "raw(310, os.getppid(), None, 0, None, 0, 0)",
        "raw(425, 1, None)",
        "raw(319, b'x', 0)",
        "raw(321, 0, None, 0)",
        "raw(272, 0x10000000)",
        "raw(323, 0)",
        "os.setuid(0)",
        "os.setresgid(0, 0, 0)",
        "os.pipe()",
    ],
)
def test_no_way_to_others_or_up(attempt, expression):
    assert attempt(expression) == "EPERM"


def test_it_cannot_raise_its_limits(attempt):
    assert attempt("resource.getrlimit(resource.RLIMIT_AS)") == f"({3 << 30}, {3 << 30})"
    assert attempt("resource.getrlimit(resource.RLIMIT_CPU)") == "(60, 60)"
    assert attempt("raw(160, 7, b'x' * 16)") == "EPERM"
    assert attempt("raw(302, 0, 7, b'x' * 16, None)") == "EPERM"


def test_it_inherits_nothing(attempt):
    descriptors = attempt(
        "[fd for fd in range(64) if libc.fcntl(fd, 1) >= 0]"  # F_GETFD
    )
    environment = attempt("sorted(os.environ)")

    # Standard ones, mailbox, connection, and the artifact.
    assert set(json.loads(descriptors)) <= {0, 1, 2, 3, 4, 5}
    assert "SECRET" not in environment
    assert "DATABASE_URL" not in environment


@AS_ROOT
def test_every_child_has_a_uid_of_its_own(runner, load):
    source = "import os\ndef predict(rows, methods): raise ValueError(os.getuid(), os.getgid())"
    hosts = [runner.fresh_host(kind="estimator") for _ in range(3)]
    said = set()
    for host in hosts:
        load(host, source)
        with pytest.raises(ModelRaised) as raised:
            host.predict("model", Rows([], 0), ["predict"], deadline=5)
        said.add(raised.value.reason)
    for host in hosts:
        host.close()

    ids = [FIRST_SLOT_UID + slot for slot in range(3)]
    assert said == {f"ValueError: ({uid}, {uid})" for uid in ids}


def test_another_childs_memory_is_out_of_reach(runner, attempt, load):
    host = runner.fresh_host(kind="estimator")
    load(host, "def predict(rows, methods): return {}")
    pid = runner.status()["children"][-1]["pid"]

    assert attempt(f"open('/proc/{pid}/mem', 'rb')") == "ENOENT"
    assert attempt(f"raw(310, {pid}, None, 0, None, 0, 0)") == "EPERM"
    host.close()


ASSAULT = """
import ctypes, os, signal, socket
import numpy as np
libc = ctypes.CDLL(None, use_errno=True)
got = []
def attempt(name, act):
    try:
        if act() != -1:
            got.append(name)
    except OSError:
        pass
def predict(rows, methods):
    pid = int(rows.blocks[0][0, 0])
    if pid:
        room = ctypes.create_string_buffer(8)
        piece = (ctypes.c_void_p * 2)(ctypes.addressof(room), 8)
        for way in ("r", "w"):
            attempt("memory", lambda: bool(open(f"/proc/{pid}/mem", way)))
        for fd in range(9):
            attempt("descriptor", lambda: bool(open(f"/proc/{pid}/fd/{fd}", "w")))
            attempt("pidfd_getfd", lambda: libc.syscall(438, fd, fd, 0))
        attempt("environ", lambda: bool(open(f"/proc/{pid}/environ")))
        attempt("process_vm_readv", lambda: libc.syscall(310, pid, piece, 1, piece, 1, 0))
        attempt("process_vm_writev", lambda: libc.syscall(311, pid, piece, 1, piece, 1, 0))
        attempt("ptrace", lambda: libc.syscall(101, 16, pid, 0, 0))
        attempt("pidfd_open", lambda: libc.syscall(434, pid, 0))
        attempt("kill", lambda: libc.syscall(62, pid, 9))
        attempt("tgkill", lambda: libc.syscall(234, pid, pid, 9))
        attempt("limits", lambda: libc.syscall(302, pid, 7, room, None))
        attempt("priority", lambda: libc.syscall(141, 0, pid, 19))
        attempt("affinity", lambda: libc.syscall(203, pid, 8, room))
        attempt("socket", lambda: bool(socket.socket(socket.AF_UNIX)))
    if got:
        raise ValueError(got)
    return {"predict": rows.blocks[0][:, 1]}
"""


def test_two_children_cannot_touch_each_other(runner, load):
    hosts = [runner.fresh_host(kind="estimator") for _ in range(2)]
    for host in hosts:
        load(host, ASSAULT)
    first, second = [child["pid"] for child in runner.status()["children"]][-2:]

    for host, other in ((hosts[0], second), (hosts[1], first)):
        rows = Rows([np.array([[float(other), 7.0]])], 1)
        assert host.predict("model", rows, ["predict"], deadline=5)["predict"].tolist() == [7.0]
    for host in hosts:
        rows = Rows([np.array([[0.0, 8.0]])], 1)
        assert host.predict("model", rows, ["predict"], deadline=5)["predict"].tolist() == [8.0]
        host.close()


GREED = {
    "memory": "[bytearray(32 << 20) for _ in range(1000)]",
    "descriptors": "[os.dup(3) for _ in range(100_000)]",
    "standard streams": "[os.write(fd, b'x' * 65536) for fd in (1, 2) for _ in range(2000)]",
    "signals": "[signal.signal(n, signal.SIG_IGN) for n in range(1, 31) if n not in (9, 19)]",
}


@pytest.mark.parametrize("greed", GREED.values(), ids=GREED.keys())
def test_the_zygote_does_not_suffer(attempt, runner, greed):
    zygote = runner.status()["pid"]
    before = _held_by(zygote)

    attempt(greed)

    assert eventually(lambda: runner.status()["children"] == [])
    descriptors, memory = _held_by(runner.status()["pid"])
    assert runner.status()["pid"] == zygote
    assert descriptors <= before[0]
    assert memory < before[1] + (32 << 10)  # KiB


def _held_by(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return len(os.listdir(f"/proc/{pid}/fd")), int(resident.split()[1])


def test_ten_gigabytes_are_refused_at_once(attempt):
    started = monotonic()

    assert attempt("bytearray(10 << 30)") == "MemoryError"
    assert monotonic() - started < 5
    assert attempt("[bytearray(64 << 20) for _ in range(160)]") == "MemoryError"


def test_an_endless_loop_ends_at_its_deadline(attempt, runner, artifact):
    started = monotonic()

    with pytest.raises(ChildTimedOut):
        runner.inspect(artifact("while True: pass"), fmt="sklearn", deadline=0.5)

    assert 0.5 <= monotonic() - started < 2


def test_signals_cannot_be_ignored_away(attempt, runner, artifact):
    ignore = """
import signal, time
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
time.sleep(60)
"""
    with pytest.raises(ChildTimedOut):
        runner.inspect(artifact(ignore), fmt="sklearn", deadline=0.5)

    assert attempt("1") == "1"
    assert eventually(lambda: runner.status()["children"] == [])


def test_a_crash_says_how(attempt, runner, artifact):
    with pytest.raises(ChildDied) as died:
        runner.inspect(artifact("import ctypes; ctypes.string_at(1)"), fmt="sklearn", deadline=5)

    assert died.value.code == "model_crashed"
    assert died.value.reason == "The model's process ended by SIGSEGV."


@pytest.mark.parametrize("exit_", ["raise SystemExit(0)", "raise KeyboardInterrupt"])
def test_leaving_is_an_answer(attempt, runner, artifact, exit_):
    with pytest.raises(ModelRefused) as refused:
        runner.inspect(artifact(exit_), fmt="sklearn", deadline=5)

    assert refused.value.code == "unreadable"


def test_a_hard_exit_is_a_death(attempt, runner, artifact):
    with pytest.raises(ChildDied):
        runner.inspect(artifact("import os; os._exit(0)"), fmt="sklearn", deadline=5)


def test_the_filter_is_for_this_architecture_only():
    """32-bit calls have other numbers: the filter kills whoever makes one."""
    assert ctypes.c_uint32.from_buffer_copy(build_filter().program[4:8]).value == 4
