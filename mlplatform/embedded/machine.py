"""What the machine must have, looked at before anything is made."""

import errno
import importlib.util
import os
import platform
import re
import shutil
import socket
import sys
from pathlib import Path

from mlplatform.embedded.console import Trouble
from mlplatform.embedded.places import PROJECT

ELSEWHERE = "use `docker compose up`, or a Linux with glibc (Debian, Ubuntu, Fedora, WSL …)"


def check_system() -> str:
    """Say what we run on. Raises Trouble where the wheels cannot run."""
    if sys.platform != "linux":
        # Not for want of wheels: models are opened only behind the Linux kernel's fences.
        raise Trouble(f"{platform.system()} has no fences to open models behind.", fix=ELSEWHERE)
    name, version = platform.libc_ver()
    if name != "glibc":
        raise Trouble("This Linux has no glibc (musl?), and the wheels need it.", fix=ELSEWHERE)
    if tuple(map(int, version.split(".")[:2])) < (2, 28):
        raise Trouble(f"glibc {version} is too old: the wheels need 2.28.", fix=ELSEWHERE)
    return f"Python {platform.python_version()}, Linux {platform.machine()}, glibc {version}"


def check_venv() -> None:
    """Raises Trouble when this Python cannot make virtual environments (Debian splits that off)."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    major, minor = sys.version_info[:2]
    raise Trouble(
        "This Python cannot make virtual environments: the module ensurepip is missing.",
        fix=f"apt install python3-venv   (or python{major}.{minor}-venv), then start again",
    )


def check_port(host: str, port: int) -> None:
    """Raises Trouble when nothing can listen there, with who holds it if that can be seen."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)  # on Linux two may bind with SO_REUSEADDR, only one may listen
    except (OSError, OverflowError) as error:
        raise _port_trouble(host, port, error) from error


def _port_trouble(host: str, port: int, error: Exception) -> Trouble:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        holder = port_holder(port)
        cause = f"Port {port} is in use{f' by {holder}' if holder else ''}."
        return Trouble(cause, fix=f"choose another one: python3 run.py --port {port + 1}")
    if number == errno.EACCES:
        return Trouble(f"Port {port} needs root.", fix="choose one above 1023: --port 8000")
    return Trouble(f"{host}:{port} cannot be listened on: {error}.", fix="see --host and --port")


def port_holder(port: int) -> str | None:
    """The program that listens on the port, where /proc shows it to us."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target in inodes:
            pid = descriptor.parts[2]
            return f"{_command(pid)} (process {pid})"
    return None


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for columns in map(str.split, lines):
            if columns[3] == "0A" and int(columns[1].rsplit(":", 1)[1], 16) == port:
                found.add(f"socket:[{columns[9]}]")
    return found


def _command(pid: str) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    return " ".join(words).strip()[:80] or "another program"


def memory_bytes() -> int | None:
    """Memory that programs can still have, or None when the system does not say."""
    try:
        found = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def free_bytes(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def project_is_complete() -> bool:
    return (PROJECT / "manage.py").exists() and (PROJECT / "requirements.lock").exists()
