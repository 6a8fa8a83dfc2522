from urllib.parse import urlsplit

import pytest

from accounts import tokens
from tests.accounts.test_sign_up_page import link_in
from tests.conftest import PASSWORD

NEW = "another-Passphrase-8"
CHANGE = "/api/v1/users/me/password"
RESET = "/api/v1/auth/password/reset"
CONFIRM = "/api/v1/auth/password/reset/confirm"


def key_in(mail):
    return urlsplit(link_in(mail)).path.rstrip("/").rpartition("/")[2]


def test_it_works(client_of, alice):
    client = client_of(alice)

    assert client.post(CHANGE, {"current": PASSWORD, "new": NEW}).status_code == 204

    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert client.get("/api/v1/users/me").status_code == 401


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"current": "wrong", "new": NEW}, "invalid"),
        ({"current": PASSWORD, "new": "short"}, "unacceptable_password"),
        ({"current": PASSWORD}, "invalid"),
        ({"current": PASSWORD, "new": NEW, "email": "x@example.com"}, "invalid"),
    ],
)
def test_it_refuses(client_of, alice, body, code):
    response = client_of(alice).post(CHANGE, body)

    assert (response.status_code, response.json()["code"]) == (400, code)
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_guessing_the_password_with_a_stolen_token_is_slowed_down(client_of, alice):
    client = client_of(alice)

    answers = [client.post(CHANGE, {"current": "wrong", "new": NEW}).status_code for _ in range(7)]

    assert answers[:5] == [400] * 5
    assert answers[-1] == 429


def test_a_key_may_not(anyone, make_key):
    _, secret = make_key(scopes=["admin"])

    response = anyone.post(CHANGE, {"current": PASSWORD, "new": NEW}, headers={"X-API-Key": secret})

    assert response.status_code == 403


def test_a_forgotten_one_is_replaced_by_mail(anyone, alice, mailoutbox):
    access = tokens.issue(alice).access
    asked = anyone.post(RESET, {"email": " ALICE@example.com"})
    assert asked.status_code == 202
    key = key_in(mailoutbox[0])

    assert anyone.post(CONFIRM, {"key": key, "password": NEW}).status_code == 204

    alice.refresh_from_db()
    assert alice.check_password(NEW)
    bearer = {"Authorization": f"Bearer {access}"}
    assert anyone.get("/api/v1/users/me", headers=bearer).status_code == 401
    again = anyone.post(CONFIRM, {"key": key, "password": NEW})
    assert (again.status_code, again.json()["code"]) == (400, "reset_key_invalid")


def test_an_unknown_address_is_answered_alike(anyone, alice, mailoutbox):
    known = anyone.post(RESET, {"email": alice.email})
    unknown = anyone.post(RESET, {"email": "nobody@example.com"})

    assert known.json() == unknown.json()
    assert known.status_code == unknown.status_code == 202


@pytest.mark.parametrize("email", ["", "nonsense", "a\0@example.com", "x" * 300, 5, None, ["x"]])
def test_nonsense_is_no_address(anyone, db, email):
    answer = anyone.post(RESET, {"email": email})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["errors"][0]["pointer"].startswith("/email")


@pytest.mark.parametrize("key", ["x", "-", "a-b", "%00-x", "0" * 32 + "-abc-def", "x" * 200])
def test_a_forged_key_is_refused(anyone, alice, key):
    response = anyone.post(CONFIRM, {"key": key, "password": NEW})

    assert (response.status_code, response.json()["code"]) == (400, "reset_key_invalid")


def test_a_weak_one_is_refused_and_the_key_lasts(anyone, alice, mailoutbox):
    anyone.post(RESET, {"email": alice.email})
    key = key_in(mailoutbox[0])

    assert anyone.post(CONFIRM, {"key": key, "password": "12345678"}).status_code == 400
    assert anyone.post(CONFIRM, {"key": key, "password": NEW}).status_code == 204


def test_who_may_not_sign_in_gets_no_new_password(anyone, alice, mailoutbox):
    anyone.post(RESET, {"email": alice.email})
    alice.deactivate()

    body = {"key": key_in(mailoutbox[0]), "password": NEW}
    assert anyone.post(CONFIRM, body).status_code == 400


def test_a_mail_server_that_is_away_is_told_alike(anyone, alice, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1

    for email in (alice.email, "nobody@example.com"):
        response = anyone.post(RESET, {"email": email})
        assert (response.status_code, response.json()["code"]) == (503, "mail_unavailable")
