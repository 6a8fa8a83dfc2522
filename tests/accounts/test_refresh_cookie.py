import pytest
from rest_framework.test import APIClient

from accounts import tokens

LOGIN, REFRESH, LOGOUT = (f"/api/v1/auth/{name}" for name in ("login", "refresh", "logout"))
ME = "/api/v1/users/me"
ORIGIN = {"Origin": "http://localhost:8000"}


@pytest.fixture
def browser(alice, password):
    """Signed in with a cookie; `access` is what its page keeps in memory."""
    browser = APIClient()
    body = {"email": "alice@example.com", "password": password, "cookie": True}
    browser.signed_in = browser.post(LOGIN, body)
    browser.access = browser.signed_in.json()["access"]
    return browser


def test_it_works(browser):
    assert "refresh" not in browser.signed_in.json()

    response = browser.post(REFRESH, {}, headers=ORIGIN)

    assert response.status_code == 200
    assert sorted(response.json()) == ["access", "expires_in", "token_type"]
    bearer = {"Authorization": f"Bearer {response.json()['access']}"}
    assert browser.get(ME, headers=bearer).status_code == 200
    assert browser.post(REFRESH, {}, headers=ORIGIN).status_code == 200


def test_no_script_and_no_other_path_sees_it(browser):
    cookie = browser.signed_in.cookies["refresh"]

    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == REFRESH
    assert cookie["max-age"] == 7 * 24 * 3600
    assert not cookie["domain"]


def test_it_is_secure_where_the_platform_is(alice, password, settings):
    settings.SESSION_COOKIE_SECURE = True
    body = {"email": "alice@example.com", "password": password, "cookie": True}

    cookie = APIClient().post(LOGIN, body).cookies["__Secure-refresh"]

    assert cookie["secure"]
    assert cookie["httponly"]


@pytest.mark.parametrize(
    "origin",
    [None, "", "null", "http://evil.example", "http://localhost:8000.evil.example",
     "http://localhost", "https://localhost:8000", "HTTP://LOCALHOST:8000/"],
)  # fmt: skip
def test_another_pages_request_is_refused(browser, origin):
    response = browser.post(REFRESH, {}, headers={"Origin": origin} if origin is not None else {})

    assert response.status_code == 403
    assert response.json()["code"] == "foreign_origin"
    assert browser.post(REFRESH, {}, headers=ORIGIN).status_code == 200  # nothing was spent


def test_a_replayed_cookie_ends_the_family(browser):
    old = browser.cookies["refresh"].value
    new = browser.post(REFRESH, {}, headers=ORIGIN)
    thief = APIClient()
    thief.cookies["refresh"] = old

    assert thief.post(REFRESH, {}, headers=ORIGIN).status_code == 401
    assert browser.post(REFRESH, {}, headers=ORIGIN).status_code == 401
    bearer = {"Authorization": f"Bearer {new.json()['access']}"}
    assert browser.get(ME, headers=bearer).status_code == 401


def test_a_cookie_signs_nobody_in_elsewhere(browser):
    assert browser.get(ME).status_code == 401


def test_an_access_token_is_no_cookie(browser):
    browser.cookies["refresh"] = browser.access

    assert browser.post(REFRESH, {}, headers=ORIGIN).status_code == 401


def test_logging_out_by_the_access_token(browser):
    bearer = {"Authorization": f"Bearer {browser.access}"}
    assert browser.get(ME, headers=bearer).status_code == 200
    kept = browser.cookies["refresh"].value

    response = browser.post(LOGOUT, {}, headers=bearer)

    assert response.status_code == 204
    assert response.cookies["refresh"]["max-age"] == 0
    assert browser.get(ME, headers=bearer).status_code == 401
    browser.cookies["refresh"] = kept
    assert browser.post(REFRESH, {}, headers=ORIGIN).status_code == 401


def test_a_body_comes_before_a_cookie(browser, alice):
    pair = tokens.issue(alice)

    assert "refresh" in browser.post(REFRESH, {"refresh": pair.refresh}).json()


def test_without_any_it_says_what_is_missing(anyone, db):
    for url in (REFRESH, LOGOUT):
        response = anyone.post(url, {})

        assert response.status_code == 400
        assert response.json()["errors"][0]["pointer"] == "/refresh"
