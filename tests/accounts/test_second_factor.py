"""An authenticator app, computed here; recovery codes; the API's sign-in."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.test import Client

from accounts.models import User
from tests.conftest import PASSWORD

SIGN_IN = "/accounts/login/"
LOGIN = "/api/v1/auth/login"


def code_of(secret: str, *, steps: int = 0) -> str:
    """What the app shows now, or some half minutes later."""
    return totp.format_hotp_value(totp.hotp_value(secret, int(time.time() // 30) + steps))


@pytest.fixture
def secret(client, alice):
    """alice has an app; this is its secret."""
    client.post(SIGN_IN, {"login": alice.email, "password": PASSWORD})
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = client.get("/accounts/2fa/totp/activate/").content.decode()
    shown = re.search(r'id="authenticator_secret"[^>]*value="([A-Z2-7]+)"', page)[1]
    done = client.post("/accounts/2fa/totp/activate/", {"code": code_of(shown, steps=-1)})
    assert done.status_code == 302
    return shown


@pytest.fixture
def recovery_codes(secret, client):
    page = client.get("/accounts/2fa/recovery-codes/").content.decode()
    return re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.S)[1].split()


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def begin(user: User) -> Client:
    client = Client()
    response = client.post(SIGN_IN, {"login": user.email, "password": PASSWORD})
    assert response["Location"] == "/accounts/2fa/authenticate/"
    return client


def test_it_works(secret, alice):
    client = begin(alice)
    assert not signed_in(client)

    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})

    assert signed_in(client)


def test_a_code_works_once(secret, alice):
    code = code_of(secret)
    begin(alice).post("/accounts/2fa/authenticate/", {"code": code})

    again = begin(alice)
    again.post("/accounts/2fa/authenticate/", {"code": code})
    assert not signed_in(again)


@pytest.mark.parametrize(
    "code", ["", "000000", "x", "1" * 1000, "\u0661\u0662\u0663\u0664\u0665\u0666"]
)
def test_a_wrong_code_is_refused(secret, alice, code):
    client = begin(alice)

    assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 200
    assert not signed_in(client)


def test_guessing_codes_is_stopped(secret, alice):
    client = begin(alice)
    for _ in range(5):
        client.post("/accounts/2fa/authenticate/", {"code": "000000"})

    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})

    assert not signed_in(client)


def test_a_recovery_code_works_once(recovery_codes, alice):
    assert len(recovery_codes) == 10
    client = begin(alice)
    client.post("/accounts/2fa/authenticate/", {"code": recovery_codes[0]})
    assert signed_in(client)

    again = begin(alice)
    again.post("/accounts/2fa/authenticate/", {"code": recovery_codes[0]})
    assert not signed_in(again)


def test_the_secrets_are_not_in_the_database(secret, recovery_codes):
    kept = " ".join(str(data) for data in Authenticator.objects.values_list("data", flat=True))

    assert secret not in kept
    assert recovery_codes[0] not in kept


def test_after_a_change_of_the_secret_key_no_code_is_right(secret, alice, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-secret-another-secret-another-secret"
    client = begin(alice)
    client.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    assert signed_in(client)

    settings.SECRET_KEY_FALLBACKS = []
    later = begin(alice)
    answer = later.post("/accounts/2fa/authenticate/", {"code": code_of(secret, steps=1)})
    assert answer.status_code == 200
    assert not signed_in(later)


def test_the_api_asks_for_a_code_too(secret, anyone, alice):
    body = {"email": alice.email, "password": PASSWORD}

    for more in ({}, {"code": "000000"}):
        refused = anyone.post(LOGIN, body | more)
        assert (refused.status_code, refused.json()["code"]) == (401, "second_factor_needed")
    code = code_of(secret)
    assert anyone.post(LOGIN, body | {"code": code}).status_code == 200
    assert anyone.post(LOGIN, body | {"code": code}).status_code == 401


def test_the_api_takes_a_recovery_code(recovery_codes, anyone, alice):
    body = {"email": alice.email, "password": PASSWORD, "code": recovery_codes[1]}

    assert anyone.post(LOGIN, body).status_code == 200
    assert anyone.post(LOGIN, body).status_code == 401


def test_guessing_codes_at_the_api_is_stopped(secret, anyone, alice):
    body = {"email": alice.email, "password": PASSWORD}
    for _ in range(5):
        anyone.post(LOGIN, body | {"code": "000000"})

    refused = anyone.post(LOGIN, body | {"code": code_of(secret)})

    assert refused.status_code == 401
    assert "Too many wrong codes" in refused.json()["detail"]


def test_a_wrong_password_does_not_tell_of_the_second_factor(secret, anyone, alice):
    answer = anyone.post(LOGIN, {"email": alice.email, "password": "wrong", "code": "000000"})

    assert answer.json()["code"] == "invalid_credentials"


def test_the_admin_asks_for_it_too(secret, alice):
    alice.make_operator()
    client = Client()

    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert client.get("/admin/login/?next=/admin/")["Location"] == (
        "/accounts/login/?next=%2Fadmin%2F"
    )
    begun = begin(alice)
    assert begun.get("/admin/").status_code == 302


def test_setting_it_up_asks_again_who_one_is(client, alice):
    client.force_login(alice)

    for page in ("totp/activate/", "webauthn/add/", "recovery-codes/generate/"):
        sent = client.get(f"/accounts/2fa/{page}")["Location"]
        assert sent.startswith("/accounts/reauthenticate/")


def test_it_can_be_given_up(secret, client, alice, mailoutbox):
    client.post("/accounts/2fa/totp/deactivate/")

    assert not Authenticator.objects.filter(user=alice).exists()
    assert mailoutbox[-1].to == [alice.email]
