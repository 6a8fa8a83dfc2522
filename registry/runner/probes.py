"""Trying to break out of a child, from inside: the runner's self-test.

A fence that silently did not come up looks like one that did, so each start of the
runner asks a real child to try. Every probe names the failures it accepts; one that
fails for another reason proves nothing and counts as broken.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import pickle
import resource
import socket
import threading
from collections.abc import Callable

import numpy as np

from registry.runner.environment import CLEAN
from registry.runner.exchange import Request
from registry.runner.lockdown import MAILBOX
from registry.runner.sessions import open_session

DENIED = {errno.EPERM, errno.EACCES, errno.ENOENT}
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
SYS_PTRACE, SYS_UNSHARE, SYS_MEMFD, SYS_NEWFSTATAT, SYS_IO_URING = 101, 272, 319, 262, 425

libc = ctypes.CDLL(None, use_errno=True)
Probe = Callable[[], object]


def answer(requests: list[Request]) -> None:
    """Answers any request with {"broken": {probe: what happened}}; empty is well."""
    for request in requests:
        request.reply({"broken": run()})


def run() -> dict[str, str]:
    broken = {name: _refusal_missing(probe) for name, probe in FORBIDDEN.items()}
    broken |= {name: _failure(probe) for name, probe in REQUIRED.items()}
    return {name: said for name, said in broken.items() if said}


def _refusal_missing(probe: Probe) -> str:
    """Empty when the probe was refused as it should be."""
    try:
        result = probe()
    except MemoryError:
        return ""
    except OSError as error:
        return "" if error.errno in DENIED else f"failed, but with {error}"
    except RuntimeError as error:
        return "" if "start new thread" in str(error) else f"failed, but with {error}"
    return f"succeeded: {result!r}"


def _failure(probe: Probe) -> str:
    try:
        return "" if probe() else "the answer is wrong"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _raw(number: int, *arguments: object) -> int:
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _read_passwords() -> object:
    with open("/etc/passwd") as file:
        return file.readline()


def _read_parents_environment() -> object:
    with open(f"/proc/{os.getppid()}/environ", "rb") as file:
        return file.read(1)


def _write_file() -> object:
    with open("/tmp/breakout", "w") as file:  # noqa: S108  # nosec B108 # it must not work
        return file.name


def _stat_past_the_flag() -> object:
    # A path *and* AT_EMPTY_PATH: a filter that only looks at the flag lets it through.
    room = ctypes.create_string_buffer(256)
    return _raw(SYS_NEWFSTATAT, AT_FDCWD, b"/etc/passwd", room, AT_EMPTY_PATH)


def _fork() -> object:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return pid


def _raise_limit() -> object:
    try:
        return resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    except ValueError as error:  # how Python says that raising it is not allowed
        raise PermissionError(errno.EPERM, str(error)) from None


def _allocate() -> object:
    try:
        return mmap.mmap(-1, 4 << 30)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError from None
        raise


FORBIDDEN: dict[str, Probe] = {
    "read /etc/passwd": _read_passwords,
    "read the parent's environment": _read_parents_environment,
    "list /": lambda: os.listdir("/"),
    "write a file": _write_file,
    "stat a path": lambda: os.stat("/etc/passwd"),
    "TCP": lambda: socket.socket(socket.AF_INET),
    "UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "unix socket": lambda: socket.socket(socket.AF_UNIX),
    "fork": _fork,
    "thread": lambda: threading.Thread(target=int, daemon=True).start(),
    "exec": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
    "signal the parent": lambda: os.kill(os.getppid(), 0),
    "become root": lambda: os.setuid(0),
    "raise a limit": _raise_limit,
    "allocate 4 GiB": _allocate,
}
if os.uname().machine == "x86_64":  # system call numbers differ elsewhere
    FORBIDDEN |= {
        "stat past the flag": _stat_past_the_flag,
        "ptrace": lambda: _raw(SYS_PTRACE, 16, os.getppid(), 0, 0),
        "new namespace": lambda: _raw(SYS_UNSHARE, 0x10000000),
        "memfd": lambda: _raw(SYS_MEMFD, b"x", 0),
        "io_uring": lambda: _raw(SYS_IO_URING, 1, None),
    }


def _environment_is_ours() -> bool:
    # scikit-learn sets two variables of OpenMP, Python one of the locale.
    added = set(os.environ) - set(CLEAN)
    return all(name.startswith(("KMP_", "LC_")) for name in added)


def _holds_only_its_connections() -> bool:
    return _open_descriptors() <= {0, 1, 2, MAILBOX, MAILBOX + 1}


def _open_descriptors() -> set[int]:
    found = set()
    for fd in range(resource.getrlimit(resource.RLIMIT_NOFILE)[0]):
        try:
            fcntl.fcntl(fd, fcntl.F_GETFD)
        except OSError:
            continue
        found.add(fd)
    return found


def _honest_model() -> bool:
    model = pickle.loads(HONEST)  # nosec B301 # a constant, opened inside the sandbox
    return model.predict(np.array([[0.0], [3.0]])).tolist() == [0, 1]


def _honest_pickle() -> bytes:
    from sklearn.linear_model import LogisticRegression

    return pickle.dumps(LogisticRegression().fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]))


def _honest_graph_answers() -> bool:
    session = open_session(GRAPH)
    return session.run(None, {"X": np.array([[1.0, 2.0]])})[0].tolist() == [[2.0, 4.0]]


def _honest_booster_answers() -> bool:
    import xgboost

    model = xgboost.Booster()
    model.load_model(bytearray(BOOSTER))
    answer = model.inplace_predict(np.array([[0.0], [3.0]]))
    return bool(answer[0] < 0.5 < answer[1])


def _honest_graph() -> bytes:
    from onnx import TensorProto, helper

    rows = helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 2])
    answer = helper.make_tensor_value_info("predict", TensorProto.DOUBLE, None)
    nodes = [helper.make_node("Add", ["X", "X"], ["predict"])]
    graph = helper.make_graph(nodes, "twice", [rows], [answer])
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def _honest_booster() -> bytes:
    import xgboost

    rows = xgboost.DMatrix(np.arange(4.0).reshape(-1, 1), [0, 0, 1, 1], nthread=1)
    options = {"nthread": 1, "min_child_weight": 0, "learning_rate": 1.0}
    return bytes(xgboost.train(options, rows, 3).save_raw("ubj"))


HONEST, GRAPH, BOOSTER = _honest_pickle(), _honest_graph(), _honest_booster()

REQUIRED: dict[str, Probe] = {
    "clean environment": _environment_is_ours,
    "no inherited descriptor": _holds_only_its_connections,
    "a sum": lambda: float(np.arange(10.0).sum()) == 45.0,
    "an honest model answers": _honest_model,
    "an honest graph answers": _honest_graph_answers,
    "an honest booster answers": _honest_booster_answers,
}
