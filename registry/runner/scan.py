"""What a pickle would import, and what loading it attempts.

Advisory only: every scanner known misses some hostile files. It exists so that
people read "the file would call posix.system" instead of a crash. What keeps
such a file from doing harm is the sandbox this runs in, never this module.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from registry.runner.pickle_names import denied_name
from registry.runner.pickle_walk import walk
from registry.runner.refusals import Refused

_EVENTS = """
    os.system os.exec os.fork os.forkpty os.posix_spawn os.spawn os.startfile os.kill os.putenv
    os.remove os.rename os.rmdir os.mkdir os.chmod os.chown os.link os.symlink os.truncate
    subprocess.Popen shutil.rmtree pty.spawn webbrowser.open signal.pthread_kill
    _thread.start_new_thread
"""
DENIED_EVENTS = frozenset(_EVENTS.split())
# Not all of ctypes: XGBoost and LightGBM reach their own libraries by it, which are loaded.
DENIED_EVENT_GROUPS = (
    "socket.",
    "ctypes.dlopen",
    "ctypes.PyObj",
    "ftplib.",
    "http.",
    "smtplib.",
    "urllib.",
)


# The report has had its own, longer walk; this one only spares the loading what is plain to see.
SECONDS = 1.0


def imports_of(stream: bytes) -> list[str]:
    """The `module.name`s a pickle stream imports, in order, without running it.

    `Unpickler.find_class` reports what the walk cannot see while loading.
    """
    return [str(name) for name in walk(stream, seconds=SECONDS).uses]


def refuse_imports(stream: bytes) -> list[str]:
    """As `imports_of`, but raises Refused if a model has no business importing one of them."""
    names = list(walk(stream, seconds=SECONDS).uses)
    for name in names:
        refuse_import(name.module, name.attribute)
    return [str(name) for name in names]


def refuse_import(module: str, name: str) -> None:
    """Raise Refused if a model has no business importing `name` from `module`."""
    denied = denied_name(module, name)
    if denied:
        raise Refused(
            "hostile", f"The file would call {denied} while loading; a model does not need that."
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
            refuse_import(str(arguments[0]), str(arguments[1]))
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
    folders = (sys.prefix, sys.base_prefix, *filter(None, sys.path))
    return not path.startswith(tuple(f"{folder.rstrip('/')}/" for folder in folders))


def _attempt(event: str, arguments: tuple) -> str:
    shown = (
        f" {arguments[0]!r}"[:100] if arguments and isinstance(arguments[0], str | bytes) else ""
    )
    action = "open" if event == "open" else f"call {event}"
    return f"The file tried to {action}{shown} while loading; a model does not need that."
