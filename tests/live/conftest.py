"""The whole platform, started once as a person starts it, on servers and data of its own.

It stands alone: nothing of Django is imported here, and the tests speak HTTP only.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
OUR_SETTINGS = (
    "DATABASE_URL",
    "REDIS_URL",
    "CACHE_URL",
    "DATA_DIR",
    "SITE_URL",
    "RUNNER_SOCKET",
    "EMAIL_URL",
)


@dataclass(frozen=True)
class Platform:
    """A running platform and its demo account."""

    url: str
    folder: Path
    printed: str
    email: str
    password: str
    api_key: str

    def logs(self) -> str:
        return "\n".join(log.read_text() for log in (self.folder / "logs").iterdir())


@pytest.fixture(scope="session")
def platform():
    """Start it before the first test that asks, stop it after the last."""
    folder = Path(tempfile.mkdtemp(prefix="mlp-")) / "data"
    folder.parent.chmod(0o711)  # root's servers run as nobody and have to get there
    environment = {k: v for k, v in os.environ.items() if k not in OUR_SETTINGS}
    process = subprocess.Popen(
        [sys.executable, "run.py", "start", "--data-dir", str(folder), "--port", str(free_port())],
        cwd=PROJECT,
        env={
            **environment,
            "ADMISSION_DEADLINE_SECONDS": "15",  # an endless file takes no longer
            "RATE_LIMIT_PER_MINUTE": "10000",  # tests follow many uploads at once
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield started(process, folder)
    finally:
        process.terminate()
        process.communicate(timeout=60)
        shutil.rmtree(folder.parent)


def started(process, folder):
    printed = ""
    while "Ctrl-C stops everything" not in printed:
        line = process.stdout.readline()
        assert line, f"it did not start:\n{printed}"
        printed += line
    demo = json.loads((folder / "demo.json").read_text())
    return Platform(
        url=json.loads((folder / "state.json").read_text())["url"],
        folder=folder,
        printed=printed,
        email=demo["email"],
        password=demo["password"],
        api_key=demo["api_key"],
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.timeout(300))
