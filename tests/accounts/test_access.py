"""What a request costs that is let in, and what happens while a store is away."""

import threading
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts import api_keys, families, generation, snapshot, tokens
from accounts.models import Membership
from accounts.permissions import CanRead
from accounts.tenancy import organization_of
from mlplatform.foundation import redis, request_facts


class View(APIView):
    permission_classes = [CanRead]

    def get(self, request):
        key = getattr(request.auth, "name", None)
        return Response([request.user.email, organization_of(request).slug, key])


def get(headers):
    facts = request_facts.begin(request_id="test", ip=None)
    try:
        return View.as_view()(APIRequestFactory().get("/", headers=headers))
    finally:
        request_facts.end(facts)


@contextmanager
def redis_away(settings):
    url = settings.CACHE_URL
    settings.CACHE_URL = "unix:///nowhere/redis.sock"
    redis.client.cache_clear()
    try:
        yield
    finally:
        settings.CACHE_URL = url
        redis.client.cache_clear()
        redis.breaker.succeeded()


@contextmanager
def postgresql_away():
    def refuse(execute, sql, params, many, context):
        raise OperationalError("PostgreSQL is away")

    with connection.execute_wrapper(refuse):
        yield


@pytest.fixture(params=["key", "token"])
def credential(request, alice, make_key):
    if request.param == "key":
        return {"X-API-Key": make_key()[1]}
    return {"Authorization": f"Bearer {tokens.issue(alice).access}"}


def test_it_works(credential, organization):
    for _ in range(2):
        response = get(credential)

        assert response.status_code == 200
        assert response.data[:2] == ["alice@example.com", organization.slug]


def test_a_warm_request_asks_the_database_nothing(credential):
    get(credential)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert get(credential).status_code == 200

    assert queries.captured_queries == []


def test_a_warm_request_asks_redis_once(credential):
    get(credential)
    sent = []
    send = redis.client().connection_pool.connection_class.send_packed_command

    def counted(self, command, *args, **options):
        sent.append(command)
        return send(self, command, *args, **options)

    connection_class = redis.client().connection_pool.connection_class
    connection_class.send_packed_command = counted
    try:
        assert get(credential).status_code == 200
    finally:
        connection_class.send_packed_command = send

    assert len(sent) == 1
    assert b"EVALSHA" in b"".join(sent[0])


def test_a_change_in_the_organization_is_read_once(credential, organization):
    get(credential)
    generation.bump(organization)

    with CaptureQueriesContext(connection) as first:
        assert get(credential).status_code == 200
    with CaptureQueriesContext(connection) as second:
        assert get(credential).status_code == 200

    assert len(first) > 0
    assert len(second) == 0


def test_a_revoked_key_is_refused_when_warm(make_key):
    key, secret = make_key()
    assert get({"X-API-Key": secret}).status_code == 200

    key.revoke(at=now())

    assert get({"X-API-Key": secret}).status_code == 401


def test_a_changed_role_holds_when_warm(bob, organization, client_of):
    headers = {"Authorization": f"Bearer {tokens.issue(bob).access}"}
    assert get(headers).status_code == 200

    Membership.objects.filter(user=bob).delete()
    generation.bump(organization)

    assert get(headers).status_code == 403


def test_a_key_that_expires_meanwhile_is_refused(make_key):
    key, secret = make_key()
    get({"X-API-Key": secret})
    snapshot.get(("key", api_keys.fingerprint(secret))).ends_at = now()

    assert get({"X-API-Key": secret}).status_code == 200  # the row knows better

    key.change(expires_at=now())
    assert get({"X-API-Key": secret}).status_code == 401


def test_a_request_has_a_user_of_its_own(credential):
    class Careless(APIView):
        def get(self, request):
            request.user.email = "mallory@example.com"
            return Response()

    get(credential)
    facts = request_facts.begin(request_id="test", ip=None)
    Careless.as_view()(APIRequestFactory().get("/", headers=credential))
    request_facts.end(facts)

    assert get(credential).data[0] == "alice@example.com"


def test_without_redis_it_goes_on_for_a_while(credential, settings):
    get(credential)

    with redis_away(settings), CaptureQueriesContext(connection) as queries:
        assert get(credential).status_code == 200
    assert len(queries) == 0

    settings.ACCESS_STALE_SECONDS = -1
    with redis_away(settings), CaptureQueriesContext(connection) as queries:
        assert get(credential).status_code == 200
    assert len(queries) > 0


def test_without_redis_a_stale_key_is_asked_for(make_key, settings):
    key, secret = make_key()
    get({"X-API-Key": secret})
    settings.ACCESS_STALE_SECONDS = -1

    with redis_away(settings):
        key.revoke(at=now())
        assert get({"X-API-Key": secret}).status_code == 401


def test_without_redis_each_process_grants_its_share(make_key, settings):
    settings.RATE_LIMIT_PER_MINUTE, settings.WEB_WORKERS = 5, 2
    _, secret = make_key()
    with redis_away(settings):
        statuses = [get({"X-API-Key": secret}).status_code for _ in range(4)]

    assert statuses == [200, 200, 200, 429]


def test_without_postgresql_a_warm_request_goes_on(credential):
    get(credential)

    with postgresql_away():
        assert get(credential).status_code == 200


def test_without_postgresql_and_what_redis_knew_it_goes_on_for_a_while(credential, settings):
    get(credential)
    redis.client().flushdb()

    with postgresql_away():
        assert get(credential).status_code == 200
        settings.ACCESS_STALE_SECONDS = -1
        assert get(credential).status_code == 503


def test_without_postgresql_nothing_that_has_changed_goes_on(credential, organization):
    get(credential)
    generation.bump(organization)

    with postgresql_away():
        assert get(credential).status_code == 503


def test_logging_out_without_redis_holds_when_it_is_back(alice, settings):
    pair = tokens.issue(alice)
    headers = {"Authorization": f"Bearer {pair.access}"}
    get(headers)

    with redis_away(settings):
        tokens.revoke(pair.refresh)
    generation.republish_recent(at=now())

    assert get(headers).status_code == 401


def test_signing_out_everywhere_ends_every_family(alice):
    pairs = [tokens.issue(alice) for _ in range(2)]
    bearers = [{"Authorization": f"Bearer {pair.access}"} for pair in pairs]
    for bearer in bearers:
        get(bearer)

    assert families.revoke_all(alice, at=now()) == 2

    assert [get(bearer).status_code for bearer in bearers] == [401, 401]


def test_what_is_remembered_is_bounded(monkeypatch, make_key):
    monkeypatch.setattr(snapshot, "SIZE", 2)
    secrets = [make_key()[1] for _ in range(3)]
    for secret in secrets:
        get({"X-API-Key": secret})

    remembered = [snapshot.get(("key", api_keys.fingerprint(secret))) for secret in secrets]
    assert [found is not None for found in remembered] == [False, True, True]


@pytest.mark.django_db(transaction=True)
def test_threads_share_it(make_key):
    _, secret = make_key()
    statuses = []

    def ask():
        statuses.extend(get({"X-API-Key": secret}).status_code for _ in range(20))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 160


def test_a_failed_write_of_the_last_use_costs_nothing(make_key):
    _, secret = make_key()
    get({"X-API-Key": secret})
    principal = snapshot.get(("key", api_keys.fingerprint(secret)))
    principal.key.last_used_at = None

    with postgresql_away():
        assert get({"X-API-Key": secret}).status_code == 200
