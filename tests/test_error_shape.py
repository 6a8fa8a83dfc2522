"""Every error of the API has one shape: RFC 9457, with a code and the request's id."""

import pytest
from django.db import OperationalError

from registry.api import views

URL = "/api/v1/models"


def assert_problem(response, status, code):
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["request_id"] == response["X-Request-Id"]
    assert body["detail"]
    assert body["title"]
    assert "text/html" not in response["Content-Type"]


def test_not_signed_in(db, client):
    response = client.get(URL)

    assert_problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"]


def test_no_such_path(db, client):
    assert_problem(client.get("/api/v1/nothing"), 404, "not_found")


def test_no_such_row(alice, client_of):
    assert_problem(client_of(alice).get(f"{URL}/nothing"), 404, "model_not_found")


def test_wrong_method(alice, client_of):
    assert_problem(client_of(alice).post(URL, {}), 405, "method_not_allowed")


@pytest.mark.parametrize("body", [b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000, b'"\\ud800"'])
def test_no_json(db, client, body):
    response = client.post("/api/v1/auth/login", body, content_type="application/json")

    assert_problem(response, 400, "parse_error")


def test_wrong_field(db, client):
    response = client.post("/api/v1/auth/login", {"email": 5}, content_type="application/json")

    assert_problem(response, 400, "invalid")
    assert {e["pointer"] for e in response.json()["errors"]} == {"/email", "/password"}


def test_a_callers_own_request_id_is_kept_if_harmless(db, client):
    assert client.get(URL, headers={"X-Request-Id": "abc-12345678"})["X-Request-Id"] == (
        "abc-12345678"
    )
    assert client.get(URL, headers={"X-Request-Id": 'x"\n{}'})["X-Request-Id"] != 'x"\n{}'


def test_the_database_away_is_503(alice, client_of, monkeypatch):
    def away(request):
        raise OperationalError("could not connect to server at 10.0.0.1")

    monkeypatch.setattr(views, "organization_of", away)
    response = client_of(alice).get(URL)

    assert_problem(response, 503, "store_unavailable")
    assert response["Retry-After"] == "2"
    assert "10.0.0.1" not in response.content.decode()


def test_a_bug_is_500_and_tells_nothing(alice, client_of, monkeypatch, caplog):
    def broken(request):
        raise KeyError("secret-detail")

    monkeypatch.setattr(views, "organization_of", broken)
    client = client_of(alice)
    client.raise_request_exception = False
    response = client.get(URL)

    assert_problem(response, 500, "error")
    assert "secret-detail" not in response.content.decode()
