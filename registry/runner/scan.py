"""What a pickle would import, and what loading it attempts.

Advisory only: every scanner known misses some hostile files. It exists so that
people read "the file would call posix.system" instead of a crash. What keeps
such a file from doing harm is the sandbox this runs in, never this module.
"""

import pickletools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from registry.runner.refusals import Refused

# Walking is pure Python: a few seconds at most, whatever the file holds.
MAX_OPCODES = 2_000_000

_MODULES = """
    os posix nt subprocess _posixsubprocess socket _socket socketserver ssl pty sys ctypes
    _ctypes shutil importlib imp runpy code codeop pdb bdb webbrowser antigravity urllib http
    requests httpx aiohttp ftplib smtplib telnetlib imaplib poplib nntplib xmlrpc
    multiprocessing concurrent threading _thread signal asyncio timeit cProfile profile trace
    pydoc pkgutil zipimport tempfile fileinput platform sysconfig site pip ensurepip setuptools
    distutils venv mmap resource fcntl sqlite3 dbm shelve pickle _pickle marshal gc faulthandler
    django registry mlplatform _io
"""
DENIED_MODULES = frozenset(_MODULES.split())
_BUILTINS = """
    eval exec execfile compile open open_code __import__ input breakpoint globals locals vars
    delattr setattr
"""
DENIED_NAMES = frozenset(
    f"{module}.{name}" for module in ("builtins", "__builtin__", "io") for name in _BUILTINS.split()
)
# A cloudpickle of a lambda builds a plain stream or two; these few are harmless.
ALLOWED_NAMES = frozenset({"_io.BytesIO", "_io.StringIO"})

_EVENTS = """
    os.system os.exec os.fork os.forkpty os.posix_spawn os.spawn os.startfile os.kill os.putenv
    os.remove os.rename os.rmdir os.mkdir os.chmod os.chown os.link os.symlink os.truncate
    subprocess.Popen shutil.rmtree pty.spawn webbrowser.open signal.pthread_kill
    _thread.start_new_thread
"""
DENIED_EVENTS = frozenset(_EVENTS.split())
DENIED_EVENT_GROUPS = ("socket.", "ctypes.", "ftplib.", "http.", "smtplib.", "urllib.")


def imports_of(stream: bytes) -> list[str]:
    """The `module.name`s a pickle stream imports, in order, without running it.

    joblib writes raw arrays between opcodes; the walk ends at the first one that
    does not parse, and `Unpickler.find_class` reports the rest while loading.
    """
    found: dict[str, None] = {}
    strings: list[str] = []
    memo: dict[int, str] = {}
    try:
        for opcode, argument, _ in islice(pickletools.genops(stream), MAX_OPCODES):
            name = _imported(opcode.name, argument, strings)
            if name:
                found[name] = None
            _follow_strings(opcode.name, argument, strings, memo)
    except Exception:
        pass  # the walk has ended; what was found so far is the answer
    return list(found)


def _imported(opcode: str, argument: object, strings: list[str]) -> str | None:
    if opcode in ("GLOBAL", "INST"):
        return str(argument).replace(" ", ".", 1)
    if opcode == "STACK_GLOBAL" and len(strings) >= 2:
        return f"{strings[-2]}.{strings[-1]}"
    return None


def _follow_strings(opcode: str, argument: object, strings: list[str], memo: dict) -> None:
    if isinstance(argument, str) and opcode not in ("GLOBAL", "INST"):
        strings.append(argument)
    elif opcode == "MEMOIZE" and strings:
        memo[len(memo)] = strings[-1]
    elif "PUT" in opcode and strings:
        memo[int(argument)] = strings[-1]
    elif "GET" in opcode and int(argument) in memo:
        strings.append(memo[int(argument)])
    elif opcode == "MEMOIZE":
        memo[len(memo)] = ""
    del strings[:-8]


def refuse_import(name: str) -> None:
    """Raise Refused if a model has no business importing `name` (`module.attribute`)."""
    module = name.partition(".")[0]
    if name in ALLOWED_NAMES:
        return
    if module in DENIED_MODULES or name in DENIED_NAMES:
        raise Refused(
            "hostile", f"The file would call {name} while loading; a model does not need that."
        )


class _Watch:
    """The process's one audit hook; hooks cannot be removed, so it is switched."""

    def __init__(self) -> None:
        self.installed = False
        self.active = False
        self.attempts: list[str] = []

    def __call__(self, event: str, arguments: tuple) -> None:
        if not self.active:
            return
        if event == "pickle.find_class":
            # Also seen for the raw pickles joblib nests inside object arrays.
            refuse_import(f"{arguments[0]}.{arguments[1]}")
        if not _is_denied(event, arguments):
            return
        attempt = _attempt(event, arguments)
        self.attempts.append(attempt)
        raise Refused("hostile", attempt)


_watch = _Watch()


@contextmanager
def watching() -> Iterator[None]:
    """Stop and record what the block attempts; raises Refused if it attempted anything."""
    if not _watch.installed:
        sys.addaudithook(_watch)
        _watch.installed = True
    _watch.attempts.clear()
    _watch.active = True
    try:
        yield
    finally:
        _watch.active = False
        # The file's own code may have swallowed the exception: judge by the record.
        if _watch.attempts:
            raise Refused("hostile", _watch.attempts[0])


def _is_denied(event: str, arguments: tuple) -> bool:
    if event == "open":
        return _is_foreign_path(arguments[0])
    return event in DENIED_EVENTS or event.startswith(DENIED_EVENT_GROUPS)


def _is_foreign_path(path: object) -> bool:
    # Python's own imports open files below its prefix; a descriptor is no path.
    if isinstance(path, bytes):
        path = path.decode(errors="replace")
    if not isinstance(path, str):
        return False
    return not path.startswith((sys.prefix, sys.base_prefix, *filter(None, sys.path)))


def _attempt(event: str, arguments: tuple) -> str:
    shown = (
        f" {arguments[0]!r}"[:100] if arguments and isinstance(arguments[0], str | bytes) else ""
    )
    action = "open" if event == "open" else f"call {event}"
    return f"The file tried to {action}{shown} while loading; a model does not need that."
