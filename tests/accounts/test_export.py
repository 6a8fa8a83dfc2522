import json

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.test import Client

from tests.conftest import PASSWORD
from tests.factories import make_version

URL = "/api/v1/users/me/export"


def test_it_works(client_of, alice, organization, make_key, charlie):
    make_key(name="ci")
    make_version(organization, alice, name="iris", content=b"bytes")
    RecoveryCodes.activate(alice)
    Client(headers={"User-Agent": "Firefox"}).post(
        "/accounts/login/", {"login": alice.email, "password": PASSWORD}
    )

    exported = client_of(alice).get(URL).json()

    assert sorted(exported) == [
        "api_keys",
        "audit_events",
        "email_addresses",
        "exported_at",
        "memberships",
        "model_versions",
        "profile",
        "second_factors",
        "sessions",
    ]
    assert exported["profile"]["email"] == "alice@example.com"
    assert exported["memberships"][0]["organization__slug"] == organization.slug
    assert exported["api_keys"][0]["name"] == "ci"
    assert exported["model_versions"][0]["model"] == "iris"
    assert exported["second_factors"][0]["type"] == "recovery_codes"
    assert "Alice (alice@example.com) signed up" in [
        event["sentence"] for event in exported["audit_events"]
    ]
    assert "charlie" not in json.dumps(exported)


def test_no_secret_is_in_it(client_of, alice, make_key):
    key, secret = make_key()
    RecoveryCodes.activate(alice)

    text = client_of(alice).get(URL).content.decode()

    for hidden in (
        secret,
        key.digest,
        alice.password,
        "seed",
        "session_key",
        'digest":"' + key.digest,
    ):
        assert hidden not in text


def test_the_page_gives_a_file(client, alice):
    client.force_login(alice)
    assert "/accounts/data/export/" in client.get("/accounts/data/").content.decode()

    response = client.get("/accounts/data/export/")

    assert response["Content-Disposition"] == 'attachment; filename="mlplatform-account.json"'
    assert response.json()["profile"]["email"] == alice.email


def test_a_key_may_not(anyone, make_key):
    _, secret = make_key(scopes=["admin"])

    assert anyone.get(URL, headers={"X-API-Key": secret}).status_code == 403
