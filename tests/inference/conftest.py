import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from django.conf import settings as django_settings
from django.db import connection

from inference import hosts, prediction_log
from tests.factories import make_ready_version

# Unmanaged tables are not emptied by pytest-django: what a test has committed is deleted here.
EMPTY = "TRUNCATE inference_prediction"


@pytest.fixture
def runner():
    """The real runner, and no connection to it yet."""
    yield
    hosts.pool.clear()


@pytest.fixture
def iris(alice, organization, spool, runner):
    return make_ready_version(organization, alice).model


@pytest.fixture
def predict(client_of):
    """Ask as `user`, with `body` as it is or as JSON."""

    def ask(user, model, body, query="", client=None, **headers):
        client = client or client_of(user)
        body = body if isinstance(body, bytes) else orjson.dumps(body)
        url = f"/api/v1/predict/{model}{query}"
        return client.generic("POST", url, body, content_type="application/json", headers=headers)

    return ask


@pytest.fixture
def spool(settings, tmp_path):
    """An empty spool directory, and this process writing to it."""
    prediction_log.spool.close()
    settings.SPOOL_DIR = tmp_path / "spool"
    yield settings.SPOOL_DIR
    prediction_log.spool.close()


@pytest.fixture
def committed(transactional_db):
    """The table, for tests whose rows other processes write or read."""
    yield
    with connection.cursor() as cursor:
        cursor.execute(EMPTY)


@pytest.fixture
def run_python(spool):
    """Start a Python of its own with our settings, the test's spool and the test's database."""

    def start(code, *arguments):
        preamble = (
            "import os, sys, django\n"
            "from django.conf import settings\n"
            f"settings.DATABASES['default']['NAME'] = {connection.settings_dict['NAME']!r}\n"
            "django.setup()\n"
        )
        environment = {**os.environ, "SPOOL_DIR": str(spool)}
        environment["DJANGO_SETTINGS_MODULE"] = "mlplatform.settings"
        root = Path(django_settings.BASE_DIR)
        command = [sys.executable, "-c", preamble + code, *map(str, arguments)]
        return subprocess.Popen(
            command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    return start
