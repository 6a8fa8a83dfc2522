import threading

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import AuditEvent

URL = "/api/v1/auth/refresh"


def test_it_works(anyone, alice):
    old = tokens.issue(alice)

    response = anyone.post(URL, {"refresh": old.refresh})

    assert response.status_code == 200
    new = response.json()
    assert sorted(new) == ["access", "expires_in", "refresh", "token_type"]
    assert new["refresh"] != old.refresh
    me = anyone.get("/api/v1/users/me", headers={"Authorization": f"Bearer {new['access']}"})
    assert me.json()["email"] == "alice@example.com"


def test_a_token_that_comes_twice_ends_its_family(anyone, alice):
    old = tokens.issue(alice)
    new = anyone.post(URL, {"refresh": old.refresh}).json()

    again = anyone.post(URL, {"refresh": old.refresh})

    assert again.status_code == 401
    assert again.json()["code"] == "token_invalid"
    assert again["WWW-Authenticate"] == 'Bearer realm="api"'
    # Who has the successor may be the thief: it is as void, and so is its access token.
    assert anyone.post(URL, {"refresh": new["refresh"]}).status_code == 401
    bearer = {"Authorization": f"Bearer {new['access']}"}
    assert anyone.get("/api/v1/users/me", headers=bearer).status_code == 401
    assert AuditEvent.objects.filter(verb="account.token_reused").count() == 1


def test_it_ends_warm_access_too(anyone, alice):
    old = tokens.issue(alice)
    bearer = {"Authorization": f"Bearer {old.access}"}
    anyone.post(URL, {"refresh": old.refresh})
    assert anyone.get("/api/v1/users/me", headers=bearer).status_code == 200

    anyone.post(URL, {"refresh": old.refresh})

    assert anyone.get("/api/v1/users/me", headers=bearer).status_code == 401


def test_reuse_leaves_other_sign_ins_alone(anyone, alice):
    stolen, other = tokens.issue(alice), tokens.issue(alice)
    for _ in range(2):
        anyone.post(URL, {"refresh": stolen.refresh})

    assert anyone.post(URL, {"refresh": other.refresh}).status_code == 200


def test_it_refuses_an_access_token(anyone, alice):
    assert anyone.post(URL, {"refresh": tokens.issue(alice).access}).status_code == 401


def test_a_new_password_ends_it(anyone, alice):
    old = tokens.issue(alice)
    alice.change_password("another-Passphrase-8")

    assert anyone.post(URL, {"refresh": old.refresh}).status_code == 401


def test_it_refuses_an_inactive_user(anyone, alice):
    old = tokens.issue(alice)
    alice.is_active = False
    alice.save(update_fields=["is_active"])

    assert anyone.post(URL, {"refresh": old.refresh}).status_code == 401


@pytest.mark.parametrize(
    "refresh", ["x", "a.b.c", "\u00e9" * 30, "x" * 3000, "W1tb" * 500 + ".e30.x"]
)
def test_it_refuses_nonsense(anyone, refresh):
    assert anyone.post(URL, {"refresh": refresh}).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_is_answered(alice):
    old = tokens.issue(alice)
    statuses = []

    def spend():
        statuses.append(APIClient().post(URL, {"refresh": old.refresh}).status_code)
        connection.close()

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200] + [401] * 7
