import re
from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import APIKey

URL = "/api/v1/keys"


def test_it_works(client_of, alice, organization):
    response = client_of(alice).post(URL, {"name": "nightly"})

    assert response.status_code == 201
    answer = response.json()
    key = APIKey.objects.get()
    assert re.fullmatch(r"mlp_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}", answer["key"])
    assert answer == {
        "id": str(key.id),
        "name": "nightly",
        "prefix": f"mlp_live_{key.prefix}",
        "scopes": ["jobs", "models:read", "models:write", "predict"],
        "created_by": "alice@example.com",
        "created_at": key.created_at.isoformat().replace("+00:00", "Z"),
        "mode": "live",
        "models": None,
        "rate_limit": None,
        "monthly_predictions": None,
        "previous_until": None,
        "last_used_ip": None,
        "last_used_at": None,
        "expires_at": None,
        "revoked_at": None,
        "key": answer["key"],
    }
    assert key.organization == organization
    assert key.created_by == alice


def test_the_key_opens_the_api(client_of, anyone, alice):
    secret = client_of(alice).post(URL, {"name": "nightly"}).json()["key"]

    me = anyone.get("/api/v1/users/me", headers={"Authorization": f"Bearer {secret}"})

    assert me.json()["email"] == "alice@example.com"


def test_the_secret_is_not_stored(client_of, alice):
    secret = client_of(alice).post(URL, {"name": "nightly"}).json()["key"]

    row = " ".join(str(value) for value in APIKey.objects.values_list().get())
    assert secret not in row
    assert secret[-43:] not in row


def test_scopes_and_expiry_may_be_chosen(client_of, alice):
    soon = now() + timedelta(days=30)

    answer = (
        client_of(alice)
        .post(URL, {"name": "app", "scopes": ["predict", "predict"], "expires_at": soon})
        .json()
    )

    assert answer["scopes"] == ["predict"]
    assert APIKey.objects.get().expires_at == soon


def test_it_is_made_in_the_organization_that_was_asked_for(client_of, bob, bobs_own, organization):
    client_of(bob).post(URL, {"name": "app"}, headers={"X-Organization": organization.slug})

    assert APIKey.objects.get().organization == organization


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": "predict"}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"scopes": [{}]}, "/scopes/0"),
        ({"scopes": ["predict"] * 100}, "/scopes"),
        ({"expires_at": "yesterday"}, "/expires_at"),
        ({"expires_at": 10**400 % 10**18}, "/expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "/expires_at"),
        ({"prefix": "abcdefgh"}, "/prefix"),
        ({"digest": "0" * 64}, "/digest"),
        ({"revoked_at": None}, "/revoked_at"),
        ({"created_by": "bob@example.com"}, "/created_by"),
        ({"organization": "bob"}, "/organization"),
    ],
)
def test_it_names_the_field_it_refuses(client_of, alice, change, pointer):
    response = client_of(alice).post(URL, {"name": "nightly", **change})

    assert response.status_code == 400
    assert pointer in [error["pointer"] for error in response.json()["errors"]]
    assert not APIKey.objects.exists()


def test_a_key_needs_the_scope_admin(anyone, make_key):
    _, secret = make_key()

    response = anyone.post(URL, {"name": "more"}, headers={"X-API-Key": secret})

    assert response.status_code == 403
    assert response.json()["detail"] == "A key manages keys only with the scope admin."
    assert APIKey.objects.count() == 1


def test_a_key_with_the_scope_admin_makes_keys(anyone, make_key, organization):
    _, secret = make_key(scopes=["admin"])

    response = anyone.post(URL, {"name": "more"}, headers={"X-API-Key": secret})

    assert response.status_code == 201
    assert APIKey.objects.for_organization(organization).count() == 2


def test_it_asks_who_you_are(anyone):
    assert anyone.post(URL, {"name": "nightly"}).status_code == 401
