"""What every answer says to browsers, and what is refused before anything is read."""

import io
import json
import logging

import pytest
from django.conf import settings as current
from django.test import Client
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import tokens
from accounts.api_keys import create_key
from registry.api import views
from tests.conftest import PASSWORD

STRICT = {
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "form-action 'self'",
}
ON_EVERY_ANSWER = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": current.PERMISSIONS_POLICY,
}


def policy(response):
    return {part.strip() for part in response["Content-Security-Policy"].split(";")}


def said(response):
    return {name: response.get(name) for name in ON_EVERY_ANSWER}


@pytest.fixture
def broken(monkeypatch):
    def fail(request):
        raise KeyError("a bug")

    monkeypatch.setattr(views, "organization_of", fail)


# --- headers ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/accounts/login/", 200),
        ("/nothing", 404),
        ("/api/v1/models", 401),
        ("/api/v1/nothing", 404),
        ("/api/schema/", 200),
        ("/health", 200),
        ("/admin/", 302),
    ],
)
def test_it_works(db, client, path, status):
    response = client.get(path)

    assert response.status_code in (status, 503 if path == "/health" else status)
    assert said(response) == ON_EVERY_ANSWER
    if not path.startswith("/admin"):
        assert policy(response) == STRICT


def test_a_probe(db, client):
    assert said(client.get("/livez")) == ON_EVERY_ANSWER


def test_a_static_file(db, tmp_path, settings):
    settings.STATIC_ROOT = tmp_path
    settings.WHITENOISE_AUTOREFRESH = True
    (tmp_path / "picture.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    response = Client().get("/static/picture.svg")
    response.close()

    assert response.status_code == 200
    assert said(response) == ON_EVERY_ANSWER
    assert policy(response) == STRICT


def test_a_bug(alice, client_of, broken):
    client = client_of(alice)
    client.raise_request_exception = False
    response = client.get("/api/v1/models")

    assert response.status_code == 500
    assert said(response) == ON_EVERY_ANSWER
    assert policy(response) == STRICT


def test_a_refused_host(db, client):
    response = client.get("/", headers={"Host": "evil.example"})

    assert response.status_code == 400
    assert said(response) == ON_EVERY_ANSWER
    assert "evil.example" not in response.content.decode()


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_api_pages_have_no_inline_script(db, client, path):
    response = client.get(path)

    allowed = {part.partition(" ")[0]: part for part in policy(response)}
    assert allowed["script-src"] == "script-src 'self'"
    assert "'unsafe-eval'" not in response["Content-Security-Policy"]
    # Their libraries write styles, and ReDoc searches in a worker made from a blob.
    looser = {part for part in policy(response) if part not in STRICT}
    assert looser == {"style-src 'self' 'unsafe-inline'", "worker-src blob:"}


# --- https --------------------------------------------------------------------


@pytest.fixture
def https(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SESSION_COOKIE_NAME = "__Host-sessionid"
    settings.CSRF_COOKIE_NAME = "__Host-csrftoken"


def test_https_stays_https(alice, https):
    client = Client()
    body = {"login": alice.email, "password": PASSWORD}
    assert client.post("/accounts/login/", body, secure=True)["Location"] == "/"
    response = client.get("/accounts/password/change/", secure=True)

    assert response["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert client.get("/").status_code == 301
    cookies = {**client.cookies, **response.cookies}
    assert {"__Host-sessionid", "__Host-csrftoken"} <= set(cookies)
    for name, cookie in cookies.items():
        # What a __Host- cookie needs, or the browser drops it.
        assert (cookie["secure"], cookie["path"]) == (True, "/"), name
        assert not cookie["domain"], name
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax"), name


# --- CSRF ---------------------------------------------------------------------


def test_a_session_needs_a_token_for_the_api_and_a_key_does_not(alice, organization):
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(alice)
    response = browser.post("/api/v1/keys", {"name": "planted"})

    assert response.status_code == 403
    assert response["Content-Type"] == "application/problem+json"
    assert alice.api_keys.count() == 0

    _, secret = create_key(
        organization=organization, by=alice, name="ci", at=now(), scopes=["admin"]
    )
    program = APIClient(enforce_csrf_checks=True)
    for credential in ({"HTTP_X_API_KEY": secret}, {"HTTP_AUTHORIZATION": f"Bearer {secret}"}):
        assert program.post("/api/v1/keys", {"name": "made"}, **credential).status_code == 201


def test_an_access_token_needs_no_csrf_token(alice):
    program = APIClient(enforce_csrf_checks=True)
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {tokens.issue(alice).access}"}

    assert program.post("/api/v1/keys", {"name": "made"}, **bearer).status_code == 201


# --- bodies -------------------------------------------------------------------


class Untouched(io.BytesIO):
    """A body that nobody may read."""

    def read(self, *args):
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.parametrize(
    "path",
    ["/api/v1/auth/login", "/api/v1/auth/register", "/api/v1/keys", "/api/v1/models/iris"],
)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_body_that_is_too_long_is_not_read(db, client, path, method):
    response = client.generic(
        method,
        path,
        **{
            "wsgi.input": Untouched(),
            "CONTENT_LENGTH": str(current.MAX_BODY_BYTES + 1),
            "CONTENT_TYPE": "application/json",
        },
    )

    assert response.status_code == 413
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "request_too_large"


@pytest.mark.parametrize("length", ["9_999_999", "+9999999", " 9999999"])
def test_a_length_in_disguise_counts(db, client, length):
    more = {"CONTENT_LENGTH": length, "CONTENT_TYPE": "application/json"}

    assert client.generic("POST", "/api/v1/auth/login", **more).status_code == 413


def test_a_form_that_is_too_long_is_a_page(db, client):
    response = client.post("/accounts/login/", {"login": "a" * current.MAX_BODY_BYTES})

    assert response.status_code == 413
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("length", ["-1", "abc", "1e9", ""])
def test_a_senseless_length_is_none(db, client, length):
    more = {"CONTENT_LENGTH": length, "CONTENT_TYPE": "application/json"}
    response = client.generic("POST", "/api/v1/auth/login", **more)

    assert response.status_code == 400


def test_a_field_that_is_too_long_beside_a_file(alice, client_of, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    file = io.BytesIO(b"model")
    body = {"file": file, "name": "iris", "description": "a" * 2000}

    response = client_of(alice).post("/api/v1/models/upload", body, format="multipart")

    assert response.status_code == 413
    assert response.json()["code"] == "request_too_large"


def test_too_many_fields_beside_a_file(alice, client_of):
    fields = {f"field{i}": "a" for i in range(2000)}
    body = {"file": io.BytesIO(b"model"), "name": "iris", **fields}

    response = client_of(alice).post("/api/v1/models/upload", body, format="multipart")

    assert response.status_code == 400
    assert response.json()["code"] == "bad_request"


# --- hosts, origins, methods -----------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "a b", "", "["]
)
def test_a_wrong_host_is_400(db, client, host):
    assert client.get("/", headers={"Host": host}).status_code == 400


def test_what_a_proxy_might_forward_is_not_believed(db, client):
    headers = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Port": "444",
        "Forwarded": "host=evil.example",
        "X-Original-URL": "/admin/",
        "X-HTTP-Method-Override": "DELETE",
    }
    response = client.get("/accounts/password/reset/", headers=headers)

    assert response.status_code == 200
    assert "evil.example" not in response.content.decode()


def test_a_mailed_link_leads_to_our_address(alice, client, mailoutbox):
    headers = {"X-Forwarded-Host": "evil.example", "Host": "127.0.0.1"}
    client.post("/accounts/password/reset/", {"email": alice.email}, headers=headers)

    assert f"{current.SITE_URL}/accounts/password/reset/key/" in mailoutbox[0].body


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil"])
def test_no_origin_is_mirrored(alice, client_of, origin):
    client = client_of(alice)
    for response in (
        client.get("/api/v1/models", headers={"Origin": origin}),
        client.options(
            "/api/v1/models",
            headers={"Origin": origin, "Access-Control-Request-Method": "POST"},
        ),
    ):
        assert "Access-Control-Allow-Origin" not in response
        assert "Access-Control-Allow-Credentials" not in response


def test_an_origin_of_the_settings_may_call_the_api_without_our_cookies(db, client, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    response = client.options("/api/v1/models", headers=headers)

    assert response["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Access-Control-Allow-Credentials" not in response
    assert "Access-Control-Allow-Origin" not in client.get("/", headers=headers)


@pytest.mark.parametrize("path", ["/", "/docs", "/health", "/api/v1/models", "/api/v1/auth/login"])
def test_trace_mirrors_nothing(db, client, path):
    response = client.trace(path, headers={"X-Secret": "mirrored?"})

    assert response.status_code in (401, 405)
    assert "mirrored?" not in response.content.decode()


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_redirect_after_sign_in_stays_here(alice, client, target):
    body = {"login": alice.email, "password": PASSWORD, "next": target}
    response = client.post("/accounts/login/", body)

    assert (response.status_code, response["Location"]) == (302, "/")


# --- the log ------------------------------------------------------------------


def test_nobody_forges_a_line_of_the_log(db, client, caplog):
    caplog.set_level(logging.INFO)
    forged = 'x"}\n{"event": "forged"}\r\n\x1b[31m'
    client.get(f"/nothing/{forged}", headers={"User-Agent": forged, "X-Request-Id": forged})

    lines = [record.getMessage() for record in caplog.records if record.name == "request"]
    assert len(lines) == 1
    assert "forged" not in json.dumps(caplog.records[-1].msg.get("request_id", ""))


def test_no_secret_is_in_the_log(alice, client_of, caplog):
    caplog.set_level(logging.DEBUG)
    token = tokens.issue(alice).access
    client = APIClient()
    client.get(f"/api/v1/models?key={token}", headers={"Authorization": f"Bearer {token}"})
    client.post("/api/v1/auth/login", {"email": alice.email, "password": "hunter2-hunter2"})

    told = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert token not in told
    assert "hunter2" not in told
