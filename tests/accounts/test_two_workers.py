"""Two processes of the real server share one limit, and both know of a change at once."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.utils.timezone import now

from accounts import api_keys, members, tokens
from accounts.models import Membership
from accounts.roles import capabilities_of
from accounts.sign_up import register
from accounts.tenancy import Standing
from tests.conftest import PASSWORD

PROJECT = Path(__file__).parents[2]
ME = "/api/v1/users/me"


def environment():
    user, host = connection.settings_dict["USER"], connection.settings_dict["HOST"]
    port, name = connection.settings_dict["PORT"], connection.settings_dict["NAME"]
    secret = connection.settings_dict["PASSWORD"]
    password = f":{secret}" if secret else ""
    where = f"{host.replace('/', '%2F')}{f':{port}' if port else ''}"
    return {
        **os.environ,
        "DATABASE_URL": f"postgres://{user}{password}@{where}/{name}",
        "CACHE_URL": settings.CACHE_URL,
        "DATA_DIR": str(settings.DATA_DIR),
        "SECRET_KEY": settings.SECRET_KEY,
        "JWT_SIGNING_KEY": settings.JWT_SIGNING_KEY,
        "SITE_URL": "http://localhost:8000",
    }


def start():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port)]
    command += [
        "--workers",
        "1",
        "--blocking-threads",
        "8",
        "--no-ws",
        "mlplatform.wsgi:application",
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return port, subprocess.Popen(command, cwd=PROJECT, env=environment(), **quiet)


def ask(port, headers, path=ME):
    server = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        server.request("GET", path, headers=headers)
        return server.getresponse().status
    finally:
        server.close()


def wait_for(port):
    until = time.monotonic() + 40
    while True:
        try:
            if ask(port, {}, "/livez") == 200:
                return
        except OSError:
            assert time.monotonic() < until, "the server did not start"
        time.sleep(0.1)


@pytest.fixture
def workers(transactional_db):
    started = [start() for _ in range(2)]
    try:
        for port, _ in started:
            wait_for(port)
        yield [port for port, _ in started]
    finally:
        for _, process in started:
            process.terminate()
        for _, process in started:
            process.wait(timeout=20)


def test_two_workers(workers):
    """One start of the servers, which takes seconds, for all that is asked of them."""
    alice = register(email="alice@example.com", password=PASSWORD, at=now())
    organization = alice.organizations.get()

    assert_that_of_200_at_once_100_pass(workers, alice, organization)
    assert_that_a_revoked_key_ends_everywhere(workers, alice, organization)
    assert_that_a_changed_role_holds_everywhere(workers, organization)
    assert_that_logging_out_ends_access_everywhere(workers, alice)


def assert_that_of_200_at_once_100_pass(workers, alice, organization):
    _, secret = api_keys.create_key(organization=organization, by=alice, name="x", at=now())
    left = 60 - time.time() % 60
    if left < 20:
        time.sleep(left)  # one window must hold them all

    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(ask, workers[n % 2], {"X-API-Key": secret}) for n in range(200)]
        statuses = [answer.result() for answer in asked]

    assert (statuses.count(200), statuses.count(429)) == (100, 100)


def assert_that_a_revoked_key_ends_everywhere(workers, alice, organization):
    key, secret = api_keys.create_key(organization=organization, by=alice, name="x", at=now())
    headers = {"X-API-Key": secret}
    assert [ask(port, headers) for port in workers * 2] == [200] * 4

    api_keys.revoke_key(key, by=alice, at=now())

    assert [ask(port, headers) for port in workers] == [401, 401]


def assert_that_a_changed_role_holds_everywhere(workers, organization):
    bob = register(email="bob@example.com", password=PASSWORD, at=now())
    Membership.objects.create(user=bob, organization=organization, role="admin")
    bearer = {
        "Authorization": f"Bearer {tokens.issue(bob).access}",
        "X-Organization": organization.slug,
    }
    path = f"/api/v1/organizations/{organization.slug}/audit"
    assert [ask(port, bearer, path) for port in workers] == [200, 200]

    owner = organization.memberships.select_related("user", "organization").get(role="owner")
    standing = Standing(organization, owner.role, capabilities_of(owner.role))
    change = {"user_id": bob.pk, "role": "viewer", "at": now()}
    members.change_role(standing=standing, by=owner.user, **change)

    assert [ask(port, bearer, path) for port in workers] == [403, 403]


def assert_that_logging_out_ends_access_everywhere(workers, alice):
    pair = tokens.issue(alice)
    bearer = {"Authorization": f"Bearer {pair.access}"}
    assert [ask(port, bearer) for port in workers] == [200, 200]

    tokens.revoke(pair.refresh)

    assert [ask(port, bearer) for port in workers] == [401, 401]
