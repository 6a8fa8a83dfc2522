"""The embedded PostgreSQL: made once, started on a unix socket only."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from urllib.parse import quote

from mlplatform.embedded import binaries
from mlplatform.embedded.children import Child, Program, Supervisor
from mlplatform.embedded.console import Trouble
from mlplatform.embedded.places import Data, make_private, server_account, write_private

USER = DATABASE = "mlplatform"
LOCALE = "C.UTF-8"  # a fresh machine may have no other
SETTINGS = {
    "listen_addresses": "",  # no TCP: nothing to clash with, nothing to firewall
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",  # our queries are short; compiling them costs more than it saves
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_duration_statement": "1s",
    "synchronous_commit": "on",
}
# A throw-away cluster may lose everything with the machine.
THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL server of ours: its programs, folders and password."""

    server: Path
    folder: Path
    sockets: Path
    password: str
    throw_away: bool = False

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"postgres://{USER}:{self.password}@{quote(str(self.sockets), safe='')}/{DATABASE}"

    def initialise(self, supervisor: Supervisor) -> None:
        """Make the cluster if there is none. Raises Trouble when another major version made it."""
        if self.data.exists():
            self._check_version()
            return
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)  # a first start that was killed
        options = ["--no-locale", "--encoding=UTF8", "--no-instructions", "--auth=scram-sha-256"]
        options += ["--username", USER, "--pgdata", str(draft)]
        options += ["--no-sync"] if self.throw_away else []
        with self._password_file() as path:
            supervisor.run(self._program("initdb", [*options, f"--pwfile={path}"]), within=120)
        draft.rename(self.data)

    @contextmanager
    def _password_file(self) -> Iterator[Path]:
        path, account = self.folder / "password", server_account()
        path.unlink(missing_ok=True)
        write_private(path, self.password + "\n")
        if account:
            os.chown(path, account.pw_uid, account.pw_gid)
        yield path
        path.unlink()

    def _check_version(self) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        runs = (binaries.version(self.server) or "").split(" ")[-1]
        if made_by != runs.split(".")[0]:
            raise Trouble(
                f"The data in {self.data} was made by PostgreSQL {made_by}; this is {runs}.",
                fix=f"upgrade it with pg_upgrade, or set DATABASE_URL to a PostgreSQL {made_by}",
            )

    def start(self, supervisor: Supervisor) -> None:
        """Start it and wait until it answers. Raises Trouble when it does not."""
        _wait_for_predecessor(self.data / "postmaster.pid", supervisor)
        settings = {**SETTINGS, **(THROW_AWAY if self.throw_away else {})}
        argv = ["-D", str(self.data), "-k", str(self.sockets)]
        argv += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        # SIGINT is PostgreSQL's fast shutdown: sessions are ended, nothing has to be recovered.
        child = supervisor.start(
            self._program("postgres", argv, stop_signal=signal.SIGINT, stop_within=30)
        )
        supervisor.until(self._answers(child), child=child, within=60)
        self._create_database(supervisor)

    def _answers(self, child: Child) -> Callable[[], bool]:
        # Asked only once the socket is there: each question is a program to start.
        asks = [str(self.server.with_name("pg_isready")), "-q", "-h", str(self.sockets)]
        there = self.sockets / ".s.PGSQL.5432"
        return lambda: (
            there.exists() and subprocess.run(asks, env=child.program.env).returncode == 0
        )

    def _create_database(self, supervisor: Supervisor) -> None:
        asks = ["-h", str(self.sockets), "-U", USER, "-d", "postgres", "-tAqc"]
        exists = f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"  # noqa: S608  # nosec B608 # a constant
        if not supervisor.run(self._program("psql", [*asks, exists]), within=30).strip():
            supervisor.run(self._program("psql", [*asks, f"CREATE DATABASE {DATABASE}"]), within=30)

    def _program(self, name: str, argv: list[str], **how: object) -> Program:
        account = server_account()
        return Program(
            name=name,
            argv=[str(self.server.with_name(name)), *argv],
            env={"PATH": os.defpath, "LC_ALL": LOCALE, "PGPASSWORD": self.password},
            cwd=self.folder,
            uid=account.pw_uid if account else None,
            gid=account.pw_gid if account else None,
            **how,
        )


def cluster_for(data: Data, sockets: Path, venv: Path, *, throw_away: bool = False) -> Cluster:
    """The cluster of this data folder, with its folders made. Raises Trouble."""
    server = binaries.find("postgres", venv=venv)
    server = binaries.for_server_account(server, venv=venv, data=data)
    account = server_account()
    return Cluster(
        server=server,
        folder=make_private(data.folder / "postgres", account),
        sockets=make_private(sockets / "postgres", account),
        password=data.secrets()["POSTGRES_PASSWORD"],
        throw_away=throw_away,
    )


def _wait_for_predecessor(pid_file: Path, supervisor: Supervisor, within: float = 30) -> None:
    # After kill -9 of everything above it, the old server may still be writing its last checkpoint.
    deadline = monotonic() + within
    while _runs(pid_file):
        if monotonic() > deadline:
            raise Trouble(
                f"Another PostgreSQL still runs on {pid_file.parent}.",
                fix=f"end the process named in the first line of {pid_file}",
            )
        supervisor.pause(0.05)


def _runs(pid_file: Path) -> bool:
    try:
        pid = int(pid_file.read_text().split("\n")[0])
        command = Path(f"/proc/{pid}/comm").read_text()
    except (OSError, ValueError):
        return False
    return command.startswith("postgres")
