"""What the runner finds out about its own sandbox, and what follows from it."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils.timezone import now

from mlplatform import health
from mlplatform.embedded import runner as embedded
from registry import admission
from registry.runner import probes
from registry.runner.environment import CLEAN
from registry.sandbox import Runner, RunnerUnavailable
from tests.factories import make_version
from tests.hostile.bytes import honest
from tests.registry.conftest import REAL

GAPPY = Path(__file__).parent / "gappy_runner.py"
GAPS = ["inspector: walk through the wall", "graph: walk through the wall"]


@pytest.fixture
def gappy(start_runner):
    """A runner with a gap, as it is or with the override."""
    return lambda *arguments: start_runner(*arguments, program=GAPPY, env=CLEAN)


def test_it_asks_for_twenty_things_that_must_fail_and_some_that_must_not():
    assert len(probes.FORBIDDEN) >= 20
    assert {name for name in probes.REQUIRED if name.startswith("an honest")} == {
        "an honest model answers",
        "an honest graph answers",
        "an honest booster answers",
    }


def test_outside_of_the_sandbox_the_probes_notice():
    broken = {name for name in ("stat a path", "list /", "read /etc/passwd") if _succeeds(name)}

    assert broken == {"stat a path", "list /", "read /etc/passwd"}


def _succeeds(name):
    return probes._refusal_missing(probes.FORBIDDEN[name]).startswith("succeeded")


def test_with_a_gap_nothing_is_opened(gappy, artifact):
    runner = Runner(gappy().socket_path)

    with pytest.raises(RunnerUnavailable) as refused:
        runner.scan(artifact(honest()), deadline=10)

    fences = runner.status()["fences"]
    assert refused.value.code == "sandbox_incomplete"
    assert "walk through the wall" in refused.value.reason
    assert "ALLOW_INCOMPLETE_SANDBOX=yes" in refused.value.reason
    assert (fences["complete"], list(fences["broken"])) == (False, GAPS)


def test_with_a_gap_an_upload_is_rejected(gappy, alice, organization):
    version = make_version(organization, alice)

    with override_settings(RUNNER_SOCKET=gappy().socket_path):
        admission.admit(version.pk, at=now())

    version.refresh_from_db()
    assert (version.status, version.reason_code) == ("rejected", "sandbox_incomplete")
    assert "the sandbox has gaps" in version.reason


def test_the_override_opens_and_is_loud(gappy, artifact):
    path = gappy("--allow-incomplete-sandbox=yes").socket_path
    runner = Runner(path)

    assert runner.scan(artifact(honest()), deadline=10)["format"] == "sklearn"
    status = runner.status()
    assert status["fences"]["allowed_incomplete"]
    assert health._status_of_runner(status)["status"] == "error"
    assert embedded.describe(status).startswith("ITS SANDBOX HAS GAPS (inspector: walk through")


@pytest.mark.parametrize("said", ["true", "1", ""])
def test_the_override_is_yes_or_no(said):
    command = [sys.executable, "-I", "-B", str(REAL), "--socket", "/nonexistent/socket"]
    ended = subprocess.run(
        [*command, f"--allow-incomplete-sandbox={said}"], env=CLEAN, capture_output=True, text=True
    )

    assert ended.returncode == 2
    assert "invalid choice" in ended.stderr
