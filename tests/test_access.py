"""Walks every URL and method as every kind of caller, and holds it to `access_table.TABLE`.

A route or a method that is not in the table fails: whoever adds one says who may.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import invitations, tokens
from accounts.api_keys import create_key
from accounts.models import Membership, Organization, User
from accounts.roles import Role
from accounts.sign_up import register
from inference import drainer, prediction_log
from mlplatform.foundation import redis
from tests.access_table import ROLES, SCOPES, TABLE, Rule
from tests.conftest import PASSWORD
from tests.factories import make_ready_version
from tests.inference.entries import make_entry
from tests.test_docs import routes

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete", "trace")
EXAMPLES = {
    "<uidb64>": "MQ",
    "<token>": "nothing",
    "<slug:alias>": "challenger",
    "<int:pk>": 1,
    r"^confirm-email/(?P<key>[-:\w]+)/$": "confirm-email/nothing/",
    "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": "password/reset/key/1-nothing/",
}


@dataclass(frozen=True)
class World:
    """Everybody's credentials, and the ids of the rows that they ask for."""

    organization: Organization
    people: dict[str, User]
    keys: dict[str, str]
    ids: dict[str, object]

    def path_of(self, route: str) -> str:
        """A route with our rows' ids in it."""
        for placeholder, value in {**EXAMPLES, **self.ids}.items():
            route = route.replace(placeholder, str(value))
        assert not set("<(^") & set(route), f"give the placeholder of {route} an example"
        return f"/{route}"

    def caller(self, name: str) -> APIClient:
        """A program: with an access token or a key."""
        client = APIClient()
        if name in self.keys:
            client.credentials(HTTP_X_API_KEY=self.keys[name])
        elif name in self.people:
            token = tokens.issue(self.people[name]).access
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        elif name == "intruder":
            token = tokens.issue(self.people["other"]).access
            named = {"HTTP_X_ORGANIZATION": self.organization.slug}
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}", **named)
        return client

    def visitor(self, name: str) -> Client:
        """A browser, which is signed in by a session."""
        if name in self.keys:
            return Client(headers={"X-API-Key": self.keys[name]})
        client = Client()
        if name in self.people:
            client.force_login(self.people[name])
        return client


@contextmanager
def undone() -> Iterator[None]:
    """Nothing of it is left: neither rows nor what Redis counts."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    redis.client().flushdb()


def _person(name: str) -> User:
    return register(email=f"{name}@example.com", password=PASSWORD, full_name=name, at=now())


def _people() -> dict[str, User]:
    people = {name: _person(name) for name in (*ROLES, "homeless", "other")}
    for name in ("admin", "developer", "viewer", "homeless"):
        people[name].memberships.all().delete()
    return people


def _join(people: dict[str, User]) -> Organization:
    organization = people["owner"].organizations.get()
    for name in ("admin", "developer", "viewer"):
        Membership.objects.create(
            user=people[name], organization=organization, role=Role(name), created_at=now()
        )
    return organization


def _keys(people: dict[str, User], organization: Organization) -> dict[str, str]:
    """A key for every scope alone, and one with all of them whose maker is a viewer."""
    wanted = {f"key {scope}": ("owner", [scope]) for scope in SCOPES}
    wanted["viewer's key"] = ("viewer", list(SCOPES))
    return {
        name: create_key(
            organization=organization, by=people[maker], name=name, at=now(), scopes=scopes
        )[1]
        for name, (maker, scopes) in wanted.items()
    }


def _rows(owner: User, organization: Organization, spool) -> dict[str, object]:
    version = make_ready_version(organization, owner)
    version.model.aliases.create(name="challenger", version=version, updated_at=now())
    entry = make_entry(organization_id=organization.pk, model_id=version.model_id)
    prediction_log.append(entry)
    drainer.drain(spool)
    key, _ = create_key(organization=organization, by=owner, name="hers", at=now())
    session = UserSession.objects.create(user=owner, ip="127.0.0.1", session_key="hers")
    invitation = organization.invitations.create(
        email="guest@example.com",
        role=Role.VIEWER,
        invited_by=owner,
        created_at=now(),
        expires_at=now() + invitations.VALID_FOR,
    )
    return {
        "<str:organization>": organization.slug,
        "<uuid:user_id>": organization.memberships.get(role=Role.VIEWER).user_id,
        "<uuid:invitation_id>": invitation.pk,
        "<str:token>": invitations.token_of(invitation),
        "<uuid:key_id>": key.pk,
        "<int:session_id>": session.pk,
        "<model:model>": version.model_id,
        "<model:name>": version.model.name,
        "<number:number>": 1,
        "<uuid:prediction_id>": entry.id,
    }


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, own_stores) -> Iterator[World]:
    """Made once; every request on it is undone."""
    with django_db_blocker.unblock(), undone():
        people = _people()
        organization = _join(people)
        keys = _keys(people, organization)
        ids = _rows(people["owner"], organization, own_stores / "spool")
        yield World(organization, people, keys, ids)
        prediction_log.spool.close()


def ours() -> list[str]:
    found = routes(get_resolver().url_patterns)
    return [route for route in found if not route.startswith("admin/")]


def rules() -> list[tuple[str, str]]:
    return [(route, method) for route in TABLE for method in TABLE[route]]


def ask(world: World, rule: Rule, caller: str, method: str, path: str) -> int:
    client = world.visitor(caller) if rule.is_page else world.caller(caller)
    body = rule.body() if callable(rule.body) else rule.body
    body = {name: str(world.ids.get(value, value)) if isinstance(value, str) else value
            for name, value in body.items()}  # fmt: skip
    return send(client, method, path, body).status_code


def send(client: Client, method: str, path: str, body: dict[str, object]):
    if method == "trace":
        return client.trace(path)
    if method == "get" or not isinstance(client, APIClient):
        return getattr(client, method)(path, body)
    has_file = any(hasattr(value, "read") for value in body.values())
    return getattr(client, method)(path, body, format="multipart" if has_file else "json")


def test_every_route_has_a_rule():
    assert set(ours()) == set(TABLE), "put it into tests/access_table.py"


@pytest.mark.parametrize(("route", "method"), rules())
def test_everybody_gets_what_the_table_says(world, route, method):
    rule = TABLE[route][method]
    answers = {}

    for caller in rule.expected():
        with undone():
            answers[caller] = ask(world, rule, caller, method, world.path_of(route))

    assert answers == rule.expected()


@pytest.mark.parametrize("route", TABLE)
def test_a_method_without_a_rule_is_refused(world, route):
    rule = next(iter(TABLE[route].values()))
    client = (world.visitor if rule.is_page else world.caller)("owner")
    # A page may send somebody away before it looks at the method, or show itself to any.
    shown = {302, client.get(world.path_of(route)).status_code} if rule.is_page else set()

    answers = {}
    for method in set(METHODS) - set(TABLE[route]):
        with undone():
            answers[method] = send(client, method, world.path_of(route), {}).status_code

    assert set(answers.values()) <= {405} | shown


@pytest.mark.parametrize("route", [route for route in TABLE if "get" in TABLE[route]])
def test_head_answers_as_get_does(world, route):
    for caller in (world.visitor("nobody"), world.visitor("owner")):
        path = world.path_of(route)
        with undone():
            got = caller.get(path)
            head = caller.head(path)

        assert head.status_code in (got.status_code, 405)
        assert b"".join(head) == b""


def unsafe() -> list[tuple[str, str]]:
    return [(route, method) for route, method in rules() if method != "get"]


@pytest.mark.parametrize(("route", "method"), unsafe())
def test_a_session_changes_nothing_without_our_token(world, route, method):
    """Another site can send the cookie along, but not the token."""
    rule = TABLE[route][method]
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.people["owner"])

    with undone():
        answer = getattr(client, method)(world.path_of(route), "{}", "application/json")

    # Where credentials are not looked at, there is nothing to misuse.
    assert answer.status_code == (403 if rule.is_page or rule.nobody == 401 else rule.ok)


def test_lists_of_others_are_empty(world):
    lists = ("/api/v1/models", "/api/v1/keys", "/api/v1/predictions")
    answers = {path: world.caller("other").get(path).json()["results"] for path in lists}

    assert answers == {path: [] for path in lists}


def test_an_unknown_id_and_anothers_read_alike(world):
    """Who asks for a row of another organization cannot tell it from one that is nowhere."""
    client = world.caller("other")
    theirs = world.ids["<model:model>"]
    nowhere = "0192f5a0-0000-7000-8000-000000000000"

    answers = [client.get(f"/api/v1/models/{model}").json() for model in (theirs, nowhere)]

    for answer, model in zip(answers, (theirs, nowhere), strict=True):
        answer["detail"] = answer["detail"].replace(str(model), "")
        del answer["request_id"]
    assert answers[0] == answers[1]


# --- the admin ----------------------------------------------------------------


OPEN_IN_ADMIN = {"admin/login/"}


def admin_paths() -> list[str]:
    """Every page of the admin, with an id that is nobody's."""
    found = [r for r in routes(get_resolver().url_patterns) if r.startswith("admin/")]
    plain = [r.replace("<path:object_id>", "0") for r in found if r not in OPEN_IN_ADMIN]
    labels = "|".join(sorted({model._meta.app_label for model in admin.site._registry}))
    return sorted({"/" + r.replace(f"^(?P<app_label>{labels})/$", "accounts/") for r in plain})


@pytest.mark.parametrize("caller", ["nobody", "owner", "key admin"])
def test_the_admin_is_for_operators(world, caller):
    client = world.visitor(caller)

    answers = {path: client.get(path).status_code for path in admin_paths()}

    assert {path: status for path, status in answers.items() if status not in (302, 404)} == {}
