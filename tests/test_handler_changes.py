"""What changed since a request was remembered holds on the short way and on the long one"""

from itertools import pairwise

import pytest
import structlog
from django.utils.timezone import now

from accounts import api_keys, generation, members, tokens
from accounts.models import APIKey, Membership
from accounts.roles import Role
from inference import pipeline
from inference.api import express
from tests.factories import SETOSA
from tests.test_handler import answered, environ, handler, key  # noqa: F401 (fixtures)


@pytest.fixture
def ask(handler, key):  # noqa: F811
    def send(body=None, **headers):
        return answered(handler, environ(body or {"input": SETOSA}, **headers))

    return send


def bearer(user):
    return {"HTTP_AUTHORIZATION": f"Bearer {tokens.issue(user).access}"}


@pytest.mark.parametrize("names_it", [True, False])
def test_a_removed_member_predicts_no_more(ask, alice, bob, organization, names_it):
    headers = bearer(bob)
    if names_it:
        headers["HTTP_X_ORGANIZATION"] = organization.slug
    assert [ask(**headers)["status"] for _ in range(2)] == [200, 200]

    members.end(bob.memberships.get(), by=alice, at=now())

    assert {ask(**headers)["status"] for _ in range(3)} <= {403, 404}


def test_who_is_given_the_right_has_it_at_once(ask, bob, organization):
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    generation.bump(organization)
    headers = bearer(bob)
    assert [ask(**headers)["status"] for _ in range(2)] == [403, 403]

    Membership.objects.filter(user=bob).update(role=Role.DEVELOPER)
    generation.bump(organization)

    assert ask(**headers)["status"] == 200


def test_rows_are_counted_when_a_request_begins_anew(ask, alice, organization):
    _, secret = api_keys.create_key(
        organization=organization, by=alice, name="few", at=now(), monthly_predictions=2
    )
    told = []
    for _ in range(4):
        generation.bump(organization)
        told.append(ask(HTTP_X_API_KEY=secret)["status"])

    assert told == [200, 200, 429, 429]


def test_a_request_over_its_quota_is_counted_once(ask, alice, organization):
    _, secret = api_keys.create_key(
        organization=organization, by=alice, name="one", at=now(), monthly_predictions=1
    )
    left = [int(ask(HTTP_X_API_KEY=secret)["headers"]["RateLimit-Remaining"]) for _ in range(4)]

    assert [before - after for before, after in pairwise(left)] == [1, 1, 1]


def test_a_token_is_no_key(ask, alice):
    headers = bearer(alice)
    assert ask(**headers)["status"] == 200

    token = headers["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    assert ask(HTTP_X_API_KEY=token)["status"] == 401


def test_a_fault_of_ours_is_told_as_one(ask, key, monkeypatch):  # noqa: F811
    ask(HTTP_X_API_KEY=key)

    def fail(*arguments, **options):
        raise RuntimeError("a bug")

    monkeypatch.setattr(pipeline, "answer", fail)
    told = ask(HTTP_X_API_KEY=key)

    assert (told["status"], told["body"]["code"]) == (500, "error")
    assert "X-Request-Id" in told["headers"]


def test_a_client_that_goes_away_is_left_to_django(ask, key):  # noqa: F811
    ask(HTTP_X_API_KEY=key)

    class Gone:
        def read(self, size):
            raise TimeoutError

    request = environ({"input": SETOSA}, HTTP_X_API_KEY=key)
    request["wsgi.input"] = Gone()

    assert express.admit(request) is None


def test_no_request_is_logged_under_the_one_before(ask, key, monkeypatch):  # noqa: F811
    ask(HTTP_X_API_KEY=key, HTTP_X_REQUEST_ID="the-first-one")
    seen = []
    admit = express.admit

    def look(request):
        seen.append(structlog.contextvars.get_contextvars())
        return admit(request)

    monkeypatch.setattr(express, "admit", look)
    ask(HTTP_X_API_KEY=key, HTTP_X_REQUEST_ID="the-second-one")

    assert seen == [{"request_id": "the-second-one"}]


def test_a_key_whose_row_is_gone_is_refused(ask, key, organization):  # noqa: F811
    ask(HTTP_X_API_KEY=key)
    APIKey.objects.all().delete()
    generation.bump(organization)

    assert ask(HTTP_X_API_KEY=key)["status"] == 401
