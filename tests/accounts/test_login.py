import time
from datetime import timedelta
from statistics import median

import jwt
import pytest
from django.conf import settings

from accounts.models import TokenFamily

URL = "/api/v1/auth/login"


def test_it_works(anyone, alice, password):
    response = anyone.post(URL, {"email": "alice@example.com", "password": password})

    assert response.status_code == 200
    answer = response.json()
    assert sorted(answer) == ["access", "expires_in", "refresh", "token_type"]
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 1800
    access = _claims(answer["access"])
    assert access["user_id"] == str(alice.id)
    assert access["exp"] - access["iat"] == timedelta(minutes=30).total_seconds()
    refresh = _claims(answer["refresh"])
    assert refresh["exp"] - refresh["iat"] == timedelta(days=7).total_seconds()


def test_the_access_token_opens_the_api(anyone, alice, password):
    login = anyone.post(URL, {"email": "alice@example.com", "password": password}).json()

    response = anyone.get(
        "/api/v1/users/me", headers={"Authorization": f"Bearer {login['access']}"}
    )

    assert response.json()["email"] == "alice@example.com"


def test_the_case_of_the_address_does_not_matter(anyone, password):
    response = anyone.post(URL, {"email": " ALICE@Example.com", "password": password})

    assert response.status_code == 200


def test_the_form_of_the_characters_does_not_matter(anyone, alice):
    alice.change_password("Cafe\u0301-Passphrase")  # e and an accent

    composed = {"email": "alice@example.com", "password": "Caf\u00e9-Passphrase"}

    assert anyone.post(URL, composed).status_code == 200


def test_passwords_that_are_equal_in_72_bytes_differ(anyone, alice):
    alice.change_password("x" * 72 + "right")

    wrong = {"email": "alice@example.com", "password": "x" * 72 + "wrong"}

    assert anyone.post(URL, wrong).status_code == 401


def test_unknown_address_and_wrong_password_answer_alike(anyone, password):
    unknown = anyone.post(URL, {"email": "nobody@example.com", "password": password})
    wrong = anyone.post(URL, {"email": "alice@example.com", "password": "wrong"})

    assert unknown.status_code == wrong.status_code == 401
    assert unknown["WWW-Authenticate"] == wrong["WWW-Authenticate"] == 'Bearer realm="api"'
    assert wrong.json()["code"] == "invalid_credentials"
    assert {**unknown.json(), "request_id": ""} == {**wrong.json(), "request_id": ""}


def test_unknown_address_and_wrong_password_take_as_long(anyone, password, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    anyone.post(URL, {"email": "alice@example.com", "password": password})  # rehashes

    def seconds(email):
        started = time.perf_counter()
        anyone.post(URL, {"email": email, "password": "wrong"})
        return time.perf_counter() - started

    known, unknown = (
        median(seconds(email) for _ in range(3))
        for email in ("alice@example.com", "nobody@example.com")
    )

    assert 0.5 < unknown / known < 2


def test_it_refuses_an_inactive_user(anyone, alice, password):
    alice.is_active = False
    alice.save(update_fields=["is_active"])

    response = anyone.post(URL, {"email": "alice@example.com", "password": password})

    assert response.status_code == 401
    assert response.json()["code"] == "invalid_credentials"


def test_a_megabyte_of_password_is_refused_unhashed(anyone, alice):
    started = time.perf_counter()
    response = anyone.post(URL, {"email": "alice@example.com", "password": "x" * 1_000_000})

    assert response.status_code == 400
    assert time.perf_counter() - started < 0.5


def test_bad_credentials_beside_good_ones_do_not_matter(anyone, password):
    body = {"email": "alice@example.com", "password": password}

    assert anyone.post(URL, body, headers={"Authorization": "Bearer stale"}).status_code == 200


def test_no_token_is_stored(anyone, alice, password):
    login = anyone.post(URL, {"email": "alice@example.com", "password": password}).json()

    row = TokenFamily.objects.get()
    assert row.refresh_jti == _claims(login["refresh"])["jti"]
    assert row.user == alice


@pytest.mark.parametrize("field", ["email", "password"])
def test_it_asks_for_what_is_missing(anyone, field):
    body = {"email": "alice@example.com", "password": "x"}
    del body[field]

    response = anyone.post(URL, body)

    assert response.status_code == 400
    assert response.json()["errors"] == [
        {"pointer": f"/{field}", "code": "required", "detail": "This field is required."}
    ]


def _claims(token):
    return jwt.decode(token, settings.JWT_SIGNING_KEY, algorithms=["HS256"])
