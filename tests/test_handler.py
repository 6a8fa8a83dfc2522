"""mlplatform.handler: the short way answers as the long one does"""

import io
import sys

import orjson
import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import tokens
from accounts.api_keys import create_key
from accounts.models import APIKey
from inference import errors, hosts
from inference.api import express
from mlplatform.handler import Handler
from tests.factories import SETOSA, make_ready_version

URL = "/api/v1/predict/iris"
# Each request has its own.
OF_EACH_REQUEST = {
    "Vary", "X-Request-Id", "Content-Length", "RateLimit-Remaining", "RateLimit-Reset", "X-Cache",
}  # fmt: skip
CHANGING = {"prediction_id", "latency_ms", "request_id", "cached"}


@pytest.fixture
def handler(db):
    """As the server calls it, but that it does not close the test's database connection."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield Handler()
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def key(alice, organization):
    make_ready_version(organization, alice)
    yield create_key(organization=organization, by=alice, name="ci", at=now())[1]
    hosts.pool.clear()


def environ(body, *, path=URL, method="POST", query="", **headers):
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "HTTP_HOST": "localhost:8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        **headers,
    }


def answered(handler, request):
    """Status, headers and what the body says."""
    told = {}

    def start_response(status, headers):
        told["status"], told["headers"] = int(status[:3]), dict(headers)

    response = handler(request, start_response)
    body = orjson.loads(b"".join(response) or b"null") or {}
    told["body"] = {name: value for name, value in body.items() if name not in CHANGING}
    return told


def the_long_way(request):
    return {**request, "HTTP_COOKIE": "theme=dark"}


@pytest.mark.parametrize(
    ("request_of", "status"),
    [
        (lambda key: environ({"input": SETOSA}, HTTP_X_API_KEY=key), 200),
        (lambda key: environ({"input": SETOSA}), 401),
        (lambda key: environ({"input": SETOSA}, HTTP_X_API_KEY="mlp_live_wrong"), 401),
        (lambda key: environ({"input": [1]}, HTTP_X_API_KEY=key), 422),
        (lambda key: environ(b"{", HTTP_X_API_KEY=key), 400),
        (lambda key: environ({}, query="version=9", HTTP_X_API_KEY=key), 404),
        (lambda key: environ({}, path="/api/v1/predict/no", HTTP_X_API_KEY=key), 404),
        (lambda key: environ({}, path="/api/v1/predict/a/b", HTTP_X_API_KEY=key), 404),
        (lambda key: environ({}, method="GET", HTTP_X_API_KEY=key), 405),
        (lambda key: environ({}, method="OPTIONS", HTTP_X_API_KEY=key), 200),
        (lambda key: environ({}, HTTP_X_API_KEY=key, HTTP_ACCEPT="image/png"), 406),
        (lambda key: environ({}, HTTP_X_API_KEY=key, HTTP_HOST="evil.example"), 400),
    ],
)
def test_both_ways_answer_alike(handler, key, request_of, status):
    answered(handler, the_long_way(environ({"input": SETOSA}, HTTP_X_API_KEY=key)))

    short = answered(handler, request_of(key))
    long = answered(handler, the_long_way(request_of(key)))

    assert short["status"] == status
    assert (short["status"], short["body"]) == (long["status"], long["body"])
    # Whoever sends no cookie and no origin is told of neither, and the method was the right one.
    assert set(long["headers"]) - set(short["headers"]) <= {"Vary", "Allow"}
    steady = set(short["headers"]) - OF_EACH_REQUEST
    assert {name: short["headers"][name] for name in steady} == {
        name: long["headers"][name] for name in steady
    }


@pytest.fixture
def warm(handler, key):
    """The key, once its credential and the route are remembered."""
    answered(handler, environ({"input": SETOSA}, HTTP_X_API_KEY=key))
    return key


def test_a_warm_request_goes_the_short_way(handler, warm):
    assert express.admit(environ({"input": SETOSA}, HTTP_X_API_KEY=warm)) is not None
    with CaptureQueriesContext(connection) as queries:
        told = answered(handler, environ({"input": SETOSA}, HTTP_X_API_KEY=warm))

    assert told["status"] == 200
    assert queries.captured_queries == []


def test_a_token_goes_it_too(handler, warm, alice):
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {tokens.issue(alice).access}"}
    answered(handler, environ({"input": SETOSA}, **bearer))

    assert express.admit(environ({"input": SETOSA}, **bearer)) is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"HTTP_COOKIE": "a=b"},
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"HTTP_X_ORGANIZATION": "another"},
        {"HTTP_ACCEPT": "text/html"},
        {"QUERY_STRING": "version=1"},
        {"PATH_INFO": "/api/v1/predict/another"},
        {"PATH_INFO": "/api/v1/models"},
        {"REQUEST_METHOD": "GET"},
        {"HTTP_X_API_KEY": "mlp_live_unknown"},
        {"CONTENT_LENGTH": "100000000"},
        {"CONTENT_LENGTH": ""},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
    ],
)
def test_everything_else_is_left_to_django(warm, changed):
    request = {**environ({"input": SETOSA}, HTTP_X_API_KEY=warm), **changed}

    assert express.admit(request) is None


def test_what_it_leaves_can_be_read_again(handler, warm):
    request = environ({"input": ["wrong"]}, HTTP_X_API_KEY=warm)

    assert express.admit(request) is None
    assert answered(handler, request)["body"]["code"] == "invalid_input"


def test_a_revoked_key_fails_at_the_next_request(handler, warm):
    APIKey.objects.get().revoke(at=now())

    told = answered(handler, environ({"input": SETOSA}, HTTP_X_API_KEY=warm))
    assert told["status"] == 401


def test_a_signed_out_token_fails_at_the_next_request(handler, warm, alice):
    pair = tokens.issue(alice)

    def ask():
        bearer = f"Bearer {pair.access}"
        return answered(handler, environ({"input": SETOSA}, HTTP_AUTHORIZATION=bearer))["status"]

    assert [ask(), ask()] == [200, 200]
    tokens.revoke(pair.refresh)
    assert ask() == 401


def test_requests_over_the_limit_are_refused(handler, warm, settings):
    settings.RATE_LIMIT_PER_MINUTE = 3
    told = [answered(handler, environ({"input": SETOSA}, HTTP_X_API_KEY=warm)) for _ in range(4)]

    assert [one["status"] for one in told] == [200, 200, 429, 429]  # one has warmed it
    assert "Retry-After" in told[-1]["headers"]


def test_a_models_own_failure_is_told_as_a_problem(handler, warm, monkeypatch):
    def fail(*arguments):
        raise errors.ModelTimedOut("It took too long.")

    monkeypatch.setattr(hosts, "predict", fail)
    told = answered(handler, environ({"input": [1, 2, 3, 4]}, HTTP_X_API_KEY=warm))

    assert (told["status"], told["body"]["code"]) == (504, "model_timed_out")
    assert told["headers"]["Content-Type"] == "application/problem+json"
