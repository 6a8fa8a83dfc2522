"""The embedded Valkey: broker and cache in one server, on a unix socket only."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from mlplatform.embedded import binaries
from mlplatform.embedded.children import Program, Supervisor
from mlplatform.embedded.places import Data, make_private, server_account

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "databases": "64",  # one a test process
    "maxmemory": "256mb",
    "maxmemory-policy": "volatile-lru",  # queues have no expiry and are never evicted
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "daemonize": "no",
}


@dataclass(frozen=True)
class Store:
    """One Valkey server of ours."""

    server: Path
    folder: Path
    sockets: Path
    throw_away: bool = False

    @property
    def socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def url(self, database: int) -> str:
        return f"unix://{self.socket}?db={database}"

    def start(self, supervisor: Supervisor) -> None:
        """Start it and wait until it answers PING. Raises Trouble when it does not."""
        settings = {**SETTINGS, "dir": str(self.folder), "unixsocket": str(self.socket)}
        if self.throw_away:
            settings["appendonly"] = "no"
        account = server_account()
        program = Program(
            name="valkey",
            argv=[str(self.server), *[p for k, v in settings.items() for p in (f"--{k}", v)]],
            env={"PATH": os.defpath, "LC_ALL": "C"},
            cwd=self.folder,
            uid=account.pw_uid if account else None,
            gid=account.pw_gid if account else None,
        )
        child = supervisor.start(program)
        supervisor.until(lambda: answers_ping(self.socket), child=child, within=60)


def store_for(data: Data, sockets: Path, venv: Path, *, throw_away: bool = False) -> Store:
    """The store of this data folder, with its folders made. Raises Trouble."""
    server = binaries.find("valkey-server", venv=venv)
    account = server_account()
    return Store(
        server=binaries.for_server_account(server, venv=venv, data=data),
        folder=make_private(data.folder / "valkey", account),
        sockets=make_private(sockets / "valkey", account),
        throw_away=throw_away,
    )


def answers_ping(path: Path) -> bool:
    """Whether the server has loaded its data and answers (it says LOADING until then)."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False
