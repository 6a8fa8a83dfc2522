"""Where things are: the project, the data folder and what is remembered in it."""

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlplatform.embedded.console import Trouble

PROJECT = Path(__file__).resolve().parents[2]
MARKER = ".mlplatform"
# A socket's path may have 107 bytes; this is the longest name we add.
LONGEST_SOCKET_FOLDER = 107 - len("/postgres/.s.PGSQL.5432.lock")


def is_root() -> bool:
    return os.geteuid() == 0


def server_account() -> pwd.struct_passwd | None:
    """Who PostgreSQL and Valkey run as: nobody when we are root (PostgreSQL refuses root)."""
    return pwd.getpwnam("nobody") if is_root() else None


def data_folder(asked: str | None) -> Path:
    """Where this installation keeps its data: as asked, as MLPLATFORM_DATA_DIR says, or ours."""
    named = asked or os.environ.get("MLPLATFORM_DATA_DIR")
    if named:
        return Path(named).expanduser().absolute()
    if is_root():
        short = hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:8]
        return Path("/var/lib/mlplatform") / short
    return PROJECT / ".data"


@dataclass(frozen=True)
class Data:
    """The data folder. Everything in it is ours, and `reset` deletes exactly it."""

    folder: Path

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def mail(self) -> Path:
        """Where mails are kept while there is no server to send them by."""
        return self.folder / "mail"

    @property
    def demo(self) -> Path:
        return self.folder / "demo.json"

    @property
    def is_ours(self) -> bool:
        return (self.folder / MARKER).exists()

    def create(self) -> None:
        """Make the folder and mark it as ours. Raises Trouble when it cannot be ours."""
        try:
            self._create()
        except OSError as error:
            raise Trouble(
                f"The data folder {self.folder} cannot be written: {error.strerror}.",
                fix="choose another one: --data-dir /path/to/folder",
            ) from error

    def _create(self) -> None:
        if not self.is_ours and self.folder.is_dir() and any(self.folder.iterdir()):
            raise Trouble(
                f"The data folder {self.folder} is not empty and was not made by mlplatform.",
                fix="choose an empty one: --data-dir /path/to/folder",
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        # Root's servers run as nobody and must be able to walk through, not to list.
        self.folder.chmod(0o711 if is_root() else 0o700)
        (self.folder / MARKER).touch()
        make_private(self.logs)

    def secrets(self) -> dict[str, str]:
        """The secrets of this installation, made on the first call."""
        names = ("SECRET_KEY", "JWT_SIGNING_KEY", "POSTGRES_PASSWORD")
        known = read_json(self.folder / "secrets.json")
        if any(name not in known for name in names):
            known = {name: known.get(name) or secrets.token_urlsafe(48) for name in names}
            write_json(self.folder / "secrets.json", known)
        return known

    def state(self) -> dict:
        return read_json(self.folder / "state.json")

    def remember(self, **facts: object) -> None:
        write_json(self.folder / "state.json", {**self.state(), **facts})

    @contextlib.contextmanager
    def lock(self) -> Iterator[int | None]:
        """Hold the folder's lock; None when a running platform holds it.

        The kernel drops the lock with its last holder, so unlike a pid file it is never stale.
        """
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield descriptor
        except BlockingIOError:
            yield None
        finally:
            os.close(descriptor)

    def is_running(self) -> bool:
        if not self.is_ours:
            return False
        with self.lock() as held:
            return held is None


def sockets_for(data: Data) -> Path:
    """A private folder for sockets, short enough for the kernel."""
    inside = data.folder / "run"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
        folder = inside
    else:
        folder = _remembered(data) or Path(tempfile.mkdtemp(prefix="mlp-", dir="/tmp"))  # nosec B108 # by mkdtemp
    data.remember(sockets=str(folder))
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711 if is_root() else 0o700)
    return folder


def _remembered(data: Data) -> Path | None:
    # /tmp is everybody's: take the folder again only when it is still ours and not a link.
    folder = Path(data.state().get("sockets", "/nowhere"))
    ours = not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.geteuid()
    return folder if ours and folder.name.startswith("mlp-") else None


def forget_sockets(data: Data) -> None:
    """Remove the socket folder when it lives outside the data folder."""
    folder = _remembered(data)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def make_private(folder: Path, owner: pwd.struct_passwd | None = None) -> Path:
    """A folder only its owner can enter."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    if owner and folder.stat().st_uid != owner.pw_uid:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def write_json(path: Path, content: dict) -> None:
    write_private(path, json.dumps(content, indent=2))


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; only its owner may read it."""
    draft = path.with_name(path.name + ".new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    draft.replace(path)


def can_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)
