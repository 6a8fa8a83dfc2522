from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import api_keys, generation
from inference import usage
from mlplatform.foundation import redis
from tests.factories import SETOSA, make_ready_version, make_version, uploaded_file

PREDICT = "/api/v1/predict/iris"


@pytest.fixture
def iris(alice, organization):
    return make_ready_version(organization, alice).model


@pytest.fixture
def client_with(alice, organization):
    def make(**limits):
        key, secret = api_keys.create_key(
            organization=organization, by=alice, name="ci", at=now(), **limits
        )
        client = APIClient()
        client.credentials(HTTP_X_API_KEY=secret)
        client.key = key
        return client

    return make


def predict(client, rows=1):
    body = {"input": SETOSA} if rows == 1 else {"inputs": [SETOSA] * rows}
    return client.post(PREDICT, body)


def test_it_works(iris, client_with):
    client = client_with(monthly_predictions=2)

    answers = [predict(client) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    refused = answers[-1]
    assert refused.json()["code"] == "quota_exceeded"
    assert 0 < int(refused["Retry-After"]) <= 31 * 24 * 3600


def test_rows_are_counted_and_all_or_none_answered(iris, client_with):
    client = client_with(monthly_predictions=5)

    assert predict(client, 3).status_code == 200
    assert predict(client, 3).status_code == 429
    assert predict(client, 1).status_code == 200  # the one of the refused three is spent


def test_an_organization_has_one_for_all_its_keys(iris, client_with, organization):
    organization.monthly_predictions = 3
    organization.save(update_fields=["monthly_predictions"])
    generation.bump(organization)
    clients = [client_with(), client_with(monthly_predictions=100)]

    statuses = [predict(clients[number % 2]).status_code for number in range(4)]

    assert statuses == [200, 200, 200, 429]


def test_other_requests_are_not_counted(iris, client_with):
    client = client_with(monthly_predictions=1)
    for _ in range(3):
        assert client.get("/api/v1/models").status_code == 200

    assert predict(client).status_code == 200


def test_a_missing_counter_begins_with_the_log(iris, client_with):
    client = client_with(monthly_predictions=10)
    asked = []

    def logged(organization_id, api_key_id, since):
        asked.append((organization_id, api_key_id, since.day))
        return 9

    usage.quotas.count_with(logged)
    try:
        assert [predict(client).status_code for _ in range(2)] == [200, 429]
    finally:
        usage.quotas.count_with(usage.rows_since)
    assert asked == [(iris.organization_id, client.key.pk, 1)]


def test_while_nobody_can_say_what_was_used_the_rate_is_limited_all_the_same(
    iris, client_with, settings
):
    settings.RATE_LIMIT_PER_MINUTE, settings.WEB_WORKERS = 2, 1
    client = client_with(monthly_predictions=10)

    def away(*_):
        raise OperationalError("PostgreSQL is away")

    usage.quotas.count_with(away)
    try:
        assert [predict(client).status_code for _ in range(3)] == [200, 200, 429]
    finally:
        usage.quotas.count_with(usage.rows_since)


def test_the_log_is_counted_by_key_and_organization(organization):
    since = now() - timedelta(days=1)

    assert usage.rows_since(organization.pk, None, since) == 0
    assert usage.rows_since(organization.pk, uuid4(), since) == 0


def test_it_costs_no_further_call(iris, client_with):
    client = client_with(monthly_predictions=100)
    predict(client)
    counters = redis.client().keys("quota:*")

    predict(client)

    assert len(counters) == 1
    assert int(redis.client().get(counters[0])) == 2
    assert redis.client().ttl(counters[0]) > 31 * 24 * 3600


def test_a_restricted_key_sees_its_models_only(iris, client_with, organization, alice):
    other = make_version(organization, alice, name="secret").model
    client = client_with(models=[iris.pk])

    assert predict(client).status_code == 200
    assert client.get("/api/v1/models/iris").status_code == 200
    names = [model["name"] for model in client.get("/api/v1/models").json()["results"]]
    assert names == ["iris"]
    for path in ("secret", str(other.pk), "secret/versions", "secret/versions/1"):
        assert client.get(f"/api/v1/models/{path}").status_code == 404
    assert client.post("/api/v1/predict/secret", {"input": SETOSA}).status_code == 404
    assert client.patch("/api/v1/models/secret", {"description": "x"}).status_code == 404
    assert client.put("/api/v1/models/secret/aliases/x", {"version": 1}).status_code == 404
    assert client.delete("/api/v1/models/secret").status_code == 404


def test_a_restricted_key_hides_models_like_unknown_ones(iris, client_with):
    client = client_with(models=[uuid4()])

    hidden, unknown = (client.get(f"/api/v1/models/{name}") for name in ("iris", "nope"))

    assert hidden.status_code == unknown.status_code == 404
    assert hidden.json()["detail"].replace("iris", "nope") == unknown.json()["detail"]


@pytest.mark.parametrize("name", ["secret", "new"])
def test_a_restricted_key_uploads_to_its_models_only(iris, client_with, organization, alice, name):
    make_version(organization, alice, name="secret")
    client = client_with(models=[iris.pk])
    before = organization.models.count()

    body = {"file": uploaded_file(b"x"), "name": name}
    assert client.post("/api/v1/models/upload", body, format="multipart").status_code == 404
    assert organization.models.count() == before
    body = {"file": uploaded_file(b"x"), "name": "iris"}
    assert client.post("/api/v1/models/upload", body, format="multipart").status_code == 202


def test_taking_the_restriction_away_holds_at_once(iris, client_with):
    client = client_with(models=[uuid4()])
    assert predict(client).status_code == 404

    api_keys.change_key(client.key, by=client.key.created_by, models=None)

    assert predict(client).status_code == 200
