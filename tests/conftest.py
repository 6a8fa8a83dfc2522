"""Three people, their clients, and cold stores for every test.

alice owns the organization; bob is a developer in it; charlie is a stranger.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.core.files.storage import default_storage
from django.test import override_settings
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import limits, snapshot, tokens
from accounts.models import Membership, Organization, User
from accounts.roles import Role
from accounts.sign_up import register
from inference import hosts
from mlplatform.foundation import redis
from registry import routing

PASSWORD = "correct horse battery staple"


def worker_number() -> int:
    """0, 1, …: the number of this process when tests run in parallel."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session", autouse=True)
def own_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every test process has its own Redis database and data folder."""
    folder = tmp_path_factory.mktemp("data")
    cache_url = f"{settings.CACHE_URL.split('?')[0]}?db={4 + worker_number()}"
    (folder / "static").mkdir()
    storages = {
        "default": {**settings.STORAGES["default"], "OPTIONS": {"location": folder / "storage"}},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    caches = {"default": {**settings.CACHES["default"], "LOCATION": cache_url}}
    with override_settings(
        CACHE_URL=cache_url,
        CACHES=caches,
        STORAGES=storages,
        DATA_DIR=folder,
        STATIC_ROOT=folder / "static",
        SPOOL_DIR=folder / "spool",
        ARTIFACT_CACHE_DIR=folder / "artifact-cache",
        DRAIN_FLAG=folder / "draining",
        # Tests of one minute are many; those about limits set their own.
        RATE_LIMIT_PER_MINUTE=1_000_000,
        ANONYMOUS_LIMIT_PER_MINUTE=1_000_000,
        SIGN_IN_LIMIT_PER_MINUTE=1_000_000,
    ):
        redis.client.cache_clear()
        yield folder
        hosts.pool.clear()


@pytest.fixture(autouse=True)
def cold_cache(own_stores: Path) -> None:
    redis.breaker.succeeded()
    redis.client().flushdb()
    snapshot.clear()
    routing.clear()
    limits.local.clear()


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 rounds instead of 12: the same code in 1/256 of the time. Their number has its own test."""
    monkeypatch.setattr(BCryptSHA256PasswordHasher, "rounds", 4)


@pytest.fixture
def alice(db: None) -> User:
    return register(email="alice@example.com", password=PASSWORD, full_name="Alice", at=now())


@pytest.fixture
def organization(alice: User) -> Organization:
    return alice.organizations.get()


@pytest.fixture
def bob(organization: Organization) -> User:
    bob = register(email="bob@example.com", password=PASSWORD, full_name="Bob", at=now())
    # He works in alice's organization only, so that no header is needed to say which.
    bob.memberships.all().delete()
    Membership.objects.create(user=bob, organization=organization, role=Role.DEVELOPER)
    return bob


@pytest.fixture
def charlie(db: None) -> User:
    return register(email="charlie@example.com", password=PASSWORD, full_name="Charlie", at=now())


@pytest.fixture
def client_of() -> Callable[[User], APIClient]:
    """A client that is signed in with an access token, as a program would be."""

    def make(user: User) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.issue(user).access}")
        return client

    return make


@pytest.fixture
def stored(own_stores: Path) -> Callable[[str], bool]:
    """Whether the storage has something under this name."""
    return default_storage.exists
