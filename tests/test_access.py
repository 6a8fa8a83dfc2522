"""Walks every URL and method as every kind of caller, and holds it to `access_table.TABLE`.

A route or a method that is not in the table fails: whoever adds one says who may.
"""

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from inference import prediction_log
from tests.access_table import TABLE, Rule
from tests.access_world import World, make_world, undone
from tests.test_docs import routes

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete", "trace")


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, own_stores) -> Iterator[World]:
    """Made once; every request on it is undone."""
    with django_db_blocker.unblock(), undone():
        yield make_world(own_stores / "spool")
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


# Data, not code: type="application/json".
INLINE = re.compile(
    rb"<script(?![^>]*(?:\bsrc=|application/json))[^>]*>|\son[a-z]+=\"|\sstyle=\"", re.I
)


@pytest.mark.parametrize(
    "route", [r for r in TABLE if "get" in TABLE[r] and TABLE[r]["get"].is_page]
)
def test_pages_keep_the_strict_policy_and_need_no_other(world, route):
    for caller in ("nobody", "owner"):
        with undone():
            answer = world.visitor(caller).get(world.path_of(route))

        assert "unsafe" not in answer["Content-Security-Policy"]
        assert answer.streaming or INLINE.findall(answer.content) == []


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
