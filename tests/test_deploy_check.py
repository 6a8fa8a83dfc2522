"""What an unsafe start is, and that a start meant for production is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management.utils import get_random_secret_key

from mlplatform.checks import check_safety, is_local, is_public, refuse_unsafe_start

ROOT = Path(__file__).parent.parent
PRODUCTION = {
    "SITE_URL": "https://ml.example.com",
    "DEBUG": "false",
    "SECRET_KEY": get_random_secret_key(),
    "JWT_SIGNING_KEY": get_random_secret_key(),
}


def python(*arguments, **changes):
    environment = {**os.environ, **PRODUCTION, **changes}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def check_deploy(**changes):
    return python("manage.py", "check", "--deploy", "--fail-level", "WARNING", **changes)


def test_it_works():
    done = check_deploy()

    assert (done.returncode, done.stdout.strip()) == (
        0,
        "System check identified no issues (0 silenced).",
    ), done.stderr


@pytest.mark.parametrize("program", [["-c", "import mlplatform.wsgi"], ["manage.py", "migrate"]])
def test_nothing_starts_unsafely(program):
    guessable = "change-me-change-me-change-me-change-me"
    secrets = {"SECRET_KEY": guessable, "JWT_SIGNING_KEY": guessable}

    done = python(*program, DEBUG="true", ALLOWED_HOSTS="*", **secrets)

    assert done.returncode == 1
    for code in ("E001", "E002", "E003", "E005"):
        assert f"mlplatform.{code}" in done.stderr


@pytest.mark.parametrize("program", ["worker", "beat"])
def test_celery_does_not_start_unsafely(program, tmp_path):
    schedule = ["--schedule", str(tmp_path / "beat")] if program == "beat" else []
    command = ["-m", "celery", "-A", "mlplatform.celery", "--skip-checks", program, *schedule]

    done = python(*command, DEBUG="true")

    assert done.returncode == 1
    assert "mlplatform.E001" in done.stderr


def test_a_short_secret_is_refused():
    done = python("-c", "import mlplatform.wsgi", SECRET_KEY="too short")

    assert done.returncode == 1
    assert "SECRET_KEY" in done.stderr


def found():
    return [message.id for message in check_safety()]


def test_public_http_is_warned_of(settings):
    settings.SITE_URL = "http://ml.example.com"
    assert found() == ["mlplatform.W001"]
    refuse_unsafe_start()  # a warning is no refusal

    settings.ALLOW_INSECURE_HTTP = True
    assert found() == []


def test_no_host_is_refused(settings):
    settings.ALLOWED_HOSTS = []

    assert found() == ["mlplatform.E004"]


def test_debug_is_for_this_machine(settings):
    settings.DEBUG = True
    assert found() == []

    settings.SITE_URL = "http://10.0.0.5"
    assert found() == ["mlplatform.E001"]


@pytest.mark.parametrize("host", ["localhost", "ml.localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_local_hosts(host):
    assert is_local(host)
    assert not is_public(host)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("ml.example.com", True), ("8.8.8.8", True), ("10.0.0.5", False), ("intranet", False)],
)
def test_public_hosts(host, expected):
    assert not is_local(host)
    assert is_public(host) is expected
