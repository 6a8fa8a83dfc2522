"""The virtual environment and what is installed in it."""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mlplatform.embedded.children import die_with, signal
from mlplatform.embedded.console import Trouble, say, step
from mlplatform.embedded.places import PROJECT, Data, can_write, read_json, write_json

LOCKS = {"run": "requirements.lock", "dev": "requirements-dev.lock"}
NEEDED_BYTES = 1_500_000_000
# What pip's log says, what that means, and what helps.
CAUSES = (
    ("No space left on device", "The disk is full.", "free about 1.5 GB"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "The package index's certificate is not trusted here.",
        "set PIP_CERT to your certificate bundle",
    ),
    (
        "Retrying (Retry(total=0,",
        "The package index could not be reached.",
        "check the network; a proxy is set by HTTPS_PROXY, an index of your own by PIP_INDEX_URL",
    ),
    (
        "No matching distribution found",
        "A package has no ready-made wheel for this Python and machine",
        "use Python 3.11 to 3.13 on x86_64 or aarch64 with glibc 2.28 or newer",
    ),
)


def venv_folder(data: Data) -> Path:
    """Beside the code, or with the data when the code's folder is read-only."""
    beside = PROJECT / ".venv"
    return beside if can_write(PROJECT) or is_installed(beside, "run") else data.folder / "venv"


def python(venv: Path) -> str:
    return str(venv / "bin" / "python")


def install(venv: Path, *, kind: str) -> None:
    """Make the environment hold exactly what the lock file of this kind says. Raises Trouble."""
    log = venv / "install.log"
    if is_installed(venv, kind) and works(venv):
        return
    with _alone(venv.parent), step(f"packages from {LOCKS[kind]}"):
        if is_installed(venv, kind) and works(venv):
            return  # another start was quicker
        _check_disk(venv.parent)
        _create(venv, log)
        _pip_install(venv, kind, log)
        known = read_json(venv / "mlplatform.json").get("locks", {})
        stamp = {**_stamp(venv), "locks": {**known, **_digests(kind)}}
        write_json(venv / "mlplatform.json", stamp)


def _stamp(venv: Path) -> dict:
    return {"python": platform.python_version(), "path": str(venv)}


def _digests(kind: str) -> dict[str, str]:
    kinds = ("run",) if kind == "run" else ("run", "dev")
    return {k: hashlib.sha256((PROJECT / LOCKS[k]).read_bytes()).hexdigest() for k in kinds}


def is_installed(venv: Path, kind: str) -> bool:
    """Whether the stamp says that this environment was made from today's lock file."""
    stamp = read_json(venv / "mlplatform.json")
    locks = stamp.pop("locks", {})
    return stamp == _stamp(venv) and _digests(kind).items() <= locks.items()


def works(venv: Path) -> bool:
    try:
        return subprocess.run([python(venv), "-c", ""], timeout=60).returncode == 0
    except OSError:
        return False


def _create(venv: Path, log: Path) -> None:
    stamp = read_json(venv / "mlplatform.json")
    stamp.pop("locks", None)
    if stamp == _stamp(venv) and works(venv):
        return  # only the lock changed
    if venv.exists() and Path(sys.prefix) == venv:
        raise Trouble(
            f"{venv} has to be made again, and this Python runs from it.",
            fix="use the machine's own: /usr/bin/python3 run.py",
        )
    if venv.is_symlink():
        venv.unlink()  # what it leads to is somebody else's
    shutil.rmtree(venv, ignore_errors=True)
    venv.mkdir(parents=True)
    _logged([sys.executable, "-m", "venv", str(venv)], log)
    write_json(venv / "mlplatform.json", _stamp(venv))


def _pip_install(venv: Path, kind: str, log: Path) -> None:
    command = [python(venv), "-m", "pip", "install", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off"]
    _logged([*command, "-r", str(PROJECT / LOCKS[kind])], log)


def _logged(command: list[str], log: Path) -> None:
    with open(log, "ab") as out:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            preexec_fn=die_with(signal.SIGTERM),
        )
    if done.returncode != 0:
        raise _cause(log)


def _cause(log: Path) -> Trouble:
    written = log.read_text(errors="replace")
    errors = [line.strip() for line in written.splitlines() if "ERROR" in line or "rror:" in line]
    for sign, cause, fix in CAUSES:
        if sign in written:
            detail = next((line for line in reversed(errors) if sign in line), "")
            return Trouble(f"{cause} {detail}".strip(), fix=fix, log=log)
    detail = errors[-1] if errors else "see the log"
    return Trouble(f"The packages could not be installed: {detail}", fix="see the log", log=log)


def _check_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise Trouble(
            f"{folder} has {free / 1e9:.1f} GB free; packages need {NEEDED_BYTES / 1e9:.1f} GB.",
            fix="free some space, or put the project on another disk",
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two starts at once must not build the same environment; a folder can be locked as it is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  another run.py is installing the packages; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
