"""`run.py doctor`: each thing the platform needs, with a tick or its cause and fix."""

import os
from collections.abc import Callable
from pathlib import Path

from mlplatform.embedded import binaries, fences, machine, packages, runner
from mlplatform.embedded.console import Trouble, verdict
from mlplatform.embedded.environment import Address
from mlplatform.embedded.places import LONGEST_SOCKET_FOLDER, PROJECT, Data, can_write, is_root

LEAST_MEMORY = 1_500_000_000
LEAST_DISK = 2_000_000_000


def look_at(data: Data, address: Address) -> bool:
    """Print one line for each thing; True when all is well."""
    venv = packages.venv_folder(data)
    questions = [
        machine.check_system,
        _venv_module,
        lambda: _packages(venv),
        lambda: _program("postgres", venv),
        lambda: _program("valkey-server", venv),
        lambda: _disk(data),
        _memory,
        lambda: _writable(data),
        lambda: _sockets(data),
        lambda: _port(data, address),
        lambda: _running(data),
    ]
    # All are asked, so that one look shows everything.
    good = [_ask(question) for question in questions]
    return False not in [*good, *_fences(data)]


def _fences(data: Data) -> list[bool]:
    """The sandbox's fences: as a running runner found them, else as the kernel gives them."""
    found = runner.status(_runner_socket(data)) if data.is_running() else None
    told = list(fences.lines((found or {}).get("fences") or fences.of_this_kernel()))
    for good, line in told:
        verdict(good, f"fence: {line}", "allow seccomp (containers: the default profiles do)")
    for name, what in (found or {}).get("fences", {}).get("broken", {}).items():
        told.append((False, name))
        verdict(False, f"fence with a gap: {name}: {what}", f"see {data.logs / 'runner.log'}")
    return [good for good, _ in told]


def _runner_socket(data: Data) -> Path:
    return Path(data.state().get("sockets", "")) / "runner" / "runner.sock"


def _ask(question: Callable[[], str]) -> bool:
    try:
        verdict(True, question())
    except Trouble as trouble:
        verdict(False, trouble.cause, trouble.fix)
        return False
    return True


def _venv_module() -> str:
    machine.check_venv()
    return "can make virtual environments"


def _packages(venv: Path) -> str:
    kinds = [kind for kind in ("run", "dev") if packages.is_installed(venv, kind)]
    if not kinds:
        return "packages: not installed yet; the first start does it"
    if not packages.works(venv):
        raise Trouble(f"{venv} is broken.", fix="remove it; the next start makes it again")
    return f"packages: as locked, in {venv}{' with development tools' if 'dev' in kinds else ''}"


def _program(name: str, venv: Path) -> str:
    if not venv.exists():
        return f"{name}: comes with the packages"
    binary = binaries.find(name, venv=venv)
    return f"{name}: {binaries.version(binary) or 'will be copied beside the data'} ({binary})"


def _disk(data: Data) -> str:
    for folder in (PROJECT, data.folder):
        if machine.free_bytes(folder) < LEAST_DISK:
            raise Trouble(
                f"{folder} has {machine.free_bytes(folder) / 1e9:.1f} GB free.",
                fix=f"free some space: packages and data need {LEAST_DISK / 1e9:.0f} GB",
            )
    return f"disk: {machine.free_bytes(data.folder) / 1e9:.0f} GB free"


def _memory() -> str:
    free = machine.memory_bytes()
    if free is None:
        return "memory: this system does not say"
    if free < LEAST_MEMORY:
        raise Trouble(
            f"Only {free / 1e9:.1f} GB of memory is free; the platform takes about 1.2 GB.",
            fix="end other programs, or use a larger machine",
        )
    return f"memory: {free / 1e9:.1f} GB free"


def _writable(data: Data) -> str:
    folder = data.folder
    while not folder.exists():
        folder = folder.parent
    if not can_write(folder):
        raise Trouble(f"{folder} cannot be written.", fix="choose another one with --data-dir")
    note = "" if can_write(PROJECT) else "; the project is read-only, so the packages go there too"
    return f"data folder: {data.folder}{note}"


def _sockets(data: Data) -> str:
    short = len(os.fsencode(data.folder / "run")) <= LONGEST_SOCKET_FOLDER
    folder = data.folder / "run" if short else Path("/tmp")  # noqa: S108  # nosec B108 # looked at only
    if not short and not can_write(folder):
        raise Trouble(f"{folder} cannot be written.", fix="choose a shorter --data-dir")
    who = ", servers run as nobody" if is_root() else ""
    return f"sockets: in {folder}{'' if short else ' (the data folder has a long path)'}{who}"


def _port(data: Data, address: Address) -> str:
    if data.is_running():
        return f"port: in use by this platform ({data.state().get('url')})"
    machine.check_port(address.host, address.port)
    return f"port: {address.port} is free"


def _running(data: Data) -> str:
    if not data.is_running():
        return "not running"
    found = runner.status(_runner_socket(data))
    if found is None:
        raise Trouble("The runner does not answer.", fix=f"see {data.logs / 'runner.log'}")
    if not found.get("fences", {}).get("complete"):
        raise Trouble(
            f"The runner answers, but {runner.describe(found)}.",
            fix="allow seccomp and user-owned processes (containers: the default profiles do)",
        )
    return (
        f"running; the runner answers and {runner.describe(found)}; {runner.describe_hosts(found)}"
    )
