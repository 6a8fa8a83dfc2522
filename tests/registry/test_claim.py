"""One worker admits a version; one that was taken for dead changes nothing any more"""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils.timezone import now
from sklearn.ensemble import RandomForestClassifier

from registry import admission, heartbeat
from registry.errors import ClaimLost
from registry.models import ModelVersion
from registry.sandbox import Runner
from registry.tasks import request_waiting
from tests.artifacts import data
from tests.factories import dumped, make_version

ROOT = Path(__file__).parent.parent.parent
WORKER = """
import sys, django
django.setup()
from django.utils.timezone import now
from registry import admission
admission.admit(sys.argv[1], at=now())
"""


def test_two_workers_do_not_admit_the_same_version(alice, organization):
    version = make_version(organization, alice)

    assert ModelVersion.objects.all().claim(version.pk, at=now())
    assert not ModelVersion.objects.all().claim(version.pk, at=now())


def test_a_sign_of_life_keeps_it(alice, organization):
    version = make_version(organization, alice)
    claim = ModelVersion.objects.all().claim(version.pk, at=now() - timedelta(minutes=1))
    assert request_waiting(at=now()) == 1

    ModelVersion.objects.all().renew(version.pk, claim=claim, at=now())

    assert request_waiting(at=now()) == 0
    assert request_waiting(at=now() + ModelVersion.LEASE * 2) == 1


def test_a_claim_of_the_release_before_ends_too(alice, organization):
    """It gave no sign of life, only when it began."""
    version = make_version(organization, alice)
    begun = ModelVersion.objects.filter(pk=version.pk)
    begun.update(status="inspecting", inspecting_since=now(), seen_at=None)

    assert request_waiting(at=now()) == 0
    assert request_waiting(at=now() + ModelVersion.LEASE * 2) == 1


@pytest.mark.parametrize("act", ["write_steps", "reject", "wait", "recognize"])
def test_a_worker_that_comes_back_changes_nothing(alice, organization, act):
    version = make_version(organization, alice)
    ModelVersion.objects.all().claim(version.pk, at=now() - timedelta(minutes=1))
    stalled = ModelVersion.objects.get(pk=version.pk)
    ModelVersion.objects.all().claim(version.pk, at=now())
    before = ModelVersion.objects.filter(pk=version.pk).values().get()

    options = {"code": "hostile", "reason": "x"} if act in ("reject", "wait") else {}
    arguments = [{"format": "onnx"}] if act == "recognize" else []
    with pytest.raises(ClaimLost):
        getattr(stalled, act)(*arguments, **options)

    assert ModelVersion.objects.filter(pk=version.pk).values().get() == before


def test_an_admission_that_was_overtaken_ends_quietly(alice, organization, monkeypatch):
    """The second worker takes over while the first one waits for its child."""
    version = make_version(organization, alice)
    inspect = Runner.inspect

    def stall(*arguments, **options):
        monkeypatch.setattr(Runner, "inspect", inspect)
        admission.admit(version.pk, at=now() + ModelVersion.LEASE * 2)
        return inspect(*arguments, **options)

    monkeypatch.setattr(Runner, "inspect", stall)
    admission.admit(version.pk, at=now())

    version.refresh_from_db()
    assert (version.status, version.attempts) == ("ready", 2)
    assert version.model.aliases.get().version == version


def worker(version, own_stores):
    """A process of its own that admits the version, on this test's database and storage."""
    database = connection.settings_dict["NAME"]
    url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{database}"
    env = {**os.environ, "DATABASE_URL": url, "DATA_DIR": str(own_stores),
           "RUNNER_SOCKET": settings.RUNNER_SOCKET}  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-c", WORKER, str(version.pk)]
    return subprocess.Popen(command, cwd=ROOT, env=env)


def wait_for(version, state):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        version.refresh_from_db()
        if {step["name"]: step["state"] for step in version.steps}["opened"] == state:
            return
        time.sleep(0.01)
    raise AssertionError(version.steps)


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_is_followed_by_another(alice, organization, own_stores):
    forest = RandomForestClassifier(100, random_state=0).fit(*data("digits"))
    version = make_version(organization, alice, content=dumped(forest))

    with worker(version, own_stores) as process:
        wait_for(version, "running")
        process.send_signal(signal.SIGKILL)

    assert version.status == "inspecting"
    assert request_waiting(at=now()) == 0
    later = now() + ModelVersion.LEASE
    assert request_waiting(at=later) == 1
    admission.admit(version.pk, at=later)
    version.refresh_from_db()
    assert (version.status, version.attempts) == ("ready", 2)


@pytest.mark.django_db(transaction=True)
def test_a_worker_beats_while_its_child_takes_long(alice, organization, monkeypatch):
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)
    version = make_version(organization, alice)
    long_ago = now() - timedelta(hours=1)
    ModelVersion.objects.all().claim(version.pk, at=long_ago)
    version.refresh_from_db()

    with heartbeat.beating(version):
        time.sleep(0.5)

    version.refresh_from_db()
    assert version.seen_at > now() - timedelta(seconds=5)
    assert version.inspecting_since == long_ago
