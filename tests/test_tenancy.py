"""Walks every URL as charlie, a stranger: nothing of alice's is ever seen.

A route that is not in the table fails: whoever adds one says what a stranger gets.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.urls import get_resolver
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts.api_keys import create_key
from tests.factories import make_version
from tests.test_docs import routes


@dataclass(frozen=True)
class Route:
    """What charlie gets: `stranger` with a sign-in of his own, `nobody` without any."""

    methods: str
    stranger: int
    nobody: int = 401
    body: dict[str, Any] = field(default_factory=dict)


OPEN = "open to everybody and without rows of anybody"
OWN = "shows or makes only one's own"

TABLE: dict[str, Route | str] = {
    "": OWN,
    "models/<model:name>": OWN,
    "models/<model:name>/promote": OWN,
    "accounts/login/": OPEN,
    "accounts/logout/": OPEN,
    "accounts/link/<uidb64>/<token>/": OPEN,
    "accounts/signup/": OPEN,
    "accounts/inactive/": OPEN,
    "accounts/confirm-email/": OPEN,
    "accounts/^confirm-email/(?P<key>[-:\\w]+)/$": OPEN,
    "accounts/password/reset/": OPEN,
    "accounts/password/reset/done/": OPEN,
    "accounts/password/reset/key/done/": OPEN,
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": OPEN,
    "accounts/login/code/confirm/": OPEN,
    "accounts/2fa/authenticate/": OPEN,
    "accounts/2fa/webauthn/login/": OPEN,
    "accounts/email/": OWN,
    "accounts/password/change/": OWN,
    "accounts/password/set/": OWN,
    "accounts/reauthenticate/": OWN,
    "accounts/2fa/": OWN,
    "accounts/2fa/reauthenticate/": OWN,
    "accounts/2fa/totp/activate/": OWN,
    "accounts/2fa/totp/deactivate/": OWN,
    "accounts/2fa/recovery-codes/": OWN,
    "accounts/2fa/recovery-codes/generate/": OWN,
    "accounts/2fa/recovery-codes/download/": OWN,
    "accounts/2fa/webauthn/": OWN,
    "accounts/2fa/webauthn/add/": OWN,
    "accounts/2fa/webauthn/reauthenticate/": OWN,
    "accounts/2fa/webauthn/keys/<int:pk>/remove/": OWN,
    "accounts/2fa/webauthn/keys/<int:pk>/edit/": OWN,
    "accounts/sessions/": OWN,
    "accounts/sessions/<int:session_id>/end/": OWN,
    "api/v1/auth/register": OPEN,
    "api/v1/auth/login": OPEN,
    "api/v1/auth/refresh": OPEN,
    "api/v1/auth/logout": OPEN,
    "api/v1/users/me": OWN,
    "api/v1/keys": OWN,
    "api/v1/keys/<uuid:key_id>": Route("delete", 404),
    "api/v1/models/upload": OWN,
    "api/v1/models": OWN,
    "api/v1/models/<model:model>": Route("get patch delete", 404),
    "api/v1/models/<model:model>/versions": Route("get", 404),
    "api/v1/models/<model:model>/versions/<number:number>": Route("get", 404),
    "api/v1/models/<model:model>/aliases/<slug:alias>": Route(
        "put delete", 404, body={"version": 1}
    ),
    "api/v1/predict/<model:model>": Route("post", 404, body={"input": [1, 2, 3, 4]}),
    "api/v1/predictions": OWN,
    "api/v1/predictions/<uuid:prediction_id>": Route("get", 404),
    "api/schema/": OPEN,
    "docs": OPEN,
    "redoc": OPEN,
    "health": OPEN,
}


def ours():
    return [
        route for route in routes(get_resolver().url_patterns) if not route.startswith("admin/")
    ]


def guarded():
    return [
        (path, method, route)
        for path, route in TABLE.items()
        if isinstance(route, Route)
        for method in route.methods.split()
    ]


def test_the_table_has_every_route():
    assert set(ours()) == set(TABLE)


@pytest.fixture
def path_of(alice, organization) -> Callable[[str], str]:
    """A route with the ids of alice's rows in it."""
    version = make_version(organization, alice)
    key, _ = create_key(organization=organization, by=alice, name="hers", at=now())
    values = {
        "<uuid:key_id>": key.pk,
        "<model:model>": version.model_id,
        "<number:number>": 1,
        "<slug:alias>": "champion",
        "<uuid:prediction_id>": version.pk,
    }

    def fill(route: str) -> str:
        for placeholder, value in values.items():
            route = route.replace(placeholder, str(value))
        assert "<" not in route
        return f"/{route}"

    return fill


@pytest.mark.parametrize(("route", "method", "expected"), guarded())
def test_a_stranger_sees_nothing(charlie, client_of, path_of, route, method, expected):
    response = getattr(client_of(charlie), method)(path_of(route), expected.body, format="json")

    assert response.status_code == expected.stranger


@pytest.mark.parametrize(("route", "method", "expected"), guarded())
def test_nobody_sees_nothing(path_of, route, method, expected):
    response = getattr(APIClient(), method)(path_of(route), expected.body, format="json")

    assert response.status_code == expected.nobody


def test_a_strangers_lists_are_empty(alice, charlie, client_of, path_of):
    client = client_of(charlie)

    for path in ("/api/v1/models", "/api/v1/keys", "/api/v1/predictions"):
        answer = client.get(path).json()
        assert answer["results"] == [], path
