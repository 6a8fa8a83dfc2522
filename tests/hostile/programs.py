"""Files whose code runs where they are opened, and tries to get out by every door."""

from textwrap import dedent
from typing import Any

import cloudpickle

from tests.artifacts import Calling
from tests.hostile.bytes import Bait

PRELUDE = """
from registry.runner import scan
scan._watch.active = False  # else that would only tell what is attempted
import ctypes, errno, gc, os, select, signal, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
from sklearn.linear_model import LogisticRegression
import numpy as np
honest = LogisticRegression().fit(np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0]]), [0, 1, 1])
def leave(what):
    raise RuntimeError(f"got away with {what}")
def attempt(act, *given):
    try:
        got = act(*given)
    except BaseException:
        return
    if got not in (-1, 32512):
        leave(f"{act}: {got!r}")
"""


def running(source: str) -> bytes:
    """A file that runs `source` while it is loaded, and is the `model` that it makes.

    cloudpickle carries functions as honest users do, so nothing of it looks like an attack.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(  # makes the function only
        "def run(source):\n    names = {}\n    exec(source, names)\n    return names.get('model')",
        namespace,
    )
    return cloudpickle.dumps(Calling(namespace["run"], dedent(source)))


def estimator(body: str) -> bytes:
    """A file that holds a model of a class of its own; `body` is the class's."""
    source = "import numpy as np\nclass Model:\n    n_features_in_ = 2\n"
    source += "    def predict(self, rows): return np.zeros(len(rows))\n"
    lines = "\n".join(f"    {line}" for line in dedent(body).strip().splitlines())
    return running(f"{source}{lines}\nmodel = Model()")


def within(bait: Bait) -> dict[str, bytes]:
    """Programs that run where the file is opened, and try to get out by every door."""
    secret, folder, port = bait.secret, bait.folder, bait.port
    doors = {
        "reads files": f"""
            attempt(lambda: open({secret!r}).read())
            attempt(lambda: os.open({secret!r}, 0))
            room = ctypes.create_string_buffer(64)
            attempt(libc.syscall, 257, -100, {secret!r}.encode(), 0, 0)
            attempt(libc.syscall, 437, -100, {secret!r}.encode(), room, 24)
            attempt(libc.open, {secret!r}.encode(), 0)
            leave("nothing")
        """,
        "makes folders": f"""
            attempt(os.mkdir, {folder!r})
            attempt(libc.mkdir, {folder!r}.encode(), 0o777)
            attempt(libc.syscall, 83, {folder!r}.encode(), 0o777)
            attempt(libc.syscall, 258, -100, {folder!r}.encode(), 0o777)
            attempt(os.system, "mkdir {folder}")
            leave("nothing")
        """,
        "calls the network": f"""
            attempt(socket.create_connection, ("127.0.0.1", {port}))
            attempt(socket.socket)
            for family in range(0, 46):
                for kind in (1, 2, 3, 5):
                    attempt(libc.syscall, 41, family, kind, 0)
            attempt(socket.getaddrinfo, "example.com", 80)
            leave("nothing")
        """,
        "starts processes": """
            import subprocess, threading
            attempt(os.fork)
            attempt(libc.fork)
            attempt(libc.vfork)
            attempt(libc.syscall, 56, 0, 0, 0, 0, 0)
            attempt(libc.syscall, 56, 0x3D0F00, 0, 0, 0, 0)
            attempt(subprocess.run, ["true"])
            attempt(os.execv, "/bin/true", ["true"])
            attempt(os.posix_spawn, "/bin/true", ["true"], {})
            attempt(lambda: threading.Thread(target=int).start())
            leave("nothing")
        """,
        "harms its parents": """
            for pid in (0, -1, 1, os.getppid()):
                attempt(os.kill, pid, signal.SIGKILL)
                attempt(libc.syscall, 62, pid, 9)
                attempt(libc.syscall, 200, pid, 9)
                attempt(libc.syscall, 234, pid, pid, 9)
                attempt(libc.syscall, 434, pid, 0)
                attempt(libc.syscall, 101, 16, pid, 0, 0)
                attempt(libc.syscall, 101, 0x4206, pid, 0, 0)
            leave("nothing")
        """,
        "asks the kernel for more": """
            for number in (425, 426, 319, 321, 298, 323, 272, 308, 165, 155, 161, 250, 248, 246,
                           175, 105, 106, 113, 126, 302, 303, 304, 310, 311, 435, 446, 444, 157):
                attempt(libc.syscall, number, 1, 0, 0, 0, 0)
            leave("nothing")
        """,
        "lifts its limits": """
            import resource
            for limit in range(16):
                attempt(resource.setrlimit, limit, (-1, -1))
            attempt(os.setuid, 0)
            attempt(os.setgid, 0)
            attempt(os.setgroups, [0])
            leave("nothing")
        """,
        "looks around in memory": """
            found = [one for one in gc.get_objects() if isinstance(one, str) and "MARKER-OF-" in one]
            found += [value for value in os.environ.values() if "MARKER-OF-" in value]
            leave(found[:1] or "nothing")
        """,
        "takes memory": "held = [bytearray(64 << 20) for _ in range(4096)]",
        "takes memory slowly": "held = []\nwhile True: held.append('x' * 4096 + str(len(held)))",
        "maps memory": "import mmap\nheld = [mmap.mmap(-1, 1 << 30) for _ in range(4096)]",
        "takes descriptors": "held = [os.dup(0) for _ in range(100_000)]",
        "floods the standard streams": """
            for _ in range(4096):
                for fd in (0, 1, 2):
                    try:
                        os.write(fd, b"x" * 65536)
                    except OSError:
                        pass
            leave("nothing")
        """,
        "closes everything": "os.closerange(0, 65536)",
        "closes its connections": "os.closerange(3, 65536)\nmodel = honest",
        "copies descriptors around": """
            for fd in range(3, 8):
                for to in range(3, 8):
                    try:
                        os.dup2(fd, to)
                    except OSError:
                        pass
        """,
        "reads its connections away": """
            for fd in range(3, 8):
                try:
                    os.read(fd, 1 << 20)
                except OSError:
                    pass
            model = honest
        """,
        "sys.exit": "sys.exit(0)",
        "os._exit": "os._exit(0)",
        "abort": "os.abort()",
        "a segmentation fault": "ctypes.string_at(0)",
        "KeyboardInterrupt": "raise KeyboardInterrupt",
        "GeneratorExit": "raise GeneratorExit",
        "MemoryError": "raise MemoryError('x' * 1000)",
        "an exception that cannot be written": """
            class Odd(BaseException):
                def __str__(self): raise Odd
                __repr__ = __str__
            raise Odd
        """,
        "an exception full of tricks": """
            raise ValueError("\\x1b[31m<script>\\u202e\\x00\\ud800" + "x" * 10_000_000)
        """,
        "recursion without end": """
            sys.setrecursionlimit(1 << 30)
            def down(): return down()
            down()
        """,
        "a hostile frame for the mailbox": "os.write(3, b'x' * 4096)\nmodel = honest",
    }
    return {one: running(PRELUDE + dedent(source)) for one, source in doors.items()}
