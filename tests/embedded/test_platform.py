"""run.py start: the whole platform, started, found running, stopped and killed."""

import re
import sys
import urllib.request

import pytest

from mlplatform.embedded.places import Data
from tests.embedded.conftest import Running, run_py, wait_until_gone

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def start(folder, free_port):
    """Start the platform without its demo; stopped at the end if a test leaves it."""
    started = []

    def start():
        argv = [sys.executable, "run.py", "start", "--no-demo", "--data-dir", str(folder)]
        started.append(Running([*argv, "--port", str(free_port)]))
        return started[-1].wait_for("Ctrl-C stops everything")

    yield start
    for running in started:
        running.close()


def answers(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=10) as answer:
        return answer.status == 200


def test_it_works(folder, free_port, start):
    running = start()
    below = running.below()
    assert answers(free_port)

    again = run_py("start", "--data-dir", str(folder), "--port", str(free_port))
    assert (again.returncode, f"It already runs: http://localhost:{free_port}" in again.stdout) == (
        0,
        True,
    )
    doctor = run_py("doctor", "--data-dir", str(folder))
    assert doctor.returncode == 0, doctor.stdout
    assert "its sandbox is complete" in doctor.stdout
    made = run_py("manage", "createoperator", "--email", "op@example.com", env=named(folder))
    assert "op@example.com is an operator." in made.stdout

    stopped = run_py("stop", "--data-dir", str(folder))
    assert stopped.returncode == 0, stopped.stdout
    assert running.process.wait(timeout=5) == 0
    assert wait_until_gone(below, within=1) == []

    # A second start takes seconds and finds the data again.
    seconds = float(re.search(r"Ready in ([\d.]+) s", start().printed)[1])
    assert seconds < 30
    link = run_py("manage", "loginlink", "op@example.com", env=named(folder))
    assert link.stdout.startswith(f"http://localhost:{free_port}/accounts/link/")


def named(folder):
    return {"MLPLATFORM_DATA_DIR": str(folder)}


def test_kill_9_leaves_nothing(folder, start):
    running = start()
    below = running.below()
    names = " ".join(" ".join(process.cmdline()) for process in below)
    for name in ("postgres", "valkey", "runner", "granian", "celery", "drain_predictions"):
        assert name in names

    running.process.kill()

    assert wait_until_gone(below, within=30) == []
    assert not Data(folder).is_running()


def test_kill_9_of_the_keeper_too_leaves_nothing(start):
    running = start()
    below = running.below()

    running.process.kill()
    below[0].kill()

    assert wait_until_gone(below, within=40) == []
