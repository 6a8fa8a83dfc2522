"""The embedded servers, run as a person runs them: by a program of their own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

PROJECT = Path(__file__).resolve().parents[2]
# Only PostgreSQL and Valkey, by the keeper that run.py uses.
SERVERS = """
import sys
from pathlib import Path
from mlplatform.embedded import commands
from mlplatform.embedded.children import keep
from mlplatform.embedded.console import say
from mlplatform.embedded.environment import Address
from mlplatform.embedded.places import Data, forget_sockets
from mlplatform.embedded.processes import Platform

data = Data(Path(sys.argv[1]))
data.create()

def serve(supervisor):
    platform = Platform(data, Path(sys.prefix), Address("127.0.0.1", 1), supervisor)
    platform.start_stores()
    say("READY")
    supervisor.watch()

sys.exit(keep(commands._guarded(serve, data, after=lambda: forget_sockets(data))))
"""


class Running:
    """A program in its own session, its output, and every process below it."""

    def __init__(self, argv, env=None):
        self.process = subprocess.Popen(
            argv,
            cwd=PROJECT,
            env={**clean_environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.printed = ""

    def wait_for(self, text):
        while text not in self.printed:
            line = self.process.stdout.readline()
            assert line, f"ended before it printed {text!r}:\n{self.printed}"
            self.printed += line
        return self

    def below(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.printed += self.process.communicate(timeout=60)[0]
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        self.process.stdout.close()


def clean_environment():
    ours = ("DATABASE_URL", "REDIS_URL", "CACHE_URL", "DATA_DIR", "SITE_URL", "RUNNER_SOCKET")
    return {name: value for name, value in os.environ.items() if name not in ours}


def wait_until_gone(processes, within=20):
    """Names of those that still run at the end of the time."""
    _, alive = psutil.wait_procs(processes, timeout=within)
    return [" ".join(process.cmdline()) for process in alive]


def run_py(*arguments, env=None):
    return subprocess.run(
        [sys.executable, "run.py", *arguments],
        cwd=PROJECT,
        env={**clean_environment(), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )


@pytest.fixture
def folder():
    """A data folder with a short path, which nobody's servers can reach when we are root."""
    parent = Path(tempfile.mkdtemp(prefix="mlp-"))
    parent.chmod(0o711)
    yield parent / "data"
    shutil.rmtree(parent)


@pytest.fixture
def servers(folder):
    """Start PostgreSQL and Valkey on the folder; killed at the end if a test leaves them."""
    started = []

    def start(on=folder):
        started.append(Running([sys.executable, "-c", SERVERS, str(on)]))
        return started[-1].wait_for("READY")

    yield start
    for running in started:
        running.close()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(question, within=20):
    deadline = time.monotonic() + within
    while not question():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
