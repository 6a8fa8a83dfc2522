"""A child behind the fences, but for those left out, and one attack in it.

    python -I -B fence_lab.py '{"attack": "…", "without": ["…"], "given": {…}}'

Prints what the attack came to: "open" when it got through, else the error or the signal that
ended the child. A program of its own, so that no way to leave out a fence is in the product.
"""

import ctypes
import dataclasses
import errno
import fcntl
import json
import mmap
import os
import resource
import select
import signal
import socket
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(PROJECT))

from registry.runner import environment, lockdown  # noqa: E402

LEFT_OPEN = 9  # a descriptor of the zygote's that nobody closed
SECONDS = 25.0
MAP_LOCKED, MAP_NORESERVE = 0x2000, 0x4000
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]


def nothing(*given, **more):
    return None


# Leaving out -------------------------------------------------------------------------------------


def leave_out(names):
    """Take these steps out of lock_down, in this process."""
    for name in names:
        if name in STEPS:
            setattr(lockdown, STEPS[name], nothing)
    if "session" in names:
        os.setsid = nothing
    options = {OPTIONS[name] for name in names if name in OPTIONS}
    limits = {getattr(resource, name) for name in names if name.startswith("RLIMIT_")}
    prctl, setrlimit = lockdown._prctl, resource.setrlimit
    lockdown._prctl = lambda libc, option, value: option in options or prctl(libc, option, value)
    resource.setrlimit = lambda limit, value: limit in limits or setrlimit(limit, value)


STEPS = {
    "descriptors": "_close_from",
    "uid": "_change_uid",
    "capabilities": "_drop_capabilities",
    "landlock": "_allow_no_file",
    "seccomp": "_filter_system_calls",
}
OPTIONS = {
    "dumpable": lockdown.PR_SET_DUMPABLE,
    "death signal": lockdown.PR_SET_PDEATHSIG,
    "no new privileges": lockdown.PR_SET_NO_NEW_PRIVS,
}


# Attacks: whoever returns got through ------------------------------------------------------------


def raw(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "raw")


def mapped(size, protection, flags=0):
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags
    if libc.mmap(None, size, protection, private, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "mmap")


def read_what_was_left_open(given):
    assert os.read(LEFT_OPEN, 6) == b"secret"


def read_the_environment(given):
    if os.environ.get("PLANTED") != "secret":
        raise PermissionError(errno.ENOENT, "no such variable")


def reserve_addresses(given):
    mapped(8 << 30, mmap.PROT_READ, MAP_NORESERVE)


def take_memory(given):
    mapped(5 << 29, mmap.PROT_READ | mmap.PROT_WRITE)  # 2.5 GiB: fewer than all addresses


def lock_memory(given):
    mapped(1 << 16, mmap.PROT_READ | mmap.PROT_WRITE, MAP_LOCKED)


def use_up_the_stack(given):
    deep = None
    for _ in range(60_000):
        deep = [deep]
    sys.setrecursionlimit(1_000_000)
    repr(deep)


def use_up_descriptors(given):
    for _ in range(200):
        os.dup(0)


def write_to_a_file(given):
    mailbox = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=os.dup(lockdown.MAILBOX))
    _, found, _, _ = socket.recv_fds(mailbox, 1, 1)
    os.write(found[0], b"written")


def burn(given):
    until = time.process_time() + 1.2
    while time.process_time() < until:
        pass


def fork(given):
    if os.fork() == 0:
        os._exit(0)


def read_a_private_file(given):
    with open(given["private"]) as file:
        file.read()


def read_a_public_file(given):
    with open(given["public"]) as file:
        file.read()


def look_at_a_path(given):
    os.stat(given["public"])


def change_the_root(given):
    os.chroot("/")


def exec_a_setuid_program(given):
    os.dup2(lockdown.MAILBOX, 1)
    os.execv(given["setuid"], ["id", "-u"])


def run_a_program(given):
    os.dup2(lockdown.MAILBOX, 1)
    os.execv("/bin/echo", ["echo", "-n", "open"])


def send_a_datagram(given):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"out", ("127.0.0.1", given["port"]))


def connect(given):
    socket.socket().connect(("127.0.0.1", given["tcp"]))


def make_memory_a_file(given):
    raw(319, b"x", 0)


def make_a_namespace(given):
    raw(272, 0x10000000)


def make_a_pipe(given):
    os.pipe()


def change_a_connections_flags(given):
    fcntl.fcntl(lockdown.MAILBOX, fcntl.F_SETFL, os.O_NONBLOCK)


def signal_the_group(given):
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    os.kill(0, signal.SIGUSR1)


def stay(given):
    signal.pause()


def outlive_the_zygote(given):
    time.sleep(1.0)


def read_the_others_memory(given):
    with open(f"/proc/{given['other']}/mem", "rb"):
        pass


ATTACKS = {
    one.__name__: one
    for one in list(globals().values())
    if callable(one) and getattr(one, "__module__", "") == __name__
}


# The zygote's part -------------------------------------------------------------------------------


def child(asked, fences, mailbox, slot=0):
    """Fork, lock down, attack; the parent gets the pid."""
    pid = os.fork()
    if pid:
        return pid
    said = "open"
    try:
        leave_out(asked["without"])
        lockdown.lock_down(fences, kind="inspector", slot=slot, mailbox=mailbox.fileno())
        ATTACKS[asked["attack"]](asked["given"])
    except OSError as error:
        said = errno.errorcode.get(error.errno, str(error))
    except BaseException as error:  # noqa: BLE001  whatever it is, it is told
        said = f"{type(error).__name__}: {error}"
    finally:
        try:
            os.write(lockdown.MAILBOX, said.encode())
        finally:
            os._exit(0)


def result(ours, pid):
    """What the child wrote, or what ended it."""
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    said = ours.recv(4096) if poll.poll(SECONDS * 1000) else b"nothing in time"
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return said.decode() or signal.Signals(os.waitstatus_to_exitcode(status) * -1).name


def run(asked):
    fences = lockdown.prepare()
    lockdown.LIMITS["inspector"] = dataclasses.replace(lockdown.LIMITS["inspector"], cpu_seconds=1)
    if "uid" in asked["without"]:
        fences = dataclasses.replace(fences, uid_drop=False)
    ours, theirs = socket.socketpair()
    if asked["attack"] == "read_the_others_memory":
        other = {**asked, "attack": "stay", "without": asked["other's without"]}
        asked["given"]["other"] = child(other, fences, socket.socketpair()[1])
        time.sleep(0.3)
    pid = child(asked, fences, theirs)
    theirs.close()
    if asked["attack"] == "write_to_a_file":
        socket.send_fds(ours, [b"+"], [os.open(asked["given"]["writable"], os.O_WRONLY)])
    return result(ours, pid)


def run_group_attack(asked):
    """The zygote is in no group but its own, and notes what reaches it."""
    os.setpgid(0, 0)
    reached = []
    signal.signal(signal.SIGUSR1, lambda *_: reached.append(True))
    said = run(asked)
    time.sleep(0.1)
    return "open" if reached else f"alone: {said}"


def run_orphan(asked):
    """The zygote dies, and its child is listened to by somebody else."""
    ours, theirs = socket.socketpair()
    zygote = os.fork()
    if zygote == 0:
        child(asked, lockdown.prepare(), theirs)
        time.sleep(0.4)
        os._exit(0)
    theirs.close()
    os.waitpid(zygote, 0)
    return ours.recv(100).decode() or "gone"


def main(asked):
    if "environment" not in asked["without"] and not environment.is_clean():
        os.execve(sys.executable, [sys.executable, "-I", "-B", *sys.argv], environment.CLEAN)
    reader, writer = os.pipe()
    os.write(writer, b"secret")
    os.dup2(reader, LEFT_OPEN)
    runs = {"signal_the_group": run_group_attack, "outlive_the_zygote": run_orphan}
    sys.stdout.write(runs.get(asked["attack"], run)(asked))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
