"""What a warm prediction costs, and that nothing remembered outlives a change."""

from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import api_keys, generation
from mlplatform.foundation import redis
from registry import routing
from registry.catalogue import delete_model
from registry.promotion import promote
from tests.factories import SETOSA, make_ready_version

URL = "/api/v1/predict/iris"
VIRGINICA = [6.9, 3.1, 5.4, 2.1]


@pytest.fixture
def key(alice, organization):
    return api_keys.create_key(organization=organization, by=alice, name="ci", at=now())


@pytest.fixture
def client(key, iris):
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=key[1])
    return client


def ask(client, body=None, **headers):
    return client.post(URL, body or {"input": SETOSA}, headers=headers)


@contextmanager
def redis_calls():
    """What this process sends to Redis meanwhile, one entry a round trip."""
    sent = []
    connection_class = redis.client().connection_pool.connection_class
    send = connection_class.send_packed_command

    def counted(self, command, *args, **options):
        sent.append(b"".join(command))
        return send(self, command, *args, **options)

    connection_class.send_packed_command = counted
    try:
        yield sent
    finally:
        connection_class.send_packed_command = send


def test_a_remembered_answer_costs_no_query_and_one_call_of_redis(client):
    ask(client)

    with CaptureQueriesContext(connection) as queries, redis_calls() as sent:
        response = ask(client)

    assert (response.status_code, response["X-Cache"]) == (200, "HIT")
    assert queries.captured_queries == []
    assert len(sent) == 1
    assert b"EVALSHA" in sent[0]


def test_a_new_row_is_written_by_a_second_call(client):
    ask(client)

    with CaptureQueriesContext(connection) as queries, redis_calls() as sent:
        response = ask(client, {"input": VIRGINICA})

    assert (response.status_code, response["X-Cache"]) == (200, "MISS")
    assert queries.captured_queries == []
    assert len(sent) == 2


def test_many_rows_are_looked_up_and_counted_by_the_same_call(client):
    ask(client)

    with redis_calls() as sent:
        response = ask(client, {"inputs": [SETOSA, VIRGINICA]})

    assert (response["X-Cache"], response.json()["cached_rows"]) == ("PARTIAL", 1)
    assert len(sent) == 2  # the look-up, and writing the one that was missing


def test_a_promote_holds_at_the_next_request(client, alice, organization, iris):
    second = make_ready_version(organization, alice)
    assert ask(client).json()["model_version"] == 1

    promote(second, alias="champion", by=alice, at=now())

    assert ask(client).json()["model_version"] == 2


def test_a_deleted_model_is_gone_at_the_next_request(client, alice, iris):
    assert ask(client).status_code == 200

    delete_model(iris, by=alice, at=now())

    assert ask(client).status_code == 404


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (URL, {"input": ["not a number"]}),
        (URL, {"nothing": "known"}),
        (URL + "?version=9", {"input": SETOSA}),
        ("/api/v1/predict/nothing", {"input": SETOSA}),
    ],
)
def test_a_revoked_key_is_told_nothing_of_what_it_asked(client, key, url, body):
    assert client.post(url, body).status_code in (404, 422)
    key[0].revoke(at=now())

    assert client.post(url, body).status_code == 401


def test_what_is_refused_is_counted_too(client, settings):
    settings.RATE_LIMIT_PER_MINUTE = 3
    statuses = [ask(client, {"input": ["wrong"]}).status_code for _ in range(4)]

    assert statuses == [422, 422, 422, 429]


def test_a_request_that_begins_anew_is_counted_once(client, organization):
    before = int(ask(client)["RateLimit-Remaining"])
    organization.rename("Another name")

    generation.bump(organization)

    assert int(ask(client)["RateLimit-Remaining"]) == before - 1


def test_routes_are_forgotten_when_there_are_too_many(organization, alice, iris, monkeypatch):
    monkeypatch.setattr(routing, "SIZE", 2)
    for reference in ("iris", str(iris.pk), "iris"):
        routing.find(organization, reference)
    routing.find(organization, "iris", version=1)

    with CaptureQueriesContext(connection) as kept:
        routing.find(organization, "iris")
    with CaptureQueriesContext(connection) as forgotten:
        routing.find(organization, str(iris.pk))

    assert len(kept) == 0
    assert len(forgotten) > 0


def test_the_owner_decides_what_is_remembered(client, client_of, alice, iris):
    assert ask(client)["X-Cache"] == "MISS"

    changed = client_of(alice).patch("/api/v1/models/iris", {"caching": "never"})

    assert (changed.status_code, changed.json()["caching"]) == (200, "never")
    assert [ask(client)["X-Cache"] for _ in range(2)] == ["BYPASS", "BYPASS"]
    version = client_of(alice).get("/api/v1/models/iris/versions/1").json()
    assert version["caching"] == {
        "serves": False,
        "reason": "The model's owner wants every answer fresh.",
    }
